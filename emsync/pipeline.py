"""START HERE: from a film to its music, in one line. No file is written; see ``emsync.outputs``."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

import torch

from emsync.analysis import Analysis
from emsync.brief import brief_of, check_files, first_timecode, look
from emsync.commission import Commission
from emsync.composition import Composition
from emsync.conditioning import knows_given
from emsync.drafts import redone, tell_kept_end
from emsync.errors import AssetError, UsageError, warn
from emsync.fit.ending import Ending
from emsync.fit.hits import fit
from emsync.fit.section_ends import let_go
from emsync.fit.spotting import Spotting, spotting_of
from emsync.fit.tempo import at_tempo, tempo_of
from emsync.formats.labels import ScoreLabels
from emsync.model.composer import Composer, Sample
from emsync.music.piece import Piece
from emsync.music.tonality import TONICS
from emsync.options import CHECKPOINT, ESTIMATOR, MOST_SEED, Options, PathLike, Sampling, Sync
from emsync.planning.casting import casting
from emsync.planning.placing import lead_sheet
from emsync.planning.plan import Plan
from emsync.planning.planner import plan_of
from emsync.planning.theme import LETTER, in_plan, read_theme
from emsync.progress import Progress, Stopwatch, silent
from emsync.ranking import Candidate, judge, rank
from emsync.redo import Redo, check_redo
from emsync.tokens import check_rules
from emsync.video.film import Film, open_film
from emsync.video.impact import Impact

STRIDE = 1_000_003  # between the seeds of candidates, so that another seed shares none of them
# A wish, which is also the name of its condition but for the theme, and its rule
FOLLOWED = {"chords": "harmony", "instruments": "instruments", "theme": "theme"}
MARGIN = 1.0  # seconds of music beyond what the fastest tempo can use
PAIR = 2  # candidates, that take little longer than one: their weights are read once


def generate(
    video: PathLike | Film,
    options: Options = Options(),
    *,
    checkpoint: PathLike | Composer = CHECKPOINT,
    device: str = "auto",
    progress: Progress = silent,
    on_candidate: Callable[[Composition], None] | None = None,
) -> Composition:
    """Compose for ``video``; nothing is written. See ``Composition.save``.

    The same options, checkpoint and kind of machine give the same music. ``checkpoint`` is a name,
    a folder, or a Composer that is loaded; ``device`` is "cpu", "cuda", or "auto" for a GPU where
    there is one; ``progress`` is told the stage and the share of it that is done. Raises
    EmsyncError and its kinds.

    ``on_candidate`` is given each candidate as soon as it is judged, in the order of their seeds,
    as a composition of its own, to save, play or show it at once. They are then drawn a few at a
    time, so that the first is there early; the music is the same. What it raises ends the work.
    """
    clock = Stopwatch()
    with clock("analyze"):  # first, since the checkpoint takes a while
        film = video if isinstance(video, Film) else open_film(video)
        check_files(film, options)
        check_redo(options, film.duration)
    with clock("load"):
        composer, name = _composer(checkpoint)
        composer = composer.to(device)
        sampling = replace(composer.sampling, **options.sampling)
        check_understood(composer, options)
    with clock("analyze"):
        accented = any("impact" in c.reads for c in composer.model.conditioners)
        impact = Impact() if options.rhythm or accented else None
        footage = look(film, options, _stage(progress, "Watching"), [impact] if impact else [])
        film = footage.film if footage else film  # no longer than what could be decoded
        progress("Feeling", 0.0)  # of a long film it takes a while
        seen = impact.curve(film.duration) if footage and impact and accented else None
        analysis = brief_of(footage, options, seen)  # what is asked of the music, as editable JSON
        redo = Redo.of(options, analysis.duration, composer.tempo)  # None: compose all of it
        plan = (  # what the music will do, as editable JSON
            plan_of(analysis, options) if redo is None else redo.plan(analysis, options)
        )
        players = casting(plan)  # read once: a file may change while the music is composed
        tell_followed(composer, options)
        asked = plan.asked(analysis)
        ending = Ending.of(plan.ending, asked)  # decided once: the last chord, the fade
        commission = Commission(
            composer,
            brief=ending.requested_in(asked) if redo is None or redo.closes else asked,
            plan=plan,
            casting=players,
            ending=ending,
            options=options,
            sampling=sampling,
            seeds=seeds_of(options),
            theme=None if options.theme is None else in_plan(read_theme(options.theme), plan),
            visible=impact.signal(analysis.duration) if impact and options.rhythm else None,
        )
        labels = ScoreLabels.of(asked, first_timecode(film, analysis, options), plan)
        strip = footage.strip if footage else ()

    def composition(best: Candidate, others: Sequence[Candidate] = ()) -> Composition:
        return Composition(
            best, tuple(others), asked, plan, players, labels, options, film, strip, name,
            sampling, dict(clock.seconds),
        )  # fmt: skip

    with clock("compose"):
        progress("Composing", 0.0)  # the first run compiles for a while
        tell = _stage(progress, "Composing")
        found: list[Candidate] = []
        few = at_once(sampling) if on_candidate else options.candidates
        for one in candidates(commission, redo, tell, few):
            found.append(one)
            if on_candidate is not None:
                on_candidate(composition(one))
        best, *others = rank(found)
    return composition(best, others)


def seeds_of(options: Options) -> list[int]:
    """Return the seeds of the candidates; after the largest that there is comes 0."""
    return [(options.seed + k * STRIDE) % (MOST_SEED + 1) for k in range(options.candidates)]


def at_once(sampling: Sampling) -> int:
    """Return how many candidates to draw at once where somebody waits for the first of them.

    It is as many as there are threads to read them side by side, guided ones twice.
    """
    return max(PAIR, torch.get_num_threads() // (1 if sampling.guidance == 1.0 else 2))


def candidates(
    asked: Commission, redo: Redo | None, progress: Callable[[float], None], few: int
) -> Iterator[Candidate]:
    """Yield a candidate for each seed as soon as it is judged: a piece, or a draft of a span.

    So ``few`` are drawn at once, which changes none of them.
    """
    if redo is not None:
        tell_kept_end(redo, asked.ending)
    total = len(asked.seeds)
    for done in range(0, total, few):
        group = replace(asked, seeds=asked.seeds[done : done + few])
        tell = _part(progress, done / total, len(group.seeds) / total)
        yield from composed(group, tell) if redo is None else redone(group, redo, tell)


def composed(asked: Commission, progress: Callable[[float], None]) -> Iterator[Candidate]:
    """Yield a candidate for each seed: drawn, bent onto the cuts, ended and judged."""
    options = asked.options
    samples = draw(
        asked.composer, [asked.brief] * len(asked.seeds), asked.seeds, options.max_tempo_change,
        asked.sampling, progress, sync=options.sync, plan=asked.plan,
        last_chord=asked.ending.chord, theme=asked.theme,
    )  # fmt: skip
    for sample, seed in zip(samples, asked.seeds, strict=True):
        yield candidate(asked, sample, seed)


def candidate(asked: Commission, sample: Sample, seed: int) -> Candidate:
    """Return a piece that was drawn, bent onto the cuts, ended and judged."""
    brief, options = asked.brief, asked.options
    rate, bend = Fraction(brief.fps) or None, options.max_tempo_change
    fitted = fit(sample.piece, brief.cuts, brief.duration, options.sync, bend, rate, sample.beat)
    sheet = sample.sheet and sample.sheet.retimed(fitted.time_map.apply)
    harmony = None if sheet is None else sheet.harmony
    if sheet is not None:
        fitted = replace(fitted, piece=let_go(fitted.piece, sheet))
    ended, ending = asked.ending.apply(fitted, harmony, asked.plan.sections[-1].classes)
    return judge(ended, ending, brief, seed, sample.ids, asked.visible, sheet)


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


def draw(
    composer: Composer,
    briefs: Sequence[Analysis],
    seeds: Sequence[int],
    max_tempo_change: float,
    sampling: Sampling,
    progress: Callable[[float], None] | None = None,
    *,
    sync: Sync = "off",
    plan: Plan | None = None,
    last_chord: float | None = None,
    theme: Piece | None = None,
) -> list[Sample]:
    """Draw a piece for each brief, in the film's time, long enough to be bent onto its cuts.

    All briefs are of one film, and all pieces have the tempo and the bars that suit the first and
    ``sync``, the least that may hit a cut. Where a brief names no tonic, the seed does.
    ``plan`` holds them to its chords and players, the tonic's chord from ``last_chord`` on, where
    there is one; ``theme``, in beats, is what its sections of the theme's letter take up.
    ``progress`` is told the share that is done.
    """
    briefs = [
        brief if brief.tonic else replace(brief, tonic=TONICS[seed % len(TONICS)])
        for brief, seed in zip(briefs, seeds, strict=True)
    ]
    length, slower = briefs[0].duration * (1 + max_tempo_change) + MARGIN, 1.0
    if composer.tempo is None:  # its music has bars of its own, at any tempo
        spotting = Spotting.plain(tempo_of(briefs[0]))
    else:
        spotting = spotting_of(briefs[0], sync, max_tempo_change)
    sheet = None if plan is None else lead_sheet(plan, spotting, last_chord)
    briefs = [replace(brief, sheet=sheet) for brief in map(spotting.asked, briefs)]
    if composer.tempo is not None:
        briefs = [at_tempo(brief, composer.tempo, spotting.tempo) for brief in briefs]
        slower = composer.tempo / spotting.tempo
        length = (length + spotting.skipped) / slower
    if theme is not None and sheet is not None:
        themes = {LETTER: theme.stretched(60 / (composer.tempo or spotting.tempo))}
        briefs = [replace(b, sheet=b.sheet and replace(b.sheet, themes=themes)) for b in briefs]
    targets = [composer.targets(brief) for brief in briefs]
    sheets = [brief.sheet for brief in briefs if brief.sheet]
    tell = None if progress is None else lambda seconds: progress(seconds / length)
    drawn = composer.sample(
        targets, [length] * len(briefs), seeds, sampling, tell, sheets=sheets or None
    )
    followed = sheet and sheet.retimed(spotting.as_played)
    if composer.tempo is None:
        return [replace(one, sheet=followed) for one in drawn]
    beat = 60 / spotting.tempo
    return [
        Sample(spotting.played(one.piece.stretched(slower)), one.ids, beat, followed)
        for one in drawn
    ]


def check_understood(composer: Composer, options: Options) -> None:
    """Refuse what no condition of the checkpoint reads, before the film is watched."""
    conditions = composer.model.conditioners
    reads = frozenset[str]().union(*(condition.reads for condition in conditions))
    prefix = "requested."
    names = sorted(name.removeprefix(prefix) for name in reads if name.startswith(prefix))
    for name in options.ask or {}:
        if name not in names:
            known = ", ".join(names) or "nothing"
            raise UsageError(
                f"no condition of this checkpoint reads {name!r}; it can be asked for {known}"
            )
    check_rules(composer.tokenizer, options.rules_off or ())
    check_followed(composer, options)
    if options.ask:  # a condition refuses a value that it does not know
        composer.targets(composer.partial_analysis(1.0, requested=options.ask))


def check_followed(composer: Composer, options: Options) -> None:
    """Refuse a wish that nothing in the checkpoint follows."""
    told, held = _taught(composer), _ruled(composer, options)
    for wish, rule in FOLLOWED.items():
        if getattr(options, wish) and wish not in told | held:
            off = rule in composer.tokenizer.followers(())  # else there is none
            why = "is off" if off else f"is none of its tokenizer, {composer.tokenizer.name}"
            raise AssetError(
                f"the network of this checkpoint was not taught the {wish}, and the rule {rule!r}, "
                f"which would hold the music to it, {why}; leave out --{wish}, "
                f"{'let the rule be on, ' if off else ''}or take a checkpoint that was taught it"
            )


def tell_followed(composer: Composer, options: Options) -> None:
    """Tell which wishes a rule alone follows, and what of a plan nothing does."""
    told, held = _taught(composer), _ruled(composer, options)
    wished = [w for w in FOLLOWED if options.plan is not None or getattr(options, w)]
    if alone := [wish for wish in wished if wish in held - told]:
        warn(
            f"the network of this checkpoint was not taught {', '.join(alone)}: its music is held "
            "to what is asked of them by rules alone"
        )
    rules = composer.tokenizer.followers(())
    if lacking := [w for w, rule in FOLLOWED.items() if rule not in rules and w not in told]:
        warn(
            f"the network of this checkpoint was not taught {', '.join(lacking)}, and its "
            f"tokenizer, {composer.tokenizer.name}, has no rule for them: what the plan says of "
            "them may not be heard"
        )


def _taught(composer: Composer) -> set[str]:
    """Return the wishes that a condition tells the network of."""
    conditions = composer.model.conditioners
    taught = {condition.name for condition in conditions} & FOLLOWED.keys()
    return taught | {"theme"} if knows_given(conditions) else taught


def _ruled(composer: Composer, options: Options) -> set[str]:
    """Return the wishes that a rule which is on holds the sampler to."""
    off = composer.sampling.rules_off if options.rules_off is None else options.rules_off
    on = [rule for rule in composer.tokenizer.followers(()) if rule not in off]
    return {wish for wish, rule in FOLLOWED.items() if rule in on}


def _composer(checkpoint: PathLike | Composer) -> tuple[Composer, str]:
    """Return the composer, and the name of its checkpoint where there is one."""
    if isinstance(checkpoint, Composer):
        return checkpoint, ""
    return Composer.from_pretrained(checkpoint), str(checkpoint)


def _stage(progress: Progress, stage: str) -> Callable[[float], None]:
    return lambda share: progress(stage, share)


def _part(progress: Callable[[float], None], begun: float, size: float) -> Callable[[float], None]:
    return lambda share: progress(begun + size * share)
