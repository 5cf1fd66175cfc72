"""Train from a checkout on a machine that has torch, NumPy and safetensors, and nothing else.

    python scripts/train_portable.py CONFIG.toml

The loop is that of ``emsync train``, which needs neither Accelerate nor TensorBoard: on the GPU if
there is one. Nothing is installed: the checkout goes on the path, and its plug-ins are offered
from there.
"""

import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def offer(checkout: Path, folder: Path) -> None:
    """Put a checkout on the path, and its entry points into ``folder`` as an installation would."""
    project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    info = folder / f"{project['name']}-0.dist-info"  # of whatever version
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 0\n")
    lines = [
        line
        for group, points in project["entry-points"].items()
        for line in (f"[{group}]", *(f"{name} = {value}" for name, value in points.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    sys.path[:0] = [
        str(path) for path in (folder, checkout, checkout / "conditioners", checkout / "tokenizers")
    ]


def main(config: str) -> None:
    from emsync.errors import EmsyncError
    from emsync.training.config import TrainConfig
    from emsync.training.loop import train
    from emsync.training.resume import RunState

    def report(state: RunState, figures: dict[str, float]) -> None:
        if state.step % 20 == 0 or "validation" in figures:
            words = ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
            rate = state.tokens / state.seconds
            print(f"step {state.step}: {words}, {rate:,.0f} tokens a second", flush=True)

    try:
        train(TrainConfig.load(Path(config)), report)
    except EmsyncError as error:
        sys.exit(f"train: {error}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        offer(ROOT, Path(folder))
        main(sys.argv[1])
