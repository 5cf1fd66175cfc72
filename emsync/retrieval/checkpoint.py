"""A system that finds music for films: how it reads both, and the network that embeds them.

It is kept as a folder of ``config.json`` and ``model.safetensors``; those that come with the
package are known by their names.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from emsync.arrays import Float32s
from emsync.checkpoints import CONFIG, WEIGHTS, check_stamps, check_version, read_config
from emsync.encoders.threads import answering
from emsync.errors import AssetError, UsageError
from emsync.json_fields import FieldError, object_of, text_of
from emsync.limits import quoted, shown
from emsync.matching.matcher import Columns
from emsync.memoryless import memoryless
from emsync.model import folders
from emsync.model.folders import read_weights
from emsync.options import PathLike
from emsync.retrieval import heard, seen
from emsync.retrieval.cmvae import Cmvae
from emsync.retrieval.cmvmr import Cmvmr
from emsync.retrieval.network import Network, Parts
from emsync.retrieval.of_vm_net import OfVmNet
from emsync.retrieval.reader import Reader
from emsync.retrieval.regimes import Stretch
from emsync.retrieval.vm_net import Cbvmr, VmNet
from emsync.settings import build

VERSION = 1  # of config.json
SHIPPED = "retrieval"  # the folder of those that come with the package
STAMPS = seen.STAMPS | heard.STAMPS
NETWORKS: dict[str, type[Network]] = {
    kind.name: kind for kind in (VmNet, OfVmNet, Cbvmr, Cmvae, Cmvmr)
}


class System(nn.Module):
    """Readers of films and of music, and a network."""

    def __init__(self, films: Reader, music: Reader, network: Network) -> None:
        super().__init__()
        self.films = films
        self.music = music
        self.network = network

    @classmethod
    def build(
        cls,
        name: str,
        film_widths: Mapping[str, int],
        music_widths: Mapping[str, int],
        settings: Mapping[str, Any] | None = None,
    ) -> Self:
        """Return a new system of the network ``name``, which reads the columns of these widths.

        UsageError where there is no such network, no such column, or no such setting.
        """
        if name not in NETWORKS:
            raise UsageError(f"there is no network {shown(name)}; choose of {', '.join(NETWORKS)}")
        kind = NETWORKS[name]
        _check_widths("a film", film_widths, seen.WIDTHS)
        _check_widths("music", music_widths, heard.WIDTHS)
        films, music = Reader(film_widths), Reader(music_widths)
        shape = build(kind.shape, settings or {}, f"{name}: ")
        return cls(films, music, kind(films.width, music.width, shape))

    @property
    def name(self) -> str:
        """The name of its network."""
        return self.network.name

    def film_parts(self, film: Columns) -> list[Stretch]:
        """Return the parts of a film of which each is embedded, in seconds."""
        return self.network.divide(film, min(len(film[name]) for name in self.films.names))

    def embed_film(self, film: Columns, parts: Sequence[Stretch]) -> Float32s:
        """Return the (P, D) embeddings of parts of a film."""
        with answering(self):
            return _array(self.network.film(self.divided(self.films, film, parts)))

    def embed_music(self, track: Columns, parts: Sequence[Stretch]) -> Float32s:
        """Return the (P, D) embeddings of parts of a track."""
        with answering(self):
            return _array(self.network.music(self.divided(self.music, track, parts)))

    def divided(self, reader: Reader, columns: Columns, parts: Sequence[Stretch]) -> Parts:
        """Return parts of a film or a track; one that reaches past its end has what is there."""
        tokens = reader(columns)
        last = len(tokens) - 1
        rows = [tokens[min(start, last) : max(stop, min(start, last) + 1)] for start, stop in parts]
        return Parts.of(rows, [self.network.marks(columns, part) for part in parts])

    def save(self, folder: PathLike, dtype: torch.dtype | None = None) -> None:
        """Write the system to ``folder``, the weights of its network in ``dtype`` if given."""
        columns = (*self.films.names, *self.music.names, *self.network.looks_at)
        config = {
            "version": VERSION,
            "system": self.name,
            "film": self.films.widths,
            "music": self.music.widths,
            "stamps": {name: STAMPS[name] for name in columns},
            "settings": asdict(self.network.settings),
        }
        weights = self.state_dict()
        if dtype:
            own = {name: weights[name] for name in weights if name.startswith("network.")}
            weights = {**weights, **folders.in_dtype(own, dtype)}
        folders.write(folder, config, weights)

    @classmethod
    def load(cls, name: PathLike) -> Self:
        """Read what ``save`` wrote: a folder, or the name of a shipped system.

        AssetError where anything is missing, does not fit, or is of columns of another version.
        """
        folder = find(name)
        system = cls._without_weights(folder)
        weights = read_weights(folder / WEIGHTS, system.state_dict())
        system.load_state_dict(weights, assign=True)
        return system.eval()

    @classmethod
    def _without_weights(cls, folder: Path) -> Self:
        """Return a system that takes no memory until it has weights."""
        config = read_config(folder)
        check_version(config, folder, VERSION)
        try:
            films, music = (object_of(config.get(side), side) for side in ("film", "music"))
            stamps = object_of(config.get("stamps"), "stamps")
            settings = object_of(config.get("settings"), "settings")
            name = text_of(config.get("system"), "system")
            with memoryless():
                system = cls.build(name, films, music, settings)
        except (FieldError, UsageError) as error:
            raise AssetError(f"{quoted(folder / CONFIG)}: {error}") from error
        columns = (*system.films.names, *system.music.names, *system.network.looks_at)
        check_stamps(stamps, {name: STAMPS[name] for name in columns}, folder)
        return system


def names() -> list[str]:
    """Return the names of the shipped systems."""
    return folders.names(SHIPPED)


def find(name: PathLike) -> Path:
    """Return the folder of a shipped system, or the folder named itself."""
    return folders.find(SHIPPED, name, "system")


def _check_widths(what: str, given: Mapping[str, Any], known: Mapping[str, int]) -> None:
    """Refuse columns that are none, or of another width; UsageError names the first."""
    if not given:
        raise UsageError(f"no column of {what} is named; choose of {', '.join(known)}")
    for name, width in given.items():
        if name not in known:
            raise UsageError(f"{shown(name)} is no column of {what}; choose of {', '.join(known)}")
        if type(width) is not int or width != known[name]:
            raise UsageError(f"{name} of {what} has {known[name]} numbers, not {shown(width)}")


def _array(embedded: Tensor) -> Float32s:
    return np.asarray(embedded.cpu().numpy(), np.float32)
