"""Which keys of each instrument sound, as a value."""

from typing import TypeAlias

from emsync.plugin import CLASSES

Keys: TypeAlias = tuple[frozenset[int], ...]  # of each class of instruments, from the lowest key

SILENT: Keys = (frozenset(),) * len(CLASSES)


def played(keys: Keys, instrument: int, key: int, begins: bool) -> Keys:
    """Return ``keys`` once a note has begun or ended.

    >>> played(SILENT, 1, 7, begins=True)[:2]
    (frozenset(), frozenset({7}))
    """
    own = keys[instrument] | {key} if begins else keys[instrument] - {key}
    return (*keys[:instrument], own, *keys[instrument + 1 :])
