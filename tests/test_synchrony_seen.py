"""What is seen of a film ten times a second, whatever its shape, its rate and its length."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emsync.arrays import Picture
from emsync.synchrony.seen import HEIGHT, WIDTH, Luma, observers, see
from emsync.video.film import open_film
from emsync.video.observers import Frame
from emsync.video.watch import watch, watch_drawn


def seen_of(frames: Sequence[tuple[float, int]], duration: float) -> list[int]:
    """Return the level of each row of a film of plain pictures, each from its time on."""
    luma = Luma()
    for time, level in frames:
        grey = np.full((90, 160), level, np.uint8)
        luma(Frame(time, grey, grey, None))  # type: ignore[arg-type]
    return [int(level) for level in luma.luma(duration, 0)[:, 0, 0]]


@pytest.mark.parametrize("rate", [5, 10, 12.5, 24, 25, 30000 / 1001, 60])
def test_a_row_shows_the_last_picture_before_its_middle(rate: float) -> None:
    frames = [(i / rate, i) for i in range(int(3 * rate))]
    expected = [min(int((i + 0.5) / 10 * rate + 1e-5), len(frames) - 1) for i in range(30)]
    assert seen_of(frames, 3.0) == expected


def test_a_variable_rate_is_seen_by_its_times() -> None:
    frames = [(0.0, 1), (0.31, 2), (0.33, 3), (0.34, 4), (0.9, 5)]
    assert seen_of(frames, 1.0) == [1, 1, 1, 4, 4, 4, 4, 4, 4, 5]


@pytest.mark.parametrize(("duration", "rows"), [(0.04, 1), (0.3, 3), (0.32, 4), (2.0, 20)])
def test_a_film_has_a_row_for_each_tenth_of_a_second_begun(duration: float, rows: int) -> None:
    assert seen_of([(0.0, 7)], duration) == [7] * rows


def corner(width: int, height: int) -> Picture:
    """Return a picture that is bright in its upper left quarter."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2] = 200
    return picture


@pytest.mark.parametrize("size", [(160, 90), (90, 160), (64, 64), (300, 20)])
def test_any_shape_is_squeezed_to_one(size: tuple[int, int]) -> None:
    watching = observers()
    footage = watch_drawn([corner(*size)] * 10, 25.0, watching)
    luma = see(footage, watching)["luma"]
    assert luma.shape == (4, HEIGHT, WIDTH) and luma.dtype == np.uint8
    assert luma[:, :12, :22].min() > 180 and luma[:, 15:].max() < 20 > luma[:, :, 26:].max()


def test_a_film_of_one_pixel_is_seen() -> None:
    watching = observers()
    footage = watch_drawn([np.full((1, 1, 3), level, np.uint8) for level in (0, 90)], 5.0, watching)
    luma = see(footage, watching)["luma"]
    assert luma.shape == (4, HEIGHT, WIDTH)
    assert (luma[:2] == 0).all() and (abs(luma[2:].astype(int) - 90) < 3).all()


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_a_turned_film_is_seen_upright(rotation: int) -> None:
    upright = corner(160, 90)[..., 0]
    stored = np.ascontiguousarray(np.rot90(upright, -rotation // 90))
    luma = Luma()
    luma(Frame(0.0, stored, stored, None))  # type: ignore[arg-type]
    seen = luma.luma(0.1, rotation)[0]
    assert seen.shape == (HEIGHT, WIDTH)
    assert seen[:12, :22].min() > 180 and seen[15:].max() < 20 > seen[:, 26:].max()


def test_a_file_is_seen_in_the_one_pass(tmp_path: Path, draw_cut: Callable[..., Path]) -> None:
    watching: list[Any] = [lambda frame: None, *observers()]
    footage = watch(open_film(draw_cut(tmp_path / "cut.mp4", 60, 25)), observers=watching)
    luma = see(footage, watching)["luma"]
    assert len(luma) == 24
    assert luma[:12].mean() < 60 < 190 < luma[12:].mean()


def test_nothing_is_seen_where_nothing_is_asked_for() -> None:
    footage = watch_drawn([corner(16, 9)] * 5, 10.0, observers(()))
    assert see(footage, []) == {}
