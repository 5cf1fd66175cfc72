"""Rules of musical grammar: filters that forbid the next tokens that no piece can contain.

Each rule is called as transformers' logits processors are, and can stand in a list of theirs. It is
made anew for each batch, reads every token once, and keeps one mask up to date, so a rule costs
microseconds a token.

Shapes: B pieces drawn side by side, T tokens read so far, V vocabulary.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from emsync.plugin import BEATS, CLASSES, LOWEST
from emsync_tokenizers import vocabulary as v

# notes of one class at once, two players' included; in Lakh songs one ON in a thousand is beyond
VOICES = {"drums": 8, "bass": 3, "guitar": 8, "piano": 10, "strings": 12}

# seconds: in Lakh songs one note in two hundred is longer
LONGEST = {"drums": 0.25, "bass": 3.0, "guitar": 3.0, "piano": 4.0, "strings": 6.0}
PER_BEAT = 24  # moments of Lakh Pianoroll
STARTS = (0, 6, 8, 12, 16, 18)  # of those, where notes begin: sixteenths and triplets
NEVER = 2**40  # a step later than all others

_LONGEST = [round(LONGEST[name] * v.STEPS_PER_SECOND) for name in CLASSES]
_OFFS = np.array([v.off(c, LOWEST + k) for c in range(len(CLASSES)) for k in range(v.KEYS)])


class Rule(ABC):
    """Set the logits of impossible tokens to minus infinity; for scores on the CPU."""

    def __init__(self, vocab_size: int = v.SIZE) -> None:
        self.vocab_size = vocab_size
        self.seen = 0  # tokens read
        self.mask = np.zeros((0, vocab_size), np.bool_)  # (B, V) what cannot come next

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Return (B, V) scores after (B, T) tokens, of which only the new ones are read."""
        if not len(self.mask):
            self.mask = np.zeros((len(input_ids), self.vocab_size), np.bool_)
            self.begin()
        for at in range(self.seen, input_ids.shape[1]):
            self.read(input_ids[:, at].tolist())
        self.seen = input_ids.shape[1]
        return scores.masked_fill(torch.from_numpy(self.mask), -torch.inf)

    def begin(self) -> None:  # noqa: B027  (most rules forbid nothing yet)
        """Set up the mask of the first token."""

    @abstractmethod
    def read(self, ids: Sequence[int]) -> None:
        """Update the mask after B new tokens."""


class Sounding(Rule):
    """No OFF for a note that does not sound."""

    def begin(self) -> None:
        _notes(self.mask)[:, :, 1] = True  # nothing sounds

    def read(self, ids: Sequence[int]) -> None:
        for row, token in enumerate(ids):
            if token >= v.NOTE:
                _, place = divmod(token - v.NOTE, 2 * v.KEYS)
                begins = place < v.KEYS
                self.mask[row, token + v.KEYS if begins else token] = not begins


class Polyphony(Rule):
    """No more notes at once than an instrument has voices."""

    def begin(self) -> None:
        shape = (len(self.mask), len(CLASSES))
        self.sounding = np.zeros((*shape, v.KEYS), np.bool_)
        self.count = np.zeros(shape, np.int64)

    def read(self, ids: Sequence[int]) -> None:
        for row, token in enumerate(ids):
            if token >= v.NOTE:
                instrument, place = divmod(token - v.NOTE, 2 * v.KEYS)
                begins, key = place < v.KEYS, place % v.KEYS
                if self.sounding[row, instrument, key] != begins:
                    self.sounding[row, instrument, key] = begins
                    self.count[row, instrument] += 1 if begins else -1
                    full = self.count[row, instrument] >= VOICES[CLASSES[instrument]]
                    _notes(self.mask)[row, instrument, 0] = full


class Length(Rule):
    """A note that is longer than real ones ends before time moves on.

    It has to end at the beginning of an instant, where the OFFs stand.
    """

    def begin(self) -> None:
        self.now = np.zeros(len(self.mask), np.int64)  # (B,) steps
        # (B, 440) the step at which a note, in the order of the OFFs, is longer than real ones
        self.until = np.full((len(self.mask), _OFFS.size), NEVER)
        self.ended = np.zeros(len(self.mask), np.int64)  # (B,) OFFs from this one on can come
        self.forbid = np.zeros(len(self.mask), np.bool_)  # (B,) whether the mask forbids anything

    def read(self, ids: Sequence[int]) -> None:
        for row, token in enumerate(ids):
            self.ended[row] = len(_OFFS)
            if v.SHIFT <= token < v.NOTE:
                self.now[row] += token - v.SHIFT + 1
                self.ended[row] = 0
            elif token >= v.NOTE:
                instrument, place = divmod(token - v.NOTE, 2 * v.KEYS)
                begins = place < v.KEYS
                note = instrument * v.KEYS + place % v.KEYS
                self.until[row, note] = self.now[row] + _LONGEST[instrument] if begins else NEVER
                if not begins:
                    self.ended[row] = note + 1
        overdue = self.until <= self.now[:, None]
        late = overdue.any(axis=1)
        self.mask[self.forbid] = False
        self.forbid[:] = False
        for row in np.flatnonzero(late).tolist():
            offs = _OFFS[self.ended[row] :][overdue[row, self.ended[row] :]]
            if len(offs):
                self.forbid[row] = True
                self.mask[row] = True
                self.mask[row, offs[0]] = False  # the lowest first, so that all can follow


class Metre(Rule):
    """Bars of one length: a BAR on each line, none passed over, and every moment on their grid.

    Moments are the 24 to a beat of Lakh Pianoroll; notes begin on sixteenths and triplets.
    """

    def __init__(self, bar: int) -> None:
        super().__init__()
        self.bar = bar  # steps
        self.silent, self.busy = _in_bar(bar, STARTS), _in_bar(bar, range(PER_BEAT))

    def begin(self) -> None:
        self.step = np.zeros(len(self.mask), np.int64)  # (B,) steps since the bar line
        self.barred = np.zeros(len(self.mask), np.bool_)  # (B,) the BAR of this line has come
        self.sounding: list[set[int]] = [set() for _ in self.mask]  # ON tokens
        self.read([v.START] * len(self.mask))

    def read(self, ids: Sequence[int]) -> None:
        for row, token in enumerate(ids):
            if v.SHIFT <= token < v.NOTE:
                self.step[row] = (self.step[row] + token - v.SHIFT + 1) % self.bar
                self.barred[row] = False
            elif token == v.BAR:
                self.barred[row] = True
            elif token >= v.NOTE:
                begins = (token - v.NOTE) % (2 * v.KEYS) < v.KEYS
                (self.sounding[row].add if begins else self.sounding[row].discard)(
                    token if begins else token - v.KEYS
                )
            # where nothing sounds, time moves to where notes may begin, or nothing could follow
            self.mask[row] = (self.busy if self.sounding[row] else self.silent)[self.step[row]]
            if self.step[row] == 0 and not self.barred[row]:  # only OFFs come before the BAR
                self.mask[row] = True
                self.mask[row, v.BAR] = False
                _notes(self.mask[row : row + 1])[0, :, 1] = False


@cache
def _in_bar(bar: int, moments: Sequence[int]) -> NDArray[np.bool_]:
    """Return (bar, V): what is forbidden at each step, with time on ``moments`` of a beat."""

    def steps(places: Sequence[int]) -> NDArray[np.int64]:
        beats = np.arange(BEATS)[:, None] + np.array(places) / PER_BEAT
        return np.round(beats * bar / BEATS).astype(np.int64) % bar

    mask = np.zeros((bar, v.SIZE), np.bool_)
    waits = np.arange(1, v.LONGEST + 1)
    for step in range(bar):
        to = step + waits
        off_grid = ~np.isin(to % bar, steps(moments)) & (waits < v.LONGEST)
        mask[step, v.SHIFT : v.NOTE] = off_grid | (to > bar)
        mask[step, v.BAR] = step > 0
        if step not in steps(STARTS):
            mask[step, v.CHORD] = True
            _notes(mask[step : step + 1])[0, :, 0] = True
    return mask


class Succession(Rule):
    """A token may come only after certain others; ``forbidden`` is (V, V), by the one before."""

    def __init__(self, forbidden: NDArray[np.bool_]) -> None:
        super().__init__(len(forbidden))
        self.forbidden = forbidden

    def read(self, ids: Sequence[int]) -> None:
        self.mask = self.forbidden[ids]


class Order(Succession):
    """At one instant OFFs, BAR, CHORD, then ONs, each once and ascending; then time passes.

    So no run without a TIMESHIFT is endless. Only a whole second may be followed by another shift.
    """

    def __init__(self) -> None:
        super().__init__(_out_of_order())


@cache
def _out_of_order() -> NDArray[np.bool_]:
    """Return (V, V): whether the second token cannot follow the first."""
    token = np.arange(v.SIZE)
    instant = np.isin(token, (v.BAR, v.CHORD)) | (token >= v.NOTE)  # what stands at one instant
    on = (token >= v.NOTE) & ((token - v.NOTE) % (2 * v.KEYS) < v.KEYS)
    rank = np.select([token == v.BAR, token == v.CHORD, on], [1, 2, 3], 0)
    place = rank * v.SIZE + token
    backwards = instant[:, None] & instant & (place <= place[:, None])
    shift = (token >= v.SHIFT) & (token < v.NOTE)
    again = (shift & (token < v.NOTE - 1))[:, None] & shift
    return backwards | again


def _notes(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the (B, 5, 2, 88) view of the notes in a (B, V) mask: instrument, ON or OFF, key."""
    return mask[:, v.NOTE :].reshape(len(mask), len(CLASSES), 2, v.KEYS)


RULES: dict[str, type[Rule]] = {
    "sounding": Sounding,
    "polyphony": Polyphony,
    "length": Length,
    "order": Order,
}
