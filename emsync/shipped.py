"""Where the networks that come with the package are."""

from pathlib import Path


def checkpoints_folder() -> Path:
    """Return where the shipped checkpoints are: in the wheel, or beside it in a checkout."""
    inside = Path(__file__).parent / "checkpoints"
    return inside if inside.is_dir() else Path(__file__).parents[1] / "checkpoints"
