"""A graphics card that decodes a film: which one does, and that it changes nothing."""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import av
import av.codec.hwaccel
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter

from emsync.errors import EmsyncWarning
from emsync.video import film as films
from emsync.video import hardware
from emsync.video.film import Film, frames, open_film
from emsync.video.hardware import device_for
from emsync.video.hdr import BT2020, PQ
from emsync.video.observers import pixels
from emsync.video.watch import watch


@pytest.mark.parametrize("layout", ["bgr24", "rgb24", "gray"])
@pytest.mark.parametrize(
    ("by_processor", "by_card", "trc"), [("yuv420p", "nv12", 1), ("yuv420p10le", "p010le", PQ)]
)
def test_pixels_are_the_same_however_a_decoder_lays_them_out(
    by_processor: str, by_card: str, trc: int, layout: str
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (180, 322, 3), np.uint8)
    one = av.VideoFrame.from_ndarray(noise, "rgb24").reformat(format=by_processor)
    one.color_trc = trc
    one.color_primaries = BT2020 if trc == PQ else 1
    other = one.reformat(format=by_card)
    seen, by_the_card = (pixels(VideoReformatter(), f, (80, 46), layout) for f in (one, other))
    assert (seen == by_the_card).all()


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory, draw_cut: Callable[..., Path]) -> Film:
    return open_film(draw_cut(tmp_path_factory.mktemp("film") / "cut.mp4"))


def known(monkeypatch: pytest.MonkeyPatch, *devices: str) -> None:
    monkeypatch.setattr(av.codec.hwaccel, "hwdevices_available", lambda: list(devices))


def test_the_first_device_that_decodes_the_film_does(
    monkeypatch: pytest.MonkeyPatch, film: Film
) -> None:
    known(monkeypatch, "absent", "there", "there too")
    monkeypatch.setattr(hardware, "_decodes", lambda _film, device: device.startswith("there"))
    with pytest.warns(EmsyncWarning, match="is decoded by there;"):
        assert device_for(film) == "there"


def test_where_no_device_is_known_the_processor_decodes(
    monkeypatch: pytest.MonkeyPatch, film: Film
) -> None:
    known(monkeypatch)
    with pytest.warns(EmsyncWarning, match="no device here decodes .* the processor does"):
        assert device_for(film) is None


def test_what_no_card_reads_the_processor_decodes(
    tmp_path: Path, draw_cut: Callable[..., Path]
) -> None:
    film = open_film(draw_cut(tmp_path / "cut.avi", codec="ffvhuff"))
    with pytest.warns(EmsyncWarning, match="no device here decodes .* the processor does"):
        assert device_for(film) is None


def test_what_is_measured_is_the_same_with_a_card_where_there_is_one(film: Film) -> None:
    with pytest.warns(EmsyncWarning, match="decode"):
        seen = watch(film, hardware=True)
    alone = watch(film)
    assert seen.cuts == alone.cuts and (seen.brightness == alone.brightness).all()
    assert (seen.motion == alone.motion).all()


def test_where_a_card_fails_the_processor_goes_on(
    monkeypatch: pytest.MonkeyPatch, film: Film
) -> None:
    decoding = films._frames

    def failing(*arguments: Any) -> Iterator[Any]:
        if arguments[-1] != "card":
            yield from decoding(*arguments)
        else:
            yield from islice(decoding(*arguments[:-1]), 3)
            raise av.error.ExternalError(-1, "lost")

    monkeypatch.setattr(films, "_frames", failing)
    times = [(start, end) for start, end, _ in frames(film, "card")]
    assert times == [(start, end) for start, end, _ in decoding(film, "AUTO", lambda p: p.decode())]
