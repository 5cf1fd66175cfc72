"""Laws of the film strip: pictures of the very film, evenly spaced, upright, one by one."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from emsync.errors import InputError
from emsync.studio.strip import Picture, film_strip
from emsync.video.film import Film, frames, open_film
from emsync.video.observers import Upright

EVEN = range(0, 4000, 40)  # milliseconds
UNEVEN = [time + 30 * (time % 3 > 0) + (700 if time > 2000 else 0) for time in range(0, 4000, 50)]


def strip_of(film: Film, folder: Path, **wanted: Any) -> list[tuple[float, Any]]:
    """Return the times of a strip, and its pictures in grey, read again."""
    told: list[tuple[Picture, bool]] = []
    made = film_strip(
        film, folder, ready=lambda p: told.append((p, (folder / p.name).is_file())), **wanted
    )
    assert told == [(picture, True) for picture in made]
    assert sorted(path.name for path in folder.iterdir()) == [picture.name for picture in made]
    return [(p.time, cv2.imread(str(folder / p.name), cv2.IMREAD_GRAYSCALE)) for p in made]


@pytest.mark.parametrize(
    ("name", "codec", "times", "options"),
    [
        ("long.mp4", "libx264", EVEN, {"g": "250"}),
        ("often.mp4", "libx264", EVEN, {"g": "8"}),
        ("seldom.mkv", "libx264", EVEN, {"g": "40", "x264-params": "open-gop=1:bframes=4"}),
        ("uneven.mp4", "libx264", UNEVEN, {"g": "30"}),
        ("web.webm", "libvpx-vp9", EVEN, {"g": "30", "cpu-used": "8"}),
        ("all.mov", "mjpeg", EVEN, {}),
        ("stream.ts", "libx264", EVEN, {"g": "15"}),
        ("old.avi", "mpeg4", EVEN, {"g": "50", "bf": "2"}),
    ],
)
def test_a_strip_shows_the_frames_of_its_times(
    name: str,
    codec: str,
    times: list[int],
    options: dict[str, str],
    tmp_path: Path,
    write_numbered: Callable[..., Path],
) -> None:
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    film = open_film(write_numbered(tmp_path / name, times, codec, pixels, options=options))
    upright = Upright(film, 48)
    true = {
        time: float(upright(time, frame).pixels[:, -20:].mean()) for time, _, frame in frames(film)
    }
    folder = tmp_path / "strip"
    folder.mkdir()
    strip = strip_of(film, folder, count=10, height=48)
    assert len(strip) == 10
    assert all(before <= after for (before, _), (after, _) in pairwise(strip))
    cell, longest = film.duration / 10, float(np.diff([*true, film.duration]).max())
    for number, (time, picture) in enumerate(strip):
        assert time in true
        assert abs(time - (number + 0.5) * cell) <= cell / 2 + longest
        assert picture.shape == (48, 85)
        assert picture[:, -20:].mean() == pytest.approx(true[time], abs=4)


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_a_strip_is_upright(turn: int, tmp_path: Path, write_numbered: Callable[..., Path]) -> None:
    film = open_film(write_numbered(tmp_path / "film.mp4", EVEN, turn=turn))
    folder = tmp_path / "strip"
    folder.mkdir()
    for _, picture in strip_of(film, folder, count=3, height=60):
        assert picture.shape == (60, 34 if turn % 180 else 107)
        dark = {0: picture[:, :10], 90: picture[-10:], 180: picture[:, -10:], 270: picture[:10]}
        assert dark[turn].mean() < 25 < picture.mean()


def test_a_short_film_has_as_many_pictures_as_frames(
    tmp_path: Path, write_numbered: Callable[..., Path]
) -> None:
    film = open_film(write_numbered(tmp_path / "film.mp4", [0, 40]))
    folder = tmp_path / "strip"
    folder.mkdir()
    assert [time for time, _ in strip_of(film, folder)] == [0.0, 0.04]


def test_a_film_without_timestamps_has_a_strip(
    tmp_path: Path, write_numbered: Callable[..., Path]
) -> None:
    film = replace(open_film(write_numbered(tmp_path / "film.mp4", EVEN)), timing=None)
    folder = tmp_path / "strip"
    folder.mkdir()
    strip = strip_of(film, folder, count=8)
    assert len({time for time, _ in strip}) == 8
    assert all(a[:, -20:].mean() < b[:, -20:].mean() for (_, a), (_, b) in pairwise(strip))


def test_a_picture_is_no_film_and_has_no_strip(
    tmp_path: Path, write_numbered: Callable[..., Path]
) -> None:
    with pytest.raises(InputError, match="single frame"):
        open_film(write_numbered(tmp_path / "film.mp4", [0]))


@pytest.mark.parametrize("trc", [16, 18])
def test_a_strip_of_high_dynamic_range_is_as_bright_as_an_ordinary_screen_shows_it(
    trc: int, tmp_path: Path, write_numbered: Callable[..., Path]
) -> None:
    colours = {"color_trc": str(trc), "color_primaries": "9", "colorspace": "9"}
    colours["x265-params"] = "log-level=none"
    path = write_numbered(
        tmp_path / "film.mkv",
        EVEN,
        "libx265",
        "yuv420p10le",
        options=colours,
    )
    film = open_film(path)
    upright = Upright(film, 48)
    true = {time: upright(time, frame).pixels.mean() for time, _, frame in frames(film)}
    folder = tmp_path / "strip"
    folder.mkdir()
    for time, picture in strip_of(film, folder, count=6, height=48):
        assert picture.mean() == pytest.approx(true[time], abs=4)
