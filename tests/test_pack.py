"""Pieces that can be carried: the same files come out, and what is wrong with a piece is said."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from emsync.data.pack import INDEX, MIB, pack, unpack
from emsync.errors import EmsyncError, InputError, UsageError

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of a million tokens, and a folder beside them."""
    folder = tmp_path_factory.mktemp("store")
    rng = np.random.default_rng(0)
    rng.integers(0, 1011, 1_000_000).astype(np.uint16).tofile(folder / "tokens.bin")
    (folder / "songs.jsonl").write_text('{"path": "ä.npz"}\n' * 1000, encoding="utf-8")
    (folder / "store.json").write_text("{}\n")
    (folder / "empty").touch()
    (folder / "tensorboard").mkdir()
    return folder


@pytest.fixture(scope="module")
def pieces(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pieces")
    pack(folder, out, piece=1)
    return out


def copied(pieces: Path, to: Path) -> Path:
    """Return a copy of the pieces that a test may damage."""
    to.mkdir()
    for path in pieces.iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    return to


def test_what_comes_out_is_what_went_in_and_no_piece_is_too_large(
    folder: Path, pieces: Path, tmp_path: Path
) -> None:
    parts = sorted(pieces.glob("*.xz"))
    assert len(parts) > 1
    assert all(path.stat().st_size == MIB for path in parts[:-1])
    assert 0 < parts[-1].stat().st_size <= MIB
    assert sum(path.stat().st_size for path in parts) < 0.7 * 2_000_000
    files = unpack(pieces, tmp_path / "deep" / "store")
    names = ["empty", "songs.jsonl", "store.json", "tokens.bin"]
    assert [file.name for file in files] == names
    assert sorted(path.name for path in (tmp_path / "deep" / "store").iterdir()) == names
    for name in names:
        assert (tmp_path / "deep" / "store" / name).read_bytes() == (folder / name).read_bytes()


def test_packing_again_leaves_no_piece_of_before(
    folder: Path, pieces: Path, tmp_path: Path
) -> None:
    out = copied(pieces, tmp_path / "again")
    pack(folder, out, piece=60, only=("store.json", "empty"))
    assert sorted(path.name for path in out.iterdir()) == ["000.xz", INDEX]
    assert [file.name for file in unpack(out, tmp_path / "few")] == ["empty", "store.json"]


def test_a_folder_of_other_archives_is_not_packed_into(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "backup.xz").write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"'backup\.xz', which emsync did not write"):
        pack(folder, tmp_path, piece=60)
    assert (tmp_path / "backup.xz").read_bytes() == b"mine"


def test_what_would_not_fit_on_the_disk_is_not_unpacked(pieces: Path, tmp_path: Path) -> None:
    huge = copied(pieces, tmp_path / "huge")
    index = json.loads((huge / INDEX).read_text())
    index["files"][0]["size"] = 10**15
    (huge / INDEX).write_text(json.dumps(index))
    with pytest.raises(EmsyncError, match="has room for"):
        unpack(huge, tmp_path / "out")


def test_every_missing_or_damaged_piece_is_named_and_nothing_is_written(
    pieces: Path, tmp_path: Path
) -> None:
    broken = copied(pieces, tmp_path / "broken")
    (broken / "000.xz").unlink()
    content = bytearray((broken / "001.xz").read_bytes())
    content[len(content) // 2] ^= 1
    (broken / "001.xz").write_bytes(content)
    with pytest.raises(
        InputError, match=r"2 of \d pieces .* copied again: 000.xz \(missing\), 001.xz \(damaged\)"
    ):
        unpack(broken, tmp_path / "store")
    assert not (tmp_path / "store").exists()
    for name in ("000.xz", "001.xz"):
        (broken / name).write_bytes((pieces / name).read_bytes())
    unpack(broken, tmp_path / "store")


@pytest.mark.parametrize(
    ("index", "reason"),
    [
        ("[", "is not JSON"),
        ("[]", "holds no JSON object"),
        ('{"files": 3, "pieces": []}', "it has no lists"),
        ('{"files": [], "pieces": [{"name": "..", "size": 0, "sha256": ""}]}', "'..' is no"),
        (
            f'{{"files": [], "pieces": [{{"name": "{"a" * 300}", "size": 0, "sha256": ""}}]}}',
            "no file",
        ),
        ('{"files": [], "pieces": [{"name": "a", "size": -1, "sha256": ""}]}', "size is -1"),
        ('{"files": [], "pieces": [{"name": "a"}]}', "is not sound"),
        ('{"files": [{"name": "../a", "size": 0, "sha256": ""}], "pieces": []}', "'../a' is no"),
        (
            '{"files": [{"name": "a", "size": 1, "sha256": ""}], "pieces": []}',
            "is not of these pieces",
        ),
    ],
)
def test_an_index_that_is_not_sound_is_refused(index: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / INDEX).write_text(index)
    with pytest.raises(InputError, match=reason):
        unpack(tmp_path, tmp_path / "out")
    assert not (tmp_path / "a").exists() and not (tmp_path / "out" / "a").exists()


def test_what_cannot_be_packed_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a piece of 0 MiB"):
        pack(folder, tmp_path / "out", piece=0)
    with pytest.raises(InputError, match="no files in"):
        pack(tmp_path, tmp_path / "out", piece=1)
    with pytest.raises(InputError, match=r"cannot pack .*nothing"):
        pack(tmp_path / "nothing", tmp_path / "out", piece=1)
    with pytest.raises(InputError, match=r"cannot pack .*missing\.bin"):
        pack(folder, tmp_path / "out", piece=1, only=("missing.bin",))
    with pytest.raises(InputError, match=f"has no {INDEX}"):
        unpack(tmp_path / "out", tmp_path / "store")


@pytest.mark.slow
def test_the_script_packs_and_unpacks_with_python_alone(folder: Path, tmp_path: Path) -> None:
    def run(*words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-I", "-S", ROOT / "scripts" / "pack.py", *map(str, words)],
            capture_output=True, text=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip

    assert run(folder, "--out", tmp_path / "pieces", "--piece", 1).returncode == 0
    told = run(tmp_path / "pieces", "--out", tmp_path / "store", "--unpack")
    assert told.returncode == 0 and "tokens.bin" in told.stdout
    assert (tmp_path / "store" / "tokens.bin").read_bytes() == (folder / "tokens.bin").read_bytes()
    assert json.loads((tmp_path / "pieces" / INDEX).read_text())["files"][0]["name"] == "empty"
    (tmp_path / "pieces" / "001.xz").unlink()
    told = run(tmp_path / "pieces", "--out", tmp_path / "store", "--unpack")
    assert told.returncode == 1 and "001.xz (missing)" in told.stderr
