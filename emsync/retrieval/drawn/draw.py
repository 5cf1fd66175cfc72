"""A store of drawn films: songs that are played, each with films that follow it, or do not.

What is learned from is measured on the sound and on the pictures by what measures real files, never
taken from the notes. Songs are divided by duplicate group into those to train on and those held
out; a held-out song has a film in each style, also in those that are never trained on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from emsync.arrays import Float32s, Picture
from emsync.data.songs import Named, read_played
from emsync.data.split import is_held_out, song_key
from emsync.errors import InputError, UsageError
from emsync.limits import quoted
from emsync.progress import Progress, Stopwatch, silent
from emsync.retrieval.drawn.choosing import chosen_songs
from emsync.retrieval.drawn.course import course_of
from emsync.retrieval.drawn.drawing import STYLES, check_styles, drawn
from emsync.retrieval.drawn.following import CHANNELS, RATE, Follow, written
from emsync.retrieval.drawn.keeping import keep_film
from emsync.retrieval.drawn.playing import passage, play
from emsync.retrieval.drawn.words import words_of
from emsync.retrieval.filling import Filled, Made, Task, fill
from emsync.retrieval.measured import Measured
from emsync.retrieval.pairs import PAIRS, Pair, sides
from emsync.retrieval.stores import Head
from emsync.video.watch import watch_drawn

VERSION = 1  # of what is drawn and played; raised when a seed no longer gives what it gave
SECONDS = (4.0, 600.0)  # that a film may last


@dataclass(frozen=True)
class Drawing:
    """How the pairs of a store are drawn."""

    seconds: float = 28.0  # of each film
    films: int = 2  # of a song that is trained on
    styles: tuple[str, ...] = ("shapes", "plates")  # in turn
    unseen: tuple[str, ...] = ("triangles", "lines")  # of held-out songs alone
    follow: Follow | None = None  # by channel; None: 0.7 by each
    held: float = 0.15  # share of the songs that are never trained on
    seed: int = 0
    columns: Measured = field(default_factory=Measured)

    def __post_init__(self) -> None:
        low, high = SECONDS
        if not low <= self.seconds <= high or self.seconds % 1:
            raise UsageError(
                f"a film lasts {low:g} to {high:g} whole seconds, not {self.seconds:g}"
            )
        if self.films < 1:
            raise UsageError(f"films is {self.films}; choose 1 or more")
        if not 0 <= self.held <= 1:
            raise UsageError(f"the share held out is {self.held}; choose from 0 to 1")
        if not self.styles:
            raise UsageError(f"name a style to draw in; choose of {', '.join(STYLES)}")
        check_styles((*self.styles, *self.unseen))
        if both := [style for style in self.unseen if style in self.styles]:
            raise UsageError(
                f"the style {both[0]!r} cannot be trained on and unseen; name it in one of both"
            )

    @property
    def strengths(self) -> dict[str, float]:
        """How strongly films follow by each channel."""
        return dict(dict.fromkeys(CHANNELS, 0.7) if self.follow is None else self.follow)

    def head(self) -> Head:
        """Return what a store of it says of itself."""
        made = {
            "by": "draw", "version": VERSION, "films": self.films, "styles": list(self.styles),
            "unseen": list(self.unseen), "follow": self.strengths, "held": self.held,
            "seed": self.seed,
        }  # fmt: skip
        return self.columns.head(self.seconds, made)


def draw(
    folder: Path,
    songs: Path,
    count: int,
    drawing: Drawing,
    labels: Path | None = None,
    keep: int = 0,
    workers: int | None = None,
    progress: Progress = silent,
) -> Filled:
    """Draw films to ``count`` songs into the store ``folder``; go on where a killed run stopped.

    ``labels`` is the index that names the duplicate groups, as in ``prepare``; without, each song
    is its own group. The first ``keep`` films are written with their sound, to look at.
    """
    chosen = chosen_songs(songs, labels, count, drawing.seconds, drawing.seed, progress)
    tasks = [
        task
        for place, (named, group) in enumerate(chosen)
        for task in _tasks(named, group, place, drawing)
    ]
    tasks = [replace(task, row=replace(task.row, number=place)) for place, task in enumerate(tasks)]
    make = partial(make_drawn, drawing, folder / "films", keep)
    return fill(PAIRS, folder, drawing.head(), tasks, make, workers, progress)


def _tasks(named: Named, group: str, chosen: int, drawing: Drawing) -> list[Task[Pair]]:
    """Return the films of the song that was chosen after ``chosen`` others."""
    name, path = named
    held = is_held_out(group, drawing.held)
    styles = [
        drawing.styles[(chosen * drawing.films + film) % len(drawing.styles)]
        for film in range(drawing.films)
    ]
    if held:
        styles = list(dict.fromkeys((*drawing.styles, *drawing.unseen)))
    k = strengths_in_words(drawing.strengths)
    split = "held" if held else "train"
    return [
        Task(
            f"{name} {film} {style}",
            Pair(0, f"{name} {film}", name, group, film, split, style, k, (), "drawn"),
            path,
        )
        for film, style in enumerate(styles)
    ]


def strengths_in_words(follow: Mapping[str, float]) -> str:
    """Return strengths as ``read_follow`` reads them.

    >>> strengths_in_words({"motion": 0.7, "cuts": 0.7}), strengths_in_words({"motion": 0.7})
    ('motion=0.7,cuts=0.7', 'motion=0.7')
    """
    values = set(follow.values())
    if set(follow) == set(CHANNELS) and len(values) == 1:
        return f"{values.pop():g}"
    return ",".join(f"{name}={value:g}" for name, value in follow.items() if value)


def make_drawn(
    drawing: Drawing, films: Path, keep: int, task: Task[Pair], watch: Stopwatch
) -> Made[Pair]:
    """Return one pair; write its film into ``films`` where it is one of the first ``keep``."""
    pictures, samples, tags = one(drawing, task, watch)
    columns = drawing.columns if task.row.split == "held" else drawing.columns.learned
    with watch("watching"):
        observers = columns.observers()
        footage = watch_drawn(pictures, RATE, observers, columns.needs)
        film = columns.see(footage, observers)
    with watch("hearing"):
        music = columns.hear(samples)
    if task.row.number < keep:
        keep_film(films / f"{task.row.number:05d}.mp4", pictures, samples)
    return Made(replace(task.row, tags=tags), sides(film, music))


def one(
    drawing: Drawing, task: Task[Pair], watch: Stopwatch
) -> tuple[list[Picture], Float32s, tuple[str, ...]]:
    """Return the pictures, the samples and the tags of one pair."""
    pair = task.row
    rng = np.random.default_rng([drawing.seed, song_key(pair.song), pair.film])
    of_song, of_sound, of_script, of_words, of_film = rng.spawn(5)
    part = passage(read_played(task.path), drawing.seconds, of_song)
    if part is None:
        raise InputError(f"{quoted(task.path)} does not play for {drawing.seconds:g} seconds")
    with watch("drawing"):
        script = written(course_of(part, drawing.seconds), drawing.strengths, of_script)
        tags = words_of(script, pair.style, of_words)
        pictures = list(drawn(script, pair.style, of_film))
    with watch("playing"):
        samples = play(part, drawing.seconds, of_sound)
    return pictures, samples, tags
