"""A take as the page shows it: notes as columns, bars and tempi, cuts with their hits."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emsync.arrays import Float64s
from emsync.composition import Composition
from emsync.formats.midi_raw import raw_of
from emsync.formats.played import parts as parts_of
from emsync.limits import read_json
from emsync.music.piece import CLASSES
from emsync.performance.part import Part
from emsync.plain import plain
from emsync.planning.words import key_of_plan

WHOLE = (  # what only the whole take has
    "duration", "players", "columns", "bars", "beats", "tempi", "cut_reports", "chords",
    "sections", "words",
)  # fmt: skip


def facts_of(composition: Composition, score: bytes) -> dict[str, Any]:
    """Return all that is known of a composition's best piece, whose .mid is ``score``.

    The values are plain, the times seconds; the notes are those of the file.
    """
    fitted, plan = composition.fitted, composition.plan
    tempo_map, duration = fitted.tempo_map, fitted.duration
    fit = fitted.to_json(composition.rate)
    beats = tempo_map.starts / 1e6
    parts = parts_of(raw_of(score))
    return plain({
        "created": time.time(),
        "seed": composition.best.seed,
        "score": float(composition.best.score),
        "parts": {name: float(value) for name, value in composition.best.parts.items()},
        "hits": len(fitted.hits),
        "cuts": len(composition.cuts),
        "key": key_of_plan(plan),
        "tempo": round(plan.tempo, 2),
        "notes": sum(len(part.onsets) for part in parts),
        "instruments": list(fitted.piece.instruments),
        "duration": duration,
        **_notes(parts),
        "bars": _before(tempo_map.downbeats, duration),
        "beats": _before(beats, duration),
        "tempi": [{"time": row["time"], "tempo": row["bpm"]} for row in fit["tempo_map"]],
        "cut_reports": [
            {key: row[key] for key in ("time", "frame", "kept", "reason", "strength", "hit")}
            for row in fit["cuts"]
        ],
        "chords": [{"time": c.time, "name": c.text} for c in composition.labels_of().chords],
        "sections": [
            {"start": s.start, "end": s.end, "theme": s.theme, "emotion": s.emotion, "mode": s.mode}
            for s in plan.sections
        ],
        "words": composition.summary(),
    })  # fmt: skip


def _notes(parts: Sequence[Part]) -> dict[str, Any]:
    """Return who plays, and the notes by onset: columns of as many entries."""
    start = np.concatenate([np.zeros(0), *(part.onsets for part in parts)])
    order = np.argsort(start, kind="stable")

    def column(name: str) -> Any:
        rows = [np.asarray(getattr(part, name)) for part in parts]
        return np.concatenate([np.zeros(0), *rows])[order]

    players = np.repeat(np.arange(len(parts)), [len(part.onsets) for part in parts])
    return {
        "players": [
            {"name": part.player.name, "instrument": CLASSES[part.player.instrument]}
            for part in parts
        ],
        "columns": {
            "start": np.round(start[order], 4).tolist(),
            "end": np.round(column("offsets"), 4).tolist(),
            "pitch": column("pitches").astype(int).tolist(),
            "velocity": column("velocities").astype(int).tolist(),
            "player": players[order].tolist(),
        },
    }


def _before(times: Float64s, end: float) -> list[float]:
    return np.round(times[times < end], 4).tolist()


def take_json(folder: Path, film: str) -> dict[str, Any]:
    """Return a take whole, as it lies in ``folder``."""
    facts = read_json(folder / "take.json")
    stems = folder / "stems.json"
    files = [path.name for path in sorted((folder / "files").glob("*")) if path.name[0] != "."]
    return {
        "id": folder.name,
        "film": film,
        **facts,
        "stems": read_json(stems)["stems"] if stems.is_file() else None,
        "files": ["score.mid", *files],
    }


def summary(take: Mapping[str, Any]) -> dict[str, Any]:
    """Return of a whole take what a list of takes shows."""
    return {key: value for key, value in take.items() if key not in WHOLE}
