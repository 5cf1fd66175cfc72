"""Stores of pairs of films and music, to learn retrieval from: ``emsync pairs``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emsync.cli.app import pairs_app
from emsync.cli.common import Json, exit_code, print_report, progress, standard_output

if TYPE_CHECKING:
    from emsync.retrieval.filling import Filled

Store = Annotated[Path, typer.Argument(metavar="STORE", help="a folder for the pairs")]
Wanted = Annotated[
    str, typer.Option("--columns", help='what is measured: "all", "plain", or names, with commas')
]
Labels = Annotated[Path | None, typer.Option(help="lpd_index.csv, for versions of one song")]
Workers = Annotated[int | None, typer.Option(min=1, help="processes", show_default="all cores")]


@pairs_app.command()
def draw(
    store: Store,
    songs: Annotated[Path, typer.Option(metavar="LPD_DIR", help="songs in .npz or MIDI")],
    labels: Labels = None,
    count: Annotated[int, typer.Option(min=1, help="songs")] = 1000,
    films: Annotated[int, typer.Option(min=1, help="of a song that is trained on")] = 2,
    style: Annotated[
        str, typer.Option(metavar="STYLE,...", help="shapes, plates, triangles, lines: in turn")
    ] = "shapes,plates",
    unseen: Annotated[
        str,
        typer.Option(
            metavar="STYLE,...", help="styles of which no song that is trained on has a film"
        ),
    ] = "triangles,lines",
    follow: Annotated[
        str,
        typer.Option(
            metavar="K or CHANNEL=K,...",
            help="how much films follow the music, from 0 to 1: by all channels, or by motion, "
            "cuts, pulse, colour, words, such as motion=.7,cuts=.3",
        ),
    ] = "0.7",
    seconds: Annotated[float, typer.Option(help="of each film")] = 28.0,
    held: Annotated[float, typer.Option(help="share of the songs that is held out")] = 0.15,
    keep: Annotated[int, typer.Option(min=0, help="films to write, to look at")] = 0,
    columns: Wanted = "all",
    seed: Annotated[int, typer.Option(min=0, help="the same films for the same seed")] = 0,
    workers: Workers = None,
    as_json: Json = False,
) -> int:
    """Draw films to songs, and measure both; run it again to go on where it stopped."""
    standard_output(as_json, folders=[store])
    from emsync.retrieval.drawn.draw import Drawing
    from emsync.retrieval.drawn.draw import draw as fill
    from emsync.retrieval.drawn.following import read_follow
    from emsync.retrieval.measured import read_columns

    drawing = Drawing(
        seconds=seconds, films=films, styles=_names(style), unseen=_names(unseen),
        follow=read_follow(follow), held=held, seed=seed, columns=read_columns(columns),
    )  # fmt: skip
    with progress() as show:
        filled = fill(store, songs, count, drawing, labels, keep, workers, show)
    return _told(store, filled, as_json)


@pairs_app.command()
def prepare(
    store: Store,
    clips: Annotated[list[Path], typer.Argument(metavar="CLIPS...", help="films, or folders")],
    tags: Annotated[
        str | None, typer.Option(metavar="csv:FILE", help="a table of clip, tags and source")
    ] = None,
    columns: Wanted = "all",
    workers: Workers = None,
    as_json: Json = False,
) -> int:
    """Watch and hear real clips, each with its own sound, to evaluate on."""
    standard_output(as_json, folders=[store])
    from emsync.retrieval.measured import read_columns
    from emsync.retrieval.prepare import prepare as fill

    with progress() as show:
        filled = fill(store, clips, tags, read_columns(columns), workers, show)
    return _told(store, filled, as_json)


@pairs_app.command()
def play(
    songs: Annotated[Path, typer.Argument(metavar="SONGS", help="songs in .npz or MIDI")],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="a folder for the passages")
    ],
    labels: Labels = None,
    count: Annotated[int, typer.Option(min=1, help="songs")] = 1000,
    seconds: Annotated[float, typer.Option(help="of each passage")] = 24.0,
    held: Annotated[float, typer.Option(help="share of the songs that is held out")] = 0.15,
    seed: Annotated[int, typer.Option(min=0, help="the same passages for the same seed")] = 0,
    workers: Workers = None,
    as_json: Json = False,
) -> int:
    """Play passages of songs, whose accents are known; run it again to go on where it stopped."""
    standard_output(as_json, folders=[out])
    from emsync.synchrony.passages import PASSAGES, Playing, play_passages

    playing = Playing(seconds, held, seed)
    with progress() as show:
        filled = play_passages(out, songs, count, playing, labels, workers, show)
    return _told(out, filled, as_json, PASSAGES.name)


@pairs_app.command()
def watch(
    clips: Annotated[list[Path], typer.Argument(metavar="CLIPS...", help="films, or folders")],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="a folder for what is seen of them")
    ],
    workers: Workers = None,
    as_json: Json = False,
) -> int:
    """Watch real films once, to be retimed to music; run it again to go on where it stopped."""
    standard_output(as_json, folders=[out])
    from emsync.synchrony.footage import FOOTAGE, watch_films

    with progress() as show:
        filled = watch_films(out, clips, workers, show)
    return _told(out, filled, as_json, FOOTAGE.name)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _told(store: Path, filled: "Filled", as_json: bool, name: str = "pairs") -> int:
    """Print what is in a store now; return the exit code."""
    each = {name: seconds / max(1, filled.made) for name, seconds in filled.seconds.items()}
    skipped = [{"path": name, "reason": why} for name, why in filled.skipped]
    report = {"store": str(store), name: filled.count, "made": filled.made, "skipped": skipped,
              "seconds_each": {name: round(value, 3) for name, value in each.items()}}  # fmt: skip
    spent = ", ".join(f"{value:.2f} s {name}" for name, value in each.items())
    words = f"{store}: {filled.count} {name}, {filled.made} of them new"
    print_report(report, as_json, words + (f"; of the processor for each {spent}" if spent else ""))
    return exit_code(skipped)
