"""What is installed: plug-ins and checkpoints, each with a line on what it does."""

from emsync import plugins
from emsync.checkpoints import (
    EVENTS,
    WEIGHTS,
    checkpoint_names,
    find_checkpoint,
    kind_of,
    read_config,
)
from emsync.conditioning import Conditioner
from emsync.emotion.estimator import Estimator
from emsync.makers import Maker
from emsync.matching.matcher import Matcher
from emsync.retrieval import checkpoint
from emsync.synchrony import checkpoint as synchrony
from emsync.tokens import Tokenizer


def everything() -> dict[str, dict[str, str]]:
    """Return {kind: {name: summary}}."""
    return {
        "conditioners": _summaries(plugins.CONDITIONERS, Conditioner),
        "tokenizers": _summaries(plugins.TOKENIZERS, Tokenizer),
        "estimators": _summaries(plugins.ESTIMATORS, Estimator),
        "matchers": _summaries(plugins.MATCHERS, Matcher),
        "makers": _summaries(plugins.MAKERS, Maker),
        "checkpoints": {name: _card(name) for name in checkpoint_names()},
        "checkpoints of matchers": {
            **{name: _system_card(name) for name in checkpoint.names()},
            **{f"sim:{name}": _towers_card(name) for name in synchrony.names()},
        },
    }


def _summaries(group: str, kind: type) -> dict[str, str]:
    return {name: plugins.load(group, name, kind).summary for name in plugins.names(group)}  # type: ignore[attr-defined]


def _card(name: str) -> str:
    """Return the kind or the shape of a checkpoint in a line."""
    folder = find_checkpoint(name)
    config = read_config(folder)
    size = (folder / WEIGHTS).stat().st_size / 1e6
    if (kind := kind_of(config, folder)) != EVENTS:
        makes = plugins.load(plugins.MAKERS, kind, Maker).makes
        return f"makes {makes}, of the kind {kind}, {size:.0f} MB"
    model = config.get("model", {})
    return (
        f"{model.get('depth')} layers of width {model.get('width')}, context "
        f"{model.get('context')} tokens, {size:.0f} MB"
    )


def _system_card(name: str) -> str:
    """Return what a checkpoint that finds music reads, in a line."""
    folder = checkpoint.find(name)
    config = read_config(folder)
    film, music = (", ".join(config[side]) for side in ("film", "music"))
    size = (folder / WEIGHTS).stat().st_size / 1e6
    return f"films by {film}; music by {music}; {size:.1f} MB; learned from drawn films alone"


def _towers_card(name: str) -> str:
    """Return what the towers of a checkpoint are, in a line."""
    folder = synchrony.find(name)
    settings = synchrony.check_config(folder)["settings"]
    size = (folder / WEIGHTS).stat().st_size / 1e6
    return (
        f"films, sound and notes as {settings['dimensions']} numbers, ten a second; "
        f"{size:.1f} MB; learned from drawn and retimed films"
    )
