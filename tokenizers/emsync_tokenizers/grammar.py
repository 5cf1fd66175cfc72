"""Rules of musical grammar: filters that forbid the next tokens that no piece can contain.

Each can stand in a list of transformers' logits processors; together they read every token once.
What a rule forbids is a row of penalties, made before or kept up to date, so a rule costs a
microsecond a token.

Shapes: V vocabulary.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from emsync.plugin import BEATS, CLASSES, LOWEST, Floats, TokenFilter
from emsync_tokenizers import vocabulary as v
from emsync_tokenizers.keys import SILENT, Keys, played

# notes of one class at once, two players' included; in Lakh songs one ON in a thousand is beyond
VOICES = {"drums": 8, "bass": 3, "guitar": 8, "piano": 10, "strings": 12}

# seconds: in Lakh songs one note in two hundred is longer
LONGEST = {"drums": 0.25, "bass": 3.0, "guitar": 3.0, "piano": 4.0, "strings": 6.0}
PER_BEAT = 24  # moments of Lakh Pianoroll
STARTS = (0, 6, 8, 12, 16, 18)  # of those, where notes begin: sixteenths and triplets

_LONGEST = [round(LONGEST[name] * v.STEPS_PER_SECOND) for name in CLASSES]
_VOICES = [VOICES[name] for name in CLASSES]
_NOTES = len(CLASSES) * v.KEYS
NONE = -1  # in the place of a token

S = TypeVar("S")


class Rule(TokenFilter[S]):
    """Sets the logits of impossible tokens to minus infinity."""

    @abstractmethod
    def penalties(self, state: S) -> Floats | None:
        """Return (V,) minus infinity for what cannot come next, 0 for all else; None for all 0."""

    def apply(self, state: S, logits: Floats) -> None:
        penalties = self.penalties(state)
        if penalties is not None:
            logits += penalties


class Sounding(Rule[Floats]):
    """No OFF for a note that does not sound; the state is the penalties."""

    def start(self, piece: int) -> Floats:
        nothing = np.zeros(v.SIZE, np.float32)
        v.notes(nothing)[:, 1] = -np.inf
        return nothing

    def after(self, piece: int, state: Floats, token: int) -> Floats:
        if token < v.NOTE:
            return state
        _, _, begins = v.parts(token)
        changed = state.copy()
        changed[token + v.KEYS if begins else token] = 0.0 if begins else -np.inf
        return changed

    def penalties(self, state: Floats) -> Floats:
        return state


class Polyphony(Rule[Keys]):
    """No more notes at once than an instrument has voices; the state is the keys that sound."""

    def start(self, piece: int) -> Keys:
        return SILENT

    def after(self, piece: int, state: Keys, token: int) -> Keys:
        return played(state, *v.parts(token)) if token >= v.NOTE else state

    def penalties(self, state: Keys) -> Floats | None:
        full = [c for c, keys in enumerate(state) if len(keys) >= _VOICES[c]]
        return _no_more(*full) if full else None


@cache
def _no_more(*full: int) -> Floats:
    """Return the (V,) penalties of the ONs of some instruments."""
    penalties = np.zeros(v.SIZE, np.float32)
    v.notes(penalties)[list(full), 0] = -np.inf
    return penalties


class _Lengths(NamedTuple):
    """Notes are counted in the order of their OFFs."""

    now: int = 0  # steps
    until: Mapping[int, int] = MappingProxyType({})  # steps at which notes are longer than real
    first: int = 0  # OFFs from this note's on can come


class Length(Rule[_Lengths]):
    """A note that is longer than real ones ends before time moves on.

    It has to end at the beginning of an instant, where the OFFs stand.
    """

    def start(self, piece: int) -> _Lengths:
        return _Lengths()

    def after(self, piece: int, state: _Lengths, token: int) -> _Lengths:
        if token < v.SHIFT:
            return _Lengths(state.now, state.until, _NOTES)
        if token < v.NOTE:
            return _Lengths(state.now + token - v.SHIFT + 1, state.until)
        instrument, key, begins = v.parts(token)
        note = instrument * v.KEYS + key
        until = {**state.until, note: state.now + _LONGEST[instrument]}
        if not begins:
            del until[note]
        return _Lengths(state.now, until, _NOTES if begins else note + 1)

    def penalties(self, state: _Lengths) -> Floats | None:
        now, until, first = state
        if first == _NOTES:
            return None
        late = [note for note, step in until.items() if step <= now and note >= first]
        return _nothing_but(min(late)) if late else None  # the lowest, so that all can follow


@cache
def _nothing_but(note: int) -> Floats:
    """Return the (V,) penalties of all but the OFF of a note."""
    penalties = np.full(v.SIZE, -np.inf, np.float32)
    penalties[v.off(note // v.KEYS, LOWEST + note % v.KEYS)] = 0.0
    return penalties


class _InBar(NamedTuple):
    step: int = 0  # since the bar line
    barred: bool = False  # the BAR of this line has come
    sounding: Keys = SILENT


class Metre(Rule[_InBar]):
    """Bars of one length: a BAR on each line, none passed over, and every moment on their grid.

    Moments are the 24 to a beat of Lakh Pianoroll; notes begin on sixteenths and triplets.
    """

    def __init__(self, bar: int) -> None:
        self.bar = bar  # steps
        # where nothing sounds, time moves to where notes may begin, or nothing could follow
        self.silent, self.busy = _in_bar(bar, STARTS), _in_bar(bar, range(PER_BEAT))
        self.line = np.full(v.SIZE, -np.inf, np.float32)
        self.line[v.BAR] = v.notes(self.line)[:, 1] = 0.0  # only OFFs come before the BAR

    def start(self, piece: int) -> _InBar:
        return _InBar()

    def after(self, piece: int, state: _InBar, token: int) -> _InBar:
        step, barred, sounding = state
        if token >= v.NOTE:
            return _InBar(step, barred, played(sounding, *v.parts(token)))
        if token >= v.SHIFT:
            return _InBar((step + token - v.SHIFT + 1) % self.bar, False, sounding)
        return _InBar(step, True, sounding) if token == v.BAR else state

    def penalties(self, state: _InBar) -> Floats:
        step, barred, sounding = state
        if step == 0 and not barred:
            return self.line
        penalties: Floats = (self.busy if any(sounding) else self.silent)[step]
        return penalties


@cache
def _in_bar(bar: int, moments: Sequence[int]) -> Floats:
    """Return the (bar, V) penalties at each step, with time on ``moments`` of a beat."""

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
            v.notes(mask[step])[:, 0] = True
    return penalized(mask)


class Succession(Rule[int]):
    """A token may come only after certain others; the state is the one before, at first none.

    ``forbidden`` are the (V, V) penalties, by the token before.
    """

    def __init__(self, forbidden: Floats) -> None:
        self.forbidden = forbidden

    def start(self, piece: int) -> int:
        return NONE

    def after(self, piece: int, state: int, token: int) -> int:
        return token

    def penalties(self, state: int) -> Floats | None:
        return None if state == NONE else self.forbidden[state]


class Order(Succession):
    """At one instant OFFs, BAR, CHORD, then ONs, each once and ascending; then time passes.

    So no run without a TIMESHIFT is endless. Only a whole second may be followed by another shift.
    """

    def __init__(self) -> None:
        super().__init__(_out_of_order())


@cache
def _out_of_order() -> Floats:
    """Return the (V, V) penalties of each second token after the first."""
    token = np.arange(v.SIZE)
    instant = np.isin(token, (v.BAR, v.CHORD)) | (token >= v.NOTE)  # what stands at one instant
    on = (token >= v.NOTE) & ((token - v.NOTE) % (2 * v.KEYS) < v.KEYS)
    rank = np.select([token == v.BAR, token == v.CHORD, on], [1, 2, 3], 0)
    place = rank * v.SIZE + token
    backwards = instant[:, None] & instant & (place <= place[:, None])
    shift = (token >= v.SHIFT) & (token < v.NOTE)
    again = (shift & (token < v.NOTE - 1))[:, None] & shift
    return penalized(backwards | again)


def penalized(forbidden: NDArray[np.bool_]) -> Floats:
    """Return minus infinity for what is forbidden, 0 for all else."""
    return np.where(forbidden, np.float32(-np.inf), np.float32(0.0))


RULES: dict[str, type[Rule[Any]]] = {
    "sounding": Sounding,
    "polyphony": Polyphony,
    "length": Length,
    "order": Order,
}
