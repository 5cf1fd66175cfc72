"""Cut a store, or a training run's weights, into pieces that can be copied; and put them together.

    python scripts/pack.py STORE --out PIECES [--piece 60]
    python scripts/pack.py RUN --out PIECES --piece 15 --only config.json model.safetensors
    python scripts/pack.py PIECES --out STORE --unpack

Runs from a checkout, with nothing installed but Python.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from emsync.data.pack import MIB, pack, unpack
from emsync.errors import EmsyncError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--piece", type=int, default=60, help="MiB at most; default 60")
    parser.add_argument("--only", nargs="+", default=(), metavar="FILE", help="pack these alone")
    parser.add_argument("--unpack", action="store_true")
    asked = parser.parse_args()
    try:
        if asked.unpack:
            parts = unpack(asked.folder, asked.out)
        else:
            parts = pack(asked.folder, asked.out, asked.piece, asked.only)
    except EmsyncError as error:
        sys.exit(f"pack: {error}")
    for part in parts:
        print(f"{part.size / MIB:8.2f} MiB  {part.name}")
    print(f"{sum(part.size for part in parts) / MIB:8.2f} MiB in {len(parts)} files")


if __name__ == "__main__":
    main()
