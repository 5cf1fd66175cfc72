"""How an estimator of emotion agrees with a person, clip by clip, and what it costs.

    python scripts/emotions.py CLIPS docs/judgement.csv [--estimator pictures]
    python scripts/emotions.py CLIPS docs/judgement.csv --write-shots emsync/emotion/shots.csv

prints tables in Markdown. ``pictures`` is also asked with the clip it judges left out of the shots
that are ordinary to it. The second line measures those shots anew.
"""

import argparse
import csv
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from emsync.analysis import Analysis
from emsync.emotion.estimator import choose
from emsync.emotion.pictures import Pictures, ReferenceStatistics, reference, shots, table
from emsync.files import atomic_write
from emsync.video.film import open_film
from emsync.video.watch import watch

RESAMPLES = 4000


def main(clips: Path, judgement: Path, text: str, write: Path | None) -> None:
    with judgement.open(newline="", encoding="utf-8") as file:
        judged = list(csv.DictReader(file))
    estimator, known = choose(text), reference()
    seen, others, measured = [], [], []
    watching = feeling = length = 0.0
    print("| clip | what a person sees | says | V | A | estimate | V | A | states |")
    print("|---|---|---|---|---|---|---|---|---|")
    for row in judged:
        start = time.process_time()
        footage = watch(open_film(clips / row["file"]), needs=estimator.needs)
        looked = time.process_time()
        film = Analysis.of(footage, estimator)
        watching += looked - start
        feeling += time.process_time() - looked
        length += film.duration
        seen.append(film)
        measured += shots(footage)
        alone = ReferenceStatistics.over([shot for shot in known if shot.clip != row["file"]])
        others.append(Analysis.of(footage, Pictures(statistics=alone)))
        says, felt = row["emotion"] or "–", max(film.emotion, key=lambda e: film.emotion[e])
        words = " → ".join(s.emotion or "–" for s in film.arc)
        print(
            f"| {row['file']} | {row['seen']} | {says} | {float(row['valence']):+.1f} "
            f"| {float(row['arousal']):+.1f} | {felt} {film.emotion[felt]:.0%} "
            f"| {film.valence:+.2f} | {film.arousal:+.2f} | {words} |"
        )
    named = [(r["emotion"], f.emotion) for r, f in zip(judged, seen, strict=True) if r["emotion"]]
    hits = sum(max(p, key=lambda e: p[e]) == emotion for emotion, p in named)
    joys = sum(emotion == "joy" for emotion, _ in named)
    print(f"\nThe emotion named: {hits} of {len(named)}; always joy would be {joys}.\n")
    print("| | same sign | always the commoner sign | Spearman | 95 % |")
    print("|---|---|---|---|---|")
    for name, films in ((text, seen), ("pictures, clip left out", others)):
        for axis in ("valence", "arousal"):
            person = [float(row[axis]) for row in judged]
            print(f"| {name}: {axis} | {agreement([getattr(f, axis) for f in films], person)} |")
    print(
        f"\n{1000 * watching / length:.1f} ms of one core a second of film to watch it, "
        f"{1000 * feeling / length:.2f} ms to feel it ({length:.0f} s of film)."
    )
    if write is not None:
        with atomic_write(write) as partial:
            partial.write_text(table(measured), encoding="utf-8")


def agreement(estimate: Sequence[float], person: Sequence[float]) -> str:
    """Return the agreement of signs and of ranks, with an interval by resampling clips."""
    e, p = np.asarray(estimate), np.asarray(person)
    told = p != 0
    same = int((np.sign(e[told]) == np.sign(p[told])).sum())
    common = max((p > 0).sum(), (p < 0).sum())
    picks = np.random.default_rng(0).integers(len(e), size=(RESAMPLES, len(e)))
    draws = [spearmanr(e[i], p[i]).statistic for i in picks if len(set(p[i])) > 1]
    low, high = np.percentile(draws, [2.5, 97.5])
    of, rho = int(told.sum()), spearmanr(e, p).statistic
    return f"{same} of {of} | {common} of {of} | {rho:+.2f} | {low:+.2f} to {high:+.2f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("clips", type=Path)
    parser.add_argument("judgement", type=Path)
    parser.add_argument("--estimator", default="pictures")
    parser.add_argument("--write-shots", type=Path)
    given = parser.parse_args()
    main(given.clips, given.judgement, given.estimator, given.write_shots)
