"""Laws of what the studio's page plays: frame by frame the film, in every browser."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Any

import numpy as np
import pytest
from studio_page import browser

from emsync.studio.proxy import PROXY, playable, proxy_name, write_proxy
from emsync.video.film import Film, frames, open_film
from emsync.video.hdr import is_foreign
from emsync.video.observers import Upright

EVEN = range(0, 3000, 40)  # milliseconds
UNEVEN = [time + 30 * (time % 3 > 0) + (700 if time > 1000 else 0) for time in range(0, 3000, 50)]


def proxy_of(film: Film, folder: Path) -> Film:
    told: list[float] = []
    write_proxy(film, path := folder / proxy_name(film), told.append)
    assert told == sorted(told) and told[-1] > film.duration - 1
    return open_film(path)


def times_of(film: Film) -> Any:
    assert film.timing is not None
    return film.timing.times


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "times"),
    [
        ("phone.mov", "libx265", "yuv420p10le", EVEN),
        ("uneven.mkv", "libx264", "yuv420p", UNEVEN),
        ("uneven.mov", "libx265", "yuv420p", UNEVEN),
        ("old.avi", "mpeg4", "yuv420p", EVEN),
        ("stream.ts", "libx264", "yuv420p", EVEN),
        ("camera.mov", "prores_ks", "yuv422p10le", EVEN),
        ("odd.mp4", "libx264", "yuv444p", EVEN),
    ],
)
def test_a_film_that_no_browser_plays_has_a_proxy_with_its_frame_times(
    name: str,
    codec: str,
    pixels: str,
    times: list[int],
    tmp_path: Path,
    write_numbered: Callable[..., Path],
) -> None:
    quiet = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    film = open_film(write_numbered(tmp_path / name, times, codec, pixels, options=quiet))
    assert playable(film) is None
    proxy = proxy_of(film, tmp_path)
    assert playable(proxy) in ("video/mp4", "video/webm")
    assert not proxy.has_audio and proxy.frames == film.frames
    assert times_of(proxy) == pytest.approx(times_of(film), abs=1e-5)
    assert proxy.duration == pytest.approx(film.duration, abs=1e-4)
    upright = Upright(film, 72), Upright(proxy, 72)
    for before, after in zip(frames(film), frames(proxy), strict=True):
        one, other = (upright[i](0.0, frame[2]).pixels for i, frame in enumerate((before, after)))
        assert np.abs(one.astype(int) - other)[:, -20:].mean() < 5


def test_a_proxy_has_a_key_frame_every_half_second_and_its_index_first(
    tmp_path: Path, write_numbered: Callable[..., Path]
) -> None:
    for name, times in (("even.avi", EVEN), ("uneven.mkv", UNEVEN)):
        codec = "mpeg4" if name == "even.avi" else "libx264"
        proxy = proxy_of(open_film(write_numbered(tmp_path / name, times, codec)), tmp_path)
        assert proxy.timing is not None and not proxy.hides
        keys = times_of(proxy)[proxy.timing.keys]
        longest = float(np.diff([*times_of(proxy), proxy.duration]).max())
        assert keys[0] == 0.0
        assert np.diff([*keys, proxy.duration]).max() <= max(PROXY.gap, longest) + 1e-4
        if proxy.path.suffix == ".mp4":
            data = proxy.path.read_bytes()
            assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_proxy_is_small_and_upright(
    turn: int, tmp_path: Path, write_numbered: Callable[..., Path]
) -> None:
    path = write_numbered(tmp_path / "film.mov", EVEN[:10], "mjpeg", "yuvj420p", (960, 576), turn)
    film = open_film(path)
    proxy = proxy_of(film, tmp_path)
    size = (proxy.width, proxy.height)
    assert size == ((480, 800) if turn % 180 else (800, 480))
    one, other = (
        Upright(each, 120)(0.0, next(frames(each))[2]).pixels.astype(int) for each in (film, proxy)
    )
    assert one.shape == other.shape and np.abs(one - other).mean() < 4


@pytest.mark.parametrize("trc", [16, 18])
def test_a_proxy_of_high_dynamic_range_is_what_an_ordinary_screen_shows(
    trc: int, tmp_path: Path, write_numbered: Callable[..., Path]
) -> None:
    colours = {"color_trc": str(trc), "color_primaries": "9", "colorspace": "9"}
    path = write_numbered(tmp_path / "film.mkv", EVEN[:10], "ffv1", "yuv420p10le", options=colours)
    film = open_film(path)
    high, ordinary = (next(frames(each))[2] for each in (film, proxy_of(film, tmp_path)))
    assert is_foreign(high) and not is_foreign(ordinary)
    one, other = (Upright(film, 72)(0.0, frame).pixels for frame in (high, ordinary))
    assert np.abs(one.astype(int) - other).mean() < 3


@pytest.mark.parametrize(
    ("name", "codec", "kind"),
    [
        ("film.mp4", "libx264", "video/mp4"),
        ("film.mov", "libx264", "video/mp4"),
        ("film.m4v", "libx264", "video/mp4"),
        ("film.webm", "libvpx-vp9", "video/webm"),
        ("film.webm", "libvpx", "video/webm"),
        ("film.mp4", "libsvtav1", "video/mp4"),
        ("film.mkv", "libx264", None),
        ("film.mkv", "libvpx", None),
        ("film.ts", "libx264", None),
        ("film.mp4", "libx265", None),
        ("film.mp4", "mpeg4", None),
    ],
)
def test_a_film_is_played_as_it_is_where_all_browsers_do(
    name: str, codec: str, kind: str | None, tmp_path: Path, write_numbered: Callable[..., Path]
) -> None:
    quiet = {"libx265": {"x265-params": "log-level=none"}, "libsvtav1": {"svtav1-params": "lp=1"}}
    film = open_film(write_numbered(tmp_path / name, EVEN, codec, options=quiet.get(codec)))
    assert playable(film) == kind


def test_a_film_that_does_not_begin_at_0_is_not_played_as_it_is(
    tmp_path: Path, write_numbered: Callable[..., Path]
) -> None:
    film = open_film(write_numbered(tmp_path / "film.webm", range(40, 2000, 40), "libvpx"))
    assert playable(film) is None
    assert times_of(proxy_of(film, tmp_path))[0] == 0.0


# In a browser

SHOW = """async ([address, times]) => {
  const video = document.createElement('video');
  const shown = () => new Promise((done, fail) => {
    video.requestVideoFrameCallback((now, frame) => done(frame.mediaTime));
    video.onerror = () => fail(video.error.message);
  });
  const first = shown();
  Object.assign(video, {muted: true, src: address});
  document.body.append(video);
  const seen = [await first];
  for (const time of times) {
    const next = shown();
    video.currentTime = time;
    seen.push(await next);
  }
  return {seen, width: video.videoWidth, height: video.videoHeight};
}"""


@contextmanager
def served(path: Path, kind: str) -> Iterator[str]:
    """Serve a film as the studio does; yield its address, beside which there is a page."""
    uvicorn = pytest.importorskip("uvicorn")
    from starlette.applications import Starlette
    from starlette.responses import FileResponse, HTMLResponse
    from starlette.routing import Route

    async def film(_: object) -> FileResponse:
        return FileResponse(path, media_type=kind)

    async def page(_: object) -> HTMLResponse:
        return HTMLResponse("<!doctype html><title>film</title>")

    app = Starlette(routes=[Route("/film", film), Route("/", page)])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = Thread(target=server.run)
    thread.start()
    end = monotonic() + 10
    while not server.started and monotonic() < end:
        sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    server.should_exit = True
    thread.join()


@pytest.mark.browser
@pytest.mark.parametrize(
    ("name", "codec", "turn"),
    [
        ("phone.mov", "libx265", 270),
        ("uneven.mkv", "libx264", 0),
        ("old.avi", "mpeg4", 0),
        ("film.mp4", "libx264", 90),
        ("film.mov", "libx264", 0),
        ("film.webm", "libvpx-vp9", 0),
    ],
)
def test_a_browser_shows_each_frame_when_the_film_does(
    name: str, codec: str, turn: int, tmp_path: Path, write_numbered: Callable[..., Path]
) -> None:
    quiet = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    path = write_numbered(tmp_path / name, UNEVEN, codec, turn=turn, options=quiet)
    film = open_film(path)
    kind = playable(film)
    shown = film if kind else proxy_of(film, tmp_path)
    times = times_of(film)
    places = np.random.default_rng(1).permutation(np.arange(1, len(times)))[:6]
    middles = [float(np.mean([*times, film.duration][at : at + 2])) for at in places.tolist()]
    with served(shown.path, kind or "video/mp4") as address, browser() as chromium:
        page = chromium.new_page()
        page.goto(address)
        seen = page.evaluate(SHOW, [f"{address}film", middles])
    assert seen["seen"] == pytest.approx([0.0, *times[places]], abs=1e-4)
    assert (seen["width"] < seen["height"]) == (film.width < film.height)
