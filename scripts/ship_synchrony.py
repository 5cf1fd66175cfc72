"""Make towers ready to ship: python scripts/ship_synchrony.py CONFIG.toml --out FOLDER

CONFIG.toml is that of their training. FOLDER gets the weights in bf16, the settings, the curve, the
keys of the songs that they learned from, and a card whose figures are those of what is shipped.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cards
import synchrony
import torch

from emsync.synchrony.checkpoint import Synchrony
from emsync.synchrony.config import SynchronyConfig
from emsync.synchrony.feed import FeedConfig
from emsync.synchrony.footage import Clips
from emsync.synchrony.passages import Passages

HELD = {"seen kinds": ("seen_shift", "#c8485c"), "unseen kinds": ("unseen_shift", "#d9a441")}
LABEL, LIMITS = "nearer than moved off the beat, held out", (0.4, 1.0)
UNKNOWN = (
    "Drawn films are simple figures that jump, turn, flash and cut with a song's accents by rules "
    "that somebody wrote, and retimed ones are real pictures with made timing. So the figures "
    "above show that the towers hear and see what moves together; whether that holds for real "
    "films is told by docs/synchrony.md. They know nothing of people, stories, words or singing, "
    "and nothing of music that is not played by a synthesizer."
)


def ship(settings: Path, out: Path) -> None:
    """Write the towers that ``settings`` trained to ``out``, measured."""
    config = SynchronyConfig.load(settings)
    run, passages = Path(config.out), Passages.open(Path(config.passages))
    towers = Synchrony.load(run)
    towers.save(out, torch.bfloat16)
    steps = cards.take(run, settings, out)
    cards.draw_curve(steps, out / "curve.png", HELD, LABEL, LIMITS)
    tables = list(synchrony.held_out([str(out)], passages, config.feed_config()))
    (out / "README.md").write_text(card(out.name, config, towers, passages, steps, tables))


def card(
    name: str,
    config: SynchronyConfig,
    towers: Synchrony,
    passages: Passages,
    steps: Sequence[Mapping[str, str]],
    tables: Sequence[str],
) -> str:
    """Return the card of the towers, under headings that all cards have."""
    last, feed, shape = steps[-1], config.feed_config(), towers.config
    made = passages.head.made
    count = sum(weight.numel() for weight in towers.parameters())
    more = [word for word, on in (("moved off the beat", feed.shift),
                                  ("replaced in part", feed.replacement)) if on]  # fmt: skip
    lines = [
        f"# {name}", "",
        "Tells how far music moves with a film, ten times a second (MuVi's contrastive towers, Li "
        "et al. 2024).", "",
        "## What it ranks", "",
        f"Three towers ({count:,} weights, in bf16) embed grey pictures of 48 by 27, the log-mel "
        f"of sound, and notes as {shape.dimensions} numbers; the adaptor is {shape.adaptor}. "
        f"`emsync match clip.mp4 music/ --metric sim:{name}` ranks a folder by them, and `emsync "
        f"evaluate sync clip.mp4 music.wav --synchrony {name}` tells where music minds the "
        "pictures.", "",
        "## Data", "",
        f"Passages of {len(passages.places('train')):,} songs of Lakh Pianoroll, LPD-cleansed "
        "(Dong et al. 2018, CC BY 4.0), played by a synthesizer; for every step films are made "
        "anew to their accents. Songs were held out by duplicate group; `trained.npy` has the keys "
        f"of those it saw. Played with the seed {made.get('seed', 0)}.", "",
        *real_films(feed),
        "## Training", "",
        f"{int(last['step']):,} steps of {feed.films} films of {feed.seconds:g} s in "
        f"{float(last['seconds']) / 60:.0f} minutes on one thread, AdamW, rate {config.rate:g}; "
        "each film is told from the music of the others"
        f"{' and from its own ' + ' and '.join(more) if more else ''}: `emsync train "
        "train.toml`.", "",
        "![curve](curve.png)", "",
        "## Figures", "",
        "R@1 is the share of films whose own music is nearest; the other columns are the shares of "
        "films nearer to their own music than to the same music moved off the beat, by half a "
        "beat, by a bar (where 0.5 is right), or replaced in part; in brackets are 95 % intervals, "
        "by song.", *tables, "",
        "## What it does not know", "", UNKNOWN, "",
        "## Licences", "",
        "The weights: Apache-2.0, as emsync.",
    ]  # fmt: skip
    return cards.wrapped(lines) + "\n"


def real_films(feed: FeedConfig) -> list[str]:
    """Return what is said of the real films that were retimed, if there were any."""
    if not feed.footage:
        return []
    left_out = [name.strip() for name in feed.left_out.split(",") if name.strip()]
    shown = [row.name for row in Clips.open(feed.footage).rows if row.name not in left_out]
    return [
        f"{feed.retimed:.0%} of the films are real ones, retimed, of these, as 64 by 36 grey "
        f"points: {', '.join(shown)}. Left out, and measured on: {', '.join(left_out)}.", "",
    ]  # fmt: skip


if __name__ == "__main__":
    cards.ship_by(ship, __doc__)
