"""The drafts of a span that is composed anew: drawn, put into the score, and judged by the seam.

Each begins with the kept music before the span, brought into the composed music's time. They are
ranked by how likely the model holds the kept bar after the span once it has read them.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Float64s, Seconds
from emsync.commission import Commission
from emsync.conditioning import Targets
from emsync.errors import warn
from emsync.fit.bar_grid import NEAR
from emsync.fit.ending import Ending
from emsync.fit.hits import measured
from emsync.fit.section_ends import let_go
from emsync.fit.time_map import Fitted
from emsync.formats.midi import answer
from emsync.formats.midi_raw import RawMidi
from emsync.formats.splice import (
    PERFORMED,
    Edit,
    NewControl,
    NewNote,
    piece_of,
    scenes,
    spliced,
    written,
)
from emsync.model.composer import Composer, Sample
from emsync.model.likelihood import log_likelihood
from emsync.model.passages import Passages
from emsync.model.sliding_window import NOTHING
from emsync.music.chords import NONE, Harmony, parse_chord
from emsync.music.general_midi import EXPRESSION
from emsync.music.lead_sheet import THEME_BARS, LeadSheet
from emsync.music.piece import BEATS, DRUMS, HIGHEST, STRINGS, Piece
from emsync.options import Sampling
from emsync.performance.dynamics import Dynamics
from emsync.performance.expression import ramp
from emsync.performance.part import Part
from emsync.performance.performance import perform
from emsync.performance.player import PLAIN
from emsync.planning.placing import lead_sheet
from emsync.planning.plan import Plan
from emsync.planning.theme import LEAST, LETTER
from emsync.planning.words import chord_symbols
from emsync.ranking import Candidate, judge
from emsync.redo import MOMENTS, Redo
from emsync.tokens import Ids
from emsync.video.cuts import Cut

MARGIN = 1.0  # seconds drawn beyond the end of the film


def redone(
    composer: Composer,
    sampling: Sampling,
    commission: Commission,
    redo: Redo,
    progress: Callable[[float], None],
) -> Iterator[Candidate]:
    """Yield a candidate for each seed: the score with its own draft of the span."""
    seeds, ending = commission.seeds, commission.ending
    sheet = lead_sheet(commission.plan, redo.grid, ending.chord)
    begin, ids, since = _context(composer, redo, sheet)
    themes = _themes(redo, sheet, since)
    if commission.theme is not None:
        themes[LETTER] = commission.theme.stretched(60 / redo.grid.tempo)
    first, stop = redo.at(redo.bars[0]) - since, redo.at(redo.bars[1]) - since
    bare = replace(_sheet_since(sheet, since), themes=themes)
    later = _later(redo)
    ahead = bare if later is None else replace(bare, resumes=stop, later=later)
    asked = replace(redo.grid.asked(commission.brief, since), sheet=ahead)
    targets = composer.targets(asked)
    length = asked.duration + MARGIN if redo.closes else stop - NEAR

    def tell(now: float) -> None:
        progress(max(0.0, now - first) / (length - first))

    n = len(seeds)
    # no draft is told what it is judged by
    untold = targets if later is None else composer.targets(replace(asked, sheet=bare))
    drawn = composer.sample(
        [targets] * n, [length] * n, seeds, sampling, tell, sheets=[ahead] * n,
        begins=[ids] * n,
    )  # fmt: skip
    planned = sheet.retimed(redo.grid.film)
    harmony = _whole(redo, planned.harmony)
    symbols = _symbols(redo, commission.plan, harmony)
    for sample, seed in zip(drawn, seeds, strict=True):
        raw, fitted, played = _placed(redo, sample, since, commission, planned, symbols, seed)
        found = judge(
            fitted, played, commission.brief, seed, sample.ids, commission.visible,
            replace(planned, harmony=harmony),
        )  # fmt: skip
        if not redo.closes:
            seam = _seam(composer, redo, sample, begin, since, untold, bare)
            found = replace(found, parts={**found.parts, "seam": round(math.exp(seam), 4)})
        yield replace(found, midi=written(raw))


def tell_kept_end(redo: Redo, ending: Ending) -> None:
    """Tell where the span reaches the end, but begins after the last chord."""
    if redo.closes and ending.chord is not None and ending.chord < redo.seconds[0]:
        warn(
            f"the last chord, at {ending.chord:.2f} s, is kept and rings on; begin the span "
            "before it to have another end"
        )


def _context(composer: Composer, redo: Redo, sheet: LeadSheet) -> tuple[int, Ids, float]:
    """Return the first bar that is read before the span, its tokens, and its composed second.

    The tokens begin with the one that tells the instruments, and reach to the span. They are those
    of one bar, and of as many more as fill half of the context.
    """
    tokenizer, first = composer.tokenizer, redo.bars[0]
    half = composer.model.config.context // 2
    header = tokenizer.header(len({c for p in sheet.passages for c in p.classes}))[:1]
    best = header
    start = first
    while start > 0:
        body = _tokens(composer, redo.composed, redo.at(start - 1), redo.at(first))
        if start < first and len(header) + len(body) > half:
            break
        start -= 1
        best = np.concatenate([header, body])
    return start, best, redo.at(start)


def _tokens(composer: Composer, piece: Piece, start: float, end: float) -> Ids:
    """Return the tokens, without a header, of the music from ``start`` until its time is ``end``.

    Notes that end there have ended; what begins there is not among them.
    """
    tokenizer = composer.tokenizer

    def inside(times: Seconds) -> NDArray[np.bool_]:
        return (times >= start - NEAR) & (times < end - NEAR)

    bars = np.append(piece.downbeats[inside(piece.downbeats)], end)
    last = np.array([(STRINGS, HIGHEST, end, end + 1.0)])  # takes the time to the end, and is cut
    rows = np.concatenate([piece.rows[inside(piece.onsets)], last])
    whole = Piece.of(rows, bars, piece.chords[inside(piece.chords)])
    ids = tokenizer.encode(whole.retimed(lambda times: times - start))
    if tokenizer.bar is not None:  # the last bar line is the end, wherever it was rounded to
        at = int(np.flatnonzero(ids == tokenizer.bar)[-1]) - 1
    else:  # the wait that reaches the end
        shortest = tokenizer.durations[tokenizer.durations > 0].min()
        times = tokenizer.timeline(ids).times
        at = int(np.searchsorted(times, end - start - shortest / 2))
    headed = len(tokenizer.header(len(np.unique(whole.classes))))
    return ids[headed : at + 1]


def _sheet_since(sheet: LeadSheet, start: float) -> LeadSheet:
    """Return the sheet from ``start`` seconds on."""
    begun = int(np.sum(sheet.harmony.starts <= start + NEAR))
    held = sheet.harmony.chords[begun - 1] if begun else NONE
    harmony = Harmony(
        np.append(0.0, sheet.harmony.starts[begun:] - start),
        np.append(held, sheet.harmony.chords[begun:]),
    )
    passages = tuple(
        replace(p, start=p.start - start, end=p.end - start)
        if p.start > start - NEAR
        else replace(p, start=0.0, end=p.end - start, theme="")  # which has begun already
        for p in sheet.passages
        if p.end > start + NEAR
    )
    begins = max(0.0, sheet.begins - start)
    return replace(sheet, harmony=harmony, passages=passages, begins=begins)


def _themes(redo: Redo, sheet: LeadSheet, since: float) -> dict[str, Piece]:
    """Return by their letters the themes that began before ``since``, as the score has them."""
    found: dict[str, Piece] = {}
    bars, span = THEME_BARS * BEATS * 60 / redo.grid.tempo, redo.at(redo.bars[0])
    firsts = {p.theme: p.start for p in reversed(sheet.passages) if p.theme}
    for letter, start in firsts.items():
        piece = redo.composed.since(start - NEAR).until(min(bars, span - start))
        if start < since - NEAR and (piece.classes != DRUMS).sum() >= LEAST:
            found[letter] = piece
    return found


def _later(redo: Redo) -> Piece | None:
    """Return the kept music after the span, in seconds from its end; None where there is none."""
    later = redo.composed.since(redo.at(redo.bars[1]) - NEAR)
    return None if redo.closes or not len(later) else later


def _whole(redo: Redo, chords: Harmony) -> Harmony:
    """Return the chords of the score outside of the span, where it names any, and ``chords`` in it.

    All are in the film's time.
    """
    symbols = redo.raw.chords()
    named = Harmony(
        redo.grid.seconds(np.array([tick for tick, _ in symbols], np.int64)),
        np.array([parse_chord(name) if name else NONE for _, name in symbols], np.intp),
    )
    (first, stop), (start, end) = redo.seconds, np.array(redo.seconds)[:, None]
    early, late = named.starts < first - NEAR, named.starts > stop + NEAR
    inside = (chords.starts > first + NEAR) & (chords.starts < stop - NEAR)
    parts = [
        (named.starts[early], named.chords[early]),
        (start, chords.at(start)),
        (chords.starts[inside], chords.chords[inside]),
        (end, named.at(end)),
        (named.starts[late], named.chords[late]),
    ]
    starts, numbers = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Harmony(starts, numbers)


def _symbols(redo: Redo, plan: Plan, harmony: Harmony) -> list[tuple[int, str]] | None:
    """Return the ticks and names of the chords in the span; None where the score names none.

    What the score goes on with is named where the span ends, if no symbol of its own stands there.
    """
    told = [tick for tick, _ in redo.raw.chords()]
    if not told:
        return None
    first, stop = redo.ticks
    symbols = [(redo.grid.nearest_tick(t), name) for t, name in chord_symbols(plan, harmony)]
    wanted = [(tick, name) for tick, name in symbols if first <= tick < min(stop, redo.last)]
    if not redo.closes and stop not in told:
        wanted += [(tick, name) for tick, name in symbols if tick == stop]
    return wanted


def _placed(
    redo: Redo,
    sample: Sample,
    since: float,
    commission: Commission,
    sheet: LeadSheet,
    symbols: list[tuple[int, str]] | None,
    seed: int,
) -> tuple[RawMidi, Fitted, Ending]:
    """Return the score with a draft in its span, as it stands on the film, and its ending."""
    brief, plan, ending = commission.brief, commission.plan, commission.ending
    grid, (first, stop) = redo.grid, redo.ticks
    draft = let_go(_drafted(redo, sample.piece, since), sheet)
    tempo_map, rate = grid.tempo_map(), Fraction(brief.fps) or None
    lines = grid.seconds(grid.lines[:-1]).tolist()

    def stands(piece: Piece, cuts: Sequence[Cut]) -> Fitted:
        return measured(piece, tempo_map, cuts, redo.duration, commission.options.sync, rate)

    if redo.closes:
        kept = piece_of(redo.raw, grid.seconds, lines)
        kept = kept.where(kept.onsets < redo.seconds[0] - NEAR)
        ended, ending = ending.apply(
            stands(_joined(kept, draft), brief.cuts), sheet.harmony, plan.sections[-1].classes
        )
        new = ended.piece.onsets >= redo.seconds[0] - NEAR
        draft = replace(ended.piece, downbeats=draft.downbeats).where(new)
    dynamics = Dynamics.under(brief, ending, plan.levels)
    barred = replace(draft, downbeats=np.array(lines))  # by which the notes are struck
    ours, humanize = redo.score.origin is not None, commission.options.humanize
    performance = perform(
        stands(barred, brief.cuts),
        dynamics,
        commission.casting if ours else PLAIN,  # others have no players but the classes
        sheet=sheet,
        humanize=humanize if ours else 0.0,
        seed=seed,
    )
    edit = _edit(redo, performance.parts, dynamics, symbols)
    raw = spliced(redo.raw, edit)
    piece = piece_of(raw, grid.seconds, lines)
    piece = replace(piece, chords=np.union1d(piece.chords, draft.chords))
    texts = [tick for tick, _ in scenes(raw) if first <= tick < stop]
    reports = stands(piece, [Cut(float(time)) for time in grid.seconds(np.array(texts))]).cuts
    frame = 1e3 * (0.04 if rate is None else float(1 / rate))
    answers = {tick: answer(report, frame) for tick, report in zip(texts, reports, strict=True)}
    if answers:
        raw = spliced(redo.raw, replace(edit, answers=answers))
    cuts = [cut for cut in brief.cuts if cut.kind != "ending"]
    return raw, stands(piece, cuts), ending


def _edit(
    redo: Redo,
    parts: Sequence[Part],
    dynamics: Dynamics,
    symbols: list[tuple[int, str]] | None,
) -> Edit:
    """Return what the span is to hold: what is played in it, its chord symbols, and the fade.

    In a score of ours the controllers are those of the parts; in that of others only the fade is.
    """
    grid, (first, _) = redo.grid, redo.ticks
    ours = redo.score.origin is not None
    notes: list[NewNote] = []
    controls: list[NewControl] = []
    for part in parts:
        starts, stops = grid.nearest_ticks(part.onsets), grid.nearest_ticks(part.offsets)
        columns = (part.pitches, np.maximum(starts, first), stops, part.velocities)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        notes += [NewNote(part.player, *row) for row in rows]
        at = grid.nearest_ticks(np.array([c.time for c in part.controls])).tolist()
        controls += [
            NewControl(part.player, tick, c.number, c.value)
            for tick, c in zip(at, part.controls, strict=True)
        ]
    replaced = set(PERFORMED) if ours else set()
    fade = None
    if redo.closes and redo.duration - dynamics.fade >= redo.seconds[0] - NEAR:
        fade = [
            (grid.nearest_tick(time), value) for time, value in ramp(redo.duration, dynamics.fade)
        ]
    elif redo.closes:  # what fades is kept, where the last chord stands before the span
        replaced.discard(EXPRESSION)
    return Edit(
        redo.ticks, notes, controls if ours else (), sorted(replaced), fade, symbols=symbols,
        end=redo.last if redo.closes else 0,
    )  # fmt: skip


def _drafted(redo: Redo, piece: Piece, since: float) -> Piece:
    """Return the notes of a draft within the span, in the film's time."""
    grid, (_, stop) = redo.grid, redo.ticks
    begin = redo.at(redo.bars[0])
    new = piece.retimed(lambda times: times + since)
    new = replace(
        new.where(new.onsets >= begin - NEAR),
        chords=new.chords[new.chords >= begin - NEAR],
        downbeats=np.array([]),
    )

    def beats(times: Seconds) -> Float64s:
        return np.round(times * grid.tempo / 60 * MOMENTS) / MOMENTS

    stays = ~grid.left_out(beats(new.onsets))
    marks = new.chords[~grid.left_out(beats(new.chords))]
    new = replace(new.where(stays), chords=marks)
    new = new.retimed(lambda times: grid.ticks(beats(times)).astype(np.float64))
    end = min(stop, redo.last)
    new = replace(new, offsets=np.minimum(new.offsets, end), chords=new.chords[new.chords < end])
    return new.where((new.onsets < end) & (new.offsets > new.onsets)).retimed(grid.seconds)


def _joined(kept: Piece, draft: Piece) -> Piece:
    rows = np.concatenate([kept.rows, draft.rows])
    return Piece.of(rows, kept.downbeats, np.union1d(kept.chords, draft.chords))


def _seam(
    composer: Composer,
    redo: Redo,
    draft: Sample,
    begin: int,
    since: float,
    targets: Targets,
    sheet: LeadSheet,
) -> float:
    """Return the mean log probability of the kept tokens of the bar after the span.

    ``draft`` is the context and the draft, ``begin`` the first bar of the context. Of what is given
    the theme is read that is taken up after the span, if any; ``sheet`` has no later music.
    """
    at, after = redo.at(redo.bars[1]), redo.at(redo.bars[1] + 1)
    before = draft.piece.until(at - since).retimed(lambda times: times + since)
    whole = _joined(redo.composed.where(redo.composed.onsets >= at - NEAR), before)
    whole = replace(whole, downbeats=redo.composed.downbeats)
    start = redo.at(begin)
    to_seam, to_bar = (_tokens(composer, whole, start, end) for end in (at, after))
    model, tokenizer = composer.model, composer.tokenizer
    header = draft.ids[:1]
    ids = np.concatenate([header, to_bar])
    theme = sheet.themes.get(sheet.passages[int(sheet.passage(at - since))].theme)
    passages = Passages(model, tokenizer, int(header[0]))
    given = NOTHING if theme is None else passages.theme(theme)[0]
    return log_likelihood(model, tokenizer, targets, ids, len(header) + len(to_seam), given)
