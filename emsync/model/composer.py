"""A trained model with its tokenizer and conditioners: draw with it, save it, load it."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from emsync import plugins
from emsync.analysis import Analysis
from emsync.checkpoints import EVENTS, find_checkpoint, kind_of, read_config
from emsync.conditioning import Conditioner, Floats, Targets, check_conditions
from emsync.errors import AssetError, EmsyncError, UsageError
from emsync.files import together
from emsync.limits import quoted, shown
from emsync.memoryless import memoryless
from emsync.model.devices import moved
from emsync.model.int8.quantize import quantized
from emsync.model.transformer import EventTransformer, ModelConfig
from emsync.model.weights import SCALE, check_weights, write_weights
from emsync.music.lead_sheet import LeadSheet
from emsync.music.piece import Piece
from emsync.options import CHECKPOINT, PathLike, Sampling, check_tempo
from emsync.settings import build
from emsync.tokens import Ids, Tokenizer


@dataclass(frozen=True, eq=False)
class Sample:
    """A piece as it was drawn."""

    piece: Piece  # in the checkpoint's tempo
    ids: Ids  # (T,) its tokens
    beat: float | None = None  # seconds that a beat of it lasts, where that is known
    sheet: LeadSheet | None = None  # what was asked of it, in its own time, where it was


@dataclass(frozen=True, eq=False)
class Composer:
    """A checkpoint in memory: it turns what a video requests into music."""

    model: EventTransformer
    tokenizer: Tokenizer
    tempo: float | None = None  # beats a minute of all its training music; None: they differ
    sampling: Sampling = Sampling()  # the settings that work best for this model

    def to(self, device: str) -> Self:
        """Move the model to "cpu", "cuda", or with "auto" to a GPU if there is one."""
        moved(self.model, device)
        return self

    def targets(self, video: Analysis) -> dict[str, Floats]:
        """Return the target of each conditioner for ``video``, by its name."""
        return {c.name: c.from_video(video) for c in self.model.conditioners}

    def partial_analysis(self, seconds: float, **known: Any) -> Analysis:
        """Return an analysis of which only ``known`` is known, in the checkpoint's tempo.

        ``known`` are fields of Analysis; the others request nothing.
        """
        return Analysis(seconds, "0", tempo=self.tempo or math.nan, **known)

    def null_targets(self, seconds: float) -> dict[str, Floats]:
        """Return targets that request nothing but the checkpoint's tempo."""
        return self.targets(self.partial_analysis(seconds))

    def sample(
        self,
        targets: Sequence[Targets],
        durations: Sequence[float],
        seeds: Sequence[int],
        sampling: Sampling | None = None,
        progress: Callable[[float], None] | None = None,
        sheets: Sequence[LeadSheet] | None = None,
        begins: Sequence[Ids] | None = None,
    ) -> list[Sample]:
        """Draw a piece for each of ``targets``, with its duration in seconds and its seed.

        ``sheets`` are the chords and players of each, in its own seconds, that it is held to, and
        the music that it is given; ``begins`` the tokens that each begins with, a header's first
        and what is there already. ``progress`` is called with the seconds of the piece that is
        furthest behind.
        """
        from emsync.model.sampling import sample  # needs Numba, which training can do without

        rows = sample(
            self.model, self.tokenizer, targets, durations, seeds, sampling or self.sampling,
            progress, sheets, begins,
        )  # fmt: skip
        return [Sample(self.tokenizer.decode(ids), ids) for ids in rows]

    def save_pretrained(self, folder: PathLike, dtype: torch.dtype | None = None) -> None:
        """Write ``config.json`` and ``model.safetensors`` to ``folder``, in ``dtype`` if given.

        In ``torch.int8`` the matrices have a scale for each row, and the rest keeps its dtype.
        """
        config = {
            "tokenizer": describe(self.tokenizer),
            "conditioners": [describe(c) for c in self.model.conditioners],
            "model": asdict(self.model.config),
            "tempo": self.tempo,
            "sampling": asdict(self.sampling),
        }
        weights = {k: v.detach() for k, v in self.model.state_dict().items()}
        if dtype is torch.int8:
            weights = _quantized(weights)
        elif dtype is not None:
            weights = {k: v.to(dtype) for k, v in weights.items()}
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        with together() as outputs:
            partial = outputs.file(folder / "model.safetensors")
            try:
                write_weights(partial, weights)
            except SafetensorError as error:
                raise EmsyncError(f"cannot write {str(folder)!r}: {error}") from error
            text = json.dumps(config, indent=2) + "\n"
            outputs.file(folder / "config.json").write_text(text)

    def push_to_hub(self, repository: str, **settings: Any) -> None:
        """Publish the checkpoint as ``repository`` ("user/name") on the Hugging Face Hub.

        ``settings`` are those of ``huggingface_hub.ModelHubMixin.push_to_hub``, such as ``token``.
        """
        from emsync.model.hub import HubComposer

        HubComposer(self).push_to_hub(repository, **settings)

    @classmethod
    def from_pretrained(cls, name: PathLike = CHECKPOINT) -> Self:
        """Read what ``save_pretrained`` wrote: a folder, or the name of a shipped checkpoint.

        "hub:user/name" is fetched from the Hugging Face Hub.
        Weights in bfloat16 or int8 are widened to float32. Raises AssetError when anything is
        missing or does not fit.
        """
        folder = find_checkpoint(name)
        composer = cls.without_weights(folder)
        load_weights(composer.model, folder / "model.safetensors")
        return composer

    @classmethod
    def without_weights(cls, folder: Path) -> Self:
        """Read all of the checkpoint in ``folder`` but its weights.

        The model is on the device "meta", which has no memory, until ``load_weights`` fills it.
        """
        config = read_config(folder)
        if (kind := kind_of(config, folder)) != EVENTS:
            raise AssetError(
                f"the checkpoint {quoted(folder)} is of the kind {shown(kind)}, which composes no "
                "score; name one that does"
            )
        place = f"{quoted(folder / 'config.json')} is not valid: "
        try:
            tokenizer = plugins.build_plugin(plugins.TOKENIZERS, config["tokenizer"], Tokenizer)
            described = config["conditioners"]
            if not isinstance(described, list):
                raise UsageError(f"conditioners is {shown(described)}, not a list")
            conditioners = [
                plugins.build_plugin(plugins.CONDITIONERS, one, Conditioner) for one in described
            ]
            shape = build(ModelConfig, config["model"], "[model] ")
            # older checkpoints have no such flag, and no norm
            shape = replace(shape, qk_norm=config["model"].get("qk_norm", False))
            with memoryless():  # no memory is asked for until the weights are known to fit
                model = EventTransformer(shape, conditioners)
            tempo = _tempo(config.get("tempo"))
            sampling = build(Sampling, config.get("sampling", {}), "[sampling] ")
            check_conditions(conditioners, sampling.unguided)
        except AssetError as error:
            raise AssetError(
                f"the checkpoint {quoted(folder)} cannot be loaded: {error}"
            ) from error
        except KeyError as error:
            raise AssetError(f"{place}it has no {error}") from error
        except (AttributeError, TypeError, ValueError) as error:
            raise AssetError(f"{place}{error}") from error
        if model.config.vocab_size != tokenizer.vocab_size:
            raise AssetError(
                f"checkpoint {str(folder)!r} has {model.config.vocab_size} tokens, its tokenizer "
                f"{tokenizer.name} {tokenizer.vocab_size}"
            )
        return cls(model.eval(), tokenizer, tempo, sampling)


def load_weights(model: EventTransformer, path: Path) -> None:
    """Fill ``model`` with the weights at ``path``; AssetError names what does not fit.

    A model on the device "meta", which has no memory yet, gets that of the weights.
    """
    try:
        check_weights(path, {k: tuple(v.shape) for k, v in model.state_dict().items()})
        weights = _widened(load_file(path))
    except FileNotFoundError as error:
        raise AssetError(f"checkpoint {str(path.parent)!r} has no weights ({path.name})") from error
    except (OSError, SafetensorError) as error:
        raise AssetError(f"cannot read the weights {str(path)!r}: {error}") from error
    for name, weight in weights.items():
        if not weight.isfinite().all():
            raise AssetError(f"the weights {str(path)!r} are damaged: {name!r} is not finite")
    model.load_state_dict(weights, assign=model.head.weight.is_meta)


def _quantized(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the matrices as int8 with their (rows,) scales, and the rest unchanged."""
    stored = dict(weights)
    for name, weight in weights.items():
        if weight.ndim == 2:
            stored[name], stored[name + SCALE] = quantized(weight)
    return stored


def _widened(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return stored weights in float32; an int8 matrix is multiplied by its scales."""
    weights = {
        k: v.to(torch.float32, copy=True) for k, v in stored.items() if not k.endswith(SCALE)
    }
    for name, weight in weights.items():
        if stored[name].dtype is torch.int8:
            weight *= stored[name + SCALE].float()[:, None]
    return weights


def describe(plugin: Tokenizer | Conditioner) -> dict[str, Any]:
    """Return the name and settings that build ``plugin`` again."""
    return {"name": plugin.name, "settings": asdict(plugin)}


def _tempo(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f"tempo is {shown(value)}, not a number or null")
    check_tempo(value)
    return float(value)
