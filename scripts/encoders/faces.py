"""Make the weights of the face networks: python scripts/encoders/faces.py PACKAGE OUT

PACKAGE is the unpacked npm package @vladmandic/face-api (1.7.15, MIT): manifests and shards of
8-bit levels, a scale and a least value for each tensor. They stay in eight bits; only the axes are
moved, from TensorFlow's order to that of torch, and the names are ours. Its licence is copied; the
README of ``checkpoints/encoders/faces`` is written by hand.
"""

import argparse
import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

NETWORKS = {"detector": "ssd_mobilenetv1_model", "expressions": "face_expression_model"}
WORDS = {  # of the package's names, in ours
    "filters": "weight",
    "weights": "weight",
    "biases": "bias",
    "depthwise_filter": "depthwise",
    "pointwise_filter": "pointwise",
    "depthwise_weights": "weight",
    "convolution_bn_offset": "bias",
    "moving_mean": "mean",
    "moving_variance": "variance",
}
UNUSED = ("Preprocessor", "Postprocessor", "Output", "concat", "stack", "strided_slice")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("package", type=Path)
    parser.add_argument("out", type=Path)
    asked = parser.parse_args()
    tensors: dict[str, NDArray[Any]] = {}
    for network, model in NETWORKS.items():
        for name, levels, scale, least in read(asked.package / "model", model):
            if any(word in name for word in UNUSED):
                continue
            ours = f"{network}.{renamed(name)}"
            tensors[ours] = np.ascontiguousarray(moved(name, levels))
            if levels.dtype == np.uint8:
                tensors[f"{ours}.scale"] = np.float32(scale).reshape(1)
                tensors[f"{ours}.least"] = np.float32(least).reshape(1)
    asked.out.mkdir(parents=True, exist_ok=True)
    save_file(tensors, asked.out / "model.safetensors")
    shutil.copy(asked.package / "LICENSE", asked.out / "LICENSE")
    print(
        f"{(asked.out / 'model.safetensors').stat().st_size / 1e6:.2f} MB, {len(tensors)} tensors"
    )


def read(folder: Path, model: str) -> Iterator[tuple[str, NDArray[Any], float, float]]:
    """Yield the name, the levels, the scale and the least value of each tensor of ``model``.

    Tensors that are not in 8 bits are float32, and their scale is 1.
    """
    for group in json.loads((folder / f"{model}-weights_manifest.json").read_text()):
        shard = b"".join((folder / path).read_bytes() for path in group["paths"])
        start = 0
        for entry in group["weights"]:
            found = entry.get("quantization", {"scale": 1.0, "min": 0.0})
            kind = np.dtype(found.get("dtype", "float32"))
            count = math.prod(entry["shape"])
            levels = np.frombuffer(shard, kind, count, start).reshape(entry["shape"])
            yield entry["name"], levels, found["scale"], found["min"]
            start += count * kind.itemsize
        if start != len(shard):
            raise SystemExit(f"faces: {model} has {len(shard)} bytes, its manifest says {start}")


def renamed(name: str) -> str:
    """Return our name of a tensor.

    >>> renamed("MobilenetV1/Conv2d_3_depthwise/BatchNorm/moving_mean")
    'body.3.depthwise.mean'
    >>> renamed("Prediction/BoxPredictor_0/ClassPredictor/biases")
    'heads.0.scores.bias'
    >>> renamed("dense0/conv1/pointwise_filter")
    'dense0.conv1.pointwise'
    """
    for theirs, ours in (
        ("MobilenetV1/Conv2d_", "body."),
        ("Prediction/Conv2d_", "extra."),
        ("Prediction/BoxPredictor_", "heads."),
        ("ClassPredictor", "scores"),
        ("BoxEncodingPredictor", "boxes"),
        ("BatchNorm/", ""),
        ("_depthwise/", ".depthwise."),
        ("_pointwise/", ".pointwise."),
    ):
        name = name.replace(theirs, ours)
    *path, last = name.replace("/", ".").split(".")
    return ".".join([*path, WORDS.get(last, last)])


def moved(name: str, levels: NDArray[Any]) -> NDArray[Any]:
    """Return ``levels`` with the axes of torch: outputs, inputs, height, width."""
    if levels.ndim == 4:
        return levels.transpose(2, 3, 0, 1) if "depthwise" in name else levels.transpose(3, 2, 0, 1)
    return levels.T


if __name__ == "__main__":
    main()
