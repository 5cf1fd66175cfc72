"""Find the conditioners, tokenizers and estimators that installed packages offer.

A package offers a plug-in with an entry point; emsync's own plug-ins do the same:

    [project.entry-points."emsync.conditioners"]
    boundaries = "emsync_conditioners.boundaries:Boundaries"
"""

from importlib.metadata import entry_points
from typing import TypeVar

from emsync.errors import AssetError

Plugin = TypeVar("Plugin")

CONDITIONERS, TOKENIZERS, ESTIMATORS = (
    "emsync.conditioners",
    "emsync.tokenizers",
    "emsync.estimators",
)


def names(group: str) -> list[str]:
    """Return the names of the plug-ins in ``group``, without importing them."""
    return sorted({point.name for point in entry_points(group=group)})


def load(group: str, name: str, kind: type[Plugin]) -> type[Plugin]:
    """Import the plug-in ``name`` of ``group``.

    Raises AssetError when it is missing, offered by two packages, or not a ``kind``.
    """
    points = {point.value: point for point in entry_points(group=group, name=name)}
    if not points:
        known = ", ".join(names(group)) or "nothing; is emsync installed?"
        raise AssetError(f"no plug-in {name!r} in {group!r}; there is {known}")
    if len(points) > 1:
        raise AssetError(f"{name!r} in {group!r} is offered twice: {sorted(points)}; remove one")
    (point,) = points.values()
    plugin = point.load()
    if not (isinstance(plugin, type) and issubclass(plugin, kind)):
        raise AssetError(f"{point.value} in {group!r} is not a {kind.__name__}")
    return plugin
