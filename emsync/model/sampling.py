"""Algorithm 1: draw pieces token by token until the video ends (Sulun, Viana & Davies, sec. 3.1).

Shapes: B pieces drawn side by side, T tokens so far, P prefix vectors, V vocabulary.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise

import numpy as np
import torch

from emsync.beside import Tell, side_by_side
from emsync.conditioning import Cursor, Floats, Targets, check_conditions, null_targets
from emsync.errors import EmsyncError
from emsync.filters import Together, together
from emsync.model.nucleus import Doubles, draw
from emsync.model.passages import Passages
from emsync.model.primers import Primers
from emsync.model.sliding_window import AnyDecoder, SlidingWindowDecoder, open_decoder
from emsync.model.transformer import Decoder, EventTransformer
from emsync.music.lead_sheet import LeadSheet
from emsync.music.piece import CLASSES
from emsync.options import Sampling
from emsync.tokens import Ids, LogitsProcessor, Timeline, Tokenizer, check_rules

FREE = -1  # in the place of a token that is to be drawn


def sample(
    model: EventTransformer,
    tokenizer: Tokenizer,
    targets: Sequence[Targets],
    durations: Sequence[float],
    seeds: Sequence[int],
    sampling: Sampling = Sampling(),
    progress: Callable[[float], None] | None = None,
    sheets: Sequence[LeadSheet] | None = None,
    begins: Sequence[Ids] | None = None,
) -> list[Ids]:
    """Return B pieces of (T,) tokens, conditioned on ``targets[b]``, of ``durations[b]`` seconds.

    ``sheets`` are the chords and players that each piece is held to, in its seconds, and the music
    that it is given; they tell how many instruments there will be. ``begins`` are tokens that each
    piece begins with, a header's first and music that is there already; they count in its seconds.
    The same seeds on the same kind of machine give the same pieces. ``progress`` is called with the
    seconds of the piece that is furthest behind. Raises EmsyncError when a piece needs more than
    ``sampling.tokens_per_second``, as music that stands still does.
    """
    check_conditions(model.conditioners, sampling.unguided)
    copies = _copies(sampling)
    decoder, threads = open_decoder(model, len(targets) * copies), torch.get_num_threads()
    # only in int8 are pieces the same to the bit whatever is read beside them
    apart = not isinstance(decoder, Decoder)
    groups = _groups(len(targets), threads if apart else 1)
    running = list(groups)

    def share_threads() -> None:
        if not isinstance(decoder, Decoder):
            decoder.threads = threads // max(1, len(running))

    def draw(group: slice, tell: Tell) -> list[Ids]:
        try:
            return _sample(
                model, tokenizer, targets[group], durations[group], seeds[group], sampling, tell,
                sheets and sheets[group], begins and begins[group], decoder, group.start * copies,
            )  # fmt: skip
        finally:  # those that are still drawn have its threads
            running.remove(group)
            share_threads()

    share_threads()
    drawn = side_by_side([partial(draw, group) for group in groups], progress or _silent)
    return [ids for group in drawn for ids in group]


def _groups(batch: int, threads: int) -> list[slice]:
    """Return the pieces that are drawn together; each group has a thread of its own.

    So the rules of one piece are read while the network computes another.
    """
    count = min(batch, threads)
    return [slice(*edges) for edges in pairwise(batch * i // count for i in range(count + 1))]


def _copies(sampling: Sampling) -> int:
    """Return how often each piece is decoded: under guidance once more, unconditionally."""
    return 1 if sampling.guidance == 1.0 else 2


def _silent(seconds: float) -> None:
    """Tell nothing."""


def _sample(
    model: EventTransformer,
    tokenizer: Tokenizer,
    targets: Sequence[Targets],
    durations: Sequence[float],
    seeds: Sequence[int],
    sampling: Sampling,
    tell: Tell,
    sheets: Sequence[LeadSheet] | None,
    begins: Sequence[Ids] | None,
    decoder: AnyDecoder,
    first: int,
) -> list[Ids]:
    """Return B pieces as ``sample`` does, drawn step by step, as the pieces of ``decoder`` from
    number ``first`` on.
    """
    batch, copies = len(targets), _copies(sampling)
    if copies == 2:
        nulls = (null_targets(model.conditioners, t, sampling.unguided) for t in targets)
        targets = [*targets, *nulls]
    conditions = _Conditions(model, targets)
    chooser = _Chooser(_filters(tokenizer, sampling, sheets), tokenizer, sampling, seeds)
    windows = SlidingWindowDecoder(model, conditions.first_prefix(), batch * copies, decoder, first)
    # The token that tells the instruments alone: after the others a song begins, often thinly, and
    # a film's music is in full swing from its first bar on
    headers = [tokenizer.header(n)[:1] for n in _class_counts(sheets, batch)]
    forced = _padded(begins or headers)  # (B, H)
    own = [range(b, batch * copies, batch) for b in range(batch)]  # a piece, and unconditionally
    passages = [
        Passages(model, tokenizer, first, sampling.unguided) for first in forced[:, 0].tolist()
    ]
    primers = Primers(tokenizer, sheets or (), passages, windows, own)
    seconds, mark = tokenizer.durations, -1 if tokenizer.mark is None else tokenizer.mark
    limits = [  # tokens of each piece; a start may be slow
        int(duration * sampling.tokens_per_second) + 256 + len(given)
        for duration, given in zip(durations, begins or headers, strict=True)
    ]
    drawn = np.full((batch, max(limits)), FREE)
    drawn[:, : forced.shape[1]] = forced
    free = (drawn == FREE).any(axis=0).tolist()  # of each place, whether a piece draws there
    times, ends, now = np.zeros(batch), np.asarray(durations), [0.0] * batch * copies
    lengths = np.zeros(batch, np.int64)  # of what is finished
    logits = np.zeros((batch, tokenizer.vocab_size), np.float32)
    for t in range(drawn.shape[1]):
        ids = drawn[:, t]
        if free[t]:
            for b in conditions.wait(now[:batch]) if mark >= 0 else ():
                logits[b, mark] = -np.inf
            chosen = chooser.next(drawn[:, :t], logits)
            ids[:] = np.where(ids == FREE, chosen, ids) if t < forced.shape[1] else chosen
        times += seconds[ids]
        now = times.tolist() * copies
        for b in np.flatnonzero((times >= ends) & (lengths == 0)).tolist():
            lengths[b] = t + 1
            conditions.finish(own[b])
            windows.finish(own[b])
            primers.finish(b)
        if lengths.all():
            return [row[:length] for row, length in zip(drawn, lengths, strict=True)]
        still = [b for b, limit in enumerate(limits) if limit == t + 1 and not lengths[b]]
        if still:
            break
        for piece, prefix in conditions.new_prefixes(now):
            windows.update_prefix(piece, prefix)
        rows = conditions.rows(now, (ids == mark).tolist() * copies)
        primers.read(ids, times)
        logits = windows.step(np.concatenate([ids] * copies), rows)
        if copies == 2:
            logits = guided(logits, sampling.guidance)
        tell(min(map(min, now, durations)))
    raise EmsyncError(
        f"the music stands still: {limits[still[0]]} tokens reach only {times[still[0]]:.1f} s of "
        f"{durations[still[0]]:.1f} s; try another seed or a lower temperature"
    )


def _padded(rows: Sequence[Ids]) -> Ids:
    """Return (B, H) tokens that are given, FREE after the last one of each row."""
    padded = np.full((len(rows), max(map(len, rows))), FREE)
    for row, ids in zip(padded, rows, strict=True):
        row[: len(ids)] = ids
    return padded


def _class_counts(sheets: Sequence[LeadSheet] | None, batch: int) -> list[int]:
    """Return how many instrument classes are to play in each piece; all where no sheet says."""
    if sheets is None:
        return [len(CLASSES)] * batch
    return [len({c for passage in sheet.passages for c in passage.classes}) for sheet in sheets]


def guided(logits: Floats, guidance: float) -> Floats:
    """Return (B, V) logits from (2B, V): conditional ones, then the unconditional of the same.

    Classifier-free guidance (Ho & Salimans 2021, equation 6) multiplies by ``guidance`` what the
    conditions change. The constants that normalize the logits cancel.
    """
    pieces = len(logits) // 2
    conditional, unconditional = logits[:pieces], logits[pieces:]
    return unconditional + guidance * (conditional - unconditional)


class _Conditions:
    """The targets of B pieces as the model reads them: prefixes, and a row for each token."""

    def __init__(self, model: EventTransformer, targets: Sequence[Targets]) -> None:
        self.prefix, self.targets = model.prefix, targets
        cursors = [[c.cursor(target[c.name]) for c in model.per_token] for target in targets]
        # of each piece those that may let a mark wait
        self.waiting = [[c for c in own if type(c).waits is not Cursor.waits] for own in cursors]
        ends = np.cumsum([0, *(c.channels for c in model.per_token)]).tolist()
        columns = [slice(*edges) for edges in pairwise(ends)]
        self.columns = {c.name: own for c, own in zip(model.per_token, columns, strict=True)}
        self.newest = np.zeros((len(targets), ends[-1]), np.float32)  # rows of all conditions
        # of each piece the cursors, each with its view of the newest rows, and their time
        self.cursors = [
            [(cursor, row[part]) for cursor, part in zip(own, columns, strict=True)]
            for own, row in zip(cursors, self.newest, strict=True)
        ]
        self.times = [math.nan] * len(targets)
        self.changes = [self._changes(target) for target in targets]

    def _changes(self, target: Targets) -> list[float]:
        """Return the seconds, ascending, at which the prefix changes."""
        changes = [c.changes(target[c.name]) for c in self.prefix]
        return sorted({float(time) for times in changes for time in times if not np.isnan(time)})

    def first_prefix(self) -> dict[str, Floats]:
        """Return the {name: (B, P, channels)} prefixes at the start."""
        prefixes = [self._prefix(target, 0.0) for target in self.targets]
        return {c.name: np.stack([prefix[c.name] for prefix in prefixes]) for c in self.prefix}

    def _prefix(self, target: Targets, now: float) -> dict[str, Floats]:
        moment = Timeline(np.array([now]), np.array([False]))
        return {c.name: c.features(target[c.name], moment) for c in self.prefix}

    def new_prefixes(self, times: Sequence[float]) -> Iterator[tuple[int, dict[str, Floats]]]:
        """Yield the pieces whose prefix has changed by ``times``, each with the new one."""
        for piece, (now, changes) in enumerate(zip(times, self.changes, strict=True)):
            if changes and now >= changes[0]:
                self.changes[piece] = [time for time in changes if time > now]
                yield piece, self._prefix(self.targets[piece], now)

    def rows(self, times: Sequence[float], marks: Sequence[bool]) -> dict[str, Floats]:
        """Return the {name: (B, channels)} rows of tokens that end at ``times``."""
        moments = zip(self.cursors, times, self.times, marks, strict=True)
        for cursors, time, before, mark in moments:
            for cursor, row in cursors:
                if time != before or not cursor.timed:
                    row[:] = cursor.row(time, mark)
        self.times, newest = list(times), self.newest.copy()
        return {name: newest[:, own] for name, own in self.columns.items()}

    def wait(self, times: Sequence[float]) -> list[int]:
        """Return the first of the pieces, at (B,) ``times``, that must not mark a boundary yet."""
        marked = zip(self.waiting, times, strict=False)
        return [b for b, (own, now) in enumerate(marked) if any(c.waits(now) for c in own)]

    def finish(self, pieces: Sequence[int]) -> None:
        """Change the prefix of some pieces no more."""
        for piece in pieces:
            self.changes[piece] = []


class _Chooser:
    """Draws the next tokens from those that the tokenizer and its rules allow."""

    def __init__(
        self,
        filters: Sequence[LogitsProcessor],
        tokenizer: Tokenizer,
        sampling: Sampling,
        seeds: Sequence[int],
    ) -> None:
        self.filters, self.excluded = filters, list(tokenizer.excluded_ids)
        self.streams, self.sampling = UniformStreams(seeds), sampling

    def next(self, ids: Ids, logits: Floats) -> Ids:
        """Return the (B,) tokens after (B, T) ids; (B, V) logits may be changed."""
        logits[:, self.excluded] = -np.inf
        for each in self.filters:
            if isinstance(each, Together):
                each.apply(ids, logits)
            else:  # transformers' logits processors take tensors
                logits = each(torch.from_numpy(ids), torch.from_numpy(logits)).numpy()
        s = self.sampling
        return draw(logits, self.streams.next(), s.temperature, s.top_p, s.top_k)


def _filters(
    tokenizer: Tokenizer, sampling: Sampling, sheets: Sequence[LeadSheet] | None
) -> list[LogitsProcessor]:
    """Return the rules of grammar, then what follows the sheets: those that are on."""
    check_rules(tokenizer, sampling.rules_off)
    filters = {name: make() for name, make in tokenizer.rules().items()}
    if sheets is not None:
        filters |= tokenizer.followers(sheets)
    return together([each for name, each in filters.items() if name not in sampling.rules_off])


class UniformStreams:
    """Random numbers in [0, 1): a stream for each piece, from its own seed."""

    def __init__(self, seeds: Sequence[int]) -> None:
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.uniforms: list[Doubles] = []  # (B,) each, the next one last

    def next(self) -> Doubles:
        """Return the next (B,) numbers."""
        if not self.uniforms:
            rows = [torch.rand(256, generator=g, dtype=torch.float64) for g in self.generators]
            self.uniforms = list(torch.stack(rows, dim=1).numpy())
        return self.uniforms.pop()
