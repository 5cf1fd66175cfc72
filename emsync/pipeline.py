"""START HERE: from a film to its music, in one line. No file is written; see ``emsync.outputs``."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, overload

from emsync.analysis import Analysis
from emsync.brief import brief_of, check_files, first_timecode, look
from emsync.commission import Commission
from emsync.composing import Events
from emsync.composition import Composition
from emsync.encoders.threads import one_thread
from emsync.fit.ending import Ending
from emsync.formats.labels import ScoreLabels
from emsync.makers import Maker, SoundMaker, check_wishes, maker_of
from emsync.model.composer import Composer
from emsync.options import CHECKPOINT, ESTIMATOR, MOST_SEED, Options, PathLike
from emsync.planning.casting import casting
from emsync.planning.plan import Plan
from emsync.planning.planner import plan_of
from emsync.planning.theme import in_plan, read_theme
from emsync.progress import Progress, Stopwatch, silent
from emsync.ranking import Judged, rank
from emsync.redo import Redo, check_redo
from emsync.result import Result
from emsync.sound.audio import Audio
from emsync.sound.style import read_style
from emsync.soundtrack import Soundtrack
from emsync.video.film import Film, open_film
from emsync.video.impact import Impact
from emsync.video.observers import Observer

STRIDE = 1_000_003  # between the seeds of candidates, so that another seed shares none of them


@overload
def generate(
    video: PathLike | Film,
    options: Options = ...,
    *,
    checkpoint: Composer | Literal["emsync-small"] = ...,
    device: str = ...,
    progress: Progress = ...,
    on_candidate: Callable[[Composition], None] | None = ...,
) -> Composition: ...


@overload
def generate(
    video: PathLike | Film,
    options: Options = ...,
    *,
    checkpoint: PathLike | Composer | Maker,
    device: str = ...,
    progress: Progress = ...,
    on_candidate: Callable[[Any], None] | None = ...,
) -> Any: ...  # by the kind of the checkpoint, a Composition or a Soundtrack


def generate(
    video: PathLike | Film,
    options: Options = Options(),
    *,
    checkpoint: PathLike | Composer | Maker = CHECKPOINT,
    device: str = "auto",
    progress: Progress = silent,
    on_candidate: Callable[[Any], None] | None = None,
) -> Result[Any]:
    """Make music for ``video``; nothing is written. See ``Composition.save``.

    The same options, checkpoint and kind of machine give the same music. ``checkpoint`` is a name,
    a folder, or a Composer or Maker that is loaded; its kind decides whether a score is composed,
    a Composition, or sound is made, a Soundtrack. ``device`` is "cpu", "cuda", or "auto" for a GPU
    where there is one; ``progress`` is told the stage and the share of it that is done. Raises
    EmsyncError and its kinds.

    ``on_candidate`` is given each candidate as soon as it is judged, in the order of their seeds,
    as a result of its own, to save, play or show it at once. They are then made a few at a time,
    so that the first is there early; the music is the same. What it raises ends the work.
    """
    clock = Stopwatch()
    with clock("analyze"):  # first, since the checkpoint takes a while
        film = video if isinstance(video, Film) else open_film(video)
        check_files(film, options)
        check_redo(options, film.duration)
    with clock("load"), one_thread():  # of many small tensors, on which threads would wait
        maker, name = opened(checkpoint, device)
        check_wishes(maker, name, options)
        like = style_of(maker, options)
    with clock("analyze"):
        accented = "impact" in maker.reads and options.analysis is None
        impact = Impact() if options.rhythm or accented else None
        observers = maker.observers(film)
        looking: list[Observer] = [*([impact] if impact else []), *observers]
        footage = look(film, options, _stage(progress, "Watching"), looking)
        film = footage.film if footage else film  # no longer than what could be decoded
        progress("Feeling", 0.0)  # of a long film it takes a while
        curve = impact.curve(film.duration) if impact and accented else None
        analysis = brief_of(footage, options, curve)  # what is asked of the music, as editable JSON
        redo = Redo.of(options, analysis.duration, maker.tempo)  # None: compose all of it
        plan = (  # what the music will do, as editable JSON
            plan_of(analysis, options) if redo is None else redo.plan(analysis, options)
        )
        players = casting(plan)  # read once: a file may change while the music is composed
        asked = plan.asked(analysis)
        ending = Ending.of(plan.ending, asked)  # decided once: the last chord, the fade
        commission = Commission(
            brief=ending.requested_in(asked) if redo is None or redo.closes else asked,
            plan=plan,
            casting=players,
            ending=ending,
            options=options,
            seeds=seeds_of(options),
            theme=None if options.theme is None else in_plan(read_theme(options.theme), plan),
            visible=impact.signal(analysis.duration) if impact and options.rhythm else None,
            redo=redo,
            footage=footage,
            seen=observers,
            like=like,
            waited_for=on_candidate is not None,
        )
        labels = ScoreLabels.of(asked, first_timecode(film, analysis, options), plan)
        strip = footage.strip if footage else ()

    def result(best: Judged, others: Sequence[Judged] = ()) -> Result[Any]:
        kind: type[Result[Any]] = Composition if maker.makes == "score" else Soundtrack
        return kind(
            best, tuple(others), asked, plan, players, labels, options, film, strip, name,
            maker.settings(options), dict(clock.seconds),
        )  # fmt: skip

    with clock("compose"):
        maker.make_ready(progress)
        progress("Composing", 0.0)
        found: list[Judged] = []
        for one in maker.make(commission, _stage(progress, "Composing")):
            found.append(one)
            if on_candidate is not None:
                on_candidate(result(one))
        best, *others = rank(found)
    return result(best, others)


def opened(checkpoint: PathLike | Composer | Maker, device: str) -> tuple[Maker, str]:
    """Return who makes the music on ``device``, and the name of the checkpoint if there is one."""
    if isinstance(checkpoint, Maker):
        return checkpoint, ""
    if isinstance(checkpoint, Composer):
        return Events(checkpoint.to(device)), ""
    kind, folder = maker_of(checkpoint)
    return kind.open(folder, device), str(checkpoint)


def style_of(maker: Maker, options: Options) -> Audio | None:
    """Return the sound that the music is to be like, at the maker's rate, if there is one."""
    if options.like is None or not isinstance(maker, SoundMaker):
        return None
    return read_style(Path(options.like), maker.rate)


def seeds_of(options: Options) -> list[int]:
    """Return the seeds of the candidates; after the largest that there is comes 0."""
    return [(options.seed + k * STRIDE) % (MOST_SEED + 1) for k in range(options.candidates)]


def analyze(
    video: PathLike | Film,
    estimator: str = ESTIMATOR,
    progress: Progress = silent,
    *,
    min_cut_distance: float | None = None,
    ignore_sound: bool = False,
) -> Analysis:
    """Watch ``video`` and return what it asks of its music: cuts, motion, emotion over time.

    Of cuts less than ``min_cut_distance`` seconds apart, or 4, the stronger is kept; 0 keeps all.
    ``ignore_sound`` leaves the film's own sound out of what it feels like.
    """
    film = video if isinstance(video, Film) else open_film(video)
    options = Options(
        estimator=estimator, min_cut_distance=min_cut_distance, ignore_sound=ignore_sound
    )
    return brief_of(look(film, options, _stage(progress, "Watching")), options)


def plan(
    video: PathLike | Film, options: Options = Options(), *, progress: Progress = silent
) -> Plan:
    """Return the plan for ``video``: tempo, key, sections, chords, players and themes.

    ``Plan.save`` writes it, a person may edit it, and ``Options(plan=...)`` follows it.
    """
    film = video if isinstance(video, Film) else open_film(video)
    check_files(film, options)
    return plan_of(brief_of(look(film, options, _stage(progress, "Watching")), options), options)


def _stage(progress: Progress, stage: str) -> Callable[[float], None]:
    return lambda share: progress(stage, share)
