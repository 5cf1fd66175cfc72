"""Fit emsync/performance/touch.npz on the velocities of people, and say how well it agrees.

    python scripts/train_velocities.py LAKH INDEX [--songs N] [--epochs N]

LAKH is the folder that holds ``lpd_cleansed``, INDEX its ``lpd_index.csv``. A track counts as
played by a person if it has at least 64 notes and 12 different velocities, none of them on more
than two fifths of the notes, with a standard deviation of at least 4. What is learned of a note is
how far it is from the mean of its track within eight bars of it, for how loud a passage is, the
scene says. A tenth of the duplicate groups is held out. Intervals: 95 %, by bootstrap over songs.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

from emsync.data.labels import read_index
from emsync.data.lakh import read_played_lakh
from emsync.data.split import is_held_out
from emsync.errors import InputError
from emsync.music.piece import CLASSES, Played
from emsync.performance.features import Notes, features
from emsync.performance.strokes import Strokes
from emsync.performance.touch import WEIGHTS, Touch

HELD_OUT = 0.1
LEAST_NOTES, LEAST_VALUES, MOST_EQUAL, LEAST_SPREAD = 64, 12, 0.4, 4.0
BARS = 8  # before and after a note, whose mean its velocity is compared with
SAMPLE = 250  # notes of a class in a song to train on
HIDDEN, BATCH, RATE, DECAY = 96, 4096, 2e-3, 1e-2
ROUNDS = 5  # in which the gains settle
BEND = 10.0  # steps of velocity; from there on an error counts in proportion, not squared

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Song:
    """The N notes of a song that people played."""

    group: str
    columns: NDArray[np.float16]  # (N, F)
    away: NDArray[np.float16]  # (N,) steps of velocity
    classes: NDArray[np.uint8]  # (N,)
    voices: NDArray[np.int64]  # (N,) the class, or the kind of drum
    places: NDArray[np.int64]  # (N,) sixteenths since the downbeat
    strokes: Strokes


def is_human(velocities: Floats) -> bool:
    """Return whether the velocities of a track are those of a person."""
    counts = np.unique(velocities, return_counts=True)[1]
    return (
        len(velocities) >= LEAST_NOTES
        and len(counts) >= LEAST_VALUES
        and counts.max() <= MOST_EQUAL * len(velocities)
        and velocities.std() >= LEAST_SPREAD
    )


def around(values: NDArray[np.number]) -> Floats:
    """Return the sum of each bar's value and those of BARS bars before and after."""
    sums = np.convolve(values.astype(np.float64), np.ones(2 * BARS + 1))
    return sums[BARS:][: len(values)]


def deviations(song: Played, bars: NDArray[np.int64]) -> tuple[Floats, NDArray[np.bool_], int]:
    """Return (N,) steps from the track's mean around, which notes people played, their tracks."""
    velocities = song.velocities.astype(np.float64)
    away, human = np.zeros(len(velocities)), np.zeros(len(velocities), np.bool_)
    tracks = 0
    for track in np.unique(song.tracks):
        mine = song.tracks == track
        if is_human(velocities[mine]):
            tracks += 1
            human |= mine
            sums = around(np.bincount(bars[mine], velocities[mine]))
            counts = around(np.bincount(bars[mine]))
            away[mine] = velocities[mine] - (sums / np.maximum(counts, 1))[bars[mine]]
    return away, human, tracks


def read(job: tuple[Path, str]) -> tuple[int, int, Song | None]:
    """Return the tracks of a song, how many of them people played, and their notes."""
    path, group = job
    try:
        song = read_played_lakh(path)
    except InputError:
        return 0, 0, None
    piece = song.piece
    notes = Notes.of(piece)
    here, voices = notes.metre, notes.voices
    away, human, tracks = deviations(song, here.bars)
    total = len(np.unique(song.tracks))
    if not tracks:
        return total, 0, None
    places = np.round(here.place * 4).astype(np.int64) % 16
    columns = features(notes).astype(np.float16)[human]
    return (
        total,
        tracks,
        Song(
            group,
            columns,
            away[human].astype(np.float16),
            piece.classes[human],
            voices[human],
            places[human],
            Strokes.find(voices[human], piece.pitches[human], here.beats[human], here.beats[human]),
        ),
    )


def parts(song: Song) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Yield the classes that people played in a song, and their notes."""
    for c in range(len(CLASSES)):
        notes = np.flatnonzero(song.classes == c)
        if len(notes) >= LEAST_NOTES:
            yield c, notes


def train(songs: list[Song], epochs: int, rng: np.random.Generator) -> Touch:
    """Return a network without gains."""
    picks = [
        (song, rng.choice(notes, min(SAMPLE, len(notes)), replace=False))
        for song in songs
        for _, notes in parts(song)
    ]
    columns = torch.from_numpy(np.concatenate([song.columns[notes] for song, notes in picks]))
    away = torch.from_numpy(np.concatenate([song.away[notes] for song, notes in picks])).float()
    some = columns[:: max(1, len(columns) // 200_000)].double()
    centre, scale = some.mean(0), some.std(0).clamp(min=0.05)
    net = nn.Sequential(
        nn.Linear(columns.shape[1], HIDDEN), nn.ReLU(),
        nn.Linear(HIDDEN, HIDDEN), nn.ReLU(),
        nn.Linear(HIDDEN, 1),
    )  # fmt: skip
    optimizer = torch.optim.AdamW(net.parameters(), RATE, weight_decay=DECAY)
    steps = epochs * -(-len(columns) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps)
    print(f"{len(columns)} notes to train on, {steps} steps", flush=True)
    for _ in range(epochs):
        for batch in torch.randperm(len(columns)).split(BATCH):  # type: ignore[no-untyped-call]
            inputs = ((columns[batch].float() - centre) / scale).float()
            loss = F.smooth_l1_loss(net(inputs)[:, 0], away[batch] / BEND)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        print(f"loss {float(loss.detach()):.4f}", flush=True)
    layers = [layer for layer in net if isinstance(layer, nn.Linear)]
    weights = [layer.weight.detach().double().numpy().T for layer in layers]
    biases = [layer.bias.detach().double().numpy() for layer in layers]
    weights[-1], biases[-1] = weights[-1] * BEND, biases[-1] * BEND
    even = np.ones(len(CLASSES))
    return Touch(centre.numpy(), scale.numpy(), tuple(weights), tuple(biases), even, even, even)


def with_spread(network: Touch, songs: list[Song]) -> Touch:
    """Return ``network`` with the gains that give each class the median spread of people."""
    spreads = median_spreads(songs, [song.away.astype(np.float64) for song in songs])
    expected = [network.expected(song.columns) for song in songs]
    flats = median_spreads(songs, expected)
    network = replace(network, spreads=spreads, flats=flats, gains=spreads / flats)
    for _ in range(ROUNDS):  # what sways is raised and what goes far is held back
        played = [
            network.played(guess, song.classes, song.strokes)
            for guess, song in zip(expected, songs, strict=True)
        ]
        network = replace(network, gains=network.gains * spreads / median_spreads(songs, played))
    return network


def median_spreads(songs: list[Song], values: list[Floats]) -> Floats:
    """Return the (classes,) medians, over songs, of the standard deviation of the (N,) values."""
    found: dict[int, list[float]] = {c: [] for c in range(len(CLASSES))}
    for song, mine in zip(songs, values, strict=True):
        for c, notes in parts(song):
            found[c].append(float(mine[notes].std()))
    return np.array([np.median(found[c]) for c in found])


def save(network: Touch, path: Path) -> None:
    layers = {
        f"{kind}{i}": value.astype(np.float32)
        for kind, values in (("weight", network.weights), ("bias", network.biases))
        for i, value in enumerate(values)
    }
    arrays: dict[str, Any] = {
        "centre": network.centre.astype(np.float32),
        "scale": network.scale.astype(np.float32),
        "flats": network.flats,
        "gains": network.gains,
        "spreads": network.spreads,
        **layers,
    }
    np.savez_compressed(path, **arrays)


def means_of(songs: list[Song], keys: str) -> NDArray[np.float64]:
    """Return the mean deviation by class or voice, and by place: a table (voices, 16)."""
    sums, counts = np.zeros((32, 16)), np.zeros((32, 16))
    for song in songs:
        index = (getattr(song, keys).astype(np.int64), song.places)
        np.add.at(sums, index, song.away.astype(np.float64))
        np.add.at(counts, index, 1)
    return np.stack([sums, counts])


def evaluate(network: Touch, train_songs: list[Song], test: list[Song]) -> None:
    voice_sums, voice_counts = means_of(train_songs, "voices")
    class_sums, class_counts = means_of(train_songs, "classes")
    by_voice = voice_sums.sum(1) / np.maximum(voice_counts.sum(1), 1)
    by_class = class_sums / np.maximum(class_counts, 1)
    by_both = voice_sums / np.maximum(voice_counts, 1)
    found: dict[str, dict[int, list[tuple[float, ...]]]] = {}
    for song in test:
        expected = network.expected(song.columns)
        guesses = {
            "constant": np.zeros(len(expected)),
            "mean of instrument or drum": by_voice[song.voices],
            "class and place in bar": by_class[song.classes, song.places],
            "instrument or drum, and place in bar": by_both[song.voices, song.places],
            "network": expected,
            "network, as played": network.played(expected, song.classes, song.strokes),
        }
        for c, notes in parts(song):
            real = song.away[notes].astype(np.float64)
            for name, guess in guesses.items():
                mine = guess[notes]
                both = real.std() * mine.std()
                covariance = ((real - real.mean()) * (mine - mine.mean())).mean()
                r = float(covariance / both) if both > 1e-9 else 0.0
                error = float(np.abs(real - mine).mean())
                row = (error, r, float(mine.std()), float(real.std()))
                found.setdefault(name, {}).setdefault(c, []).append(row)
    rng = np.random.default_rng(0)
    print(
        "| | "
        + " | ".join(f"{name} ({len(found['network'][c])})" for c, name in enumerate(CLASSES))
        + " |"
    )
    print("|---" * (len(CLASSES) + 1) + "|")
    for name, rows in found.items():
        cells = []
        for c in range(len(CLASSES)):
            values = np.array(rows[c])
            again = values[rng.integers(len(values), size=(2000, len(values)))].mean(1)
            low, high = np.percentile(again, [2.5, 97.5], axis=0)
            mean = values.mean(0)
            cells.append(
                f"{mean[0]:.2f} [{low[0]:.2f}, {high[0]:.2f}]; "
                f"{mean[1]:.2f} [{low[1]:.2f}, {high[1]:.2f}]; {np.median(values[:, 2]):.1f}"
            )
        print(f"| {name} | " + " | ".join(cells) + " |")
    people = {c: np.median([row[3] for row in rows]) for c, rows in found["network"].items()}
    print("| people | " + " | ".join(f"; ; {people[c]:.1f}" for c in range(len(CLASSES))) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lakh", type=Path)
    parser.add_argument("index", type=Path)
    parser.add_argument("--songs", type=int, help="at most so many, by name; all if left out")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    args = parser.parse_args()
    begun = time.monotonic()
    torch.manual_seed(0)
    torch.set_num_threads(1)  # so that the same weights come from the same songs
    facts = sorted(read_index(args.index).values(), key=lambda fact: fact.path)
    jobs = [
        (args.lakh / fact.path, fact.group)
        for fact in facts
        if fact.rank == 0 and (args.lakh / fact.path).exists()
    ][: args.songs]
    with Pool() as pool:
        found = pool.map(read, jobs, chunksize=16)
    human = [song for _, _, song in found if song is not None]
    tracks, played = sum(total for total, _, _ in found), sum(count for _, count, _ in found)
    sound = sum(total > 0 for total, _, _ in found)
    print(
        f"{sound} songs of {tracks} tracks; people played {played} tracks in {len(human)} songs; "
        f"{time.monotonic() - begun:.0f} s",
        flush=True,
    )
    test = [song for song in human if is_held_out(song.group, HELD_OUT)]
    rest = [song for song in human if not is_held_out(song.group, HELD_OUT)]
    network = with_spread(train(rest, args.epochs, np.random.default_rng(0)), rest[::4])
    save(network, args.out)
    network = Touch.load(args.out)
    for name in ("flats", "gains", "spreads"):
        print(f"{name}:", getattr(network, name).round(2))
    print(f"{len(rest)} songs to train on, {len(test)} held out, {args.out.stat().st_size} bytes; "
          f"{time.monotonic() - begun:.0f} s\n")  # fmt: skip
    evaluate(network, rest, test)


if __name__ == "__main__":
    main()
