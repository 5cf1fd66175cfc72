"""The towers as a checkpoint: films, sound and notes embedded ten times a second.

It is kept as a folder of ``config.json`` and ``model.safetensors``; those that come with the
package are known by their names.

Shapes: T = ceil(RATE * seconds) rows of D numbers, of length 1.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from emsync.arrays import Float32s
from emsync.checkpoints import CONFIG, WEIGHTS, check_stamps, config_of
from emsync.encoders.threads import answering
from emsync.errors import AssetError, UsageError
from emsync.json_fields import FieldError, object_of
from emsync.limits import quoted
from emsync.memoryless import memoryless
from emsync.model import folders
from emsync.music.piece import Piece
from emsync.options import PathLike
from emsync.settings import build
from emsync.sound.level import gain_to
from emsync.sound.mel import HOP, log_mel
from emsync.sound.mel import RATE as SAMPLE_RATE
from emsync.synchrony import notes
from emsync.synchrony.seen import RATE, row_count
from emsync.synchrony.towers import TowerConfig, Towers

VERSION, KIND = 1, "synchrony"  # of config.json
SHIPPED = "synchrony"  # the folder of those that come with the package, and the name of the usual
STAMPS = {name: f"{name} 1" for name in ("luma", "mel", "notes")}
LEVEL = 0.07  # RMS to which sound is brought, about that of what is learned from
WINDOW, MARGIN = 600, 30  # rows embedded at once, and those around them that they may depend on


class Synchrony(nn.Module):
    """Towers that embed films, sound and notes."""

    sees: ClassVar[tuple[str, ...]] = ("luma",)  # the columns of a film that are read

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        self.towers = Towers(config)

    @property
    def config(self) -> TowerConfig:
        """The shape of the towers."""
        return self.towers.config

    def embed_film(self, film: Mapping[str, NDArray[Any]]) -> Float32s:
        """Return the (T, D) rows of a film of which ``luma`` was seen."""
        luma = film["luma"]

        def embed(start: int, stop: int) -> Tensor:
            found: Tensor = self.towers.film(self._batch(luma[start:stop]))
            return found

        return self._embedded(embed, len(luma))

    def embed_sound(self, samples: Float32s) -> Float32s:
        """Return the (T, D) rows of (N,) samples at 24 kHz; of silence there are none.

        Their loudness has no part in it.
        """
        if (gain := gain_to(LEVEL, samples)) == 0:
            return np.zeros((0, self.config.dimensions), np.float32)
        step = SAMPLE_RATE // RATE
        count = row_count(len(samples) / SAMPLE_RATE)
        samples = np.asarray(samples, np.float32) * np.float32(gain)
        samples = np.pad(samples, (0, max(0, count * step - len(samples))))

        def embed(start: int, stop: int) -> Tensor:
            mel = log_mel(self._batch(samples[start * step : stop * step]))
            found: Tensor = self.towers.sound(mel[:, : (stop - start) * (step // HOP)])
            return found

        return self._embedded(embed, count)

    def embed_notes(self, piece: Piece, duration: float) -> Float32s:
        """Return the (T, D) rows of ``duration`` seconds of a piece; it is silent after its end."""
        slots = notes.RATE // RATE

        def embed(start: int, stop: int) -> Tensor:
            rows = notes.rows(piece, start / RATE, (stop - start) * slots)
            found: Tensor = self.towers.notes(self._batch(rows))
            return found

        return self._embedded(embed, row_count(duration))

    def _batch(self, rows: NDArray[Any]) -> Tensor:
        """Return a batch of one, where the towers are."""
        return torch.from_numpy(rows[None].copy()).to(self.towers.log_temperature.device)

    def _embedded(self, embed: Callable[[int, int], Tensor], count: int) -> Float32s:
        """Return (count, D) rows, window by window, so that an hour needs little memory."""
        parts = []
        with answering(self):
            for start in range(0, count, WINDOW):
                stop = min(start + WINDOW, count)
                before = max(0, start - MARGIN)
                rows = embed(before, min(stop + MARGIN, count))[0]
                parts.append(rows[start - before : stop - before].cpu().numpy())
        return np.concatenate(parts).astype(np.float32)

    def save(self, folder: PathLike, dtype: torch.dtype | None = None) -> None:
        """Write the towers to ``folder``, their weights in ``dtype`` if given."""
        config = {
            "version": VERSION,
            "kind": KIND,
            "stamps": STAMPS,
            "settings": asdict(self.config),
        }
        weights = self.towers.state_dict()
        folders.write(folder, config, folders.in_dtype(weights, dtype) if dtype else weights)

    @classmethod
    def load(cls, name: PathLike) -> Self:
        """Read what ``save`` wrote: a folder, or the name of shipped towers.

        AssetError where anything is missing, does not fit, or is of another kind or version.
        """
        folder = find(name)
        synchrony = cls._without_weights(folder)
        weights = folders.read_weights(folder / WEIGHTS, synchrony.towers.state_dict())
        synchrony.towers.load_state_dict(weights, assign=True)
        return synchrony.eval()

    @classmethod
    def _without_weights(cls, folder: Path) -> Self:
        """Return towers that take no memory until they have weights."""
        config = check_config(folder)
        try:
            stamps = object_of(config.get("stamps"), "stamps")
            settings = object_of(config.get("settings"), "settings")
            with memoryless():
                synchrony = cls(build(TowerConfig, settings))
        except (FieldError, UsageError) as error:
            raise AssetError(f"{quoted(folder / CONFIG)}: {error}") from error
        check_stamps(stamps, STAMPS, folder)
        return synchrony


def names() -> list[str]:
    """Return the names of the shipped towers."""
    return folders.names(SHIPPED)


def find(name: PathLike) -> Path:
    """Return the folder of shipped towers, or the folder named itself."""
    return folders.find(SHIPPED, name, "checkpoint of synchrony")


def check_config(folder: Path) -> dict[str, Any]:
    """Return the settings of the towers in ``folder``; AssetError where it has something else."""
    wanted = f'a folder that `emsync train` wrote with task = "{KIND}"'
    return config_of(folder, KIND, VERSION, wanted)
