"""Algorithm 1: draw pieces token by token until the video ends (Sulun, Viana & Davies, sec. 3.4).

Shapes: B pieces drawn side by side, T tokens read so far, V vocabulary.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from emsync.conditioning import Floats
from emsync.errors import EmsyncError, UsageError
from emsync.model import Cache, EventTransformer
from emsync.tokens import Ids, Tokenizer

Targets: TypeAlias = Mapping[str, Floats]


@dataclass(frozen=True)
class Sampling:
    """How to choose among the model's guesses."""

    temperature: float = 1.0
    top_p: float = 0.95  # the likeliest tokens that hold this share of the mass
    top_k: int = 0  # and at most so many; 0 is no limit
    guidance: float = 1.0  # above 1 what is asked weighs more, at twice the cost; see ``guided``
    instruments: Literal["fewer", "more"] = "more"  # one or two classes, or three and more
    rules_off: tuple[str, ...] = ()  # rules of musical grammar that do not hold
    tokens_per_second: int = 400  # a piece that needs more has gone astray; real songs need 60

    def __post_init__(self) -> None:
        if not (np.isfinite(self.temperature) and self.temperature > 0):
            raise UsageError(f"temperature is {self.temperature}; it must be above 0, such as 1.0")
        if not 0 < self.top_p <= 1:
            raise UsageError(f"top-p is {self.top_p}; it must be above 0 and at most 1")
        if self.top_k < 0:
            raise UsageError(f"top-k is {self.top_k}; it must be 0 (no limit) or more")
        if not (np.isfinite(self.guidance) and self.guidance >= 0):
            raise UsageError(f"guidance is {self.guidance}; it must be 0 or more, such as 1.5")
        if self.instruments not in ("fewer", "more"):
            raise UsageError(f"instruments is {self.instruments!r}, neither 'fewer' nor 'more'")


def window(read: int, context: int) -> NDArray[np.intp]:
    """Return the indices of the tokens that the model sees once ``read`` tokens are there.

    It sees all until the context is full. Then it keeps the first token, which tells the
    instruments, and the newest half, and grows again.

    >>> [window(n, 8).tolist() for n in (3, 9, 12)]
    [[0, 1, 2], [0, 5, 6, 7, 8], [0, 5, 6, 7, 8, 9, 10, 11]]
    """
    if read <= context:
        return np.arange(read)
    half = context // 2
    slides = (read - context - 1) // (context - half)
    start = context + 1 + slides * (context - half) - half
    return np.append(0, np.arange(start, read))


class Reader:
    """The model reading a batch of pieces, with its cache; the window moves when it is full."""

    def __init__(self, model: EventTransformer, prefix: Mapping[str, Tensor], batch: int) -> None:
        self.model, self.prefix = model, prefix  # {name: (B, P, channels)}
        self.cache = Cache(model, batch)
        self.ids: list[Tensor] = []  # T of (B,)
        self.rows: dict[str, list[Tensor]] = {
            c.name: [] for c in model.beside
        }  # T of (B, channels)

    def read(self, ids: Tensor, rows: Mapping[str, Tensor]) -> Tensor:
        """Read (B,) tokens and the {name: (B, channels)} rows beside them; return (B, V) logits."""
        self.ids.append(ids)
        for name, row in rows.items():
            self.rows[name].append(row)
        context = self.model.config.context
        seen = window(len(self.ids), context)
        fresh = len(self.ids) == 1 or len(seen) <= len(window(len(self.ids) - 1, context))
        if fresh:
            self.cache.length = 0
        columns = seen if fresh else seen[-1:]
        features = {
            name: torch.stack([kept[i] for i in columns], dim=1) for name, kept in self.rows.items()
        }
        tokens = torch.stack([self.ids[i] for i in columns], dim=1)  # (B, T or 1)
        return self.model(tokens, {**self.prefix, **features}, self.cache)[:, -1]


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
    processors = _processors(tokenizer, sampling)
    chances = [torch.Generator().manual_seed(seed) for seed in seeds]
    cursors = [{c.name: c.cursor(asked[c.name]) for c in model.beside} for asked in targets]
    header = tokenizer.header(2 if sampling.instruments == "fewer" else 5)
    nothing = tokenizer.timeline(header[:0])
    prefix = {
        c.name: torch.stack(
            [torch.from_numpy(c.features(asked[c.name], nothing)) for asked in targets]
        ).to(device)
        for c in model.prefix
    }
    reader = Reader(model, prefix, batch * copies)
    seconds, mark = tokenizer.durations, tokenizer.mark
    times = np.zeros(batch)
    most = int(max(durations) * sampling.tokens_per_second) + 256  # a slow start is no standstill
    drawn = torch.empty(batch, most + len(header), dtype=torch.long)
    ends = np.full(batch, -1)
    logits = torch.empty(batch, tokenizer.vocab_size)
    for t in range(most + len(header)):
        if t < len(header):
            ids = torch.full((batch,), int(header[t]))
        else:
            ids = draw(processors(drawn[:, :t], logits.float().cpu()), chances)
        drawn[:, t] = ids
        picked = ids.tolist()
        times += seconds[picked]
        ends[(times >= durations) & (ends < 0)] = t + 1
        if (ends >= 0).all():
            return [drawn[b, :end].numpy() for b, end in enumerate(ends)]
        rows = {
            c.name: torch.tensor(
                [
                    asked[c.name].row(float(times[b % batch]), picked[b % batch] == mark)
                    for b, asked in enumerate(cursors)
                ],
                dtype=torch.float32,
                device=device,
            )
            for c in model.beside
        }
        logits = reader.read(ids.repeat(copies).to(device), rows)
        if copies == 2:
            logits = guided(logits, sampling.guidance)
        if progress is not None:
            progress(float(np.min(np.minimum(times, durations))))
    raise EmsyncError(
        f"the music stands still: {most} tokens reach only {times.min():.1f} s of "
        f"{max(durations):.1f} s; try another seed or a lower temperature"
    )


def guided(logits: Tensor, guidance: float) -> Tensor:
    """Return (B, V) logits from (2B, V): pieces as asked, then the same with nothing asked.

    Classifier-free guidance (Ho & Salimans 2021, equation 6): what the conditions change in the
    model's guess is changed ``guidance`` times as much.
    """
    asked, unasked = logits.float().log_softmax(-1).chunk(2)
    return unasked + guidance * (asked - unasked)


def _open(model: EventTransformer, asked: Targets) -> Targets:
    """Return ``asked`` with nothing asked but the music's own time."""
    return {c.name: asked[c.name] if c.clock else c.unasked(asked[c.name])
            for c in model.conditioners}  # fmt: skip


def draw(scores: Tensor, chances: Sequence[torch.Generator]) -> Tensor:
    """Draw (B,) tokens from (B, V) filtered logits, piece b with its own ``chances[b]``."""
    mass = scores.softmax(-1).double().cumsum(-1)
    points = torch.stack([torch.rand(1, generator=c, dtype=torch.float64) for c in chances])
    # below the total, so that the draw never falls on a token without mass
    points = points * mass[:, -1:]
    return torch.searchsorted(mass, points, right=True)[:, 0].clamp_(max=scores.shape[-1] - 1)


def _processors(tokenizer: Tokenizer, sampling: Sampling) -> Any:
    """Return transformers' list of processors: the grammar first, then the choice."""
    from transformers.generation.logits_process import (
        LogitsProcessorList,
        SuppressTokensLogitsProcessor,
        TemperatureLogitsWarper,
        TopKLogitsWarper,
        TopPLogitsWarper,
    )

    rules = tokenizer.rules()
    for name in sampling.rules_off:
        if name not in rules:
            raise UsageError(f"no rule {name!r}; {tokenizer.name} has {', '.join(rules) or 'none'}")
    chain = LogitsProcessorList()
    if len(tokenizer.never):
        chain.append(SuppressTokensLogitsProcessor(list(tokenizer.never), device="cpu"))
    chain.extend(make() for name, make in rules.items() if name not in sampling.rules_off)
    if sampling.temperature != 1.0:
        chain.append(TemperatureLogitsWarper(sampling.temperature))
    if sampling.top_k:
        chain.append(TopKLogitsWarper(sampling.top_k))
    if sampling.top_p < 1.0:
        chain.append(TopPLogitsWarper(sampling.top_p))
    return chain
