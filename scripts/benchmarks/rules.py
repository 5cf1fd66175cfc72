"""What the rules of grammar and the lead sheet cost a token."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from benchmarks.measuring import best
from emsync.filters import together
from emsync.model.composer import Composer
from emsync.music.chords import Harmony, parse_chord
from emsync.music.lead_sheet import LeadSheet, Passage
from emsync.music.piece import BASS, PIANO, STRINGS
from emsync.tokens import Ids, LogitsProcessor

RULED = 32.0  # seconds of music composed after a lead sheet


def ruling(composer: Composer) -> dict[str, Any]:
    """Return what rules and lead sheet cost a token, against all that composing does for it.

    Two pieces are composed as they come, then read once more by the filters alone, together as
    sampling has them.
    """
    sheets, compose = lead_sheets(), partial(composed_in_pairs, composer)
    rows = compose()
    length, longest = min(map(len, rows)), max(map(len, rows))
    ids = torch.from_numpy(np.stack([row[:length] for row in rows]))
    scores = torch.zeros(2, composer.tokenizer.vocab_size)

    def reading(make: Callable[[], Sequence[LogitsProcessor]]) -> float:
        def read() -> None:
            filters = make()
            for t in range(1, length):
                for each in filters:
                    each(ids[:, :t], scores)

        return best(read) / length

    def grammar() -> list[LogitsProcessor]:
        return [make() for make in composer.tokenizer.rules().values()]

    def everything() -> list[LogitsProcessor]:
        return [*grammar(), *composer.tokenizer.followers(sheets).values()]

    composing, all_of_them = best(compose, 2) / longest, reading(lambda: together(everything()))
    ruled, apart = reading(lambda: together(grammar())), reading(everything)
    return {
        "tokens": longest,
        "composing, microseconds a token": composing * 1e6,
        "rules and lead sheet, microseconds a token": all_of_them * 1e6,
        "baseline rules of grammar alone, microseconds a token": ruled * 1e6,
        "baseline each filter apart, microseconds a token": apart * 1e6,
        "ratio to each apart": all_of_them / apart,
    }


def composed_in_pairs(composer: Composer) -> list[Ids]:
    """Return the tokens of two pieces that follow ``lead_sheets``."""
    targets = [composer.null_targets(RULED)] * 2
    return [one.ids for one in composer.sample(targets, [RULED] * 2, [0, 1], sheets=lead_sheets())]


def lead_sheets() -> list[LeadSheet]:
    """Return a lead sheet of RULED seconds for each of two pieces, whose second half is louder."""
    bars = np.arange(0.0, RULED, 2.0)
    quiet, loud = Passage(0.0, RULED / 2, (BASS, PIANO, STRINGS)), Passage(RULED / 2, RULED)
    chords = np.resize([parse_chord(name) for name in ("Am", "F", "C", "G")], len(bars))
    return [LeadSheet(Harmony(bars, chords), (quiet, loud))] * 2
