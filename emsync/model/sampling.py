"""Algorithm 1: draw pieces token by token until the video ends (Sulun, Viana & Davies, sec. 3.1).

Shapes: B pieces drawn side by side, T tokens so far, P prefix vectors, V vocabulary.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from emsync.conditioning import Targets
from emsync.errors import EmsyncError, UsageError
from emsync.model.int8 import decoder as int8
from emsync.model.int8.nucleus import Doubles, draw
from emsync.model.transformer import Decoder, EventTransformer
from emsync.options import Sampling
from emsync.tokens import Ids, LogitsProcessor, Timeline, Tokenizer


class SlidingWindowDecoder:
    """Decodes a batch of pieces of any length: the window moves when the context is full.

    The first token, which tells the instruments, and the newest half of the context stay in it.
    """

    def __init__(self, model: EventTransformer, prefix: Mapping[str, Tensor], batch: int) -> None:
        self.prefix, self.context = prefix, model.config.context  # {name: (B, P, channels)}
        self.device, self.vocab_size = model.head.weight.device, model.config.vocab_size
        kind = int8.QuantizedDecoder if int8.supported(model) else Decoder
        self.decoder = kind(model, batch)
        self.active = list(range(batch))  # pieces that are not finished
        self.length = 0  # tokens in the window, T
        self.ids = torch.empty(batch, self.context + 1, dtype=torch.long)
        self.rows = {
            c.name: torch.empty(batch, self.context + 1, c.channels) for c in model.per_token
        }
        self.stale: set[int] = set()  # pieces whose prefix has changed since they were read

    def update_prefix(self, piece: int, prefix: Mapping[str, Tensor]) -> None:
        """Replace the prefix of a piece by {name: (P, channels)} rows, from the next step on."""
        for name, rows in prefix.items():
            self.prefix[name][piece] = rows
        self.stale.add(piece)

    def finish(self, pieces: Sequence[int]) -> None:
        """Decode some pieces no further; their logits are undefined from now on."""
        self.active = [piece for piece in self.active if piece not in pieces]
        self.stale.difference_update(pieces)
        self.decoder.set_active(self.active)

    def step(self, ids: Tensor, rows: Mapping[str, Tensor]) -> Tensor:
        """Read (B,) tokens and their {name: (B, channels)} features; return (B, V) logits."""
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
            logits, anew = torch.zeros(len(ids), self.vocab_size), self.active
        else:
            rows = {name: row.to(self.device) for name, row in rows.items()}
            logits = self.decoder.step(ids.to(self.device), rows).float().cpu()
            anew = sorted(self.stale)
        if anew:
            logits[anew] = self._prefill(anew)
        return logits

    def _prefill(self, pieces: Sequence[int]) -> Tensor:
        """Read the windows of some pieces anew; return the (P, V) logits of their next tokens."""
        features = {name: rows[pieces] for name, rows in self.prefix.items()}
        for name, window in self.rows.items():
            features[name] = window[pieces, : self.length].to(self.device)
        self.stale.clear()
        ids = self.ids[pieces, : self.length].to(self.device)
        return self.decoder.prefill(ids, features, pieces).float().cpu()


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
    """Return B pieces of (T,) tokens, conditioned on ``targets[b]``, of ``durations[b]`` seconds.

    The same seeds on the same kind of machine give the same pieces. ``progress`` is called with
    the seconds of the piece that is furthest behind. Raises EmsyncError when a piece needs more
    than ``sampling.tokens_per_second``, as music that stands still does.
    """
    batch, copies = len(targets), 1
    if sampling.guidance != 1.0:  # the same pieces are decoded once more, unconditionally
        targets, copies = [*targets, *(_null_targets(model, target) for target in targets)], 2
    device = model.head.weight.device
    rules, excluded = _rules(tokenizer, sampling), list(tokenizer.excluded_ids)
    streams = UniformStreams(seeds)
    cursors = {c.name: [c.cursor(target[c.name]) for target in targets] for c in model.per_token}
    header = tokenizer.header(2 if sampling.instruments == "fewer" else 5).tolist()
    prefixes = [_prefix(model, target, 0.0) for target in targets]
    changes = [_prefix_changes(model, target) for target in targets]
    prefix = {c.name: torch.stack([p[c.name] for p in prefixes]).to(device) for c in model.prefix}
    decoder = SlidingWindowDecoder(model, prefix, batch * copies)
    seconds, mark = tokenizer.durations.tolist(), tokenizer.mark
    times = [0.0] * batch
    limit = int(max(durations) * sampling.tokens_per_second) + 256  # tokens; a start may be slow
    drawn = np.zeros((batch, limit + len(header)), np.int64)
    so_far = torch.from_numpy(drawn)  # the same memory
    ends: list[int | None] = [None] * batch
    logits = torch.empty(batch, tokenizer.vocab_size)
    for t in range(limit + len(header)):
        if t < len(header):
            ids = [header[t]] * batch
        else:
            logits[:, excluded] = -torch.inf
            for rule in rules:
                logits = rule(so_far[:, :t], logits)
            ids = draw(
                logits.numpy(), streams.next(), sampling.temperature, sampling.top_p, sampling.top_k
            ).tolist()
        drawn[:, t] = ids
        for b, token in enumerate(ids):
            times[b] += seconds[token]
            if times[b] >= durations[b] and ends[b] is None:
                ends[b] = t + 1
                own = range(b, batch * copies, batch)  # the piece and its unconditional copy
                decoder.finish(own)
                for piece in own:
                    changes[piece] = []
        if None not in ends:
            return [drawn[b, :end] for b, end in enumerate(ends)]
        moments = [(times[b], token == mark) for b, token in enumerate(ids)] * copies
        rows = {
            name: torch.tensor([cursor.row(*now) for cursor, now in zip(row, moments, strict=True)])
            for name, row in cursors.items()
        }
        for b, ahead in enumerate(changes):
            now = times[b % batch]
            if ahead and now >= ahead[0]:
                decoder.update_prefix(b, _prefix(model, targets[b], now))
                changes[b] = [time for time in ahead if time > now]
        logits = decoder.step(torch.tensor(ids * copies), rows)
        if copies == 2:
            logits = guided(logits, sampling.guidance)
        if progress is not None:
            progress(min(map(min, zip(times, durations, strict=True))))
    raise EmsyncError(
        f"the music stands still: {limit} tokens reach only {min(times):.1f} s of "
        f"{max(durations):.1f} s; try another seed or a lower temperature"
    )


def _prefix(model: EventTransformer, target: Targets, now: float) -> dict[str, Tensor]:
    """Return the {name: (P, channels)} rows of the prefix at ``now`` seconds."""
    moment = Timeline(np.array([now]), np.array([False]))
    return {c.name: torch.from_numpy(c.features(target[c.name], moment)) for c in model.prefix}


def _prefix_changes(model: EventTransformer, target: Targets) -> list[float]:
    """Return the seconds, ascending, from which the prefix is another."""
    changes = [c.changes(target[c.name]) for c in model.prefix]
    return sorted({float(time) for times in changes for time in times if not np.isnan(time)})


def guided(logits: Tensor, guidance: float) -> Tensor:
    """Return (B, V) logits from (2B, V): conditional ones, then the unconditional of the same.

    Classifier-free guidance (Ho & Salimans 2021, equation 6) multiplies by ``guidance`` what the
    conditions change. The constants that normalize the logits cancel.
    """
    conditional, unconditional = logits.chunk(2)
    return unconditional + guidance * (conditional - unconditional)


def _null_targets(model: EventTransformer, targets: Targets) -> Targets:
    """Return ``targets`` with nothing requested but the conditions that are always on."""
    return {c.name: targets[c.name] if c.always_on else c.null_target(targets[c.name])
            for c in model.conditioners}  # fmt: skip


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


def _rules(tokenizer: Tokenizer, sampling: Sampling) -> list[LogitsProcessor]:
    """Return the grammar rules that are on, made for one batch."""
    rules = tokenizer.rules()
    for name in sampling.rules_off:
        if name not in rules:
            raise UsageError(f"no rule {name!r}; {tokenizer.name} has {', '.join(rules) or 'none'}")
    return [make() for name, make in rules.items() if name not in sampling.rules_off]
