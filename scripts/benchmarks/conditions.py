"""What conditions cost a step: those that are told, and guidance by them."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from benchmarks.measuring import best
from benchmarks.networks import ADDED, BASE, ROUNDS, SMALL, random_network, stepping
from emsync.model.int8.decoder import QuantizedDecoder


def telling() -> dict[str, Any]:
    """Return what ADDED conditions and a norm cost a decoding step, against a network without."""
    return {
        f"{name}, {batch} at once": told_and_not(shape, batch)
        for name, shape in (("small", SMALL), ("base", BASE))
        for batch in (1, 2)
    }


def told_and_not(shape: Mapping[str, int], batch: int) -> dict[str, Any]:
    """Return seconds and bytes of a network's steps with and without ADDED and ``qk_norm``."""
    more, less = (QuantizedDecoder(random_network(shape, added), batch) for added in (ADDED, ()))
    steps = stepping(more, batch), stepping(less, batch)
    rounds = [[best(step, 15) for step in steps] for _ in range(ROUNDS)]
    told, plain = map(min, zip(*rounds, strict=True))
    return {
        "step, seconds": told,
        "baseline born conditions only, no norm, seconds": plain,
        "ratio": told / plain,
        "memory, bytes": held(more),
        "ratio of memory": held(more) / held(less),
    }


def guiding() -> dict[str, Any]:
    """Return what guidance costs a step: a token is read with the conditions and without."""
    return {name: guided_and_not(shape) for name, shape in (("small", SMALL), ("base", BASE))}


def guided_and_not(shape: Mapping[str, int]) -> dict[str, Any]:
    """Return one thread's own seconds for a step of both copies of a piece, and of one."""
    model, threads = random_network(shape, ADDED), torch.get_num_threads()
    torch.set_num_threads(1)
    steps = [stepping(QuantizedDecoder(model, copies), copies) for copies in (2, 1)]
    rounds = [[best(step, 15, time.thread_time) for step in steps] for _ in range(ROUNDS)]
    torch.set_num_threads(threads)
    both, one = map(min, zip(*rounds, strict=True))
    ratio = float(np.median([first / second for first, second in rounds]))
    return {"step, seconds": both, "baseline unguided, seconds": one, "ratio": ratio}


def held(decoder: QuantizedDecoder) -> int:
    """Return the bytes of all weights and of the cache of a decoder."""

    def size(part: Any) -> int:
        return sum(map(size, part)) if isinstance(part, tuple) else getattr(part, "nbytes", 0)

    return size((decoder.network, decoder.cache, decoder.inputs, decoder.tokens))
