"""A system that finds music for films: how it reads both, and the network that embeds them.

It is kept as a folder of ``config.json`` and ``model.safetensors``; those that come with the
package are known by their names.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from emsync.arrays import Float32s
from emsync.encoders.threads import one_thread
from emsync.errors import AssetError, EmsyncError, UsageError
from emsync.files import together
from emsync.json_fields import FieldError, object_of, text_of
from emsync.limits import quoted, read_json, shown
from emsync.matching.matcher import Columns
from emsync.model.weights import check_weights, write_weights
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
from emsync.shipped import checkpoints_folder

VERSION = 1  # of config.json
MOST_CONFIG = 2**20  # bytes of it
CONFIG, WEIGHTS = "config.json", "model.safetensors"
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
        with self.answering():
            return _array(self.network.film(self.divided(self.films, film, parts)))

    def embed_music(self, track: Columns, parts: Sequence[Stretch]) -> Float32s:
        """Return the (P, D) embeddings of parts of a track."""
        with self.answering():
            return _array(self.network.music(self.divided(self.music, track, parts)))

    def divided(self, reader: Reader, columns: Columns, parts: Sequence[Stretch]) -> Parts:
        """Return parts of a film or a track; one that reaches past its end has what is there."""
        tokens = reader(columns)
        last = len(tokens) - 1
        rows = [tokens[min(start, last) : max(stop, min(start, last) + 1)] for start, stop in parts]
        return Parts.of(rows, [self.network.marks(columns, part) for part in parts])

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Let the network answer rather than learn, and the same whatever the number of threads."""
        training = self.training
        self.eval()
        try:
            with one_thread(), torch.inference_mode():
                yield
        finally:
            self.train(training)

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
        weights = {name: weight.detach() for name, weight in self.state_dict().items()}
        for name, weight in weights.items():
            if dtype and name.startswith("network.") and weight.is_floating_point():
                weights[name] = weight.to(dtype)
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with together() as outputs:
            partial = outputs.file(folder / WEIGHTS)
            try:
                write_weights(partial, weights)
            except SafetensorError as error:
                raise EmsyncError(f"cannot write {quoted(folder)}: {error}") from error
            outputs.file(folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n")

    @classmethod
    def load(cls, name: PathLike) -> Self:
        """Read what ``save`` wrote: a folder, or the name of a shipped system.

        AssetError where anything is missing, does not fit, or is of columns of another version.
        """
        folder = find(name)
        system = cls._without_weights(read_config(folder), f"{quoted(folder / CONFIG)}: ")
        weights = _read_weights(folder / WEIGHTS, system.state_dict())
        system.load_state_dict(weights, assign=True)
        return system.eval()

    @classmethod
    def _without_weights(cls, config: Mapping[str, Any], place: str) -> Self:
        """Return a system that takes no memory until it has weights."""
        if config.get("version") != VERSION:
            raise AssetError(
                f"{place}its version is {shown(config.get('version'))}, and only {VERSION} can be "
                "read; install the emsync that it was made with"
            )
        try:
            films, music = (object_of(config.get(side), side) for side in ("film", "music"))
            stamps = object_of(config.get("stamps"), "stamps")
            settings = object_of(config.get("settings"), "settings")
            name = text_of(config.get("system"), "system")
            with torch.device("meta"):
                system = cls.build(name, films, music, settings)
        except (FieldError, UsageError) as error:
            raise AssetError(f"{place}{error}") from error
        for name in (*system.films.names, *system.music.names, *system.network.looks_at):
            if stamps.get(name) != STAMPS[name]:
                raise AssetError(
                    f"{place}it was trained on {name} of the version {shown(stamps.get(name))}, "
                    f"and now there is {STAMPS[name]!r}; train it anew"
                )
        return system


def names() -> list[str]:
    """Return the names of the shipped systems."""
    return sorted(path.parent.name for path in (checkpoints_folder() / SHIPPED).glob(f"*/{CONFIG}"))


def find(name: PathLike) -> Path:
    """Return the folder of a shipped system, or the folder named itself."""
    for folder in (checkpoints_folder() / SHIPPED / name, Path(name)):
        if (folder / CONFIG).is_file():
            return folder
    there = f"; shipped are {', '.join(names())}" if names() else ""
    raise AssetError(
        f"there is no system {shown(str(name))}: no folder of that name has a {CONFIG}{there}"
    )


def read_config(folder: Path) -> dict[str, Any]:
    """Return what the system in ``folder`` is."""
    return read_json(folder / CONFIG, MOST_CONFIG, AssetError)


def _check_widths(what: str, given: Mapping[str, Any], known: Mapping[str, int]) -> None:
    """Refuse columns that are none, or of another width; UsageError names the first."""
    if not given:
        raise UsageError(f"no column of {what} is named; choose of {', '.join(known)}")
    for name, width in given.items():
        if name not in known:
            raise UsageError(f"{shown(name)} is no column of {what}; choose of {', '.join(known)}")
        if type(width) is not int or width != known[name]:
            raise UsageError(f"{name} of {what} has {known[name]} numbers, not {shown(width)}")


def _read_weights(path: Path, wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights at ``path`` as those ``wanted``; AssetError names what does not fit."""
    try:
        check_weights(path, {name: tuple(weight.shape) for name, weight in wanted.items()})
        stored = load_file(path)
    except FileNotFoundError as error:
        raise AssetError(f"there are no weights {quoted(path)}; fetch or train them") from error
    except (OSError, SafetensorError) as error:
        raise AssetError(f"cannot read the weights {quoted(path)}: {error}") from error
    for name, weight in wanted.items():
        if stored[name].is_floating_point() != weight.is_floating_point():
            raise AssetError(f"the weights {quoted(path)} hold {name} as {stored[name].dtype}")
        if not stored[name].isfinite().all():
            raise AssetError(f"the weights {quoted(path)} are damaged: {name} is not finite")
    # copied, since sums depend in their last digits on where numbers lie in memory
    return {name: stored[name].to(weight.dtype, copy=True) for name, weight in wanted.items()}


def _array(embedded: Tensor) -> Float32s:
    return np.asarray(embedded.cpu().numpy(), np.float32)
