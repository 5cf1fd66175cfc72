"""Latents for a film, drawn from noise: window by window, guided towards what is asked.

Shapes: T latents, c numbers of each, P rows of one conditioner at one time, d numbers of the film.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
from torch import Tensor

from emsync.arrays import Float32s
from emsync.muvi.conditions import Rows, batched, nothing, since
from emsync.muvi.flow import Solver, guided, solve
from emsync.muvi.windows import Window, windows
from emsync.settings import Within, check

if TYPE_CHECKING:
    from emsync.muvi.checkpoint import System


@dataclass(frozen=True)
class Solving:
    """How noise becomes music. The paper's are 25 steps of Euler, and a guidance of 4."""

    steps: Annotated[int, Within(1, 1000), "from noise to music"] = 25
    solver: Solver = "euler"
    guidance: Annotated[float, Within(0, 100), "1: the conditions alone, 0: none of them"] = 4.0

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, eq=False)
class Asked:
    """What the music of one film is to be like."""

    rows: Rows  # by conditioner: (T, P, channels)
    film: Float32s  # (T, d); NaN where nothing is seen, d of 0 where nothing can be
    cuts: Sequence[int] = ()  # latents, ascending
    prompt: Tensor | None = None  # (K, c) latents of music whose style is continued

    @property
    def count(self) -> int:
        """The number of latents, without the prompt."""
        return len(self.film)

    def after(self, given: int) -> "Asked":
        """Return what is asked when ``given`` latents, of which nothing is, stand before it."""
        rows = {
            name: np.concatenate([np.full((given, *v.shape[1:]), np.nan, v.dtype), v])
            for name, v in self.rows.items()
        }
        unseen = np.full((given, self.film.shape[1]), np.nan, np.float32)
        cuts = [cut + given for cut in self.cuts]
        return Asked(rows, np.concatenate([unseen, self.film]), cuts, self.prompt)


def draw_latents(
    system: "System",
    asked: Asked,
    seed: int,
    solving: Solving,
    progress: Callable[[float], None] | None = None,
) -> Tensor:
    """Return the (T, c) latents that the ``seed`` draws. ``progress`` is told the share done."""
    prompt = system.no_latents() if asked.prompt is None else asked.prompt
    whole = asked.after(len(prompt))
    parts = windows(whole.count, system.longest, whole.cuts, len(prompt))
    drawn = prompt
    for number, window in enumerate(parts):
        given = drawn[window.start : window.start + window.given]
        tell = _part(progress, number, len(parts))
        new = _window(system, whole, window, given, _noise(system, window, seed, number), solving,
                      tell)  # fmt: skip
        drawn = torch.cat([drawn, new[window.given :]])
    return drawn[len(prompt) :]


def _window(
    system: "System",
    asked: Asked,
    window: Window,
    given: Tensor,
    noise: Tensor,
    solving: Solving,
    progress: Callable[[float], None] | None,
) -> Tensor:
    """Return the (T, c) latents of a window, the ``given`` ones first."""
    rows = since(asked.rows, window.start, window.stop)
    film = asked.film[window.start : window.stop].copy()
    none, unseen = nothing(rows), np.full_like(film, np.nan)
    for name, values in none.items():  # of what is there already nothing is asked
        rows[name] = np.concatenate([values[: window.given], rows[name][window.given :]])
    film[: window.given] = np.nan
    context = torch.arange(len(film), device=noise.device)[None] < window.given
    conditional, unconditional = (
        system.velocity(batched([r]), torch.from_numpy(f[None]), context)
        for r, f in ((rows, film), (none, unseen))
    )
    velocity = guided(conditional, unconditional, solving.guidance)
    return solve(velocity, noise, solving.steps, solving.solver, given[None], progress)[0]


def _noise(system: "System", window: Window, seed: int, number: int) -> Tensor:
    """Return the (1, T, c) noise of a window, its own for each seed."""
    own = int(np.random.default_rng([seed, number]).integers(2**63))
    drawn = torch.Generator().manual_seed(own)
    shape = (1, window.stop - window.start, system.latent)
    return torch.randn(shape, generator=drawn).to(system.device)


def _part(
    progress: Callable[[float], None] | None, number: int, count: int
) -> Callable[[float], None] | None:
    """Return who is told of one of ``count`` parts."""
    if progress is None:
        return None
    return lambda share: progress((number + share) / count)
