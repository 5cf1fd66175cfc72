"""Say how well ``heard`` agrees with chords named by hand and with music21's reading.

    python scripts/chord_readers.py LAKH [--table tests/chords_by_hand.csv]

LAKH is the folder that holds ``lpd_cleansed``. The table names, by half bars, the chords that were
read off the notes of fifteen songs by hand, eight bars of each, before any reader had seen them.
"""

import argparse
import csv
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np

from emsync.arrays import Seconds
from emsync.data.songs import read_song
from emsync.music import chords as ch
from emsync.music.piece import DRUMS, Piece

TABLE = Path(__file__).parents[1] / "tests" / "chords_by_hand.csv"
LEAST = 0.2  # share of a half bar that a note sounds to be shown to music21


def music21_reads(piece: Piece, edges: Seconds) -> ch.Chords:
    """Return the (W,) chords that music21 names from the notes that sound long enough."""
    pitched = piece.where(piece.classes != DRUMS)
    names = []
    for start, end in pairwise(edges):
        sounds = np.minimum(pitched.offsets, end) - np.maximum(pitched.onsets, start)
        long = sounds >= LEAST * (end - start)
        names.append(_named(np.unique(pitched.pitches[long])))
    return np.array(names)


def _named(pitches: np.ndarray) -> int:
    from music21.chord import Chord

    if not len(pitches):
        return ch.NONE
    chord = Chord([int(pitch) for pitch in pitches])
    root = chord.root().pitchClass
    third, fifth, seventh = (
        None if tone is None else (tone.pitchClass - root) % 12
        for tone in (chord.third, chord.fifth, chord.seventh)
    )
    if third == 3:
        stacked = {(6, None): ch.DIMINISHED, (7, 10): ch.MINOR_SEVENTH}
        return ch.chord(root, stacked.get((fifth or 7, seventh), ch.MINOR))
    if third is None and (root + 5) % 12 in chord.pitchClasses:
        return ch.chord(root, ch.SUSPENDED)
    return ch.chord(root, {10: ch.SEVENTH, 11: ch.MAJOR_SEVENTH}.get(seventh or 0, ch.MAJOR))


def say(what: str, read: ch.Chords, truth: ch.Chords) -> None:
    known = truth != ch.NONE
    read, truth = read[known], truth[known]
    roots = np.mean((read != ch.NONE) & (read % 12 == truth % 12))
    print(f"{what}: root {roots:.3f}, and quality {np.mean(read == truth):.3f}, n = {len(truth)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lakh", type=Path)
    parser.add_argument("--table", type=Path, default=TABLE)
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # music21's first import writes its settings
    ours, theirs, hands = [], [], []
    for row in csv.DictReader(options.table.read_text(encoding="utf-8").splitlines()):
        piece, first = read_song(options.lakh / row["song"]), int(row["first_bar"])
        hand = [ch.parse_chord(name) for name in row["chords"].replace("|", " ").split()]
        edges = ch.half_bars(piece.downbeats[first : first + len(hand) // 2 + 1])
        hands.append(np.array(hand))
        ours.append(ch.heard(piece, edges))
        theirs.append(music21_reads(piece, edges))
    table, our, their = (np.concatenate(columns) for columns in (hands, ours, theirs))
    say("heard, against the table", our, table)
    say("music21, against the table", their, table)
    say("heard, against music21", our, their)


if __name__ == "__main__":
    main()
