"""Make a checkpoint to ship of a training run: python scripts/ship.py RUN --out FOLDER --dtype int8

Weights in int8 (a scale for each row of a matrix) take a quarter of the run's, in bf16 half. Runs
from a checkout, as ``train_portable.py`` does.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from train_portable import ROOT, offer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--dtype", choices=("int8", "bf16"), default="int8")
    asked = parser.parse_args()

    import torch

    from emsync.errors import EmsyncError
    from emsync.model.composer import Composer

    dtype = {"int8": torch.int8, "bf16": torch.bfloat16}[asked.dtype]
    try:
        Composer.from_pretrained(asked.run).save_pretrained(asked.out, dtype)
        shutil.copy(asked.run / "trained.npy", asked.out)  # the songs it must not be measured on
    except (EmsyncError, OSError) as error:
        sys.exit(f"ship: {error}")
    for path in sorted(asked.out.iterdir()):
        print(f"{path.stat().st_size / 1e6:8.2f} MB  {path.name}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        offer(ROOT, Path(folder))
        main()
