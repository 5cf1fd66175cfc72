"""Laws of the film in a bundle: browsers play it, whatever the film is."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from emsync.errors import EmsyncWarning
from emsync.options import Outputs
from emsync.outputs import check_outputs
from emsync.sound.audio import Audio
from emsync.sound.preview import PLAYED, is_encoded, preview_suffix, write_preview
from emsync.video.film import open_film


def draw(
    path: Path, codec: str, pixels: str, size: tuple[int, int] = (64, 48), rotation: int = 0
) -> Path:
    """Write 20 frames, dark then bright, and return their path."""
    with av.open(path, "w") as out:
        pictures: Any = out.add_stream(codec, rate=25, width=size[0], height=size[1])
        pictures.pix_fmt = pixels
        if rotation:
            pictures.set_display_rotation(rotation)
        for i in range(20):
            picture = np.full((size[1], size[0], 3), 40 if i < 10 else 200, np.uint8)
            out.mux(pictures.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        out.mux(pictures.encode(None))
    return path


def preview(path: Path) -> Path:
    film = open_film(path)
    check_outputs(Outputs(bundle=path.with_name("bundle")), film)
    music = Audio(np.full((round(film.duration * 44100), 2), 0.01, np.float32), 44100)
    out = path.with_name(f"preview{preview_suffix(film)}")
    shares: list[float] = []
    write_preview(film, music, out, shares.append)
    assert shares and shares == sorted(shares)
    return out


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("gif.gif", "gif", "rgb8"),
        ("raw.avi", "rawvideo", "yuv420p"),
        ("animation.mov", "qtrle", "rgb24"),
        ("windows.wmv", "wmv2", "yuv420p"),
        ("flash.flv", "flv", "yuv420p"),
        ("camera.mov", "prores_ks", "yuv422p10le"),
        ("old.avi", "mpeg4", "yuv420p"),
        ("professional.mp4", "libx264", "yuv422p10le"),
    ],
)
def test_what_browsers_do_not_play_is_encoded_for_them(
    name: str, codec: str, pixels: str, tmp_path: Path
) -> None:
    path = draw(tmp_path / name, codec, pixels)
    film = open_film(path)
    assert is_encoded(film)
    with pytest.warns(EmsyncWarning, match="browsers do not play the .* is encoded anew, 64 x 48"):
        seen = open_film(out := preview(path))
    assert seen.codec in PLAYED and seen.frames == film.frames
    assert seen.duration == pytest.approx(film.duration, abs=0.002)
    with av.open(out) as container:
        lit = [frame.to_ndarray(format="gray").mean() for frame in container.decode(video=0)]
        assert max(lit[:10]) < 80 < 150 < min(lit[10:])
        assert container.streams.audio[0].duration


def test_what_browsers_play_is_copied(tmp_path: Path, draw_cut: Callable[..., Path]) -> None:
    path = draw_cut(tmp_path / "film.mkv", 10)
    out = preview(path)
    with av.open(path) as one, av.open(out) as two:
        before, after = ([bytes(p) for p in f.demux(video=0) if p.size] for f in (one, two))
    assert out.suffix == ".mp4" and before == after


def test_a_large_preview_is_made_smaller_and_stays_upright(tmp_path: Path) -> None:
    path = draw(tmp_path / "film.mov", "mjpeg", "yuvj420p", (1600, 900), rotation=90)
    film = open_film(path)
    assert (film.width, film.height) == (900, 1600)
    with pytest.warns(EmsyncWarning, match="720 x 1280"):
        seen = open_film(preview(path))
    assert (seen.width, seen.height, seen.rotation) == (720, 1280, 90)
    assert seen.fps == Fraction(25)
