"""What it would gain to draft tokens that repeat, and to read several at once."""

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from benchmarks.measuring import best
from benchmarks.networks import ROUNDS, stepping
from benchmarks.rules import composed_in_pairs
from emsync.model.composer import Composer
from emsync.model.int8.decoder import QuantizedDecoder
from emsync.model.transformer import EventTransformer
from emsync.options import CHECKPOINT

DRAFTS = (1, 2, 3, 4, 6, 8)  # tokens that a piece reads at once, a drafted one and more after it
LONGEST_MATCH = 8  # tokens that are looked up to draft what followed them last


def drafting(base: EventTransformer, shipped: Composer) -> dict[str, Any]:
    """Return what reading several tokens at once costs, and what drafts of music could gain by it.

    The drafts are what followed the longest match earlier in pieces that ``shipped`` composes; as
    many are read as ``gained`` finds best for the cost measured on ``base`` and on ``shipped``.
    """
    rows = [one.tolist() for one in composed_in_pairs(shipped)]
    return {
        name: {**costs, "share of drafts that are right": right(rows), "gain at best": gain}
        for name, model in (("base", base), (CHECKPOINT, shipped.model))
        for costs in [reading_at_once(model)]
        for gain in [max(gained(rows, k, costs["ratio to one token"]) for k in DRAFTS)]
    }


def reading_at_once(model: EventTransformer) -> dict[str, Any]:
    """Return the processor's seconds of a step in which one piece reads DRAFTS tokens."""
    decoder = QuantizedDecoder(model, 1)
    stepping(decoder, 1)
    read = int(decoder.lengths[0])
    rows = {c.name: np.full((max(DRAFTS), c.channels), 0.5, np.float32) for c in model.per_token}

    def step(count: int) -> None:
        decoder.lengths[0] = read
        beside = {name: row[:count] for name, row in rows.items()}
        decoder.step(np.arange(count), beside, [0] * count)

    steps = [partial(step, k) for k in DRAFTS]
    rounds = [[best(one, 10, time.process_time) for one in steps] for _ in range(ROUNDS)]
    seconds = dict(zip(DRAFTS, np.median(rounds, axis=0).tolist(), strict=True))
    return {
        "step, seconds": seconds,
        "ratio to one token": {k: seconds[k] / seconds[1] for k in DRAFTS},
    }


def foretold(ids: Sequence[int], count: int) -> Iterator[tuple[int, int]]:
    """Yield, step by step, how many tokens are drafted, ``count`` at most, and how many are right.

    A step reads the token that was drawn and its drafts, and draws one more than are right.
    """
    after: dict[tuple[int, ...], int] = {}  # what followed up to LONGEST_MATCH tokens last
    at, noted = 1, 1
    while at < len(ids):
        for end in range(noted, at):
            for n in range(1, min(LONGEST_MATCH, end) + 1):
                after[tuple(ids[end - n : end])] = ids[end]
        noted, known = at, list(ids[max(0, at - LONGEST_MATCH) : at])
        drafts: list[int] = []
        while len(drafts) < count:
            ends = (tuple(known[-n:]) for n in range(LONGEST_MATCH, 0, -1))
            draft = next((after[end] for end in ends if end in after), None)
            if draft is None:
                break
            drafts.append(draft)
            known.append(draft)
        agree = [a == b for a, b in zip(drafts, ids[at:], strict=False)]
        correct = agree.index(False) if False in agree else len(agree)
        yield len(drafts), correct
        at += correct + 1


def gained(rows: Sequence[Sequence[int]], count: int, costs: Mapping[int, float]) -> float:
    """Return the gain of reading ``count`` tokens at once over one by one, all else being free."""
    steps = [step for ids in rows for step in foretold(ids, count - 1)]
    read = [np.interp(drafted + 1, list(costs), list(costs.values())) for drafted, _ in steps]
    return float(sum(correct + 1 for _, correct in steps) / sum(read))


def right(rows: Sequence[Sequence[int]]) -> float:
    """Return the share of single drafts that are the token that was drawn."""
    steps = np.array([step for ids in rows for step in foretold(ids, 1)])
    return float(steps[:, 1].sum() / steps[:, 0].sum())
