"""Find the conditioners, tokenizers, estimators, matchers and makers that packages offer.

A package offers a plug-in with an entry point; emsync's own plug-ins do the same:

    [project.entry-points."emsync.conditioners"]
    boundaries = "emsync_conditioners.boundaries:Boundaries"
"""

from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, TypeVar

import emsync
from emsync.errors import AssetError
from emsync.limits import shown
from emsync.settings import build

Plugin = TypeVar("Plugin")

CONDITIONERS, TOKENIZERS, ESTIMATORS, MATCHERS, MAKERS = (
    "emsync.conditioners",
    "emsync.tokenizers",
    "emsync.estimators",
    "emsync.matchers",
    "emsync.makers",
)


def versions() -> str:
    """Return what has a say in music: emsync and the packages of plug-ins, with their versions."""
    groups = (CONDITIONERS, TOKENIZERS, ESTIMATORS, MAKERS)
    packages = [point.dist for group in groups for point in entry_points(group=group)]
    others = {f"{one.name} {one.version}" for one in packages if one and one.name != "emsync"}
    return ", ".join([f"emsync {emsync.__version__}", *sorted(others)])


def names(group: str) -> list[str]:
    """Return the names of the plug-ins in ``group``, without importing them."""
    return sorted({point.name for point in entry_points(group=group)})


def load(group: str, name: str, kind: type[Plugin]) -> type[Plugin]:
    """Import the plug-in ``name`` of ``group``.

    Raises AssetError when it is missing, broken, offered by two packages, or not a ``kind``.
    """
    points = {point.value: point for point in entry_points(group=group, name=name)}
    if not points:
        known = ", ".join(names(group)) or "nothing; is emsync installed?"
        raise AssetError(
            f"no plug-in {shown(name)} in {group!r}; there is {known}; install the package that "
            "offers it, or name another"
        )
    if len(points) > 1:
        raise AssetError(f"{name!r} in {group!r} is offered twice: {sorted(points)}; remove one")
    (point,) = points.values()
    try:
        plugin = point.load()
    except (ImportError, AttributeError) as error:
        raise AssetError(
            f"the plug-in {shown(name)} cannot be loaded from {point.value}: {error}; install its "
            "package again, or one that fits this emsync"
        ) from error
    if not (isinstance(plugin, type) and issubclass(plugin, kind)):
        raise AssetError(f"{point.value} in {group!r} is not a {kind.__name__}")
    if lacking := sorted(getattr(plugin, "__abstractmethods__", ())):
        raise AssetError(
            f"the plug-in {shown(name)} is of another emsync: {point.value} has no "
            f"{', '.join(lacking)}; install a version of its package that fits this emsync"
        )
    return plugin


def build_plugin(group: str, entry: Any, kind: type[Plugin]) -> Plugin:
    """Return the plug-in that ``describe`` described; UsageError where an entry is none."""
    named = build(_Entry, entry, f"{group}: ")
    found = load(group, named.name, kind)
    return build(found, named.settings, f"{group}: {named.name}: ")


@dataclass(frozen=True)
class _Entry:
    """A plug-in in a file: what ``describe`` returns."""

    name: str
    settings: Any
