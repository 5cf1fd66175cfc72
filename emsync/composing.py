"""The maker of scores: pieces are drawn token by token, bent onto the cuts, ended and judged."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import torch

from emsync.analysis import Analysis
from emsync.checkpoints import EVENTS
from emsync.commission import Commission
from emsync.conditioning import knows_given
from emsync.drafts import redone, tell_kept_end
from emsync.errors import AssetError, UsageError, warn
from emsync.fit.hits import fit
from emsync.fit.section_ends import let_go
from emsync.fit.spotting import Spotting, spotting_of
from emsync.fit.tempo import at_tempo, tempo_of
from emsync.makers import WISHES, Maker
from emsync.model.composer import Composer, Sample
from emsync.model.sliding_window import make_ready
from emsync.music.piece import Piece
from emsync.music.tonality import TONICS
from emsync.options import Options, Sampling, Sync
from emsync.planning.placing import lead_sheet
from emsync.planning.plan import Plan
from emsync.planning.theme import LETTER
from emsync.progress import Progress
from emsync.ranking import Candidate, judge
from emsync.tokens import check_rules

# A wish, which is also the name of its condition but for the theme, and its rule
FOLLOWED = {"chords": "harmony", "instruments": "instruments", "theme": "theme"}
MARGIN = 1.0  # seconds of music beyond what the fastest tempo can use
PAIR = 2  # candidates, that take little longer than one: their weights are read once


@dataclass(frozen=True, eq=False)
class Events(Maker):
    """Composes scores with an event transformer."""

    kind = EVENTS
    makes = "score"
    summary = "scores, note by note: a transformer over events"
    follows = frozenset(WISHES) - {"like"}

    composer: Composer

    @classmethod
    def open(cls, folder: Path, device: str) -> Self:
        """Load the checkpoint in ``folder``."""
        return cls(Composer.from_pretrained(folder).to(device))

    @property
    def tempo(self) -> float | None:
        """Beats a minute of all its music; None: they differ."""
        return self.composer.tempo

    @property
    def reads(self) -> frozenset[str]:
        """What the conditions of the checkpoint read of the analysis."""
        return reads_of(self.composer)

    def check(self, options: Options) -> None:
        """Refuse what no condition of the checkpoint reads, and what nothing follows."""
        self.sampling(options)
        check_understood(self.composer, options)

    def sampling(self, options: Options) -> Sampling:
        """Return how the next token is drawn: as the checkpoint says, and the options."""
        return replace(self.composer.sampling, **options.sampling)

    def make_ready(self, progress: Progress) -> None:
        """Compile what decodes on a CPU, at the first run on a machine."""
        make_ready(self.composer.model, progress)

    def settings(self, options: Options) -> Mapping[str, Any]:
        """Return how it draws, as plain values for JSON."""
        return asdict(self.sampling(options))

    def make(self, asked: Commission, progress: Callable[[float], None]) -> Iterator[Candidate]:
        """Yield a candidate for each seed as soon as it is judged: a piece, or a draft of a span.

        A few are drawn at once, which changes none of them.
        """
        sampling, redo, total = self.sampling(asked.options), asked.redo, len(asked.seeds)
        tell_followed(self.composer, asked.options)
        if redo is not None:
            tell_kept_end(redo, asked.ending)
        few = at_once(sampling) if asked.waited_for else total
        for done in range(0, total, few):
            group = replace(asked, seeds=asked.seeds[done : done + few])
            tell = _part(progress, done / total, len(group.seeds) / total)
            if redo is None:
                yield from composed(self.composer, sampling, group, tell)
            else:
                yield from redone(self.composer, sampling, group, redo, tell)


def at_once(sampling: Sampling) -> int:
    """Return how many candidates to draw at once where somebody waits for the first of them.

    It is as many as there are threads to read them side by side, guided ones twice.
    """
    return max(PAIR, torch.get_num_threads() // (1 if sampling.guidance == 1.0 else 2))


def composed(
    composer: Composer,
    sampling: Sampling,
    asked: Commission,
    progress: Callable[[float], None],
) -> Iterator[Candidate]:
    """Yield a candidate for each seed: drawn, bent onto the cuts, ended and judged."""
    options = asked.options
    samples = draw(
        composer, [asked.brief] * len(asked.seeds), asked.seeds, options.max_tempo_change,
        sampling, progress, sync=options.sync, plan=asked.plan,
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


def reads_of(composer: Composer) -> frozenset[str]:
    """Return what the conditions of a checkpoint read of an analysis."""
    return frozenset[str]().union(*(c.reads for c in composer.model.conditioners))


def check_understood(composer: Composer, options: Options) -> None:
    """Refuse what no condition of the checkpoint reads, before the film is watched."""
    prefix = "requested."
    reads = [name for name in reads_of(composer) if name.startswith(prefix)]
    names = sorted(name.removeprefix(prefix) for name in reads)
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


def _part(progress: Callable[[float], None], begun: float, size: float) -> Callable[[float], None]:
    return lambda share: progress(begun + size * share)
