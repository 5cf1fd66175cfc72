"""Make the weights of musicnn from its wheel, without TensorFlow.

    python scripts/encoders/musicnn.py WHEEL MTT checkpoints/encoders/musicnn
    python scripts/encoders/musicnn.py WHEEL MSD checkpoints/encoders/musicnn-msd

Of the networks in musicnn-0.1.0-py3-none-any.whl, one was taught by MagnaTagATune, one by the
Million Song Dataset.

A TensorFlow checkpoint is a sorted table (LevelDB's, of protocol buffers: name, shape and place of
each variable) and a file of raw floats. Normalisations become a factor and a term; those before
and after the first dense layer become part of it and of the next, and the one after it is kept
beside them, since upstream's 200 features come out of it.
"""

import struct
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

EPSILON = 1e-3  # of TensorFlow's batch normalisation
FOOTER = 48  # bytes at the end of a table

Arrays = dict[str, NDArray[np.float32]]


def main(wheel: Path, taught_by: str, out: Path) -> None:
    """Write the weights of a network and the licence into the folder ``out``."""
    with zipfile.ZipFile(wheel) as files:
        stem = f"musicnn/{taught_by}_musicnn/"
        index, data = (files.read(stem + name) for name in (".index", ".data-00000-of-00001"))
        (licence,) = [name for name in files.namelist() if name.endswith("LICENSE.md")]
        out.mkdir(parents=True, exist_ok=True)
        (out / "LICENSE").write_bytes(files.read(licence))
    tensors = {}
    for name, array in rebuilt(read_checkpoint(index, data)).items():
        kind = np.float16 if array.ndim > 1 else np.float32
        tensors[name] = torch.from_numpy(array.astype(kind, order="C"))
    save_file(tensors, out / "model.safetensors")
    (out / "model.safetensors").chmod(0o644)


def rebuilt(variables: Arrays) -> Arrays:
    """Return the weights by the names of ``emsync.encoders.musicnn``."""
    norms = [_norm(variables, _numbered("batch_normalization", i)) for i in range(11)]
    made: Arrays = {"norm.weight": norms[0][0], "norm.bias": norms[0][1]}
    for i in range(8):
        kernel = variables[_numbered("conv2d", i) + "/kernel"]  # (steps, bands, 1, filters)
        name = f"first.{i}" if i < 5 else f"middle.{i - 5}"
        axes = (3, 2, 0, 1) if i < 5 else (3, 1, 2, 0)
        kernel = kernel.transpose(axes)
        made[f"{name}.conv.weight"] = kernel if i < 5 else kernel[:, :, 0]
        made[f"{name}.conv.bias"] = variables[_numbered("conv2d", i) + "/bias"]
        made[f"{name}.norm.weight"], made[f"{name}.norm.bias"] = norms[i + 1]
    for name, own, norm in (("dense", "dense", norms[9]), ("head", "dense_1", norms[10])):
        kernel, bias = variables[own + "/kernel"], variables[own + "/bias"]
        made[name + ".weight"] = (norm[0][:, None] * kernel).T
        made[name + ".bias"] = bias + norm[1] @ kernel
    made["features.weight"], made["features.bias"] = norms[10]
    return made


def _numbered(name: str, i: int) -> str:
    return f"{name}_{i}" if i else name


def _norm(variables: Arrays, name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return a batch normalisation as a factor and a term."""
    factor = variables[name + "/gamma"] / np.sqrt(variables[name + "/moving_variance"] + EPSILON)
    return factor, variables[name + "/beta"] - variables[name + "/moving_mean"] * factor


def read_checkpoint(index: bytes, data: bytes) -> Arrays:
    """Return the float32 variables of a TensorFlow checkpoint of one shard, by name."""
    footer = index[-FOOTER:]
    _, at = _varint(footer, 0)  # the place of a block of meta data, which is empty
    _, at = _varint(footer, at)
    found: Arrays = {}
    for _, place in _entries(index, footer[at:]):
        for name, entry in _entries(index, place):
            fields = dict(_fields(entry))
            if not name or fields.get(1) != 1:  # the head of the table; other than float32
                continue
            shape = tuple(dict(_fields(d)).get(1, 0) for n, d in _fields(fields[2]) if n == 2)
            start = fields.get(4, 0)
            raw = data[start : start + fields[5]]
            found[name.decode()] = np.frombuffer(raw, "<f4").reshape(shape)
    return found


def _entries(table: bytes, place: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of the block at ``place``: its offset and size."""
    start, at = _varint(place, 0)
    size, _ = _varint(place, at)
    block = table[start : start + size]
    if table[start + size]:
        raise ValueError("the table is compressed")
    (restarts,) = struct.unpack("<I", block[-4:])
    at, key = 0, b""
    while at < size - 4 * (restarts + 1):
        shared, at = _varint(block, at)
        fresh, at = _varint(block, at)
        length, at = _varint(block, at)
        key = key[:shared] + block[at : at + fresh]
        at += fresh
        yield key, block[at : at + length]
        at += length


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Yield the number and the value, an int or bytes, of each field of a protocol buffer."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        value: Any
        if tag & 7 == 0:
            value, at = _varint(message, at)
        else:
            length, at = (4, at) if tag & 7 == 5 else _varint(message, at)
            value = message[at : at + length]
            at += length
        yield tag >> 3, value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number of seven bits a byte that begins at ``at``, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
