"""Algorithm 1: draw pieces token by token until the video ends (Sulun, Viana & Davies, sec. 3.4).

Shapes: B pieces drawn side by side, T tokens read so far, V vocabulary.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from emsync.conditioning import Targets
from emsync.errors import EmsyncError, UsageError
from emsync.model.int8 import decoder as fast
from emsync.model.int8.nucleus import Doubles, draw
from emsync.model.transformer import Decoder, EventTransformer
from emsync.options import Sampling
from emsync.tokens import Ids, LogitsProcessor, Timeline, Tokenizer


class Reader:
    """The model reading a batch of pieces; the window it sees moves when the context is full.

    Then it keeps the first token, which tells the instruments, and the newest half of the others.
    """

    def __init__(self, model: EventTransformer, prefix: Mapping[str, Tensor], batch: int) -> None:
        self.prefix, self.context = prefix, model.config.context  # {name: (B, P, channels)}
        self.device, self.vocab_size = model.head.weight.device, model.config.vocab_size
        kind = fast.Decoder if fast.supported(model) else Decoder
        self.decoder = kind(model, batch)
        self.live = list(range(batch))  # pieces that are still read
        self.length = 0  # tokens in the window, T
        self.ids = torch.empty(batch, self.context + 1, dtype=torch.long)
        self.rows = {c.name: torch.empty(batch, self.context + 1, c.channels) for c in model.beside}
        self.turned: set[int] = set()  # pieces whose prefix has changed

    def turn(self, piece: int, prefix: Mapping[str, Tensor]) -> None:
        """Put {name: (P, channels)} rows before the tokens of a piece in place of the old ones."""
        for name, rows in prefix.items():
            self.prefix[name][piece] = rows
        self.turned.add(piece)

    def leave(self, pieces: Sequence[int]) -> None:
        """Read some pieces no further; their logits mean nothing from now on."""
        self.live = [piece for piece in self.live if piece not in pieces]
        self.turned.difference_update(pieces)
        self.decoder.keep(self.live)

    def read(self, ids: Tensor, rows: Mapping[str, Tensor]) -> Tensor:
        """Read (B,) tokens and the {name: (B, channels)} rows beside them; return (B, V) logits."""
        windows = [(self.ids, ids), *((self.rows[name], row) for name, row in rows.items())]
        for window, new in windows:
            window[:, self.length] = new
        self.length += 1
        moved = self.length > self.context
        if moved:
            half = self.context // 2
            for window, _ in windows:
                window[:, 1 : half + 1] = window[:, self.length - half : self.length].clone()
            self.length = half + 1
        if moved or self.length == 1:
            logits, anew = torch.zeros(len(ids), self.vocab_size), self.live
        else:
            rows = {name: row.to(self.device) for name, row in rows.items()}
            logits = self.decoder.step(ids.to(self.device), rows).float().cpu()
            anew = sorted(self.turned)
        if anew:
            logits[anew] = self._begin(anew)
        return logits

    def _begin(self, pieces: Sequence[int]) -> Tensor:
        """Read the window of some pieces anew; return the logits of their next token."""
        features = {name: rows[pieces] for name, rows in self.prefix.items()}
        for name, window in self.rows.items():
            features[name] = window[pieces, : self.length].to(self.device)
        self.turned.clear()
        ids = self.ids[pieces, : self.length].to(self.device)
        return self.decoder.begin(ids, features, pieces).float().cpu()


@torch.inference_mode()
def sample(
    model: EventTransformer,
    tokenizer: Tokenizer,
    targets: Sequence[Targets],
    durations: Sequence[float],
    seeds: Sequence[int],
    sampling: Sampling = Sampling(),
    progress: Callable[[float], None] | None = None,
) -> list[Ids]:
    """Return B pieces of (T,) tokens; piece b meets ``targets[b]`` for ``durations[b]`` seconds.

    The same seeds on the same kind of machine give the same pieces. ``progress`` is called with
    the seconds of the piece that is furthest behind. Raises EmsyncError when a piece needs more
    tokens than any music does.
    """
    batch, copies = len(targets), 1
    if sampling.guidance != 1.0:  # the same pieces are read once more with nothing asked
        targets, copies = [*targets, *(_open(model, asked) for asked in targets)], 2
    device = model.head.weight.device
    rules, never = _rules(tokenizer, sampling), list(tokenizer.never)
    chances = Chances(seeds)
    cursors = {c.name: [c.cursor(asked[c.name]) for asked in targets] for c in model.beside}
    header = tokenizer.header(2 if sampling.instruments == "fewer" else 5).tolist()
    prefixes = [_prefix(model, asked, 0.0) for asked in targets]
    turns = [_turns(model, asked) for asked in targets]
    prefix = {c.name: torch.stack([p[c.name] for p in prefixes]).to(device) for c in model.prefix}
    reader = Reader(model, prefix, batch * copies)
    seconds, mark = tokenizer.durations.tolist(), tokenizer.mark
    times = [0.0] * batch
    most = int(max(durations) * sampling.tokens_per_second) + 256  # a slow start is no standstill
    drawn = np.zeros((batch, most + len(header)), np.int64)
    told = torch.from_numpy(drawn)  # the same memory
    ends: list[int | None] = [None] * batch
    logits = torch.empty(batch, tokenizer.vocab_size)
    for t in range(most + len(header)):
        if t < len(header):
            ids = [header[t]] * batch
        else:
            logits[:, never] = -torch.inf
            for rule in rules:
                logits = rule(told[:, :t], logits)
            ids = draw(
                logits.numpy(), chances.next(), sampling.temperature, sampling.top_p, sampling.top_k
            ).tolist()
        drawn[:, t] = ids
        for b, token in enumerate(ids):
            times[b] += seconds[token]
            if times[b] >= durations[b] and ends[b] is None:
                ends[b] = t + 1
                own = range(b, batch * copies, batch)  # the piece, and where it is read once more
                reader.leave(own)
                for piece in own:
                    turns[piece] = []
        if None not in ends:
            return [drawn[b, :end] for b, end in enumerate(ends)]
        said = [(times[b], token == mark) for b, token in enumerate(ids)] * copies
        rows = {
            name: torch.tensor([asked.row(*now) for asked, now in zip(every, said, strict=True)])
            for name, every in cursors.items()
        }
        for b, ahead in enumerate(turns):
            now = times[b % batch]
            if ahead and now >= ahead[0]:
                reader.turn(b, _prefix(model, targets[b], now))
                turns[b] = [turn for turn in ahead if turn > now]
        logits = reader.read(torch.tensor(ids * copies), rows)
        if copies == 2:
            logits = guided(logits, sampling.guidance)
        if progress is not None:
            progress(min(map(min, zip(times, durations, strict=True))))
    raise EmsyncError(
        f"the music stands still: {most} tokens reach only {min(times):.1f} s of "
        f"{max(durations):.1f} s; try another seed or a lower temperature"
    )


def _prefix(model: EventTransformer, asked: Targets, now: float) -> dict[str, Tensor]:
    """Return the (P, channels) rows that stand before the tokens at ``now`` seconds."""
    moment = Timeline(np.array([now]), np.array([False]))
    return {c.name: torch.from_numpy(c.features(asked[c.name], moment)) for c in model.prefix}


def _turns(model: EventTransformer, asked: Targets) -> list[float]:
    """Return the seconds, ascending, from which what stands before the tokens is another."""
    changes = [c.changes(asked[c.name]) for c in model.prefix]
    return sorted({float(turn) for turns in changes for turn in turns if not np.isnan(turn)})


def guided(logits: Tensor, guidance: float) -> Tensor:
    """Return (B, V) logits from (2B, V): pieces as asked, then the same with nothing asked.

    Classifier-free guidance (Ho & Salimans 2021, equation 6): what the conditions change in the
    model's guess is changed ``guidance`` times as much. What normalizes either guess is the same
    for all tokens, and drops out.
    """
    asked, unasked = logits.chunk(2)
    return unasked + guidance * (asked - unasked)


def _open(model: EventTransformer, asked: Targets) -> Targets:
    """Return ``asked`` with nothing asked but the music's own time."""
    return {c.name: asked[c.name] if c.clock else c.unasked(asked[c.name])
            for c in model.conditioners}  # fmt: skip


class Chances:
    """A point in [0, 1) for each piece and token, from the piece's own seed."""

    def __init__(self, seeds: Sequence[int]) -> None:
        self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self.points: list[Doubles] = []  # (B,) each, the next one last

    def next(self) -> Doubles:
        """Return (B,) points."""
        if not self.points:
            rows = [torch.rand(256, generator=g, dtype=torch.float64) for g in self.generators]
            self.points = list(torch.stack(rows, dim=1).numpy())
        return self.points.pop()


def _rules(tokenizer: Tokenizer, sampling: Sampling) -> list[LogitsProcessor]:
    """Return the rules of musical grammar that hold."""
    rules = tokenizer.rules()
    for name in sampling.rules_off:
        if name not in rules:
            raise UsageError(f"no rule {name!r}; {tokenizer.name} has {', '.join(rules) or 'none'}")
    return [make() for name, make in rules.items() if name not in sampling.rules_off]
