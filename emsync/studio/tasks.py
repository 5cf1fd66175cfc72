"""What the worker does for the studio: watch a film, compose for it, and make files of a take.

Tasks name folders of ``emsync.studio.projects``; what is made appears there whole or not at all.
"""

import secrets
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from functools import cache
from itertools import product
from pathlib import Path
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any, Protocol

from emsync.analysis import Analysis
from emsync.brief import brief_of, look
from emsync.composition import Composition
from emsync.demo import draw_clip
from emsync.errors import EmsyncError, InputError, UsageError
from emsync.files import together
from emsync.limits import read_json
from emsync.options import CHECKPOINT, Options
from emsync.planning.plan import Plan
from emsync.progress import Progress, clock
from emsync.studio.document import DRAWN, options_of, outputs_of, read_wishes
from emsync.studio.exports import (
    write_bundle_zip,
    write_film,
    write_notation,
    write_sound,
    write_stems,
    write_stems_zip,
)
from emsync.studio.projects import write_json
from emsync.studio.proxy import playable, proxy_name, write_proxy
from emsync.studio.strip import film_strip
from emsync.studio.takes import facts_of, read_facts, read_recipe
from emsync.video.film import Film, open_film

if TYPE_CHECKING:
    from emsync.model.composer import Composer

NUMBERS = tuple(map(str, range(1, 10_000)))  # what pieces are called
LETTERS = tuple(map("".join, (*product(ascii_lowercase), *product(ascii_lowercase, repeat=2))))


class Tell(Protocol):
    """Sends an event to the server."""

    def __call__(self, event: str, **facts: Any) -> None: ...


def do(task: Mapping[str, Any], tell: Tell) -> dict[str, Any] | None:
    """Do a task; return its result."""
    known: dict[str, Callable[[Mapping[str, Any], Tell], dict[str, Any] | None]] = {
        "watch": watch,
        "proxy": proxy,
        "compose": compose,
        "anew": compose,
        "stems": stems,
        "file": file,
    }
    if task["kind"] not in known:
        raise UsageError(f"the studio knows no work {task['kind']!r}")
    return known[task["kind"]](task, tell)


def watch(task: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Watch a film and write ``seen.json``; its facts are told as soon as it is open."""
    folder, progress = Path(task["folder"]), _progress(tell)
    if task["draw"]:  # the demonstration's
        progress("Drawing the clip", 0.0)
        draw_clip(folder / task["film"])
    film = open_film(folder / task["film"])
    if film.duration > task["seconds"]:
        raise UsageError(
            f"the film has {clock(film.duration)}, and {clock(task['seconds'])} is the most here; "
            "cut it, or compose for it with `emsync generate`"
        )
    tell("film", facts=film_facts(film))
    (folder / "strip").mkdir(exist_ok=True)
    film_strip(film, folder / "strip", ready=lambda one: tell("strip", time=one.time))
    if kind := playable(film):
        tell("picture", file=task["film"], type=kind)
    footage = look(film, Options(), lambda share: progress("Watching", share))
    progress("Feeling", 0.0)
    seen = brief_of(footage, Options())
    seen = replace(seen, source=task["name"])
    seen.save(folder / "seen.json")
    return {"facts": film_facts(footage.film if footage else film)}


def proxy(task: Mapping[str, Any], tell: Tell) -> None:
    """Write a copy of a film that browsers play, where they do not play it as it is."""
    folder, progress = Path(task["folder"]), _progress(tell)
    film = open_film(folder / task["film"])
    name = proxy_name(film)
    stage = "Copying the film for the browser"
    write_proxy(film, folder / name, lambda seconds: progress(stage, seconds / film.duration))
    tell("picture", file=name, type=f"video/{Path(name).suffix[1:]}")


def film_facts(film: Film) -> dict[str, Any]:
    """Return what the page shows of a film."""
    return {
        "duration": film.duration,
        "fps": str(film.fps),
        "frames": film.frames,
        "width": film.width,
        "height": film.height,
        "has_audio": film.has_audio,
        "suffixes": list(film.suffixes),  # of films that hold its pictures as they are
    }


def compose(task: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Compose the pieces of a recipe; each is told as soon as it can be heard."""
    from emsync import pipeline

    folder, recipe = Path(task["folder"]), task["recipe"]
    kept = Path(task["keep"]) if task.get("keep") else None
    made: list[str] = []

    def hear(composition: Composition) -> None:
        named = {
            "name": next_name(folder / "takes", task.get("parent")),
            "version": task["version"],
            "parent": task.get("parent"),
            "range": recipe.get("redo"),
            "run": task["run"],
        }
        seed = composition.best.seed
        made.append(keep(folder, composition, {**recipe, "seed": seed}, named, kept))
        tell("candidate", take=made[-1])

    options = options_of_recipe(recipe, kept, recipe["seed"], recipe["candidates"])
    film = open_film(folder / task["film"])
    pipeline.generate(
        film, options, checkpoint=composer(), progress=_progress(tell), on_candidate=hear
    )
    return {"takes": made}


def next_name(takes: Path, parent: str | None) -> str:
    """Return what the next take is called: 3, a draft of it 3a, and a draft of that 3a1."""
    stem = _name(takes / parent) if parent else ""
    names = {_name(path.parent) for path in takes.glob("*/take.json")}
    tails = LETTERS if stem[-1:].isdigit() else NUMBERS
    used = [place for place, tail in enumerate(tails) if stem + tail in names]
    return str(stem + tails[used[-1] + 1 if used else 0])


def _name(take: Path) -> str:
    """Return what a take is called; "" where that cannot be read."""
    with suppress(InputError):
        return str(read_json(take / "take.json").get("name", ""))
    return ""


def options_of_recipe(
    recipe: Mapping[str, Any], kept: Path | None, seed: int, candidates: int = 1
) -> Options:
    """Return the options with which a recipe is composed."""
    wishes = read_wishes(recipe["wishes"])
    return options_of(
        wishes,
        DRAWN,
        analysis=Analysis.from_json(recipe["analysis"], "the analysis"),
        plan=Plan.from_json(recipe["plan"], "the plan"),
        seed=seed,
        candidates=candidates,
        keep=kept,
        redo=tuple(recipe["redo"]) if recipe.get("redo") else None,
    )


def recomposed(folder: Path, film: Path, progress: Progress) -> Composition:
    """Return the composition of the take in ``folder``, drawn again from its recipe.

    EmsyncError where it is another one now, as another version of emsync may draw it.
    """
    from emsync import pipeline

    recipe = read_recipe(folder)
    kept = folder / "kept.mid" if recipe.get("redo") else None
    options = options_of_recipe(recipe, kept, recipe["seed"])
    again = pipeline.generate(film, options, checkpoint=composer(), progress=progress)
    if again.midi() != (folder / "score.mid").read_bytes():
        raise EmsyncError(
            "this piece was composed by another version of emsync, which this one cannot repeat; "
            "take its .mid, or compose anew"
        )
    return again


def keep(
    project: Path,
    composition: Composition,
    recipe: Mapping[str, Any],
    named: Mapping[str, Any],
    kept: Path | None,
) -> str:
    """Write a take: its score, its sound, its facts and its recipe; return its id."""
    id_ = secrets.token_hex(8)
    lufs = outputs_of(recipe["wishes"]).lufs
    with together() as files:
        folder = files.folder(project / "takes" / id_)
        score = composition.midi()
        (folder / "score.mid").write_bytes(score)
        loudness = write_sound(score, composition.analysis.duration, folder / "sound.flac", lufs)
        if kept is not None:
            shutil.copyfile(kept, folder / "kept.mid")
        write_json(folder / "recipe.json", recipe)
        facts = {**named, **facts_of(composition, score), "loudness": loudness.to_json()}
        write_json(folder / "take.json", facts)
    return id_


def stems(task: Mapping[str, Any], tell: Tell) -> None:
    """Play each player of a take alone."""
    folder = Path(task["take"])
    _progress(tell)("Playing each player alone", 0.0)
    facts, recipe = read_facts(folder), read_recipe(folder)
    lufs, score = outputs_of(recipe["wishes"]).lufs, (folder / "score.mid").read_bytes()
    rows = write_stems(score, facts["duration"], folder / "stems", lufs)
    write_json(folder / "stems.json", {"stems": [asdict(row) for row in rows]})


def file(task: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
    """Make a file of a take; the film's own sound, and how loud all is, are as wished now."""
    folder, name, progress = Path(task["take"]), task["name"], _progress(tell)
    film, target = Path(task["folder"]) / task["film"], folder / "files" / task["name"]
    target.parent.mkdir(exist_ok=True)
    facts, recipe = read_facts(folder), read_recipe(folder)
    duration, score = facts["duration"], (folder / "score.mid").read_bytes()
    own, wanted = outputs_of(recipe["wishes"]), outputs_of(task["wishes"])
    if name == "mix.wav":
        progress("Playing", 0.0)
        write_sound(score, duration, target, own.lufs)
    elif name == "stems.zip":
        progress("Playing each player alone", 0.0)
        write_stems_zip(score, duration, target, own.lufs)
    elif name.startswith("film."):
        write_film(score, open_film(film), target, wanted, progress)
    elif name == "score.musicxml":
        write_notation(recomposed(folder, film, progress), target)
    else:
        write_bundle_zip(recomposed(folder, film, progress), target, wanted, progress)
    return {"name": name, "take": folder.name}


@cache
def composer() -> "Composer":
    """Return the composer that is shipped, which stays in memory."""
    from emsync.model.composer import Composer

    return Composer.from_pretrained(CHECKPOINT)


def _progress(tell: Tell) -> Progress:
    return lambda stage, share: tell("progress", stage=stage, share=round(float(share), 4))
