"""What is installed, and learning from songs: ``plugins``, ``palettes``, ``prepare``, ``train``."""

import tomllib
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from emsync.cli.app import app
from emsync.cli.common import Json, print_report, progress, standard_output
from emsync.errors import UsageError
from emsync.limits import quoted, read_toml, shown
from emsync.targets import check_apart

STAGE = " with stage "
TASKS = {  # by ``task`` of the settings, and ``stage`` where it has several
    "retrieval": "emsync.retrieval.training",
    "synchrony": "emsync.synchrony.training",
    f"muvi{STAGE}codec": "emsync.muvi.codec_training",
    f"muvi{STAGE}flow": "emsync.muvi.flow_training",
    f"muvi{STAGE}film": "emsync.muvi.film_training",
}


@app.command()
def plugins(as_json: Json = False) -> None:
    """List the plug-ins of each kind, and the checkpoints, that are installed."""
    from emsync import installed as listing

    found = listing.everything()
    lines = []
    for kind, entries in found.items():
        lines += [f"{kind}:", *(f"  {name:<18} {summary}" for name, summary in entries.items())]
    print_report(found, as_json, "\n".join(lines))


@app.command()
def palettes(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="print its file: to read, or to begin one of your own"),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the palettes: who can play, for `generate --palette NAME`."""
    from emsync.performance.palette import shipped, text_of

    if name is not None:
        text = text_of(name)
        print_report({"name": name, **tomllib.loads(text)}, as_json, text.rstrip())
        return
    found = shipped()
    words = "\n".join(f"{name:<12} {summary}" for name, summary in found.items())
    print_report(found, as_json, words)


@app.command()
def prepare(
    sources: Annotated[list[Path], typer.Argument(metavar="SOURCE...", help="folders and files")],
    out: Annotated[Path, typer.Option("--out", "-o", help="the folder of the token store")],
    labels: Annotated[
        Path | None, typer.Option(help="lpd_index.csv, or your own path,valence,arousal")
    ] = None,
    tempo: Annotated[
        float | None, typer.Option(help="bring all songs to so many beats a minute")
    ] = None,
    tokenizer: Annotated[str, typer.Option(help="its plug-in's name")] = "events",
    workers: Annotated[
        int | None, typer.Option(min=1, help="processes", show_default="all cores")
    ] = None,
    as_json: Json = False,
) -> None:
    """Turn Lakh Pianoroll or MIDI files into a store to train on."""
    from emsync import plugins as door
    from emsync.data.prepare import prepare as fill
    from emsync.tokens import Tokenizer

    standard_output(as_json, folders=[out])
    scheme = door.load(door.TOKENIZERS, tokenizer, Tokenizer)()
    with progress() as show:
        outcome = fill(
            sources, out, scheme, labels=labels, tempo=tempo, workers=workers, progress=show
        )
    report = {"store": str(out), "songs": outcome.songs, "tokens": outcome.tokens,
              "skipped": [{"path": p, "reason": r} for p, r in outcome.skipped]}  # fmt: skip
    words = f"{out}: {outcome.songs} songs, {outcome.tokens} tokens, {len(outcome.skipped)} skipped"
    print_report(report, as_json, "\n".join([words, *(f"  {p}: {r}" for p, r in outcome.skipped)]))


@app.command()
def train(
    config: Annotated[
        Path | None, typer.Argument(metavar="[CONFIG.toml]", help="the settings of the run")
    ] = None,
    example: Annotated[
        bool, typer.Option("--example", help="write a commented CONFIG.toml, or print it")
    ] = False,
) -> None:
    """Train a model on a store; run it again to go on where it stopped."""
    if example:
        from emsync.training.example import example as text
        from emsync.training.example import write

        print(text() if config is None else write(config), end="" if config is None else "\n")
        return
    if config is None:
        raise UsageError("train what? name a CONFIG.toml; `emsync train --example` prints one")
    settings = read_toml(config)
    print(_network(config, settings) if "task" in settings else _composer(config, settings))


def _composer(path: Path, settings: Mapping[str, Any]) -> str:
    """Train a composer; return where it is. ``path`` is the file of its settings."""
    from emsync.training.config import TrainConfig
    from emsync.training.loop import FILES
    from emsync.training.loop import train as run
    from emsync.training.words import Teller

    config = TrainConfig.of(settings, quoted(path))
    check_apart([Path(config.out) / name for name in FILES], {"the settings": path})
    with progress() as show:
        show("Training", 0.0)
        teller = Teller(config, show)
        run(config, teller.tell)
    return teller.closing(str(path))


def _network(path: Path, settings: Mapping[str, Any]) -> str:
    """Train what ``task`` names; return where it is."""
    from emsync.training.telling import Teller

    name = STAGE.join(str(settings[key]) for key in ("task", "stage") if key in settings)
    if name not in TASKS:
        raise UsageError(
            f"{quoted(path)}: task is {shown(name)}; choose one of {', '.join(TASKS)}, or leave it "
            "out to train a composer"
        )
    task = import_module(TASKS[name]).TASK
    config = task.config.of(settings, quoted(path))
    check_apart([Path(config.out) / name for name in task.files], {"the settings": path})
    with progress() as show:
        teller = Teller(task, config, show)
        task.train(config, teller.tell, show)
    return teller.closing(str(path))
