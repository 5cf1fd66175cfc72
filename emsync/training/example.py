"""A training file with every setting in it, made of what the settings say of themselves."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import MISSING
from pathlib import Path
from typing import Any

from emsync.checkpoints import find_checkpoint, read_config
from emsync.data.crops import LABELS, Cropping
from emsync.errors import UsageError
from emsync.files import atomic_write
from emsync.model.transformer import ModelConfig
from emsync.options import CHECKPOINT
from emsync.settings import Setting, settings_of
from emsync.training.config import TrainConfig

WIDTH = 256  # of the example's network: as emsync-small, for one or two cores
CHOSEN: Mapping[str, Mapping[str, Any]] = {  # what the example sets; the rest are the defaults
    "": {"store": "store", "out": "runs/mine", "minutes": 30.0, "batch": 6},
    "model": {"width": WIDTH, "context": 766, "dropout": 0.0},
    "cropping": {"boundary_jitter": 0.25, "condition_dropout": 0.08},
}
DROPPED = {
    "valence": 0.1, "arousal": 0.15, "boundaries": 0.15, "onset_density": 0.5, "metre": 0.02,
    "chroma": 0.35, "chords": 0.3, "instruments": 0.25,
}  # fmt: skip
HEAD = """\
# A training run for `emsync train`. Each line that begins with a # is a default: to change it, take
# the # away. First: emsync prepare SONGS --out store
"""


def example() -> str:
    """Return a TOML file that trains a small network on the store named in it."""
    shipped = _shipped()
    parts = [HEAD]
    for table, kind in (("", TrainConfig), ("model", ModelConfig), ("cropping", Cropping)):
        parts += [*([f"[{table}]"] if table else []), *_lines(table, kind, shipped), ""]
    parts += ["[cropping.drop]"]
    known = {*LABELS, *shipped["conditioners"]}
    parts += [f"{name} = {share}" for name, share in DROPPED.items() if name in known]
    return "\n".join(parts) + "\n"


def write(path: Path) -> Path:
    """Write the example to ``path``, where there must be no file, and return it."""
    if path.exists():
        raise UsageError(f"{str(path)!r} is there already; name a file that is not")
    with atomic_write(path) as partial:
        partial.write_text(example(), encoding="utf-8")
    return path


def reference() -> str:
    """Return every setting as a table in Markdown."""
    rows = ["| key | default | values | what it is |", "|---|---|---|---|"]
    for table, kind in (("", TrainConfig), ("model.", ModelConfig), ("cropping.", Cropping)):
        for setting in _settings(kind):
            default = "" if setting.default is MISSING else _toml(setting.default)
            if setting.within and setting.default == 0 < setting.within.low:
                default = "follows the width"
            allowed = str(setting.within or "").removeprefix("from ")
            rows.append(f"| `{table}{setting.name}` | {default} | {allowed} | {setting.words} |")
    return "\n".join(rows)


def _settings(kind: type) -> list[Setting]:
    """Return the settings that stand in a file, without the tables within."""
    hidden = {"vocab_size", "model", "cropping"} | ({"drop"} if kind is Cropping else set())
    return [setting for setting in settings_of(kind) if setting.name not in hidden]


def _lines(table: str, kind: type, shipped: Mapping[str, Any]) -> Iterator[str]:
    chosen = CHOSEN[table]
    shape = ModelConfig(0, width=WIDTH)
    for setting in _settings(kind):
        name = setting.name
        value = chosen.get(name, getattr(shape, name) if kind is ModelConfig else setting.default)
        value = shipped.get(name, value)
        allowed = f" ({setting.within})" if setting.within else ""
        line = f"{name} = {_toml(value)}  # {setting.words}{allowed}"
        yield line if name in chosen else f"# {line}"


def _shipped() -> dict[str, list[str]]:
    """Return the conditions of the shipped checkpoint, which are those of a run that names none."""
    config = read_config(find_checkpoint(CHECKPOINT))
    names = [one["name"] for one in config["conditioners"]]
    return {"conditioners": names, "added": config["model"].get("added", [])}


def _toml(value: Any) -> str:
    return "" if value is None else json.dumps(value)
