"""What a run begins with: nothing, or a checkpoint and the conditions that it learns besides."""

from dataclasses import replace
from typing import Any

from emsync import plugins
from emsync.checkpoints import find_checkpoint, read_config
from emsync.conditioning import Conditioner
from emsync.errors import UsageError
from emsync.limits import shown
from emsync.model.composer import Composer
from emsync.model.transformer import EventTransformer, ModelConfig
from emsync.options import CHECKPOINT
from emsync.settings import arguments
from emsync.training.config import UNKNOWN, TrainConfig, check_dropped

Network = tuple[ModelConfig, tuple[Conditioner, ...]]  # all that an EventTransformer is made of


def from_nothing(config: TrainConfig) -> Network:
    """Return the network that ``config`` describes.

    Where no conditioners are named, they are those of the checkpoint that is shipped, and so is
    which of them are added.
    """
    names, given = config.conditioners, _given(config)
    if names is None:
        shipped = read_config(find_checkpoint(CHECKPOINT))
        names = tuple(entry["name"] for entry in shipped["conditioners"])
        given.setdefault("added", tuple(shipped["model"].get("added", ())))
    check_dropped(config.cropping, names)
    return ModelConfig(**given), tuple(_load(name) for name in names)


def from_checkpoint(config: TrainConfig, start: Composer, name: str) -> Network:
    """Return the network of the checkpoint ``start``, with the conditions that it does not know.

    ``name`` is what the checkpoint is called. Its own conditions keep their order and settings; the
    new ones come after them and are added. UsageError names what differs in ``config``.
    """
    shape, called = start.model.config, f"the checkpoint {shown(name)}"
    known = {c.name: c for c in start.model.conditioners}
    names = tuple(known) if config.conditioners is None else config.conditioners
    if left := [one for one in known if one not in names]:
        raise UsageError(
            f"{called} has learned {shown(left[0])}, which conditioners leaves out; name it too, "
            "or leave conditioners out"
        )
    check_dropped(config.cropping, names)
    new = [_load(one) for one in names if one not in known]
    for conditioner in new:
        if conditioner.place == "prefix":
            raise UsageError(
                f"the condition {shown(conditioner.name)} stands before the tokens, so it cannot "
                "be added to a trained network: its positions would all move; give its "
                'conditioner place = "position"'
            )
    added = (*shape.added, *(c.name for c in new))
    given = _given(config)
    for key, value in given.items():
        its = getattr(shape, key)
        if key == "added" and not set(its) <= set(value) <= set(added):
            raise UsageError(
                f"[model] added is {list(value)}, and of {called} {list(its)} are added; leave it "
                "out, and what is new is added"
            )
        follows = value == 0 and not isinstance(value, bool)  # the width, as if it were left out
        if key not in ("added", "dropout", "vocab_size") and value != its and not follows:
            raise UsageError(
                f"[model] {key} is {shown(value)}, and in {called} {shown(its)}; leave it out, or "
                "train from nothing into another folder"
            )
    dropout = given.get("dropout", shape.dropout)
    return replace(shape, added=added, dropout=dropout), (*known.values(), *new)


def take_weights(model: EventTransformer, start: EventTransformer) -> None:
    """Give ``model`` the weights of ``start``; those of conditions that it adds stay."""
    model.load_state_dict({**model.state_dict(), **start.state_dict()})


def _given(config: TrainConfig) -> dict[str, Any]:
    """Return what [model] says, in the types of ModelConfig."""
    return arguments(ModelConfig, {"vocab_size": UNKNOWN, **config.model}, "[model] ")


def _load(name: str) -> Conditioner:
    return plugins.load(plugins.CONDITIONERS, name, Conditioner)()
