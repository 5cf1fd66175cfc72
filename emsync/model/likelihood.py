"""How likely a model holds the tokens of a passage, as it is conditioned and without rules."""

from collections.abc import Sequence

import numpy as np
import torch

from emsync.conditioning import Targets
from emsync.model.sliding_window import NOTHING, Excerpt, with_given
from emsync.model.transformer import EventTransformer
from emsync.tokens import Ids, Timeline, Tokenizer


@torch.no_grad()
def log_likelihood(
    model: EventTransformer,
    tokenizer: Tokenizer,
    targets: Targets,
    ids: Ids,
    first: int,
    given: Excerpt = NOTHING,
) -> float:
    """Return the mean log probability of the tokens from index ``first`` of (T,) ``ids`` on.

    Read are what is given, the piece's first token and as many of the last ones as the context
    holds; ``targets`` are those of the whole piece.
    """
    size = model.config.context - len(given)
    timeline = tokenizer.timeline(ids)
    read = np.arange(len(ids) - 1)
    if len(read) > size:
        read = np.append(0, read[len(read) - size + 1 :])
    begin = Timeline(timeline.times[first - 1 : first], np.zeros(1, np.bool_))
    prefix = {c.name: c.features(targets[c.name], begin) for c in model.prefix}
    rows = {c.name: c.features(targets[c.name], timeline)[read] for c in model.per_token}
    window = with_given(model, Excerpt(ids[read], rows), given)
    device = model.head.weight.device
    features = {
        name: torch.from_numpy(row)[None].to(device)
        for name, row in {**prefix, **window.rows}.items()
    }
    logits = model(torch.from_numpy(window.ids)[None].to(device), features)[0, len(given) :]
    scores = logits.float().log_softmax(-1).cpu().numpy()
    at: Sequence[int] = np.flatnonzero(read >= first - 1).tolist()
    return float(np.mean([scores[i, ids[read[i] + 1]] for i in at]))
