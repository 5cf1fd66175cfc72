"""``emsync evaluate``: what it measures, what it prints, and what it refuses."""

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from emsync.analysis import Cut
from emsync.cli import main
from emsync.errors import InputError, UsageError
from emsync.evaluation import control, drawing, quality, sync, tables
from emsync.evaluation import suite as suites
from emsync.fit.hits import fit
from emsync.formats.labels import ScoreLabels
from emsync.formats.midi import write_midi
from emsync.music.piece import PIANO, Piece
from emsync.options import Options
from emsync.performance.performance import perform
from emsync.sound import audio
from emsync.sound.synthesis import synthesize

FRAMES = 150  # of a film of 25 a second
CUT = 3.0  # seconds


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory, write_film: Callable[..., Path]) -> Path:
    """Six seconds of a moving texture that becomes another one after three."""
    import cv2

    chance = np.random.default_rng(0)
    scenes = [
        cv2.GaussianBlur(chance.integers(0, top, (96, 128, 3)).astype(np.uint8), (0, 0), 3)
        for top in (90, 256)
    ]
    pictures = (np.roll(scenes[i >= CUT * 25], (i // 8) * 3, axis=1) for i in range(FRAMES))
    return write_film(tmp_path_factory.mktemp("films") / "film.mp4", pictures)


@pytest.fixture(scope="module")
def score(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds at 120 BPM with a held chord on the cut."""
    rows = [(PIANO, 72 + i % 5, i * 0.5, i * 0.5 + 0.2) for i in range(12)]
    rows += [(PIANO, p, CUT, CUT + 1.5) for p in (48, 52, 55)]
    piece = Piece.of(np.array(rows), np.arange(0, 6, 2.0), np.array([CUT]))
    path = tmp_path_factory.mktemp("scores") / "score.mid"
    fitted = fit(piece, [Cut(CUT)], 6.0, rate=Fraction(25))
    write_midi(path, perform(fitted), ScoreLabels(rate=Fraction(25)))
    return path


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: object) -> tuple[int, str, str]:
        code = main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.mark.slow
def test_a_score_written_for_the_film_hits_its_cut(film: Path, score: Path) -> None:
    report = sync.evaluate(film, score)
    hits = report["cut_hits"]
    assert hits["cuts"] == 1
    for kind in ("chord", "beat", "onset"):
        row = hits["events"][kind]
        assert row["within"]["1 frame"]["hits"] == 1
        assert abs(row["median_ms"]) < 5
    assert hits["events"]["chord"]["within"]["1 frame"]["shuffled"] == pytest.approx(0.08 / 6)
    assert set(report["av_align"]) == {"v1", "v2", "emsync_frame", "emsync_second"}
    assert 0 <= report["cm"] <= 1
    assert "beats" not in report
    json.dumps(report, allow_nan=False)


@pytest.mark.slow
def test_sound_has_no_chords_and_is_compared_with_the_original(
    film: Path, score: Path, tmp_path: Path, run: Run
) -> None:
    wav = tmp_path / "music.wav"
    audio.write_wav(audio.finish(synthesize(score), 6.0, fade=0.0), wav)
    code, out, _ = run("evaluate", "sync", film, wav, "--reference", score, "--json")
    report = json.loads(out)
    assert code == 0 and set(report["cut_hits"]["events"]) == {"beat", "onset"}
    assert report["beats"]["muvi"]["hit"] > 0.9
    assert report["beats"]["cdcd"] == {"cover": 1.0, "hit": 1.0}
    code, out, _ = run("evaluate", "sync", film, score)
    assert code == 0 and "| chord | 100% / 1% |" in out and "v2" in out


@pytest.mark.slow
def test_a_silent_score_and_a_film_without_sound_are_told_apart(
    film: Path, tmp_path: Path, run: Run
) -> None:
    silent = tmp_path / "silent.mid"
    write_midi(silent, perform(fit(Piece.of(np.zeros((0, 4))), [], 6.0)), ScoreLabels())
    report = sync.evaluate(film, silent)
    assert report["cut_hits"]["events"]["onset"]["within"]["1 s"]["share"] == 0
    assert report["cut_hits"]["events"]["onset"]["median_ms"] is None
    assert {row["score"] for row in report["av_align"].values()} == {0.0}
    assert report["cm"] == 0
    code, _, err = run("evaluate", "sync", film, film)
    assert code == 3 and "holds no sound" in err


def test_a_tagger_needs_the_original(film: Path, score: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="name it with --reference"):
        sync.evaluate(film, score, tagger=tmp_path / "x.onnx")


def test_quality_compares_scores_with_songs(score: Path, tmp_path: Path, run: Run) -> None:
    songs = tmp_path / "songs"
    songs.mkdir()
    for i in range(4):
        (songs / f"{i}.mid").write_bytes(score.read_bytes())
    (songs / "broken.mid").write_bytes(b"no song")
    code, out, err = run("evaluate", "quality", score, "--reference", songs, "--json")
    report = json.loads(out)
    assert code == 5 and "broken.mid" in err
    assert (report["scores"], report["songs"]) == (1, 4)
    assert [row["path"] for row in report["failed"]] == ["broken.mid"]
    row = report["statistics"]["polyphony"]
    assert row["mean"] == row["reference_mean"]
    assert row["overlapped_area"] == row["real_overlapped_area"] == pytest.approx(1.0)
    (songs / "broken.mid").unlink()
    code, out, _ = run("evaluate", "quality", score, "--reference", songs, "--limit", "2")
    assert code == 0 and out.startswith("1 scores, 2 songs of ") and "| polyphony |" in out


def test_quality_without_songs_is_refused(score: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no song in .* could be read; give \.mid or \.npz files"):
        quality.evaluate([score], tmp_path)
    with pytest.raises(InputError, match="none of the scores could be read"):
        quality.evaluate([tmp_path], score)


@pytest.mark.slow
def test_control_is_measured_in_batches(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "BATCH", 3)
    shares: list[float] = []
    report = control.evaluate(str(small), 8, 4.0, lambda _, share: shares.append(share))
    assert shares == sorted(shares) and shares[-1] == 1.0 and len(shares) == 8 * 3
    assert report["arousal"]["n"] == 8 and report["boundaries"]["requested"] >= 8
    assert any("arousal" in line for line in tables.control_table(report))
    json.dumps(report, allow_nan=False)
    with pytest.raises(UsageError, match="a sweep of 3 pieces means nothing; draw 8"):
        control.evaluate(str(small), 3, 4.0)
    with pytest.raises(UsageError, match="pieces of 1 s hold no boundaries"):
        control.evaluate(str(small), 8, 1.0)


@pytest.mark.slow
def test_the_suite_measures_all_arms_and_lists_what_it_cannot_read(
    small: Path, film: Path, tmp_path: Path, run: Run
) -> None:
    clips, out = tmp_path / "clips", tmp_path / "out"
    clips.mkdir()
    (clips / "a.mp4").write_bytes(film.read_bytes())
    (clips / "a.mkv").write_bytes(b"no film")
    (clips / "notes.txt").write_text("not a film")
    code, stdout, err = run(
        "evaluate", "suite", clips, "--seeds", 2, "--out", out, "--checkpoint", small, "--json"
    )
    report = json.loads(stdout)
    assert code == 5 and "skipped a.mkv" in err
    assert json.loads((out / "suite.json").read_text()) == report
    assert [row["clip"] for row in report["clips"]] == ["a.mp4"]
    assert report["failed"][0]["code"] == 3
    assert report["clips"][0]["broken"] == [] and report["clips"][0]["own_sound"] is None
    assert set(report["cut_hits"]) == set(suites.ARMS)
    for arm in suites.ARMS:
        assert report["cut_hits"][arm]["onset"]["cuts"] == 2
    assert report["av_align"]["v2"]["own sound"]["score"] == {
        "value": None, "low": None, "high": None, "n": 0,
    }  # fmt: skip
    assert len(list(out.glob("*.mid"))) == 2 * 4
    page = (out / "suite.md").read_text()
    assert "| onset, 1 frame |" in page and "- a.mkv: " in page


def test_songs_that_were_all_learned_are_refused_before_composing(
    small: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.mp4").touch()
    (tmp_path / "song.mid").touch()
    monkeypatch.setattr(suites, "untrained", lambda *_: [])
    monkeypatch.setattr(suites, "_clip", lambda *_: pytest.fail("composed"))
    code, _, err = run(
        "evaluate", "suite", tmp_path, "--reference", tmp_path, "--checkpoint", small
    )
    assert code == 3 and "was trained on all songs of" in err


def test_a_folder_without_films_is_refused(tmp_path: Path, run: Run) -> None:
    code, _, err = run("evaluate", "suite", tmp_path)
    assert code == 3 and "there are no films in" in err


def test_what_the_model_is_told_is_all_that_differs(small: Path) -> None:
    from emsync.analysis import Analysis
    from emsync.model.composer import Composer

    composer = Composer.from_pretrained(small)
    composed = suites.compose_arms(composer, Analysis(8.0, "25"), range(2))
    assert {arm: len(made) for arm, made in composed.items()} == dict.fromkeys(suites.ARMS, 2)
    with_cuts, without_cuts = suites.ARMS["conditioned"], suites.ARMS["neither"]
    assert with_cuts[1] == without_cuts[1] and with_cuts[0] != without_cuts[0]


def test_the_suite_measures_what_is_generated(small: Path, film: Path) -> None:
    from emsync.model.composer import Composer
    from emsync.pipeline import analyze, generate

    composer = Composer.from_pretrained(small)
    composed = suites.compose_arms(composer, analyze(film), [3])
    made = generate(film, Options(seed=3, candidates=1), checkpoint=small)
    assert composed[suites.PRODUCT][0].midi() == made.midi()


def test_sound_begins_with_the_first_picture(shared: Path) -> None:
    sound = sync.hear(shared / "clips" / "mdn_friday_bw.mp4")
    assert len(sound) / sync.RATE == pytest.approx(6.17, abs=0.15)
    cover = sync.hear(shared / "music" / "librosa_vibe_ace.ogg")  # with a picture on its sleeve
    assert len(cover) / sync.RATE == pytest.approx(61.46, abs=0.1)
