"""Filters that read together say what each says in its turn."""

import numpy as np
import pytest
import torch
from torch import Tensor

from emsync.filters import Together, TokenFilter, together
from emsync.model.sampling import UniformStreams
from emsync.music.chords import Harmony, parse_chord
from emsync.music.lead_sheet import LeadSheet, Passage
from emsync.tokens import Ids, LogitsProcessor
from emsync_tokenizers import vocabulary as v
from emsync_tokenizers.events import Events

EVENTS = Events(bar_steps=256)
CHORDS = np.array([parse_chord(name) for name in ("Am", "F", "C", "G")])
SHEETS = [
    LeadSheet(
        Harmony(np.arange(4.0) * each, CHORDS),
        (Passage(0.0, 3.0, (0, 1, 3), theme="A"), Passage(3.0, 5.0, (2, 4)),
         Passage(5.0, 60.0, theme="A")),
    )
    for each in (2.048, 1.3)
]  # fmt: skip


def filters() -> list[LogitsProcessor]:
    return [*(make() for make in EVENTS.rules().values()), *EVENTS.followers(SHEETS).values()]


def scores(t: int) -> Tensor:
    return torch.randn(len(SHEETS), v.SIZE, generator=torch.Generator().manual_seed(t)) * 3


def drawn(ids: Ids, length: int, seed: int) -> Ids:
    """Return (B, length) tokens that go on from ``ids`` under all filters, made for them."""
    made, streams = together(filters()), UniformStreams([seed, seed + 1])
    for t in range(ids.shape[1], length):
        logits = scores(t)
        logits[:, v.SHIFT : v.NOTE] += 4.0
        logits[:, list(EVENTS.excluded_ids)] = -torch.inf
        for each in made:
            logits = each(torch.from_numpy(ids), logits)
        mass = logits.softmax(-1).double().cumsum(-1).numpy()
        points = streams.next() * mass[:, -1]
        new = [
            np.searchsorted(row, point, "right") for row, point in zip(mass, points, strict=True)
        ]
        ids = np.column_stack([ids, new])
    return ids


@pytest.fixture(scope="module")
def music() -> Ids:
    return drawn(np.array([[v.MORE, v.START]] * 2), 300, 0)


def asked(made: list[LogitsProcessor], ids: Ids, t: int) -> Tensor:
    found = scores(t)
    for each in made:
        found = each(torch.from_numpy(ids), found)
    return found


def test_together_they_say_to_the_bit_what_each_says_in_its_turn(music: Ids) -> None:
    (one,), apart = together(filters()), filters()
    for t in range(0, music.shape[1], 5):
        assert torch.equal(
            one(torch.from_numpy(music[:, :t]), scores(t)), asked(apart, music[:, :t], t)
        )


def test_they_say_of_a_piece_alone_what_they_say_of_it_beside_others(music: Ids) -> None:
    made = together(filters())
    (alone,) = together(
        [*(make() for make in EVENTS.rules().values()), *EVENTS.followers(SHEETS[1:]).values()]
    )
    for t in range(0, music.shape[1], 7):
        both = asked(made, music[:, :t], t)
        assert torch.equal(alone(torch.from_numpy(music[1:, :t]), scores(t)[1:]), both[1:])


class _Counted(TokenFilter[int]):
    """Reads tokens and counts them; forbids nothing."""

    def __init__(self) -> None:
        self.read = 0

    def start(self, piece: int) -> int:
        return 0

    def after(self, piece: int, state: int, token: int) -> int:
        self.read += 1
        return state + 1

    def apply(self, state: int, logits: np.ndarray) -> None:
        logits[0] = state


def test_no_token_is_read_twice() -> None:
    one, ids = _Counted(), torch.arange(200)[None]
    for t in [*range(101), 200, 200]:
        assert one(ids[:, :t], torch.zeros(1, 2))[0, 0] == t
    assert one.read == 200


@pytest.mark.parametrize("shape", [(1, 4), (2, 6)])
def test_another_batch_is_refused(shape: tuple[int, int]) -> None:
    one = _Counted()
    one(torch.zeros(1, 5, dtype=torch.long), torch.zeros(1, 2))
    with pytest.raises(ValueError, match=r"do not go on from \(1, 5\) .* make filters anew"):
        one(torch.zeros(shape, dtype=torch.long), torch.zeros(shape[0], 2))


def test_neighbours_that_can_read_together_and_no_others_do() -> None:
    def plain(input_ids: Tensor, scores: Tensor) -> Tensor:
        return scores * 2

    made = together([_Counted(), _Counted(), plain, _Counted()])
    assert [isinstance(each, Together) for each in made] == [True, False, True]
    ids, found = torch.zeros(1, 3, dtype=torch.long), torch.ones(1, 2)
    for each in made:
        found = each(ids, found)
    assert found.tolist() == [[3.0, 2.0]]
