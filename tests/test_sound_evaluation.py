"""``emsync evaluate sound`` on small files: what is heard, what is paired, what is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from emsync.arrays import Float32s
from emsync.cli import main
from emsync.errors import InputError, UsageError
from emsync.evaluation import sound
from emsync.music.piece import Piece, to_score
from emsync.sound.audio import Audio
from emsync.sound.encode import write_audio
from emsync.sound.spectra import RATE

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str | Path) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def tones(pitch: float, seconds: float = 4.6, level: float = 0.2) -> Float32s:
    """Return plucked tones, two a second."""
    times = np.arange(round(seconds * RATE)) / RATE
    tone = np.exp(-6 * (times % 0.5)) * np.sin(2 * np.pi * pitch * times)
    return (level * tone).astype(np.float32)


def write(path: Path, samples: Float32s) -> None:
    path.parent.mkdir(exist_ok=True)
    write_audio(Audio(np.stack([samples, samples], axis=1), RATE), path)


def midi(path: Path, seconds: float = 6.0) -> None:
    starts = np.arange(0.0, seconds, 0.5)
    rows = np.stack(np.broadcast_arrays(3, 60 + np.arange(len(starts)), starts, starts + 0.5), 1)
    path.parent.mkdir(exist_ok=True)
    to_score(Piece.of(rows.astype(np.float64))).dump_midi(path)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two files of made music, and three of real, one of them of the same name."""
    root = tmp_path_factory.mktemp("sound")
    made, real = root / "made", root / "real"
    write(made / "one.wav", tones(220))
    midi(made / "two.mid")
    write(real / "one.wav", tones(220, level=0.02))
    write(real / "three.wav", tones(3000))
    midi(real / "four.mid", 7.0)
    return made, real


def test_music_is_told_beside_real_music(folders: tuple[Path, Path]) -> None:
    made, real = folders
    with pytest.warns(UserWarning, match="patches are few: .* compare them with those of as many"):
        report = sound.evaluate(made, real, ["msd", "mtt"])
    assert (report["files"], report["reference"], report["pairs"]) == (2, 3, 1)
    assert report["failed"] == []
    for row in report["taggers"].values():
        assert row["patches"] == 5
        assert row["distance"]["value"] > 0
        assert row["kl"]["value"] == pytest.approx(0, abs=1e-3)  # loudness has no part
        assert row["kl_others"]["value"] > 0.05
        assert 1 < row["inception"]["value"] < 50
    assert report["taggers"]["msd"] != report["taggers"]["mtt"]
    json.dumps(report, allow_nan=False)


def test_a_folder_is_at_no_distance_from_itself(folders: tuple[Path, Path], run: Run) -> None:
    code, out, _ = run("evaluate", "sound", folders[0], "--reference", folders[0], "--json")
    row = json.loads(out)["taggers"]["msd"]
    assert code == 0
    assert row["distance"]["value"] == pytest.approx(0, abs=1e-6)
    assert row["kl"]["value"] == pytest.approx(0, abs=1e-9)


def test_what_cannot_be_heard_is_named_and_the_rest_is_measured(tmp_path: Path, run: Run) -> None:
    made = tmp_path / "made"
    write(made / "good.wav", tones(330))
    write(made / "silent.wav", np.zeros(5 * RATE, np.float32))
    write(made / "short.wav", tones(330, 0.2))
    (made / "text.mp3").write_text("no music")
    (made / "broken.mid").write_bytes(b"MThd")
    (made / "README.txt").write_text("not looked at")
    code, out, err = run("evaluate", "sound", made, "--reference", made)
    assert code == 5
    assert out.startswith("1 files beside 1, 1 of one name; 2 patches of each")
    assert "silent.wav" in err and "is silent; there is no music to measure" in err
    assert "short.wav' holds 0.2 s of sound, and 3 s are heard at once; give longer music" in err
    assert "text.mp3" in err and "broken.mid" in err and "README" not in err


def test_a_folder_without_music_is_refused(folders: tuple[Path, Path], tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(InputError, match=r"there is no (music in|folder) '.*'; give"):
            sound.evaluate(folder, folders[1])
    write(tmp_path / "short" / "a.wav", tones(220, 0.5))
    with pytest.raises(InputError, match=r"no music in .* could be heard: .* holds 0\.5 s"):
        sound.evaluate(tmp_path / "short", folders[1])


def test_what_would_count_twice_and_unknown_taggers_are_refused(
    folders: tuple[Path, Path], tmp_path: Path, run: Run
) -> None:
    (tmp_path / "a.wav").touch()
    (tmp_path / "a.mid").touch()
    with pytest.raises(UsageError, match=r"holds both 'a\.mid' and 'a\.wav', which"):
        sound.evaluate(tmp_path, folders[1])
    code, _, err = run("evaluate", "sound", tmp_path, "--reference", tmp_path, "--tagger", "vgg")
    assert code == 2 and "there is no tagger 'vgg'; choose from msd, mtt" in err
    assert run("evaluate", "sound", tmp_path, "--reference", tmp_path, "--tagger", "")[0] == 2


def test_patches_are_all_or_so_many_drawn_in_order() -> None:
    half = sound.LENGTH // 2
    assert sound.patches(sound.LENGTH, np.random.default_rng(0)) == [0]
    assert sound.patches(3 * half, np.random.default_rng(0)) == [0, half]
    drawn = sound.patches(100 * half, np.random.default_rng(0))
    assert len(set(drawn)) == sound.PATCHES and drawn == sorted(drawn)
    assert drawn == sound.patches(100 * half, np.random.default_rng(0))
    assert drawn != sound.patches(100 * half, np.random.default_rng(1))


def test_silence_at_both_ends_is_left_out(tmp_path: Path) -> None:
    padded = np.pad(tones(220), RATE)
    write(tmp_path / "a.wav", padded)
    write(tmp_path / "b.wav", tones(220))
    one, two = (
        sound.music_of(tmp_path / name, np.random.default_rng(0)) for name in ("a.wav", "b.wav")
    )
    assert len(one) == pytest.approx(len(two), abs=RATE * 0.02)
