"""Make what finds music ready to ship: python scripts/ship_retrieval.py CONFIG.toml --out FOLDER

CONFIG.toml is that of its training. FOLDER gets the weights in bf16, the settings, the curve, the
keys of the songs that it learned from, and a card whose figures are those of what is shipped.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cards
import torch

from emsync.evaluation.retrieval import evaluate
from emsync.evaluation.tables import retrieval_table
from emsync.retrieval.checkpoint import System
from emsync.retrieval.config import RetrievalConfig
from emsync.retrieval.pairs import PairStore

HELD = {"mean percentile, held out": ("percentile", "#c8485c")}
LABEL, LIMITS = "mean percentile of the own music (0.5 by chance)", (0.0, 0.6)
ENCODERS = {  # by column, who made them and under what licence
    "lite0": "EfficientNet-Lite0 (`checkpoints/encoders/lite0`, Apache-2.0), taught by ImageNet",
    "musicnn": "musicnn (`checkpoints/encoders/musicnn`, ISC), taught by MagnaTagATune",
}
UNKNOWN = (
    "Drawn films are discs, strokes and textures that move, cut, swell and change colour with the "
    "music by rules that somebody wrote. So the figures of drawn films show that the system works "
    "as it is described; they are no evidence for films. It knows nothing of people, places, "
    "stories, words or singing, and nothing of music that is not played by a synthesizer. On real "
    "clips believe the table above: where its interval holds 0.5, it finds nothing."
)


BESIDE = (
    "R@K is the share of films whose own music is among the first K; the percentile is the share "
    "of other music before it, 0.5 by chance; in brackets are 95 % intervals, by song, or, where "
    "clips are real, by source; p is that of a permutation test. Beside it stand a network of the "
    "same shape that learned nothing, the rhythm (CM and DM), and chance."
)


def ship(settings: Path, out: Path, real: Path | None) -> None:
    """Write the system that ``settings`` trained to ``out``, measured."""
    config = RetrievalConfig.load(settings)
    run, store = Path(config.out), Path(config.store)
    system = System.load(run)
    system.save(out, torch.bfloat16)
    steps = cards.take(run, settings, out)
    cards.draw_curve(steps, out / "curve.png", HELD, LABEL, LIMITS)
    pairs = PairStore.open(store)
    learned = sorted({pair.style for pair in pairs.pairs if pair.split == "train"})
    met = [style for style in learned if not config.styles or style in config.styles]
    unmet = sorted({pair.style for pair in pairs.pairs} - set(met))
    tests: dict[str, tuple[Path, Sequence[str]]] = {
        f"Held-out songs, films of styles it was trained on ({', '.join(met)})": (store, met)
    }
    if unmet:
        tests[f"Held-out songs, films of styles it never met ({', '.join(unmet)})"] = store, unmet
    if real is not None:
        tests["Real clips, each with its own sound"] = real, ()
    figures = {
        title: evaluate(where, [str(out)], styles=styles)
        for title, (where, styles) in tests.items()
    }
    (out / "README.md").write_text(card(out, config, system, pairs, steps, figures))


def card(
    folder: Path,
    config: RetrievalConfig,
    system: System,
    store: PairStore,
    steps: Sequence[Mapping[str, str]],
    figures: Mapping[str, Mapping[str, Any]],
) -> str:
    """Return the card of the system in ``folder``, under headings that all cards have."""
    made, last = store.head.made, steps[-1]
    learned = [
        pair
        for pair in store.pairs
        if pair.split == "train" and (not config.styles or pair.style in config.styles)
    ]
    songs = len({pair.song for pair in learned})
    parameters = sum(weight.numel() for weight in system.network.parameters())
    follow = ", ".join(f"{channel} {k:g}" for channel, k in made.get("follow", {}).items())
    network = ", ".join(f"{key} {value}" for key, value in config.network.items())
    read = [ENCODERS[column] for column in (*config.film, *config.music) if column in ENCODERS]
    lines = [
        f"# {folder.name}", "",
        "Ranks music for a film. **No real film was learned from**: all were drawn.", "",
        "## What it ranks", "",
        f"`{config.system}` ({parameters:,} weights, in bf16) embeds films by the columns "
        f"{', '.join(config.film)}, and music by {', '.join(config.music)}, one token a second. "
        f"`emsync match clip.mp4 music/ --metric {config.system}` ranks a folder by it.", "",
        "## Data", "",
        f"{len(learned):,} drawn films of {store.head.seconds:g} s "
        f"({', '.join(sorted({pair.style for pair in learned}))}) to {songs:,} songs of Lakh "
        "Pianoroll, LPD-cleansed (Dong et al. 2018, CC BY 4.0), played by a synthesizer. How much "
        f"they follow the music: {follow or 'not told'}. Songs were held out by duplicate group; "
        f"`trained.npy` has the keys of those it saw. Drawn with the seed {made.get('seed', 0)}; "
        "**no real film was learned from.**", "", *drawn_by(config.store, store),
        "## Training", "",
        f"{int(last['step']):,} steps of {config.batch} films in "
        f"{float(last['seconds']) / 60:.1f} minutes on one thread, AdamW, rate {config.rate:g}"
        f"{', ' + network if network else ''}: `emsync train train.toml`.", "",
        "![curve](curve.png)", "",
        "## Figures", "", BESIDE,
    ]  # fmt: skip
    for title, report in figures.items():
        lines += ["", f"**{title}**", "", *retrieval_table(report)]
    lines += [
        "", "## What it does not know", "", UNKNOWN, "",
        "## Licences", "",
        "The weights: Apache-2.0, as emsync.",
        *(f"It reads what is told by {words}." for words in read),
    ]  # fmt: skip
    return (
        cards.wrapped(lines)
        .replace(f"| {folder} |", f"| {folder.name} |")
        .replace(f"| {folder},", f"| {folder.name},")
        + "\n"
    )


def drawn_by(folder: str, store: PairStore) -> list[str]:
    """Return the lines of a card that say how its films can be drawn again, if they were drawn."""
    made = store.head.made
    if made.get("by") != "draw":
        return []
    follow = ",".join(f"{channel}={k:g}" for channel, k in made["follow"].items())
    command = (
        f"emsync pairs draw {folder} --songs LPD_DIR --labels lpd_index.csv "
        f"--count {len({pair.song for pair in store.pairs})} --films {made['films']} "
        f"--style {','.join(made['styles'])} --unseen {','.join(made['unseen'])} "
        f"--follow {follow} --held {made['held']:g} --seconds {store.head.seconds:g} "
        f"--seed {made['seed']}"
    )
    return ["They can be drawn again:", "", f"    {command}", ""]


if __name__ == "__main__":
    cards.ship_by(ship, __doc__, real={"type": Path, "help": "a store of real clips"})
