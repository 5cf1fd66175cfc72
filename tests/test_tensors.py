"""Tensors that are written are those of the safetensors library, and broken files are refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from emsync.errors import InputError
from emsync.tensors import KINDS, Rows, map_tensors, read_tensors, write_tensors

ARRAYS: dict[str, NDArray[Any]] = {
    **{kind: np.arange(6).astype(dtype).reshape(2, 3) for dtype, kind in KINDS.items()},
    "none": np.zeros((0, 5), np.float16),
    "one": np.array([2.5]),
}


def written(path: Path) -> Path:
    pieces = {name: Rows(a.dtype, a.shape, [a[:1], a[1:]]) for name, a in ARRAYS.items()}
    with path.open("wb") as file:
        write_tensors(file, pieces, {"what": "drawn"})
    return path


def test_what_is_written_is_read_by_the_library_and_by_us(tmp_path: Path) -> None:
    path = written(tmp_path / "ours")
    tensors, said = read_tensors(path, "they", InputError)
    save_file(ARRAYS, tmp_path / "theirs", {"what": "drawn"})
    theirs, told = read_tensors(tmp_path / "theirs", "they", InputError)
    found = [load_file(path), map_tensors(path, tensors), map_tensors(tmp_path / "theirs", theirs)]
    assert said == told == {"what": "drawn"}
    for name, array in ARRAYS.items():
        for arrays in found:
            assert arrays[name].dtype == array.dtype and np.array_equal(arrays[name], array)
    assert all(rows.flags.aligned for rows in found[1].values())


def test_mapped_numbers_cannot_be_written(tmp_path: Path) -> None:
    path = written(tmp_path / "ours")
    arrays = map_tensors(path, read_tensors(path, "they", InputError)[0])
    with pytest.raises(ValueError, match="read-only"):
        arrays["one"][0] = 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"one": 1}, "hold 'one' as None"),
        ({"one": {"dtype": "F8"}}, "hold 'one' as 'F8'"),
        ({"one": {"dtype": ["F64"]}}, r"hold 'one' as \['F64'\]"),
        ({"one": {"dtype": "F64", "shape": [-1]}}, "of the shape"),
        ({"one": {"dtype": "F64", "shape": [True]}}, "of the shape"),
        ({"one": {"dtype": "F64", "shape": [1], "data_offsets": [0]}}, "which is no place"),
        ({"one": {"dtype": "F64", "shape": [1], "data_offsets": [0, 9]}}, "not fill its place"),
        ({"one": {"dtype": "F64", "shape": [1], "data_offsets": [8, 16]}}, "cut off or broken"),
        ({"one": {"dtype": "F64", "shape": [10**30], "data_offsets": [0, 8]}}, "not fill"),
        ({"__metadata__": {"what": 1}}, "what their header says"),
    ],
)
def test_a_header_that_cannot_be_is_refused(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    header = {"one": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}, **change}
    text = json.dumps(header).encode()
    (tmp_path / "it").write_bytes(len(text).to_bytes(8, "little") + text + bytes(8))
    with pytest.raises(InputError, match=f"^they .*{message}"):
        read_tensors(tmp_path / "it", "they", InputError)
