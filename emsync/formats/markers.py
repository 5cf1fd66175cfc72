"""Markers and regions, as REAPER lists them: ``emsync.formats.cut_lists`` reads them back."""

import csv
import itertools
from pathlib import Path

from emsync.analysis import Analysis
from emsync.files import atomic_write
from emsync.formats.labels import ScoreLabels
from emsync.video.timecode import clock_text


def write_markers(path: Path, video: Analysis, labels: ScoreLabels) -> None:
    """Write a marker on each kept cut, named with its timecode, and a region for each scene."""
    times = [cut.time for cut in video.kept]
    edges = [0.0, *times, video.duration]
    with atomic_write(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["#", "Name", "Start", "End", "Length"])
        for number, time in enumerate(times, 1):
            name = f"CUT {number:02d} {labels.clock(time)}"
            table.writerow([f"M{number}", name, clock_text(time, hours=False), "", ""])
        for number, (begin, end) in enumerate(itertools.pairwise(edges), 1):
            row = [f"R{number}", f"SCENE {number:02d}"]
            table.writerow([*row, *(clock_text(s, hours=False) for s in (begin, end, end - begin))])
