"""A checkpoint's kind decides who makes the music: a score, or sound, behind one interface."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from packages import install

import emsync
from emsync import plugins
from emsync.analysis import Analysis
from emsync.checkpoints import kind_of
from emsync.cli import main
from emsync.composition import Composition
from emsync.errors import AssetError, EmsyncError, InputError, UsageError
from emsync.makers import Drawn, Maker, SoundMaker, maker_of
from emsync.model.composer import Composer
from emsync.music.piece import Piece
from emsync.options import Options
from emsync.planning.plan import Plan, Section
from emsync.sound.audio import OUTPUT_RATE, Audio, whole
from emsync.sound.decode import read_stereo
from emsync.sound.resampling import at_rate
from emsync.sound.style import read_style
from emsync.sounding import answered, sounding_share
from emsync.soundtrack import Soundtrack
from emsync.testing import check_maker
from emsync.video.cuts import Cut

SINES = Path(__file__).parent / "third_party" / "emsync-sines"
RATE = 24_000


@pytest.fixture
def sines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint of the kind "sines", whose package is installed."""
    site, folder = tmp_path / "site", tmp_path / "bells"
    site.mkdir()
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    monkeypatch.delitem(sys.modules, "emsync_sines", raising=False)
    install(SINES, site)
    folder.mkdir()
    (folder / "config.json").write_text('{"kind": "sines", "pitch": 220.0}')
    return folder


@pytest.fixture(scope="module")
def film(draw_cut: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds with one cut in the middle."""
    return draw_cut(tmp_path_factory.mktemp("film") / "film.mp4", frames=50)


def options(**values: Any) -> Options:
    return Options(**{"estimator": "fixed:joy", "min_cut_distance": 0.0, **values})


def opened(folder: Path) -> SoundMaker:
    kind, folder = maker_of(folder)
    maker = kind.open(folder, "cpu")
    assert isinstance(maker, SoundMaker)
    return maker


# --- what opens a checkpoint ----------------------------------------------------------------------


def test_the_interface_needs_no_torch() -> None:
    act = "import sys, emsync.makers, emsync.plugin; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", act], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"


def test_a_checkpoint_that_names_no_kind_composes_scores(small: Path, sines: Path) -> None:
    assert maker_of(small)[0].kind == "events"
    assert maker_of(sines)[0].kind == "sines"


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ('{"kind": "harp"}', "is of the kind 'harp', which nothing ins.*there is events, muvi, si"),
        ('{"kind": 3}', "kind is 3, not a name"),
        ('{"kind": ""}', "kind is '', not a name"),
        ('{"kind": "sines", "pitch": 1.0}', "has a pitch of 1.0"),
        ('{"kind": "sin', "is not JSON"),
    ],
)
def test_a_checkpoint_that_nothing_opens_is_refused(
    sines: Path, film: Path, config: str, sentence: str
) -> None:
    (sines / "config.json").write_text(config)
    with pytest.raises(AssetError, match=sentence):
        emsync.generate(film, options(), checkpoint=sines)


def test_a_composer_is_no_maker_of_sound(sines: Path) -> None:
    with pytest.raises(AssetError, match="is of the kind 'sines', which composes no score"):
        Composer.from_pretrained(sines)
    assert kind_of({}, sines) == "events"


def test_installed_makers_are_told_of(sines: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "--json"]) == 0
    assert {"events", "sines"} <= set(json.loads(capsys.readouterr().out)["makers"])
    for name in plugins.names(plugins.MAKERS):
        maker = plugins.load(plugins.MAKERS, name, Maker)
        assert maker.kind == name
        assert 0 < len(maker.summary) < 80


# --- a sound for a film ---------------------------------------------------------------------------


def test_a_sound_is_made_ranked_and_written(sines: Path, film: Path, tmp_path: Path) -> None:
    told: list[Soundtrack] = []
    made = emsync.generate(
        film, options(candidates=3), checkpoint=str(sines), on_candidate=told.append
    )
    assert isinstance(made, Soundtrack)
    assert len(told) == len(made.candidates) == 3
    assert made.best.score == max(one.score for one in made.candidates)
    assert list(made.best.parts) == ["hits", "sounding", "bright"]
    assert [report.hit is not None for report in made.cuts] == [True]
    assert made.best.sound.length == round(made.analysis.duration * OUTPUT_RATE)
    sound = made.audio(lufs=-20.0)
    assert sound.duration == pytest.approx(made.analysis.duration)
    assert sound.loudness.integrated == pytest.approx(-20.0, abs=0.1)
    assert np.abs(sound.samples[-1]).max() < 1e-3  # it has faded
    made.save(tmp_path / "music.wav")
    made.save(tmp_path / "scored.mp4")
    with av.open(str(tmp_path / "scored.mp4")) as scored:
        assert len(scored.streams.video) == len(scored.streams.audio) == 1
    facts = json.loads(json.dumps(made.to_json(), allow_nan=False))
    assert facts["makes"] == "sound"
    assert facts["cuts"][0]["hit"]["kind"] == "onset"
    assert facts["sampling"] == {"guidance": 1.0}
    assert "1 of 1 cuts hit" in made.summary()


def test_a_seed_makes_the_same_sound_again(sines: Path, film: Path, tmp_path: Path) -> None:
    for name, asked in {"a": options(seed=5), "b": options(seed=5), "c": options(seed=6)}.items():
        emsync.generate(film, replace(asked, candidates=1), checkpoint=sines).save(
            tmp_path / f"{name}.wav"
        )
    a, b, c = ((tmp_path / f"{name}.wav").read_bytes() for name in "abc")
    assert a == b != c


def test_a_given_analysis_spares_no_maker_its_own_look(sines: Path, film: Path) -> None:
    """What it observes is in the film alone; what is asked of the music is what was given."""
    given = Analysis(2.0, "25", cuts=(Cut(0.6),))
    made = emsync.generate(film, Options(analysis=given), checkpoint=sines)
    assert [report.cut.time for report in made.cuts] == [0.6]
    assert made.best.parts["bright"] > 0


def test_a_maker_that_is_loaded_is_taken_as_it_is(sines: Path, film: Path) -> None:
    made = emsync.generate(film, options(), checkpoint=opened(sines))
    assert isinstance(made, Soundtrack)


def test_music_may_be_like_other_music(sines: Path, film: Path, tmp_path: Path) -> None:
    (tmp_path / "like").mkdir()
    like = tmp_path / "like" / "tone.wav"
    tone = np.sin(2 * np.pi * 330 * np.arange(2 * RATE) / RATE)
    Audio(np.repeat(tone[:, None], 2, axis=1).astype(np.float32), RATE).save(like)
    made = emsync.generate(film, options(candidates=1, like=like), checkpoint=sines)
    samples = made.audio().samples[:, 0]
    loudest = np.argmax(np.abs(np.fft.rfft(samples[:OUTPUT_RATE])))
    assert loudest == pytest.approx(330, abs=1)


def test_a_style_is_heard_in_sound_and_in_notes(piece: Piece, tmp_path: Path) -> None:
    emsync.perform(piece, out=tmp_path / "a.mid")
    notes = read_style(tmp_path / "a.mid", RATE)
    assert notes.rate == RATE and 16 <= notes.duration <= 20
    long = Audio(np.tile(notes.samples, (5, 1)), RATE)
    long.save(tmp_path / "long.wav")
    assert read_style(tmp_path / "long.wav", RATE).length == 60 * RATE


# --- what cannot be -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--out", "a.mid"], 2, "makes sound, not a score; give --audio or --video"),
        (["--bundle", "all"], 2, "makes sound, not a score; give --audio or --video"),
        (["--audio", "a.wav", "--keep-all"], 2, "makes sound, not a score"),
        (["--soundfont", "a.sf2"], 2, "makes sound, which no sound font plays"),
        (["--chords", "Am F"], 2, "does not follow --chords; leave it out.* the kind events"),
        (["--humanize", "0.5"], 2, "does not follow --humanize"),
        (["--plan", "plan.json"], 2, "does not follow --plan; leave it out"),
        (["--keep", "kept.mid", "--redo", "0-1"], 2, "makes sound, and can keep no score"),
        (["--like", "text.txt"], 3, "cannot read '.*text.txt'"),
        (["--like", "none.wav"], 3, "none.wav"),
        (["--like", "silent.wav"], 3, "is silent, so nothing can be like it"),
        (["--like", "short.wav"], 3, "has 0.20 s of sound, too little to be like"),
        (["--like", "empty.mid"], 3, "empty.mid"),
    ],
)
def test_what_a_sound_cannot_be_is_refused_in_a_sentence(
    sines: Path, film: Path, piece: Piece, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, sentence: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Plan(2.0, 120.0, sections=(Section(0.0, 2.0, 0.0, 0.0),)).save(tmp_path / "plan.json")
    emsync.perform(piece.until(2.0), out=tmp_path / "kept.mid")
    (tmp_path / "text.txt").write_text("no music " * 40)
    (tmp_path / "empty.mid").write_bytes(b"")
    for name, seconds in {"silent": 2.0, "short": 0.2}.items():
        silence = np.zeros((round(seconds * RATE), 2), np.float32)
        Audio(silence, RATE).save(tmp_path / f"{name}.wav")
    before = sorted(tmp_path.iterdir())
    asked = ["generate", str(film), "--checkpoint", str(sines), "--estimator", "fixed:joy"]
    assert main([*asked, *arguments]) == code
    told = capsys.readouterr().err.strip().splitlines()
    assert re.search(sentence, told[-1]), told
    assert sorted(tmp_path.iterdir()) == before


def test_a_composer_takes_no_style(film: Path, small: Path, sines: Path) -> None:
    refusal = "does not follow --like; leave it out, or name a checkpoint of the kind muvi or sines"
    with pytest.raises(UsageError, match=refusal):
        emsync.generate(film, options(like=film), checkpoint=small)


def test_a_sound_cannot_be_saved_as_notes(sines: Path, film: Path, tmp_path: Path) -> None:
    made = emsync.generate(film, options(candidates=1), checkpoint=sines)
    for name in ("score.mid", "bundle"):
        with pytest.raises(UsageError, match="makes sound, not a score; give --audio or --video"):
            made.save(tmp_path / name)
    with pytest.raises(UsageError, match="end its name with one of"):
        made.save(tmp_path / "a.musicxml")
    with pytest.raises(UsageError, match="leave the sound font out"):
        made.audio(soundfont="a.sf2")


def test_without_a_name_the_sound_is_named_after_the_film(
    sines: Path, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    asked = ["--checkpoint", str(sines), "--estimator", "fixed:joy", "--json"]
    assert main(["generate", str(film), *asked]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["audio"] == "film.wav"
    assert facts["score"] is None
    assert read_stereo(tmp_path / "film.wav", 0.0, 9.0).duration == pytest.approx(2.0)


# --- the judgement of a sound ---------------------------------------------------------------------


def test_a_cut_is_hit_by_an_onset_within_a_frame() -> None:
    cuts = (Cut(1.0), Cut(2.0), Cut(3.0, kept=False))
    reports = answered(cuts, np.array([1.04, 2.05, 3.0]), Fraction(25))
    assert [report.hit is not None for report in reports] == [True, False, False]
    assert [round(r.nearest.error_ms) for r in reports if r.nearest] == [40, 50, 0]
    assert all(report.nearest is None for report in answered(cuts, np.zeros(0), None))


def test_what_is_silent_or_clipped_does_not_sound() -> None:
    half = round(0.5 * OUTPUT_RATE)
    tone = np.sin(np.arange(half) / 20)[:, None].repeat(2, axis=1).astype(np.float32)
    assert sounding_share(0.5 * tone) == 1.0
    assert sounding_share(np.concatenate([0.5 * tone, 0 * tone])) == 0.5
    assert sounding_share(np.concatenate([0.5 * tone, 3 * tone])) == 0.5
    assert sounding_share(tone[:0]) == 1.0


def test_sound_at_another_rate_is_as_long_and_begins_with_it() -> None:
    samples = np.zeros((RATE, 2), np.float32)
    samples[RATE // 2] = 1.0
    found = whole(at_rate(Audio(samples, RATE), OUTPUT_RATE))
    assert found.length == OUTPUT_RATE
    assert np.abs(found.samples[:, 0]).argmax() == pytest.approx(OUTPUT_RATE // 2, abs=1)
    same = Audio(samples, RATE)
    assert at_rate(same, RATE) is same


def test_a_damaged_network_is_named(sines: Path, film: Path, monkeypatch: Any) -> None:
    maker = opened(sines)

    def broken(*_: Any) -> Iterator[Drawn]:
        yield Drawn(Audio(np.full((5 * RATE, 2), np.nan, np.float32), RATE))

    monkeypatch.setattr(type(maker), "draw", broken)
    with pytest.raises(AssetError, match="holds what is no number"):
        emsync.generate(film, options(candidates=1), checkpoint=maker)


# --- the check for authors ------------------------------------------------------------------------


def test_a_third_party_maker_keeps_the_rules(sines: Path) -> None:
    check_maker(opened(sines))


def stale(self: Any, film: Any) -> Any:
    return STALE


class Deaf:
    """An observer that is always the same one."""

    def __call__(self, frame: Any) -> None:
        """See nothing."""


STALE = (Deaf(),)


def drawing(change: Callable[[Any, Any, Drawn], Drawn]) -> Any:
    def draw(self: Any, asked: Any, progress: Any) -> Iterator[Drawn]:
        for drawn in self.draw_well(asked, progress):
            yield change(self, asked, drawn)

    return draw


def shorter(_maker: Any, _asked: Any, drawn: Drawn) -> Drawn:
    return replace(drawn, sound=Audio(whole(drawn.sound).samples[:-9], RATE))


def unsteady(_maker: Any, _asked: Any, drawn: Drawn) -> Drawn:
    noise = np.random.default_rng().normal(0, 0.1, (9 * RATE, 2)).astype(np.float32)
    return replace(drawn, sound=Audio(noise, RATE))


def silent(_maker: Any, _asked: Any, drawn: Drawn) -> Drawn:
    return replace(drawn, sound=Audio(whole(drawn.sound).samples * 0, RATE))


def equal(_maker: Any, _asked: Any, drawn: Drawn) -> Drawn:
    return replace(drawn, sound=Audio(np.full((9 * RATE, 2), 0.1, np.float32), RATE))


def judged(_maker: Any, _asked: Any, drawn: Drawn) -> Drawn:
    return replace(drawn, parts={"hits": 1.0})


def praised(_maker: Any, _asked: Any, drawn: Drawn) -> Drawn:
    return replace(drawn, parts={"good": 1.5})


def opening(_maker: Any, asked: Any, drawn: Drawn) -> Drawn:
    av.open(str(asked.footage.film.path))
    return drawn


@pytest.mark.parametrize(
    ("name", "wrong", "sentence"),
    [
        ("draw", drawing(shorter), "samples; the film of 4 s needs 96000"),
        ("draw", drawing(unsteady), "differs when it is made again"),
        ("draw", drawing(equal), "two seeds make the same sound"),
        ("draw", drawing(silent), "two seeds make the same sound"),
        ("draw", drawing(judged), "the part 'hits' is emsync's own"),
        ("draw", drawing(praised), "is 1.5, which is not within 0 to 1"),
        ("draw", drawing(opening), "a file was opened while it drew"),
        ("follows", ("colour",), "follows names .'colour'., which are no wishes"),
        ("observers", stale, "two films have the same observers"),
        ("rate", 0, "rate is 0"),
        ("summary", "", "kind and summary say nothing"),
    ],
)
def test_what_breaks_a_rule_is_named(
    sines: Path, monkeypatch: pytest.MonkeyPatch, name: str, wrong: Any, sentence: str
) -> None:
    maker = opened(sines)
    monkeypatch.setattr(type(maker), "draw_well", type(maker).draw, raising=False)
    monkeypatch.setattr(type(maker), name, wrong)
    with pytest.raises(AssertionError, match=sentence):
        check_maker(maker)


@pytest.mark.slow
def test_the_demonstration_has_bells_on_its_cuts(
    sines: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from emsync.demo import draw_clip

    clip = tmp_path / "clip.mp4"
    draw_clip(clip)
    names = [str(tmp_path / name) for name in ("music.wav", "scored.mp4")]
    asked = ["--checkpoint", str(sines), "--audio", names[0], "--video", names[1], "--json"]
    assert main(["generate", str(clip), *asked, "--keep-audio", "duck", "--rhythm"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert 0 < facts["score_parts"]["rhythm"] < 1
    assert all(cut["hit"] for cut in facts["cuts"] if cut["kept"])
    assert facts["loudness"]["audio"]["lufs"] == pytest.approx(-16.0, abs=0.2)
    assert read_stereo(Path(names[0]), 0.0, 60.0).length == 20 * OUTPUT_RATE


@pytest.mark.slow
def test_the_suite_measures_sound(
    sines: Path, film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clips, out = tmp_path / "clips", tmp_path / "out"
    clips.mkdir()
    shutil.copyfile(film, clips / "a.mp4")
    (clips / "b.mp4").write_bytes(b"no film")
    asked = ["evaluate", "suite", str(clips), "--checkpoint", str(sines), "--json"]
    assert main([*asked, "--seeds", "2", "--out", str(out)]) == 5
    report = json.loads(capsys.readouterr().out)
    assert json.loads((out / "suite.json").read_text()) == report
    told = report["figures"]["onset hits"]["told the cuts"]
    assert told["value"] == 1.0 and told["n"] == 1
    assert report["figures"]["cm"]["own sound"]["n"] == 0
    assert len(list(out.glob("a.mp4.*.flac"))) == 4
    assert "| onset hits |" in (out / "suite.md").read_text()
    assert "- b.mp4: " in (out / "suite.md").read_text()
    assert main([*asked, "--control", "8"]) == 2
    assert "judge scores" in capsys.readouterr().err


def test_errors_are_of_the_kinds_that_are_told() -> None:
    assert issubclass(InputError, EmsyncError)
    assert not issubclass(Soundtrack, Composition)
