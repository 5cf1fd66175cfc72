"""A film of high dynamic range is seen as its ordinary master is."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from emsync.video.film import open_film
from emsync.video.hdr import BT709, BT2020, HLG, LEVELS, LUMA, PQ, TO_709, as_ordinary
from emsync.video.watch import watch

PICTURES = [
    np.full((90, 160, 3), colour, np.uint8)
    for colour in ((30, 60, 90), (220, 180, 40), (128, 128, 128), (250, 250, 250), (20, 90, 30))
]


def graded(picture: NDArray[np.uint8], trc: int) -> NDArray[np.float64]:
    """Return an ordinary picture as PQ or HLG levels in [0, 1], white at 203 nits, in BT.2020.

    The definitions of BT.2100, the other way round than emsync needs them.
    """
    light = (picture / 255.0) ** 2.4 @ np.linalg.inv(TO_709.astype(np.float64)).T
    light = np.maximum(light, 0) * 203
    if trc == PQ:
        y = (light / 10000) ** (2610 / 16384)
        root = (3424 / 4096 + 2413 / 128 * y) / (1 + 2392 / 128 * y)
        return np.asarray(root ** (2523 / 32))
    shown = (light @ LUMA.astype(np.float64))[..., None] / 1000
    scene = light / 1000 * np.maximum(shown, 1e-9) ** (1 / 1.2 - 1)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    bright = a * np.log(np.maximum(12 * scene - b, 1e-9)) + c
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright)


@pytest.mark.parametrize("trc", [PQ, HLG])
@pytest.mark.parametrize("picture", PICTURES, ids=str)
def test_the_light_of_high_dynamic_range_is_that_of_the_ordinary_picture(
    picture: NDArray[np.uint8], trc: int
) -> None:
    deep = np.round(graded(picture, trc) * LEVELS).astype(np.uint16)
    seen = as_ordinary(deep, trc, BT2020)
    assert np.abs(seen.astype(int) - picture).max() <= 2


@pytest.mark.parametrize("trc", [PQ, HLG])
def test_what_is_brighter_than_white_stays_white(trc: int) -> None:
    grey = np.linspace(0, LEVELS, 500).astype(np.uint16)
    seen = as_ordinary(np.repeat(grey[:, None, None], 3, axis=2), trc, BT2020)[:, 0]
    assert (np.diff(seen[:, 1].astype(int)) >= 0).all()
    assert seen[0].tolist() == [0, 0, 0] and seen[-1].tolist() == [255, 255, 255]


def write(
    path: Path, pictures: Sequence[NDArray[np.float64]], trc: int, primaries: int, matrix: int
) -> Path:
    """Write pictures of levels in [0, 1] losslessly in ten bits."""
    red, blue = (0.2627, 0.0593) if primaries == BT2020 else (0.2126, 0.0722)
    with av.open(path, "w") as film:
        stream: Any = film.add_stream("ffv1", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = 160, 90, "yuv444p10le"
        context = stream.codec_context
        context.color_trc, context.color_primaries = trc, primaries
        context.colorspace, context.color_range = matrix, 1
        for picture in pictures:
            r, g, b = np.moveaxis(picture, 2, 0)
            y = red * r + (1 - red - blue) * g + blue * b
            planes = (y * 876 + 64, (b - y) / (2 * (1 - blue)) * 896 + 512,
                      (r - y) / (2 * (1 - red)) * 896 + 512)  # fmt: skip
            frame = av.VideoFrame(160, 90, "yuv444p10le")
            for plane, values in zip(frame.planes, planes, strict=True):
                rows = np.zeros((90, plane.line_size // 2), np.uint16)
                rows[:, :160] = np.round(values)
                plane.update(rows.tobytes())
            frame.color_trc, frame.color_primaries = trc, primaries
            frame.colorspace, frame.color_range = matrix, 1
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("trc", [PQ, HLG])
def test_a_film_of_high_dynamic_range_looks_like_its_ordinary_master(
    tmp_path: Path, trc: int
) -> None:
    pictures = [picture for picture in PICTURES for _ in range(10)]
    ordinary = [picture / 255 for picture in pictures]
    master = watch(open_film(write(tmp_path / "sdr.mkv", ordinary, 1, BT709, 1)))
    high = [graded(picture, trc) for picture in pictures]
    seen = watch(open_film(write(tmp_path / "hdr.mkv", high, trc, BT2020, 9)))
    assert seen.brightness == pytest.approx(master.brightness, abs=0.01)
    assert seen.saturation == pytest.approx(master.saturation, abs=0.03)
    assert seen.colourfulness == pytest.approx(master.colourfulness, abs=0.03)
    assert [cut.frame for cut in seen.cuts] == [cut.frame for cut in master.cuts]
    stills = zip(seen.strip, master.strip, strict=True)
    assert all(np.abs(a.pixels.astype(int) - b.pixels).max() <= 6 for a, b in stills)
    assert master.brightness[0] == pytest.approx((PICTURES[0] @ [0.299, 0.587, 0.114]).mean() / 255,
                                                 abs=0.01)  # fmt: skip


def test_the_wide_colours_of_an_ordinary_film_become_those_of_a_screen(tmp_path: Path) -> None:
    picture = np.full((90, 160, 3), (0.6, 0.3, 0.2))
    film = open_film(write(tmp_path / "wide.mkv", [picture] * 3, 14, BT2020, 9))
    seen = watch(film).strip[0].pixels[0, 0] / 255
    expected = np.clip(picture[0, 0] ** 2.4 @ TO_709.T, 0, 1) ** (1 / 2.4)
    assert seen == pytest.approx(expected, abs=0.01)
