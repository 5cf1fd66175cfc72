"""START HERE: from a film to its music, in one line. No file is written; see ``emsync.outputs``."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

from emsync.analysis import Analysis
from emsync.brief import brief_of, check_files, first_timecode, look
from emsync.composition import Composition
from emsync.errors import UsageError
from emsync.fit.ending import Ending
from emsync.fit.hits import fit
from emsync.fit.spotting import spotting_of
from emsync.fit.tempo import at_tempo
from emsync.formats.labels import ScoreLabels
from emsync.model.composer import Composer, Sample
from emsync.music.tonality import TONICS
from emsync.options import CHECKPOINT, ESTIMATOR, Options, PathLike, Sampling, Sync
from emsync.progress import Progress, Stopwatch, silent
from emsync.ranking import judge, rank
from emsync.tokens import check_rules
from emsync.video.film import Film, open_film
from emsync.video.impact import Impact

STRIDE = 1_000_003  # between the seeds of candidates, so that another seed shares none of them
MARGIN = 1.0  # seconds of music beyond what the fastest tempo can use


def generate(
    video: PathLike | Film,
    options: Options = Options(),
    *,
    checkpoint: PathLike | Composer = CHECKPOINT,
    device: str = "auto",
    progress: Progress = silent,
) -> Composition:
    """Compose for ``video``; nothing is written. See ``Composition.save``.

    The same options, checkpoint and kind of machine give the same music. ``checkpoint`` is a name,
    a folder, or a Composer that is loaded; ``device`` is "cpu", "cuda", or "auto" for a GPU where
    there is one; ``progress`` is told the stage and the share of it that is done. Raises
    EmsyncError and its kinds.
    """
    clock = Stopwatch()
    with clock("analyze"):  # first, since the checkpoint takes a while
        film = video if isinstance(video, Film) else open_film(video)
        check_files(film, options)
    with clock("load"):
        composer, name = _composer(checkpoint)
        composer = composer.to(device)
        sampling = replace(composer.sampling, **options.sampling)
        check_understood(composer, options)
    with clock("analyze"):
        impact = Impact() if options.rhythm else None
        footage = look(film, options, _stage(progress, "Watching"), [impact] if impact else [])
        film = footage.film if footage else film  # no longer than what could be decoded
        analysis = brief_of(footage, options)  # what is asked of the music, as editable JSON
        visible = impact.signal(analysis.duration) if impact else None
        labels = ScoreLabels.of(analysis, first_timecode(film, analysis, options))
    with clock("compose"):
        ending = Ending.of(options.ending, analysis)  # decided once: the last chord, the fade
        brief = ending.requested_in(analysis)
        seeds = [options.seed + k * STRIDE for k in range(options.candidates)]
        progress("Composing", 0.0)  # the first run compiles for a while
        samples = draw(
            composer, [brief] * len(seeds), seeds, options.max_tempo_change, sampling,
            _stage(progress, "Composing"), sync=options.sync,
        )  # fmt: skip
        rate, bend = Fraction(brief.fps) or None, options.max_tempo_change
        candidates = []
        for sample, seed in zip(samples, seeds, strict=True):
            fitted = fit(
                sample.piece, brief.cuts, brief.duration, options.sync, bend, rate, sample.beat
            )
            ended, played = ending.apply(fitted)
            candidates.append(judge(ended, played, brief, seed, sample.ids, visible))
        best, *others = rank(candidates)
    strip = footage.strip if footage else ()
    return Composition(
        best, tuple(others), analysis, labels, options, film, strip, name, sampling,
        dict(clock.seconds),
    )  # fmt: skip


def analyze(
    video: PathLike | Film,
    estimator: str = ESTIMATOR,
    progress: Progress = silent,
    *,
    min_cut_distance: float | None = None,
) -> Analysis:
    """Watch ``video`` and return what it asks of its music: cuts, motion, emotion over time.

    Of cuts less than ``min_cut_distance`` seconds apart, or 4, the stronger is kept; 0 keeps all.
    """
    film = video if isinstance(video, Film) else open_film(video)
    options = Options(estimator=estimator, min_cut_distance=min_cut_distance)
    return brief_of(look(film, options, _stage(progress, "Watching")), options)


def draw(
    composer: Composer,
    briefs: Sequence[Analysis],
    seeds: Sequence[int],
    max_tempo_change: float,
    sampling: Sampling,
    progress: Callable[[float], None] | None = None,
    *,
    sync: Sync = "off",
) -> list[Sample]:
    """Draw a piece for each brief, in the film's time, long enough to be bent onto its cuts.

    All briefs are of one film, and all pieces have the tempo and the bars that suit the first and
    ``sync``, the least that may hit a cut. Where a brief names no tonic, the seed does.
    ``progress`` is told the share that is done.
    """
    briefs = [
        brief if brief.tonic else replace(brief, tonic=TONICS[seed % len(TONICS)])
        for brief, seed in zip(briefs, seeds, strict=True)
    ]
    length, slower = briefs[0].duration * (1 + max_tempo_change) + MARGIN, 1.0
    if composer.tempo is None:
        spotting = None
    else:
        spotting = spotting_of(briefs[0], sync, max_tempo_change)
        briefs = [spotting.asked(brief) for brief in briefs]
        briefs = [at_tempo(brief, composer.tempo, spotting.tempo) for brief in briefs]
        slower = composer.tempo / spotting.tempo
        length = (length + spotting.skipped) / slower
    targets = [composer.targets(brief) for brief in briefs]
    tell = None if progress is None else lambda seconds: progress(seconds / length)
    drawn = composer.sample(targets, [length] * len(briefs), seeds, sampling, tell)
    if spotting is None:
        return drawn
    return [
        Sample(spotting.played(one.piece.stretched(slower)), one.ids, 60 / spotting.tempo)
        for one in drawn
    ]


def check_understood(composer: Composer, options: Options) -> None:
    """Refuse what no condition of the checkpoint reads, before the film is watched."""
    conditions = composer.model.conditioners
    reads = frozenset[str]().union(*(condition.reads for condition in conditions))
    if options.tonic and "tonic" not in reads:
        known = ", ".join(condition.name for condition in conditions) or "none"
        raise UsageError(
            f"no condition of this checkpoint ({known}) reads a key; leave out the tonic "
            f"{options.tonic!r}"
        )
    prefix = "requested."
    names = sorted(name.removeprefix(prefix) for name in reads if name.startswith(prefix))
    for name in options.ask or {}:
        if name not in names:
            known = ", ".join(names) or "nothing"
            raise UsageError(
                f"no condition of this checkpoint reads {name!r}; it can be asked for {known}"
            )
    check_rules(composer.tokenizer, options.rules_off or ())
    if options.ask:  # a condition refuses a value that it does not know
        composer.targets(composer.partial_analysis(1.0, requested=options.ask))


def _composer(checkpoint: PathLike | Composer) -> tuple[Composer, str]:
    """Return the composer, and the name of its checkpoint where there is one."""
    if isinstance(checkpoint, Composer):
        return checkpoint, ""
    return Composer.from_pretrained(checkpoint), str(checkpoint)


def _stage(progress: Progress, stage: str) -> Callable[[float], None]:
    return lambda share: progress(stage, share)
