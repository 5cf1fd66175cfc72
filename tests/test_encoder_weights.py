"""Laws of shipped weights: what is wrong with them is told before a frame is decoded."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from emsync.brief import look
from emsync.emotion.estimator import choose
from emsync.encoders import weights
from emsync.errors import AssetError
from emsync.options import Options
from emsync.shipped import checkpoints_folder
from emsync.video import watch
from emsync.video.film import Film

ENCODERS = {"faces": "faces", "pictures": "lite0", "sound": "musicnn"}  # of each estimator


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def reshape(path: Path) -> None:
    """Write the last tensor as one of the same size and of another shape."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    name = [name for name in header if not name.endswith((weights.SCALE, weights.LEAST))][-1]
    header[name]["shape"].append(1)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])


def shuffle(path: Path) -> None:
    """Let a tensor begin in the middle of another."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    for facts in header.values():
        if "data_offsets" in facts:
            facts["data_offsets"][0] += 4
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])


def put_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copies of the shipped weights, which are used in their place."""
    folder = tmp_path / "checkpoints"
    shutil.copytree(checkpoints_folder() / "encoders", folder / "encoders")
    monkeypatch.setattr("emsync.encoders.weights.checkpoints_folder", lambda: folder)
    return folder


@pytest.fixture
def unwatched(monkeypatch: pytest.MonkeyPatch) -> Film:
    """A film none of whose frames may be decoded."""

    def decoded(film: Film, device: str | None) -> Iterator[None]:
        raise AssertionError("a frame is decoded")
        yield

    monkeypatch.setattr(watch, "frames", decoded)
    return Film(Path("drawn.mp4"), 4.0, 25, 64, 48, 0, True, 100, 0)  # type: ignore[arg-type]


@pytest.mark.parametrize("estimator", ENCODERS)
@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (Path.unlink, "is not installed: there is no '"),
        (cut, "are cut off or broken"),
        (reshape, "do not fit: '.*' is not of "),
        (put_a_folder, "it is no ordinary file"),
        (lambda path: path.write_bytes(b""), "are cut off or broken"),
    ],
)
def test_broken_weights_are_refused_before_a_frame_is_decoded(
    estimator: str, spoil: Callable[[Path], None], sentence: str, copied: Path, unwatched: Film
) -> None:
    spoil(copied / "encoders" / ENCODERS[estimator] / "model.safetensors")
    with pytest.raises(AssetError, match=sentence):
        look(unwatched, Options(estimator=estimator))


def test_weights_that_lie_elsewhere_than_their_header_says_are_refused(copied: Path) -> None:
    shuffle(copied / "encoders" / "lite0" / "model.safetensors")
    with pytest.raises(AssetError, match=r"are broken: .*fetch them again"):
        weights.read_weights("lite0", {})


def test_nobody_asks_for_the_weights_of_what_is_not_used(copied: Path) -> None:
    shutil.rmtree(copied / "encoders" / "musicnn")
    assert choose(ignore_sound=True).title == "faces,pictures"
    shutil.rmtree(copied)
    assert choose("fixed:joy").title == "fixed"
