"""The bundle: everything in it tells of the same music, and it appears whole or not at all."""

import csv
import json
import re
import wave
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest

from emsync.analysis import Analysis
from emsync.cli import main
from emsync.errors import EmsyncError, EmsyncWarning, UsageError
from emsync.files import together
from emsync.fit.hits import fit
from emsync.formats.cut_lists import read_cuts
from emsync.formats.labels import ScoreLabels
from emsync.formats.midi import write_midi
from emsync.formats.midi_check import check
from emsync.formats.smf import parse, read_midi
from emsync.music.piece import BASS, DRUMS, PIANO, Piece
from emsync.options import Options, Outputs
from emsync.outputs import check_outputs, check_targets, write_outputs
from emsync.performance.performance import perform
from emsync.pipeline import generate
from emsync.report import bundle
from emsync.report.bundle import check_bundle, fingerprint, play_stems, read_record
from emsync.sound import audio
from emsync.sound.levelling import level
from emsync.sound.loudness import measured
from emsync.sound.preview import preview_suffix
from emsync.sound.synthesis import synthesize
from emsync.video.cuts import Cut
from emsync.video.film import open_film

DURATION = 4.0  # seconds
CONTENTS = {
    *("score.mid", "score.json", "score.musicxml", "markers.csv", "cuts.edl"),
    *("stems", "parts", "mix.wav", "preview.mp4", "report.html", "report.png"),
}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory, draw_cut: Callable[..., Path]) -> Path:
    return draw_cut(tmp_path_factory.mktemp("film") / "clip.mp4", 40, 10)


@pytest.fixture(scope="module")
def made(film: Path, small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that the command line wrote, with nothing else asked for."""
    folder = tmp_path_factory.mktemp("made") / "bundle"
    wanted = ("--bundle", folder, "--checkpoint", small, "--start-timecode", "01:00:00:00")
    assert main(["generate", *map(str, (film, *wanted)), "--device", "cpu", "--json"]) == 0
    assert list(folder.parent.iterdir()) == [folder]
    return folder


def bundle_of(film: Path, folder: Path, *files: str) -> dict[str, bytes]:
    """Write what an earlier bundle of ``film`` may have left: its record, and ``files``."""
    record = {"name": film.name, "fingerprint": fingerprint(film)}
    names = ["score.json", "report.html", *files]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"the {name} of yesterday")
    (folder / "score.json").write_text(json.dumps({"film": record, "files": names}))
    return contents(folder)


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder, by their names relative to it."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def samples(path: Path) -> Any:
    """Return the (N, 2) samples of a WAV file."""
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 44100)
        data = file.readframes(file.getnframes())
    return np.frombuffer(data, "<i2").reshape(-1, 2).astype(int)


def test_a_bundle_holds_what_the_contract_lists(made: Path) -> None:
    assert {path.name for path in made.iterdir()} == CONTENTS
    assert all(path.stat().st_size for path in made.rglob("*"))


def test_stems_are_as_long_as_the_film_and_sum_to_the_mix(made: Path) -> None:
    stems = [samples(path) for path in (made / "stems").iterdir()]
    mix = samples(made / "mix.wav")
    assert {len(stem) for stem in stems} == {len(mix)} == {round(DURATION * 44100)}
    assert abs(sum(stems) - mix).max() <= 0.5 * (len(stems) + 1)  # each is rounded to 16 bits


def test_the_facts_and_the_report_tell_how_loud_the_sound_is(made: Path) -> None:
    told = json.loads((made / "score.json").read_text())["loudness"]
    mix = (samples(made / "mix.wav") / 32767).astype(np.float32)
    heard = measured(audio.Audio(mix, 44100))
    assert told["audio"] == told["video"] == pytest.approx(heard.to_json(), abs=0.1)
    assert heard.true_peak <= -0.99
    page = (made / "report.html").read_text(encoding="utf-8")
    assert f"<b>−{-told['audio']['lufs']} LUFS</b>" in page


def test_the_page_links_to_every_file_of_the_bundle(made: Path) -> None:
    page = (made / "report.html").read_text(encoding="utf-8")
    files = {path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file()}
    assert set(re.findall(r'<a href="([^"]+)"', page)) == files - {"report.html"}


def test_stems_are_the_tracks_of_the_score_in_order(made: Path) -> None:
    tracks = mido.MidiFile(made / "score.mid").tracks[1:]
    names = [f"{n:02d}-{t.name.lower().replace(' ', '-')}" for n, t in enumerate(tracks, 1)]
    assert sorted(path.stem for path in (made / "stems").iterdir()) == names


def test_the_facts_tell_of_the_score(made: Path) -> None:
    facts = json.loads((made / "score.json").read_text())
    score = read_midi(made / "score.mid")
    assert check(made / "score.mid").ok
    assert facts["instruments"] == score.instruments and facts["notes"] >= len(score) > 0
    assert facts["seed"] == 0 and facts["settings"]["start_timecode"] == "01:00:00:00"
    assert {"emsync", "torch", "symusic", "synthesizer"} <= set(facts["versions"])
    assert facts["tempo_map"] and facts["time_map"] and "timings" not in facts
    for file in ("score", "audio", "video"):
        assert (made / facts[file]).is_file()
    (cut,) = [cut for cut in facts["cuts"] if cut["kept"]]
    assert cut["timecode"] == "01:00:02:00"
    assert cut["timecode"] in (made / "report.html").read_text()
    assert cut["timecode"] in (made / "score.musicxml").read_text()


def test_markers_and_cuts_stand_where_the_film_is_cut(made: Path) -> None:
    rows = list(csv.reader((made / "markers.csv").read_text().splitlines()))
    assert rows == [
        ["#", "Name", "Start", "End", "Length"],
        ["M1", "CUT 01 01:00:02:00", "0:02.000", "", ""],
        ["R1", "SCENE 01", "0:00.000", "0:02.000", "0:02.000"],
        ["R2", "SCENE 02", "0:02.000", "0:04.000", "0:02.000"],
    ]
    (cut,) = read_cuts(made / "cuts.edl", Fraction(10), DURATION)
    assert cut.time == 2.0


@pytest.mark.slow
def test_a_bundle_goes_together_with_other_outputs_and_replaces_an_earlier_one(
    made: Path, film: Path, small: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "bundle"
    outputs = Outputs(tmp_path / "a.mid", audio=tmp_path / "a.wav", bundle=folder)
    composition = generate(film, Options(start_timecode="01:00:00:00"), checkpoint=small)
    written = write_outputs(composition, outputs)
    assert written.to_json()["bundle"] == str(folder)
    assert {path.name for path in tmp_path.iterdir()} == {"a.mid", "a.wav", "bundle"}
    assert (folder / "score.mid").read_bytes() == (tmp_path / "a.mid").read_bytes()
    assert (folder / "mix.wav").read_bytes() == (tmp_path / "a.wav").read_bytes()
    same = CONTENTS - {"stems", "parts", "score.json"}  # which names the checkpoint
    for name in same:
        assert (folder / name).read_bytes() == (made / name).read_bytes(), name
    composition = generate(film, Options(candidates=2, cuts="none"), checkpoint=small)
    write_outputs(composition, Outputs(bundle=folder, keep_all=True))
    again = {path.name for path in folder.iterdir()}
    assert again == CONTENTS | {"score.1.mid", "score.2.mid"}
    assert "CUT" not in (folder / "markers.csv").read_text()
    check_bundle(folder, open_film(film))  # it could be replaced once more
    assert {path.name for path in tmp_path.iterdir()} == {"a.mid", "a.wav", "bundle"}


def test_a_failure_leaves_the_earlier_bundle_and_nothing_else(
    film: Path, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "bundle"
    folder.mkdir()
    yesterday = bundle_of(film, folder)

    def fail(*_: object) -> None:
        raise EmsyncError("no ink")

    monkeypatch.setattr(bundle, "write_png", fail)
    outputs = Outputs(tmp_path / "a.mid", tmp_path / "a.mp4", bundle=folder)
    composition = generate(film, Options(candidates=1), checkpoint=small)
    with pytest.raises(EmsyncError, match="no ink"):
        write_outputs(composition, outputs)
    assert list(tmp_path.iterdir()) == [folder]
    assert contents(folder) == yesterday


@pytest.mark.slow
def test_without_footage_there_is_no_film_strip_and_the_report_says_so(
    film: Path, small: Path, tmp_path: Path
) -> None:
    given = tmp_path / "analysis.json"
    Analysis(DURATION, "10", (Cut(2.0),), source="clip.mp4").save(given)
    options = Options(analysis=given, palette="plain")
    generate(film, options, checkpoint=small).save(tmp_path / "bundle")
    page = (tmp_path / "bundle" / "report.html").read_text()
    assert "there is no film strip" in page and "data:image" not in page


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda f: (f / "notes.txt").write_text("mine"), "'notes.txt', which is of no earlier"),
        (lambda f: (f / "score.mid").write_text("mine"), "'score.mid', which is of no earlier"),
        (lambda f: (f / "score.json").write_text("mine"), "'score.json', which is of no earlier"),
        (lambda f: (f / "takes").mkdir(), "'takes', which is of no earlier"),
        (lambda f: (f.rmdir(), f.write_text("mine")), "is a file"),
    ],
)
def test_a_folder_with_anything_else_in_it_is_refused(
    prepare: Callable[[Path], object], words: str, film: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    prepare(folder)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match=words):
        check_outputs(Outputs(bundle=folder), open_film(film))
    assert sorted(tmp_path.rglob("*")) == before


def test_what_could_not_be_kept_is_refused(film: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    folder.mkdir()
    with pytest.raises(UsageError, match="is in the bundle"):
        check_targets(Outputs(folder / "score.mid", bundle=folder), film)
    with pytest.raises(UsageError, match="name a score or a bundle"):
        check_targets(Outputs(), film)
    with pytest.raises(UsageError, match="make it first"):
        check_bundle(tmp_path / "missing" / "bundle", open_film(film))
    inside = folder / "preview.mp4"
    inside.write_bytes(film.read_bytes())
    bundle_of(inside, folder, "cuts.edl")
    with pytest.raises(UsageError, match="is the video itself"):
        check_targets(Outputs(bundle=folder, force=True), inside)
    with pytest.raises(UsageError, match="is the list of cuts itself"):
        check_targets(Outputs(bundle=folder), film, Options(cuts=str(folder / "cuts.edl")))


@pytest.mark.parametrize(("codec", "suffix"), [("libvpx", ".webm"), ("libx264", ".mp4")])
def test_the_preview_is_a_film_that_can_hold_the_pictures(
    codec: str, suffix: str, tmp_path: Path, draw_cut: Callable[..., Path]
) -> None:
    film = draw_cut(tmp_path / "film.mkv", 10, codec=codec)
    assert preview_suffix(open_film(film)) == suffix


def test_only_what_an_earlier_bundle_wrote_is_replaced(
    film: Path, small: Path, tmp_path: Path
) -> None:
    """A person's own files stay, whatever they are called, and so do their modes and links."""
    folder, elsewhere = tmp_path / "bundle", tmp_path / "elsewhere"
    bundle_of(film, folder, "score.mid", "score.1.mid", "cuts.json")
    mine = ("score - my edit.mid", "stems/vocals-take3.wav", "notes/today.txt", ".hidden")
    for name in mine:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(f"my {name}")
    elsewhere.mkdir()
    (folder / "score.mid").chmod(0o600)
    (folder / "takes").symlink_to(elsewhere)
    composition = generate(film, Options(candidates=1, cuts="none"), checkpoint=small)
    for _ in range(2):
        composition.write(bundle=folder)
        found = contents(folder)
        assert {name: found.pop(name) for name in mine} == {n: f"my {n}".encode() for n in mine}
        assert not any(data.startswith(b"the ") for data in found.values())
        assert not {"score.1.mid", "cuts.json"} & set(found)  # which there is no need of now
        assert set(json.loads(found["score.json"])["files"]) == set(found)
        assert (folder / "takes").is_symlink() and (
            folder / "score.mid"
        ).stat().st_mode % 512 == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"bundle", "elsewhere"}


@pytest.mark.slow
def test_the_bundle_of_another_film_is_replaced_only_by_force(
    film: Path, small: Path, tmp_path: Path, draw_cut: Callable[..., Path]
) -> None:
    folder, other = tmp_path / "bundle", draw_cut(tmp_path / "clip.mp4", 30, 10)
    before = bundle_of(other, folder, "cuts.json")
    composition = generate(film, Options(candidates=1, cuts="none"), checkpoint=small)
    with pytest.raises(UsageError, match=r"the bundle of 'clip.mp4', .* another film; .*--force"):
        composition.save(folder)
    assert contents(folder) == before
    check_bundle(folder, open_film(other))
    (tmp_path / "moved").mkdir()
    check_bundle(folder, open_film(other.rename(tmp_path / "moved" / "renamed.mp4")))
    composition.write(bundle=folder, force=True)
    record = read_record(folder)
    assert record and record.fingerprint == fingerprint(film)
    assert "cuts.json" not in contents(folder)
    (folder / "score.1.mid").write_text("mine, of a name that a bundle may need")
    with pytest.raises(UsageError, match=r"'score.1.mid', which is of no .* would be"):
        composition.save(folder)


OURS = ("score.mid", "stems/01-drums.wav", "stems/12-french-horns.wav", "stems/piano.wav")


def test_a_record_never_names_what_lies_elsewhere(tmp_path: Path) -> None:
    film = tmp_path / "film"
    film.write_bytes(b"pictures")
    names = ("../a.mid", "/etc/passwd", "stems/../../x", "my own.mid", "score.mid\n",
             "stems/01-..wav", "stems/vocals.wav", *OURS)  # fmt: skip
    folder = tmp_path / "bundle"
    folder.mkdir()
    for files in (names, None, 3, [3]):
        record = {"film": {"name": "f", "fingerprint": fingerprint(film)}, "files": files}
        (folder / "score.json").write_text(json.dumps(record))
        found = read_record(folder)
        assert found is None if files != names else found and found.files == OURS


def test_a_folder_that_failed_is_gone_and_a_whole_one_takes_the_place(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    for words in ("first", "second"):
        with together() as outputs:
            partial = outputs.folder(folder)
            (partial / "a").write_text(words)
            assert not folder.exists() or (folder / "a").read_text() == "first"
    assert (folder / "a").read_text() == "second"

    def fail() -> None:
        with together() as outputs:
            (outputs.folder(folder) / "a").write_text("third")
            raise OSError(28, "No space left on device")

    with pytest.raises(EmsyncError, match="cannot write"):
        fail()
    assert [p.name for p in tmp_path.iterdir()] == ["bundle"]
    assert contents(folder) == {"a": b"second"}


def test_one_gain_for_all_and_no_stem_clips(tmp_path: Path) -> None:
    rows = [(DRUMS, 36, t / 4, t / 4 + 0.1) for t in range(8)]
    rows += [(BASS, 40, 0.0, 1.0), (PIANO, 60, 0.5, 1.5), (PIANO, 64, 0.5, 1.5)]
    fitted = fit(Piece.of(np.array(rows), downbeats=np.array([0.0, 2.0])), [], 2.0)
    write_midi(tmp_path / "a.mid", perform(fitted))
    stems = play_stems(parse((tmp_path / "a.mid").read_bytes()), 2.0)
    together = level(audio.finish(synthesize(tmp_path / "a.mid"), 2.0, fade=0.0))
    assert list(stems.parts) == ["01-drums", "02-bass", "03-piano"]
    parts, mixed = [audio.whole(part).samples for part in stems.parts.values()], stems.mix
    assert all(part.any() for part in parts)
    assert np.abs(sum(parts) - audio.whole(mixed).samples).max() < 1e-6
    assert max(np.abs(part).max() for part in parts) <= 1
    # the tracks played at once sound the same but for the synthesizer's shared reverberation
    assert np.abs(audio.whole(together).samples - audio.whole(mixed).samples).max() < 0.02


def test_silence_makes_a_bundle_of_no_stems(tmp_path: Path) -> None:
    write_midi(tmp_path / "a.mid", perform(fit(Piece.of(np.zeros((0, 4))), [], 2.0)))
    stems = play_stems(parse((tmp_path / "a.mid").read_bytes()), 2.0)
    mixed = audio.whole(stems.mix)
    assert not stems.parts and not mixed.samples.any() and mixed.duration == 2.0


def facts_of(rate: Fraction, start: str) -> tuple[Analysis, ScoreLabels]:
    analysis = Analysis(20.0, str(rate), (Cut(4.0), Cut(9.0)), source="clip.mp4")
    return analysis, ScoreLabels.of(analysis, start)


def test_a_start_that_is_not_drop_frame_makes_an_edl_that_is_not(tmp_path: Path) -> None:
    for mark, kind in ((":", "NON-DROP FRAME"), (";", "DROP FRAME")):
        analysis, labels = facts_of(Fraction(30000, 1001), f"10:00:00{mark}00")
        bundle.write_cut_list(tmp_path, analysis, labels)
        lines = (tmp_path / "cuts.edl").read_text().splitlines()
        assert lines[1] == f"FCM: {kind}"
        assert lines[5].endswith(f"10:00:04{mark}00 10:00:09{mark}00")


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30000, 1001)])
def test_without_a_start_all_files_of_a_bundle_count_from_zero(
    rate: Fraction, tmp_path: Path
) -> None:
    analysis, labels = facts_of(rate, "")
    bundle.write_cut_list(tmp_path, analysis, labels)
    first = (tmp_path / "cuts.edl").read_text().splitlines()[3]
    assert first.split()[-2:] == [labels.clock(0.0), labels.clock(4.0)]


def test_frames_that_an_edl_cannot_number_are_in_no_edl(tmp_path: Path) -> None:
    for rate, why in ((Fraction(240), "up to 100 frames a second"), (Fraction(0), "no known")):
        analysis, labels = facts_of(rate, "")
        with pytest.warns(EmsyncWarning, match=f"no cuts.edl but cuts.json.*{why}"):
            bundle.write_cut_list(tmp_path, analysis, labels)
        assert {path.name for path in tmp_path.iterdir()} == {"cuts.json"}
        assert [cut.time for cut in read_cuts(tmp_path / "cuts.json", None, 20.0)] == [4.0, 9.0]


def test_a_list_that_the_film_cannot_have_is_refused_before_it_is_watched(
    draw_cut: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    film = draw_cut(tmp_path / "fast.mp4", 24, 240)
    monkeypatch.setattr("emsync.video.watch.watch", None)
    monkeypatch.chdir(tmp_path)
    assert main(["analyze", str(film), "--save", "edl"]) == UsageError.exit_code
    assert "the video has 240; save its cuts as" in capsys.readouterr().err
