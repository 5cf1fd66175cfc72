"""Filters in second-order sections, or biquads, by the loop that SciPy has compiled for them.

Shapes: S sections of b0, b1, b2, 1, a1, a2; N samples of C channels.
"""

from collections.abc import Callable
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Float64s

Loop: TypeAlias = Callable[[Float64s, Float64s, Float64s], object]  # changes the latter two


def at_rest(sections: Float64s, channels: int) -> Float64s:
    """Return the (C, S, 2) state of a filter before the first sample."""
    return np.zeros((channels, len(sections), 2))


def filtered(sections: Float64s, samples: NDArray[Any], state: Float64s) -> Float64s:
    """Return (N, C) samples after (S, 6) sections; ``state``, (C, S, 2), becomes that after them.

    They are those of ``scipy.signal.sosfilt`` to the bit.
    """
    rows = np.array(samples.T, np.float64, order="C")
    _loop()(sections, rows, state)
    return rows.T


@cache
def _loop() -> Loop:
    """Return what filters (C, N) rows in place.

    SciPy's loop is loaded alone: to import scipy.signal around it takes half a second, more than to
    hear a minute of film with it.
    """
    import scipy

    folders = [str(Path(place, "signal")) for place in scipy.__path__]
    spec = PathFinder.find_spec("_sosfilt", folders)
    if spec is None or spec.loader is None:  # of another version, which has it elsewhere
        return _public_loop
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    loop: Loop = module._sosfilt
    return loop


def _public_loop(sections: Float64s, rows: Float64s, state: Float64s) -> None:
    from scipy.signal import sosfilt

    rows[:], after = sosfilt(sections, rows, zi=state.swapaxes(0, 1))
    state[:] = after.swapaxes(0, 1)
