"""What makes sound for films: a codec, the network of the flow, what both are told, and the film's.

It is kept as a folder of ``config.json`` of the kind "muvi" and ``model.safetensors``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from emsync import plugins
from emsync.checkpoints import CONFIG, WEIGHTS, config_of
from emsync.conditioning import Conditioner
from emsync.errors import AssetError, UsageError
from emsync.limits import quoted, shown
from emsync.memoryless import memoryless
from emsync.model import folders
from emsync.model.composer import describe
from emsync.model.folders import in_dtype
from emsync.muvi.codec import Described, codec_of
from emsync.muvi.codec_training import described_in
from emsync.muvi.conditions import CONDITIONS, RATE, Conditions
from emsync.muvi.dit import DiT, DitShape
from emsync.muvi.drawing import Solving
from emsync.muvi.flow import Velocity
from emsync.settings import build
from emsync.synchrony.checkpoint import Synchrony
from emsync.synchrony.towers import TowerConfig

KIND, VERSION = "muvi", 1  # of config.json
MOST_CONDITIONERS = 100


@dataclass(frozen=True)
class Shape:
    """All that a system is but its weights."""

    codec: Described
    dit: DitShape
    conditioners: tuple[Conditioner, ...] = ()
    film: TowerConfig | None = None  # of the towers of which one looks at the film, if one does
    solving: Solving = Solving()  # noqa: RUF009, it is frozen


class System(nn.Module):
    """A codec, what is asked, and the network that makes latents of noise."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.codec = codec_of(shape.codec)
        width = shape.dit.width
        self.sight = None if shape.film is None else Synchrony(shape.film)
        self.conditions = Conditions(shape.conditioners, self.film_width, width)
        self.dit = DiT(self.latent, shape.dit)

    @property
    def latent(self) -> int:
        """The numbers of a latent."""
        return self.codec.width

    @property
    def film_width(self) -> int:
        """The numbers of a film's row; 0 where no film is looked at."""
        return 0 if self.shape.film is None else self.shape.film.dimensions

    @property
    def longest(self) -> int:
        """The most latents that are drawn at once."""
        return round(self.shape.dit.seconds * RATE)

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.dit.context.device

    def no_latents(self) -> Tensor:
        """Return the (0, c) latents of no music."""
        return torch.zeros((0, self.latent), device=self.device)

    def velocity(self, rows: Mapping[str, Tensor], film: Tensor, context: Tensor) -> Velocity:
        """Return the velocity towards the (B, T, P, channels) ``rows`` and the (B, T, d) film.

        The (B, T) ``context`` marks latents that are given.
        """
        rows = {name: values.to(self.device) for name, values in rows.items()}
        asked = self.conditions(rows, film.to(self.device))
        return lambda x, t: self.dit(x, t, asked, context)

    def save(self, folder: Path, dtype: torch.dtype | None = None) -> None:
        """Write the system to ``folder``, its weights in ``dtype`` if given."""
        shape = self.shape
        config = {
            "version": VERSION,
            "kind": KIND,
            "codec": shape.codec if isinstance(shape.codec, int) else asdict(shape.codec),
            "dit": asdict(shape.dit),
            "conditioners": [describe(c) for c in shape.conditioners],
            "film": None if shape.film is None else asdict(shape.film),
            "solving": asdict(shape.solving),
        }
        weights = self.state_dict()
        folders.write(folder, config, weights if dtype is None else in_dtype(weights, dtype))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what ``save`` wrote; AssetError where anything is missing or does not fit."""
        place = quoted(folder / CONFIG)
        shape = read_shape(folder)
        try:
            with memoryless():  # no memory is asked for until the weights are known to fit
                system = cls(shape)
        except UsageError as error:
            raise AssetError(f"{place}: {error}") from error
        weights = folders.read_weights(folder / WEIGHTS, system.state_dict())
        system.load_state_dict(weights, assign=True)
        return system.eval()


def read_shape(folder: Path) -> Shape:
    """Return what the system in ``folder`` is; AssetError where it is none, or damaged."""
    place = quoted(folder / CONFIG)
    config = config_of(folder, KIND, VERSION, "a checkpoint that makes sound")
    try:
        return _shape(config)
    except KeyError as error:
        raise AssetError(f"{place} is damaged: it has no {error}; fetch it again") from error
    except (UsageError, AssetError) as error:
        raise AssetError(f"{place}: {error}") from error


def _shape(config: Mapping[str, Any]) -> Shape:
    codec, film, described = config["codec"], config["film"], config["conditioners"]
    if not isinstance(described, list) or len(described) > MOST_CONDITIONERS:
        raise UsageError(f"conditioners is {shown(described)}, not a list of them")
    return Shape(
        described_in(codec),
        build(DitShape, config["dit"], "dit: "),
        tuple(plugins.build_plugin(plugins.CONDITIONERS, one, Conditioner) for one in described),
        None if film is None else build(TowerConfig, film, "film: "),
        build(Solving, config["solving"], "solving: "),
    )


def installed_conditioners(names: Sequence[str] = CONDITIONS) -> tuple[Conditioner, ...]:
    """Return the conditioners of these names, as they are by default."""
    return tuple(plugins.load(plugins.CONDITIONERS, name, Conditioner)() for name in names)
