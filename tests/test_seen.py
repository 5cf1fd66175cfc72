"""Columns of films: what a second of pictures gives, and that each column stands for itself."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from emsync.arrays import Picture
from emsync.matching.matcher import Columns
from emsync.retrieval.seen import HUES, STAMPS, WIDTHS, needs, observers, see
from emsync.testing import still_footage
from emsync.video.film import open_film
from emsync.video.impact import BINS
from emsync.video.watch import watch, watch_drawn

FPS = 12.5
PLAIN = ("motion", "colour")
MEAN, SD, FAST, CUT = range(BINS, BINS + 4)  # of motion


def drawn(seconds: float = 4.2) -> list[Picture]:
    """Draw a texture that moves to the right, and after two seconds, red, upwards and slowly."""
    rng = np.random.default_rng(0)
    texture = cv2.GaussianBlur(rng.integers(0, 256, (320, 480, 3)).astype(np.uint8), (0, 0), 4)
    texture = cv2.normalize(texture, None, 0, 255, cv2.NORM_MINMAX)  # type: ignore[call-overload]
    red = texture // np.array([16, 16, 1], np.uint8)
    right = [texture[100:190, 240 - 4 * i :][:, :160] for i in range(25)]
    up = [red[20 + i :, 300:460][:90] for i in range(round(seconds * FPS) - 25)]
    return [np.ascontiguousarray(picture) for picture in right + up]


def seen(pictures: list[Picture], columns: tuple[str, ...] = tuple(WIDTHS)) -> Columns:
    looking = observers(columns)
    return see(watch_drawn(pictures, FPS, looking, needs(columns)), looking, columns)


@pytest.fixture(scope="module")
def film() -> Columns:
    return seen(drawn())


def test_each_second_has_a_row_and_each_quarter_a_flow(film: Columns) -> None:
    assert {name: film[name].shape for name in film} == {
        **{name: (5, width) for name, width in WIDTHS.items()},
        "flow": (20,),
    }
    assert film["lite0"].dtype == np.float16
    assert film.keys() == STAMPS.keys()
    assert len(seen(drawn(4.0), PLAIN)["motion"]) == 4
    for values in film.values():
        assert np.isfinite(values).all()


def test_directions_speed_and_cuts_are_those_that_were_drawn(film: Columns) -> None:
    motion = film["motion"]
    assert motion[:, CUT].tolist() == [0, 0, 1, 0, 0]
    assert motion[:, :BINS].argmax(axis=1).tolist() == [0, 0, 27, 27, 27]
    fast, slow = 4 * FPS / 90, 1 * FPS / 90  # picture heights a second
    speed = np.log1p(np.array([fast, fast, slow, slow, slow]) / 0.01)
    np.testing.assert_allclose(motion[:, MEAN], speed, atol=0.1)
    assert (motion[:, FAST] >= motion[:, MEAN]).all() and (motion[:, SD] < speed / 2).all()
    np.testing.assert_allclose(film["flow"][[2, 5, 10, 19]], [fast, fast, slow, slow], rtol=0.15)


def test_colours_are_those_that_were_drawn(film: Columns) -> None:
    hues, rest = film["colour"][:, :HUES], film["colour"][:, HUES:]
    assert hues[2:].argmax(axis=1).tolist() == [0, 0, 0]  # red
    assert (hues[2:, 0] > 0.8 * hues[2:].sum(axis=1)).all()
    assert (hues[:2, 0] < 0.3 * hues[:2].sum(axis=1)).all()
    contrast, blue, green, red, brightness = rest[:, :5].T
    np.testing.assert_allclose(red[:2], 0.5, atol=0.1)
    assert (red[2:] > 10 * blue[2:]).all() and (red[2:] > 10 * green[2:]).all()
    assert brightness[:2].min() > 2 * brightness[2:].max() and (contrast > 0.03).all()


# some numbers of the fourth second
GOLDEN = {
    "lite0": {423: 3.60, 778: 4.17, 949: 3.58, 1041: 4.51, 1165: 3.43, 1259: 4.23},
    "motion": {26: 0.071, 27: 2.633, 28: 0.048, MEAN: 2.756, SD: 0.188, FAST: 2.776},
    "colour": {0: 0.444, 12: 0.033, 13: 0.027, 15: 0.468, 16: 0.159, 18: 0.950, 19: 0.271},
}


@pytest.mark.parametrize("name", GOLDEN)
def test_columns_of_the_drawing_are_as_they_were(film: Columns, name: str) -> None:
    for place, value in GOLDEN[name].items():
        assert film[name][3, place] == pytest.approx(value, abs=0.02, rel=0.02), place


def test_a_column_does_not_depend_on_the_others(film: Columns) -> None:
    for name in WIDTHS:
        alone = seen(drawn(), (name,))
        assert alone.keys() == {name, "flow"}
        for column, values in alone.items():
            assert (values == film[column]).all(), column


def test_a_film_that_is_turned_moves_as_one_sees_it() -> None:
    looking = observers(PLAIN)
    footage = watch_drawn(drawn(2.0), FPS, looking)
    for rotation, direction in ((0, 0), (90, 27), (180, 18), (270, 9)):
        turned = replace(footage, film=replace(footage.film, rotation=rotation))
        motion = see(turned, looking, PLAIN)["motion"]
        assert motion[:, :BINS].argmax(axis=1).tolist() == [direction] * 2


def test_a_film_of_a_file_has_the_columns_of_its_drawing(
    tmp_path: Path, write_film: Callable[..., Path]
) -> None:
    pictures = drawn()
    path = write_film(tmp_path / "drawn.mp4", [p[..., ::-1].copy() for p in pictures], 25)
    looking = observers(PLAIN)
    file = see(watch(open_film(path), observers=looking), looking, PLAIN)
    looking = observers(PLAIN)
    drawing = see(watch_drawn(pictures, 25, looking), looking, PLAIN)
    for name in (*PLAIN, "flow"):
        assert file[name].shape == drawing[name].shape
        assert np.corrcoef(file[name].ravel(), drawing[name].ravel())[0, 1] > 0.97, name


def test_a_picture_that_stands_still_has_columns_too() -> None:
    black = [np.zeros((90, 160, 3), np.uint8)] * 15
    columns = seen(black)
    assert not columns["motion"].any() and not columns["flow"].any()
    assert not columns["colour"].any()
    looking = observers(())
    rows = see(still_footage(needs(("lite0",))), looking, ("lite0",))
    assert rows["lite0"].shape == (20, 1280) and (rows["lite0"] == rows["lite0"][0]).all()


def test_without_lite0_torch_is_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    seen(drawn(3.0), PLAIN)
