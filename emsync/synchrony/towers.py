"""The towers: films, sound and notes as rows of one space, ten a second (MuVi, section 3.2).

Each tower sees about a second to either side of a row. Rows have length 1, so that the product of
two is their cosine.

Shapes: B films or pieces of music, T rows, D numbers an embedding.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, normalize

from emsync.errors import UsageError
from emsync.settings import Within, check
from emsync.sound.mel import BANDS
from emsync.synchrony.adaptors import ADAPTORS, GROUPS
from emsync.synchrony.notes import COLUMNS
from emsync.synchrony.seen import RATE

MOVES = 8.0  # how much more a difference of pictures weighs than they themselves
REACH = 5  # rows to either side that one convolution over time sees; there are two
LOUDEST, QUIETEST = 1.5, -11.5  # about, of the logarithms of a mel: they become 1 and -1


@dataclass(frozen=True)
class TowerConfig:
    """The shape of the towers."""

    dimensions: Annotated[int, Within(1, 4096), "numbers an embedding"] = 64
    width: Annotated[int, Within(4, 4096), "numbers inside, a multiple of 4"] = 112
    channels: Annotated[int, Within(1, 1024), "of the first convolution over a picture"] = 16
    adaptor: Annotated[
        Literal["softmax", "sigmoid", "attention", "average", "cls"],
        "how patches of a picture become one vector",
    ] = "softmax"
    pictures: Annotated[int, Within(1, RATE), "of a film that are looked at, a second"] = RATE

    def __post_init__(self) -> None:
        check(self)
        if self.width % GROUPS:
            raise UsageError(f"width is {self.width}; choose a multiple of {GROUPS}")


class FilmTower(nn.Module):
    """Grey pictures (B, T, 27, 48) of values from 0 to 255, ten a second: (B, T, D).

    A picture is seen with the one before and the one after it.
    """

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        width = config.width
        self.pictures = config.pictures
        self.first = nn.Conv2d(3, config.channels, 3, stride=2, padding=1)
        # the 14 rows become 8, not 7, so that the adaptor can halve them
        self.second = nn.Conv2d(config.channels, 2 * config.channels, 3, 2, padding=(2, 1))
        self.whole = nn.Linear(4 * config.channels, 2 * config.channels)
        self.adaptor = ADAPTORS[config.adaptor](2 * config.channels, width, width)
        self.over_time = OverTime(width, config.dimensions)

    def forward(self, luma: Tensor) -> Tensor:
        """Return the rows of films."""
        looked_at, shown = held(luma.shape[1], self.pictures)
        rows = self._of_pictures(luma[:, looked_at])
        found: Tensor = self.over_time(rows[:, shown])
        return found

    def _of_pictures(self, luma: Tensor) -> Tensor:
        """Return a vector (B, T, width) of each picture and its two neighbours."""
        maps = stacked(luma).flatten(0, 1).contiguous(memory_format=torch.channels_last)  # faster
        maps = gelu(self.second(gelu(self.first(maps))))
        cls = self.whole(torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], dim=1))
        rows: Tensor = self.adaptor(maps, cls)
        return rows.reshape(*luma.shape[:2], -1)


class SoundTower(nn.Module):
    """The logarithmic mel of sound (B, 8 T, 160): (B, T, D)."""

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        self.down = Down(BANDS, config.width, 3)
        self.over_time = OverTime(config.width, config.dimensions)

    def forward(self, mel: Tensor) -> Tensor:
        """Return the rows of sound."""
        mel = (mel - QUIETEST) * (2 / (LOUDEST - QUIETEST)) - 1
        found: Tensor = self.over_time(self.down(mel))
        return found


class NotesTower(nn.Module):
    """The rows of notes (B, 4 T, 15): (B, T, D)."""

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        self.down = Down(COLUMNS, config.width, 2)
        self.over_time = OverTime(config.width, config.dimensions)

    def forward(self, notes: Tensor) -> Tensor:
        """Return the rows of notes."""
        found: Tensor = self.over_time(self.down(notes))
        return found


class Towers(nn.Module):
    """The three towers, and the temperature by which they learn."""

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        self.config = config
        self.film = FilmTower(config)
        self.sound = SoundTower(config)
        self.notes = NotesTower(config)
        self.log_temperature = nn.Parameter(torch.tensor(math.log(0.07)))

    @property
    def temperature(self) -> Tensor:
        """How much likeness decides; it is learned, and never below 0.01."""
        return self.log_temperature.exp().clamp(min=0.01)


class Down(nn.Module):
    """Rows (B, 2 ** halvings * T, channels) as rows (B, T, width) of a lower rate."""

    def __init__(self, channels: int, width: int, halvings: int) -> None:
        super().__init__()
        widths = [channels, *[width] * halvings]
        self.steps = nn.ModuleList(
            nn.Conv1d(before, after, 4, stride=2, padding=1) for before, after in pairwise(widths)
        )

    def forward(self, rows: Tensor) -> Tensor:
        """Return the rows."""
        rows = rows.transpose(1, 2)
        for step in self.steps:
            rows = gelu(step(rows))
        return rows.transpose(1, 2)


class OverTime(nn.Module):
    """Rows (B, T, width) that learn what is around them, as unit rows (B, T, D)."""

    def __init__(self, width: int, dimensions: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.steps = nn.ModuleList(
            nn.Conv1d(width, width, 2 * REACH + 1, padding=REACH) for _ in range(2)
        )
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, dimensions)
        self.centre = nn.BatchNorm1d(dimensions, affine=False)

    def forward(self, rows: Tensor) -> Tensor:
        """Return the rows."""
        for norm, step in zip(self.norms, self.steps, strict=True):
            rows = rows + gelu(step(norm(rows).transpose(1, 2))).transpose(1, 2)
        rows = self.out(self.norm(rows))
        return normalize(self.centre(rows.flatten(0, 1)).reshape(rows.shape), dim=-1)


def stacked(luma: Tensor) -> Tensor:
    """Return (B, T, 3, H, W): each picture, and how it differs from the one before and after it.

    What stands still would drown what moves, and then nothing is learned for hundreds of steps.
    """
    pictures = luma.float() / 255 - 0.5
    steps = MOVES * pictures.diff(dim=1)
    nothing = torch.zeros_like(pictures[:, :1])
    before, after = torch.cat([nothing, steps], dim=1), torch.cat([steps, nothing], dim=1)
    return torch.stack([pictures, before, after], dim=2)


def held(count: int, pictures: int) -> tuple[Tensor, Tensor]:
    """Return which of ``count`` rows are looked at, and which of those is held at each row.

    There are ``pictures`` a second.

    >>> [rows.tolist() for rows in held(10, 4)]
    [[0, 3, 5, 8], [0, 0, 0, 1, 1, 2, 2, 2, 3, 3]]
    """
    shown = torch.arange(count) * pictures // RATE
    first = -(-torch.arange(int(shown[-1]) + 1) * RATE // pictures)
    return first, shown
