"""Count how chords follow each other in Lakh, and how harmony moves in songs not counted.

    python scripts/count_chords.py LAKH INDEX

LAKH is the folder that holds ``lpd_cleansed``, INDEX its ``lpd_index.csv``. Writes
``emsync/planning/chords.json`` and ``emsync/metrics/harmony.json``.

Songs of a clear key count, one copy of each, and every song the same. A phrase is four bars; where
they begin is known between two bars at which an instrument enters or leaves for four bars, if these
are a whole number of phrases apart: only such stretches are counted. A bar's chord is the one heard
over all of it; a seventh counts as its triad, a suspended fourth as the commoner triad on its root.
Bars of two chords are counted where most bars have one; where most have two, the bar is written
twice as long as it is felt.
"""

import argparse
import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emsync.data.labels import read_index
from emsync.data.songs import read_song
from emsync.data.split import is_held_out
from emsync.errors import InputError
from emsync.metrics.harmony import REAL_SONGS, movement_of
from emsync.music import chords as ch
from emsync.music.piece import CLASSES, Piece
from emsync.music.tonality import KEYS, estimate_key
from emsync.planning.chart import PHRASE
from emsync.planning.progressions import TABLES

HELD = 0.08  # share of the duplicate groups that are measured, not counted
RAREST = 0.008  # share of the bars that a chord needs to be counted
DOMINANT = 7  # semitones above the tonic
POOLED = 1.0  # songs' worth of moves at any place, added to those at each
TRIADS = (ch.MAJOR, ch.MINOR, ch.DIMINISHED)
TRIAD_OF = {ch.SEVENTH: ch.MAJOR, ch.MAJOR_SEVENTH: ch.MAJOR, ch.MINOR_SEVENTH: ch.MINOR}


@dataclass(frozen=True)
class Stretch:
    """The chords of whole phrases, as if the tonic were C."""

    bars: ch.Chords  # (K + 1,) with the bar after them
    halves: ch.Chords  # (2 K,)


@dataclass(frozen=True)
class Song:
    """What is counted of a song, and what is measured on it."""

    minor: bool
    stretches: tuple[Stretch, ...]
    measures: dict[str, float] | None


def seams(piece: Piece) -> NDArray[np.intp]:
    """Return the bars at which an instrument enters or leaves for PHRASE bars."""
    bars = len(piece.downbeats) - 1
    bar = np.searchsorted(piece.downbeats, piece.onsets + 1e-6, side="right") - 1
    inside = (bar >= 0) & (bar < bars)
    plays = np.zeros((bars, len(CLASSES)), bool)
    plays[bar[inside], piece.classes[inside]] = True
    found = []
    for at in range(PHRASE, bars - PHRASE + 1):
        before, after = plays[at - PHRASE : at], plays[at : at + PHRASE]
        enters = after.all(axis=0) & ~before.any(axis=0)
        leaves = before.all(axis=0) & ~after.any(axis=0)
        if (enters | leaves).any():
            found.append(at)
    return np.array(found, np.intp)


def song_of(path: Path, measured: bool) -> Song | None:
    """Return what counts of a song; None where it cannot be read or its key is unclear."""
    try:
        piece = read_song(path)
    except InputError:
        return None
    if measured:
        return Song(False, (), asdict(movement_of(piece)))
    key = estimate_key(piece)
    if key is None or len(piece.downbeats) < 2 * PHRASE:
        return None
    tonic = KEYS.index(key) % 12
    bars = relative(ch.heard(piece, piece.downbeats), tonic)
    halves = relative(ch.heard(piece, ch.half_bars(piece.downbeats)), tonic)
    stretches = tuple(
        Stretch(bars[a : b + 1], halves[2 * a : 2 * b])
        for a, b in pairwise(seams(piece))
        if (b - a) % PHRASE == 0
    )
    return Song(key.endswith("m"), stretches, None)


def relative(chords: ch.Chords, tonic: int) -> ch.Chords:
    return np.array([ch.transposed(int(chord), -tonic) for chord in chords], np.intp)


def shares(songs: list[Song]) -> NDArray[np.float64]:
    """Return the (84,) shares of the bars, mean over songs."""
    total = np.zeros(len(ch.TONES))
    for song in songs:
        bars = np.concatenate([stretch.bars[:-1] for stretch in song.stretches])
        bars = bars[bars != ch.NONE]
        total += np.bincount(bars, minlength=len(total)) / max(len(bars), 1)
    return total / total.sum()


def folding(share: NDArray[np.float64], minor: bool) -> dict[int, int]:
    """Return the counted triad of each chord that counts; the tonic's is that of the mode."""
    triads = np.zeros(len(share))
    for number, part in enumerate(share):
        quality, root = divmod(number, 12)
        if quality != ch.SUSPENDED:
            triads[ch.chord(root, TRIAD_OF.get(quality, quality))] += part
    fold = {}
    for number in range(len(share)):
        quality, root = divmod(number, 12)
        choices = [ch.chord(root, triad) for triad in TRIADS]
        triad = ch.chord(root, TRIAD_OF.get(quality, quality))
        if quality == ch.SUSPENDED:
            triad = max(choices, key=lambda choice: triads[choice])
        if root == 0:  # bare fifths on the tonic are heard as major
            triad = ch.chord(0, ch.MINOR if minor else ch.MAJOR)
        if triads[triad] >= RAREST:
            fold[number] = triad
    return fold


def table(songs: list[Song], minor: bool) -> dict[str, Any]:
    """Return the counted table of the songs of one mode."""
    share = shares(songs)
    fold = folding(share, minor)
    states = sorted(set(fold.values()), key=lambda s: -sum(share[c] for c in fold if fold[c] == s))
    place_of = {state: i for i, state in enumerate(states)}
    index = np.array([place_of.get(fold.get(c, -1), -1) for c in range(len(share))] + [-1])
    n = len(states)
    roots = np.array(states) % 12
    first, moves = np.zeros(n), np.zeros((PHRASE, n, n))
    split, again, within = np.zeros((PHRASE, 2)), np.zeros(2), np.zeros((n, n))
    for song in songs:
        weight = 1 / sum(len(stretch.bars) - 1 for stretch in song.stretches)
        for stretch in song.stretches:
            bars, halves = index[stretch.bars], index[stretch.halves].reshape(-1, 2)
            for bar, (now, later) in enumerate(pairwise(bars)):
                place = bar % PHRASE
                if now >= 0 and place == 0:
                    first[now] += weight
                if now >= 0 and later >= 0:
                    moves[place, now, later] += weight
            known = (halves >= 0).all(axis=1)
            differ = known & (roots[halves[:, 0]] != roots[halves[:, 1]])
            if 2 * differ.sum() < known.sum():
                whole = np.stack([differ, known]).reshape(2, -1, PHRASE)
                split += weight * whole.sum(axis=1).T
                np.add.at(within, tuple(halves[differ].T), weight)
            begun = bars[:-1].reshape(-1, PHRASE)[:, :2]
            pairs = (begun[1:] >= 0).all(axis=1) & (begun[:-1] >= 0).all(axis=1)
            same = (begun[1:] == begun[:-1]).all(axis=1)
            again += weight * np.array([(pairs & same).sum(), pairs.sum()])
    pooled = moves.sum(axis=0)
    moves += POOLED / n * pooled / pooled.sum(axis=1, keepdims=True)
    moved = pooled * (roots[:, None] != roots)
    within += POOLED / n * moved / moved.sum(axis=1, keepdims=True)
    names = [ch.chord_name(state) for state in states]
    return {
        "chords": names,
        "shares": rounded(np.array([sum(share[c] for c in fold if fold[c] == s) for s in states])),
        "first": rounded(first),
        "moves": [[rounded(row) for row in place] for place in moves],
        "within": [rounded(row) for row in within],
        "again": round(float(again[0] / again[1]), 4),
        "split": np.round(split[:, 0] / split[:, 1], 4).tolist(),
        "colours": {
            name: colours(share, fold, state) for name, state in zip(names, states, strict=True)
        },
    }


def rounded(weights: NDArray[np.float64]) -> list[float]:
    """Return weights as shares of four decimals that sum to one."""
    parts = np.round(weights / weights.sum(), 4)
    parts[parts.argmax()] += 1 - parts.sum()
    return [float(part) for part in np.round(parts, 4)]


def colours(share: NDArray[np.float64], fold: dict[int, int], state: int) -> dict[str, float]:
    """Return the shares of the sevenths that were heard for a triad, and of the suspended fourth.

    The latter on the dominant alone: elsewhere it mostly is a fifth without its third.
    """
    triad, root = divmod(state, 12)
    every = sum(share[c] for c in fold if fold[c] == state)
    kinds = [quality for quality, plain in TRIAD_OF.items() if plain == triad]
    if root == DOMINANT and fold.get(ch.chord(root, ch.SUSPENDED)) == state:
        kinds.append(ch.SUSPENDED)
    heard = {list(ch.QUALITIES)[kind]: share[ch.chord(root, kind)] / every for kind in kinds}
    return {suffix: round(float(part), 4) for suffix, part in heard.items()}


def read_songs(folder: Path, index: Path) -> Iterator[Song]:
    facts = [song for song in read_index(index).values() if song.rank == 0]
    found = [song for song in facts if (folder / song.path).exists()]
    with ProcessPoolExecutor(2) as pool:
        paths = [folder / song.path for song in found]
        held = [is_held_out(song.group, HELD) for song in found]
        yield from filter(None, pool.map(song_of, paths, held, chunksize=50))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lakh", type=Path)
    parser.add_argument("index", type=Path)
    options = parser.parse_args()
    songs = list(read_songs(options.lakh, options.index))
    counted = [song for song in songs if song.stretches]
    tables = {
        mode: table([song for song in counted if song.minor == minor], minor)
        for mode, minor in (("major", False), ("minor", True))
    }
    bars = sum(len(stretch.halves) // 2 for song in counted for stretch in song.stretches)
    facts = {"made by": "scripts/count_chords.py", "songs": len(counted), "bars": bars}
    TABLES.write_text(json.dumps(facts | tables, separators=(",", ":")) + "\n", encoding="utf-8")
    measured = [song.measures for song in songs if song.measures is not None]
    ranges = {
        name: np.round(np.nanquantile([song[name] for song in measured], (0.1, 0.5, 0.9)), 4)
        for name in measured[0]
    }
    report = {
        "made by": "scripts/count_chords.py",
        "songs": len(measured),
        "ranges": {name: values.tolist() for name, values in ranges.items()},
    }
    REAL_SONGS.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(facts, {mode: tables[mode]["chords"] for mode in tables}, report, sep="\n")


if __name__ == "__main__":
    main()
