"""How well towers tell a film's own music from what nearly belongs to it.

    python scripts/synchrony.py held-out CHECKPOINT... PASSAGES [--less CHECKPOINT]
        [--footage CLIPS --left-out NAMES]

PASSAGES is a store of `emsync pairs play`. Films of 8 s are made to the passages of its held-out
songs: drawn in kinds that are learned from, in kinds that are not, and, where CLIPS is a store of
`emsync pairs watch`, retimed of those that were left out. R@1 is among all films of a batch. The
other columns are the shares of films that are nearer to their own music than to the same music
moved off the beat, by half a beat, or by a bar, or of which a part is another song's. To be moved
by a bar is no fault: there 0.5 is right. Intervals are 95 %, by a bootstrap of songs. With --less,
a second table has how much more each checkpoint has than that one, film by film.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from emsync.arrays import Float64s
from emsync.data.split import read_keys, song_key
from emsync.errors import EmsyncError, UsageError
from emsync.evaluation.tables import grid
from emsync.metrics.statistics import Estimate, mean
from emsync.synchrony.checkpoint import Synchrony, find
from emsync.synchrony.feed import GROUPS, Feed, FeedConfig, Films
from emsync.synchrony.measured import CHANGES, measure
from emsync.synchrony.passages import Passages

BATCH, BATCHES = 48, 8  # films among which a film's own music is sought; batches at most


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    command = parser.add_subparsers(required=True).add_parser("held-out")
    command.add_argument("checkpoints", nargs="+", metavar="CHECKPOINT")
    command.add_argument("passages", type=Path)
    command.add_argument("--less", default="", help="one of them, that others are compared with")
    command.add_argument("--footage", default="", help="a store of real films")
    command.add_argument("--left-out", default="", help="those of them that are measured on")
    asked = parser.parse_args()
    config = FeedConfig(footage=asked.footage, left_out=asked.left_out)
    try:
        passages = Passages.open(asked.passages)
        for line in held_out(asked.checkpoints, passages, config, asked.less):
            print(line, flush=True)
    except (EmsyncError, OSError) as error:
        sys.exit(f"synchrony: {error}")


def held_out(
    checkpoints: Sequence[str], passages: Passages, config: FeedConfig, less: str = ""
) -> Iterator[str]:
    """Yield a table for each kind of film, with a row for each checkpoint and form of music.

    ``less`` is that of them from which the differences of the others are told, or none.
    """
    if less and less not in checkpoints:
        raise UsageError(f"{less!r} is not among {', '.join(checkpoints)}; name one of these")
    feed = Feed(passages, config, seed=0)
    towers = {name: Synchrony.load(name) for name in checkpoints}
    for name in checkpoints:
        check_unseen(find(name), passages)
    for group in GROUPS:
        batches = feed.held_out(group, BATCH, BATCHES)
        if not batches:
            continue
        count, of = sum(len(batch.starts) for batch in batches), len(batches[0].starts)
        head = ["", f"R@1 of {of}", *CHANGES]
        found = {
            (name, form): figures(one, batches, form == "notes")
            for name, one in towers.items()
            for form in ("sound", "notes")
        }
        yield from ("", f"{group}: {count} films; chance is {1 / of:.2f}, else 0.50", "")
        yield from table(head, found, ".2f")
        if less:
            more = {
                (name, form): [a - b for a, b in zip(row, found[less, form], strict=True)]
                for (name, form), row in found.items()
                if name != less
            }
            yield ""
            yield from table([f"less {Path(less).name}", *head[1:]], more, "+.2f")


def table(
    head: Sequence[str], found: Mapping[tuple[str, str], Sequence[Float64s]], how: str
) -> list[str]:
    """Return the means of what was found by checkpoint and form of music, a row for each."""
    return grid(head, [
        [f"{Path(name).name}, {form}", *(in_words(mean(values), how) for values in row)]
        for (name, form), row in found.items()
    ])  # fmt: skip


def figures(one: Synchrony, batches: Sequence[Films], notes: bool) -> list[Float64s]:
    """Return the (B,) values of each column."""
    outcome = measure(one, batches, notes)
    return [outcome.recall, *outcome.above.values()]


def in_words(figure: Estimate, how: str = ".2f") -> str:
    """Return a figure in the format ``how``, and its interval in brackets."""
    return f"{figure.value:{how}} [{figure.low:{how}}, {figure.high:{how}}]"


def check_unseen(folder: Path, passages: Passages) -> None:
    """Refuse a checkpoint that learned from a song that is to be measured on."""
    known = set(read_keys(folder).tolist())
    for place in passages.places("held"):
        if song_key(passages.rows[place].song) in known:
            raise UsageError(
                f"{str(folder)!r} has learned from {passages.rows[place].song!r}, which is held "
                "out here; measure on the passages that it was trained with"
            )


if __name__ == "__main__":
    main()
