"""Laws of the towers of films, sound and notes."""

import pytest
import torch
from torch import Tensor

from emsync.errors import UsageError
from emsync.sound.mel import BANDS
from emsync.synchrony.adaptors import ADAPTORS
from emsync.synchrony.notes import COLUMNS
from emsync.synchrony.seen import HEIGHT, WIDTH
from emsync.synchrony.towers import (
    MOVES,
    REACH,
    TowerConfig,
    Towers,
    held,
    stacked,
)

SMOKE = TowerConfig(dimensions=16, width=16, channels=4)
AROUND = 2 * REACH + 1  # rows to either side that one row of a film depends on, its stack included


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def towers(config: TowerConfig = SMOKE) -> Towers:
    torch.manual_seed(0)
    return Towers(config).eval()


def luma(films: int, rows: int, seed: int = 0) -> Tensor:
    return (255 * drawn(films, rows, HEIGHT, WIDTH, seed=seed)).byte()


@pytest.mark.parametrize("rows", [1, 2, 31])
def test_each_tower_gives_unit_rows_ten_a_second(rows: int) -> None:
    net = towers()
    mel, notes = drawn(2, 8 * rows, BANDS), drawn(2, 4 * rows, COLUMNS)
    for found in (net.film(luma(2, rows)), net.sound(mel), net.notes(notes)):
        assert found.shape == (2, rows, SMOKE.dimensions)
        torch.testing.assert_close(found.norm(dim=-1), torch.ones(2, rows))


@pytest.mark.parametrize("adaptor", sorted(ADAPTORS))
def test_a_film_may_be_looked_at_by_any_adaptor(adaptor: str) -> None:
    net = towers(TowerConfig(16, 16, 4, adaptor=adaptor))  # type: ignore[arg-type]
    assert net.film(luma(2, 5)).shape == (2, 5, 16)


def test_films_of_a_batch_do_not_see_each_other() -> None:
    net, films = towers(), luma(3, 20)
    torch.testing.assert_close(net.film(films)[1:2], net.film(films[1:2]))


def test_a_row_sees_a_second_to_either_side_and_no_more() -> None:
    net, before = towers(), luma(1, 60)
    after = before.clone()
    after[0, 30] = 255 - after[0, 30]
    differs = (net.film(before) - net.film(after)).abs().sum(-1)[0] > 1e-6
    assert differs.nonzero().flatten().tolist() == list(range(30 - AROUND, 31 + AROUND))


@pytest.mark.parametrize(("name", "wide", "rate"), [("sound", BANDS, 8), ("notes", COLUMNS, 4)])
def test_music_moved_by_a_tenth_has_its_rows_moved_by_one(name: str, wide: int, rate: int) -> None:
    tower, music = getattr(towers(), name), drawn(1, 61 * rate, wide)
    found, moved = tower(music), tower(music[:, rate:])
    inside = slice(AROUND, -AROUND)
    torch.testing.assert_close(found[:, 1:][:, inside], moved[:, inside])


def test_a_stack_is_a_picture_and_what_changes_before_and_after_it() -> None:
    films = luma(1, 4)
    grey = films.float() / 255 - 0.5
    found = stacked(films)
    torch.testing.assert_close(found[:, :, 0], grey)
    torch.testing.assert_close(found[:, 2, 1], MOVES * (grey[:, 2] - grey[:, 1]))
    torch.testing.assert_close(found[:, 2, 2], MOVES * (grey[:, 3] - grey[:, 2]))
    assert not found[:, 0, 1].any()
    assert not found[:, 3, 2].any()


@pytest.mark.parametrize("pictures", [1, 2, 4, 10])
def test_pictures_are_held_until_the_next_is_looked_at(pictures: int) -> None:
    looked_at, shown = held(95, pictures)
    latest = looked_at[shown]
    assert (latest <= torch.arange(95)).all()
    assert (torch.arange(95) - latest < 10 / pictures).all()
    assert len(looked_at) == -(-95 * pictures // 10)


def test_what_is_not_looked_at_is_of_no_account() -> None:
    net, films = towers(TowerConfig(16, 16, 4, pictures=2)), luma(1, 20)
    other = films.clone()
    other[:, torch.arange(20) % 5 != 0] = 0
    torch.testing.assert_close(net.film(films), net.film(other))


def test_the_temperature_begins_as_published_and_never_vanishes() -> None:
    net = towers()
    assert net.temperature.item() == pytest.approx(0.07)
    torch.nn.init.constant_(net.log_temperature, -20)
    assert net.temperature.item() == pytest.approx(0.01)


def test_the_small_size_has_about_a_million_weights() -> None:
    with torch.device("meta"):
        count = sum(weight.numel() for weight in Towers(TowerConfig()).parameters())
    assert 0.9e6 < count < 1.2e6


def test_a_width_that_heads_cannot_share_is_refused() -> None:
    with pytest.raises(UsageError, match="width is 18"):
        TowerConfig(width=18)
