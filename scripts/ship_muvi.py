"""Make a network that makes sound ready to ship: python scripts/ship_muvi.py FILM.toml --out FOLDER

FILM.toml is that of the stage film, which names the run of the stage flow. FOLDER gets the weights
in bf16, the settings and curves of both stages, the keys of the songs that they learned from, and a
card whose figures are those of what is shipped.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cards
import torch

from emsync.data.split import KEYS
from emsync.evaluation.tables import ranged
from emsync.muvi.checkpoint import System
from emsync.muvi.config import FilmConfig, FlowConfig
from emsync.muvi.drawing import Solving
from emsync.synchrony.passages import Passages

HELD = {"told all": ("held", "#c8485c"), "told nothing": ("unasked", "#d9a441")}
LABEL, LIMITS = "loss on held-out passages", (0.8, 2.0)
SOLVING = Solving(12, "euler", 2.0)  # nearer to music than the published guidance of 4
WAYS = (
    *(("25", "euler", guidance) for guidance in ("1", "2", "4")),
    ("8", "euler", "4"),
    (str(SOLVING.steps), SOLVING.solver, f"{SOLVING.guidance:g}"),
)
UNKNOWN = (
    "This is what a processor taught in an hour, a small part of what such a network needs: a grey "
    "band that keeps the asked chords and strokes, blurred, with one synthesizer's sounds and no "
    "voice. A score by emsync-small, played, sounds better, is sharper on the cuts and can be "
    "edited. It is here so that the path from film to sound can be tried, measured and trained on."
)


def ship(settings: Path, out: Path, count: int) -> None:
    """Write what ``settings`` trained to ``out``, measured on ``count`` passages."""
    film = FilmConfig.load(settings)
    flow_settings = settings.with_name("flow.toml")
    flow = FlowConfig.load(flow_settings)
    run, before = Path(film.out), Path(film.flow)
    system = System.load(run)
    system.shape = replace(system.shape, solving=SOLVING)
    system.save(out, torch.bfloat16)
    for path in (settings, flow_settings, run / KEYS):
        shutil.copy(path, out)
    steps = {"flow": cards.steps_of(before), "film": cards.steps_of(run)}
    cards.draw_curve(steps["flow"], out / "curve.png", HELD, LABEL, LIMITS)
    figures = measured(Path(flow.store), out, count)
    (out / "README.md").write_text(card(out.name, system, flow, film, steps, figures))


def measured(store: Path, model: Path, count: int) -> Mapping[str, Any]:
    """Return what ``scripts/muvi.py`` says of a checkpoint."""
    script = Path(__file__).with_name("muvi.py")
    ways = [word for way in WAYS for word in ("--solve", *way)]
    with TemporaryDirectory() as folder:
        found = subprocess.run(
            [sys.executable, script, store, folder, "--model", model, "--count", str(count), *ways],
            check=True, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
    return json.loads(found.stdout)


def card(
    name: str,
    system: System,
    flow: FlowConfig,
    film: FilmConfig,
    steps: Mapping[str, cards.Steps],
    figures: Mapping[str, Any],
) -> str:
    """Return the card, under headings that all cards have."""
    passages, shape = Passages.open(Path(flow.store)), system.shape
    weights = sum(weight.numel() for weight in system.dit.parameters())
    last = {stage: rows[-1] for stage, rows in steps.items()}
    minutes = {stage: float(row["seconds"]) / 60 for stage, row in last.items()}
    told = ", ".join(c.name for c in shape.conditioners)
    lines = [
        f"# {name}", "",
        "Makes sound for a film out of noise (MuVi, Li et al. 2024): no notes, no score.", "",
        "## What it makes", "",
        f"Rectified flow of {system.latent} latents ten times a second; a network of "
        f"{shape.dit.width} × {shape.dit.depth} ({weights:,} weights, in bf16) told of {told}, and "
        f"of the film through the towers {film.sight!r} of synchrony. Its codec is "
        f"{'linear' if isinstance(shape.codec, int) else 'an autoencoder'}, its voice Griffin-Lim.",
        "", f"    emsync generate clip.mp4 --checkpoint {name} --audio out.wav --video scored.mp4",
        "", "## Data", "",
        f"Passages of {len(passages.places('train')):,} songs of Lakh Pianoroll, LPD-cleansed "
        "(Dong et al. 2018, CC BY 4.0), played by a synthesizer, and films drawn to their accents. "
        f"Songs were held out by duplicate group; `{KEYS}` has the keys of those it saw.", "",
        "## Training", "",
        f"{int(last['flow']['step']):,} steps of {flow.batch} passages in "
        f"{minutes['flow']:.0f} minutes on one core (`emsync train flow.toml`), then "
        f"{int(last['film']['step']):,} of {film.batch} drawn films in {minutes['film']:.0f} "
        "(`emsync train film.toml`).", "",
        "![curve](curve.png)", "",
        "## Figures", "",
        f"{next(iter(figures.values()))['followed']['sound']['n']} held-out passages of 10 s, told "
        "what each meets: how much more like its own passage than like others what is made is, by "
        "correlation of log-mel and of onsets, with 95 % intervals; and the Fréchet distance "
        "(musicnn, MSD) to as many other passages: `python scripts/muvi.py`. The last is what it "
        "does unless told otherwise.", "",
        "| steps, solver, guidance | sound | onsets | Fréchet distance |",
        "| --- | --- | --- | --- |",
        *(row(way, each) for way, each in figures.items()), "",
        "## What it does not know", "", UNKNOWN, "",
        "## Licences", "",
        "The weights: Apache-2.0, as emsync.",
    ]  # fmt: skip
    return cards.wrapped(lines) + "\n"


def row(way: str, figures: Mapping[str, Any]) -> str:
    """Return a line of the table."""
    like = " | ".join(ranged(figures["followed"][look], ".3g") for look in ("sound", "onsets"))
    return f"| {way.replace('-', ', ')} | {like} | {ranged(figures['distance'], '.3g')} |"


if __name__ == "__main__":
    cards.ship_by(
        ship,
        __doc__,
        count={"type": int, "default": 20, "help": "held-out passages that are drawn"},
    )
