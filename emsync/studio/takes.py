"""A take as the page shows it: notes as columns, bars and tempi, cuts with their hits."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from emsync.arrays import Float64s
from emsync.composition import Composition
from emsync.errors import InputError
from emsync.formats.midi_raw import raw_of
from emsync.formats.played import parts as parts_of
from emsync.json_fields import FieldError, list_of, object_of, real, text_of
from emsync.limits import quoted, read_json
from emsync.music.piece import CLASSES
from emsync.performance.part import Part
from emsync.plain import plain
from emsync.planning.words import key_of_plan

WHOLE = (  # what only the whole take has
    "duration", "players", "columns", "bars", "beats", "tempi", "cut_reports", "chords",
    "sections", "words",
)  # fmt: skip
REPORTED = ("time", "frame", "kept", "reason", "strength", "hit", "nearest")  # of each cut


Needed: TypeAlias = Mapping[str, Callable[[Any, str], Any]]
FACTS: Needed = {  # that a page, or who makes files, cannot do without
    "name": text_of, "version": real, "score": real, "duration": real, "columns": object_of,
}  # fmt: skip
RECIPE: Needed = {"analysis": object_of, "plan": object_of, "wishes": object_of, "seed": real}
STEMS: Needed = {
    "stems": lambda value, key: [object_of(row, key) for row in list_of(value, key, 99)]
}


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
            {key: row[key] for key in REPORTED} for row in fit["cuts"]
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


def read_facts(folder: Path) -> dict[str, Any]:
    """Return the facts of the take in ``folder``; InputError where they are damaged."""
    return _checked(folder / "take.json", FACTS)


def read_recipe(folder: Path) -> dict[str, Any]:
    """Return of what the take in ``folder`` was composed; InputError where it is damaged."""
    return _checked(folder / "recipe.json", RECIPE)


def _checked(path: Path, needed: Needed) -> dict[str, Any]:
    """Return a JSON file that a person may have changed, with what is needed of it."""
    data = read_json(path)
    try:
        for name, read in needed.items():
            read(data.get(name), name)
    except FieldError as error:
        raise InputError(f"{quoted(path)}: {error}") from error
    return data


def take_json(folder: Path, film: str) -> dict[str, Any]:
    """Return a take whole, as it lies in ``folder``."""
    facts = read_facts(folder)
    stems = folder / "stems.json"
    files = [path.name for path in sorted((folder / "files").glob("*")) if path.name[0] != "."]
    return {
        "id": folder.name,
        "film": film,
        **facts,
        "stems": _checked(stems, STEMS)["stems"] if stems.is_file() else None,
        "files": ["score.mid", *files],
    }


def summary(take: Mapping[str, Any]) -> dict[str, Any]:
    """Return of a whole take what a list of takes shows."""
    return {key: value for key, value in take.items() if key not in WHOLE}
