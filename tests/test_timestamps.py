"""Films whose timestamps contradict themselves, and films that are not all there."""

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emsync.errors import EmsyncWarning, InputError
from emsync.sound.audio import OUTPUT_RATE, Audio
from emsync.sound.mux import check_mux, mux
from emsync.video.discontinuities import AHEAD, Continuity, confirmed
from emsync.video.film import Film, open_film
from emsync.video.order import UNKNOWN, decoding_times, shown_in_order
from emsync.video.rates import nominal_rate
from emsync.video.timecode import Timecode
from emsync.video.watch import watch

TICKS = 90_000  # a second, of transport streams


def brighter(write_film: Callable[..., Path], path: Path, frames: int = 60) -> Path:
    """Write a film whose frames get brighter, one by one, with pictures between pictures (B)."""
    shape = (48, 64, 3)
    return write_film(path, [np.full(shape, 20 + 3 * i, np.uint8) for i in range(frames)])


def levels(path: Path) -> list[float]:
    """Return the brightness of the pictures of a film, in the order of their timestamps."""
    with av.open(path) as container:
        shown = [(f.pts, f.to_ndarray(format="gray").mean()) for f in container.decode(video=0)]
    return [level for _, level in sorted(shown)]


def packets_of(path: Path) -> list[Any]:
    """Return the packets of the pictures in the file at ``path``."""
    with av.open(path) as container:
        return [packet for packet in container.demux(video=0) if packet.size]


def remux(
    source: Path,
    target: Path,
    change: Callable[[Any, int], None],
    format: str | None = None,
    keep: Callable[[int], bool] = lambda number: True,
    options: dict[str, str] | None = None,
) -> Path:
    """Copy the packets of ``source`` after each went through ``change``, with its number."""
    with av.open(source) as film, av.open(target, "w", format=format, options=options) as out:
        stream = out.add_stream_from_template(film.streams.video[0])
        for number, packet in enumerate(p for p in film.demux(video=0) if p.size):
            if not keep(number):
                continue
            change(packet, number)
            packet.stream = stream
            out.mux(packet)
    return target


def as_decoded(packet: Any, number: int) -> None:
    packet.pts = packet.dts


def unchanged(packet: Any, number: int) -> None:
    pass


def later(seconds: float) -> Callable[[Any, int], None]:
    def move(packet: Any, number: int) -> None:
        ticks = round(seconds / packet.time_base)
        packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks

    return move


def with_music(film: Film, target: Path) -> Path:
    """Write ``film`` with silence."""
    check_mux(film, target)
    silence = np.zeros((round(film.duration * OUTPUT_RATE), 2), np.float32)
    mux(film, Audio(silence, OUTPUT_RATE), target)
    return target


# Pictures in another order than their timestamps


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi"])
def test_pictures_timed_as_they_are_decoded_are_put_in_their_order(
    tmp_path: Path,
    write_film: Callable[..., Path],
    draw_cut: Callable[..., Path],
    suffix: str,
) -> None:
    def wrong(right: Path) -> Path:
        return right if suffix == "avi" else remux(right, tmp_path / f"wrong.{suffix}", as_decoded)

    right = tmp_path / ("right.avi" if suffix == "avi" else "right.mp4")
    path = wrong(draw_cut(right))
    with pytest.warns(EmsyncWarning, match="of decoding, not of showing"):
        film = open_film(path)
    assert film.duration == pytest.approx(2.4)
    (cut,) = watch(film).cuts
    assert cut.frame == 30 and cut.time == pytest.approx(1.2, abs=0.002)

    path = wrong(brighter(write_film, right))
    assert levels(path) != sorted(levels(path))
    with pytest.warns(EmsyncWarning):
        film = open_film(path)
    copied = levels(with_music(film, tmp_path / "out.mp4"))
    assert len(copied) == 60 and copied == sorted(copied)


@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "mpeg2video"])
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "ts"])
def test_the_timestamps_of_an_ordinary_film_are_believed(
    tmp_path: Path, draw_cut: Callable[..., Path], codec: str, suffix: str
) -> None:
    source = draw_cut(tmp_path / "a.mp4", codec=codec)
    path = tmp_path / f"b.{suffix}"
    if (suffix, codec) in {("avi", "libx264"), ("ts", "mpeg4")}:
        pytest.skip("this container cannot hold these pictures whole")
    remux(source, path, unchanged)
    film = open_film(path)
    frame = 0.08 if suffix == "avi" else 0  # which does not say how long the last picture is
    assert film.duration == pytest.approx(2.4, abs=0.002 + frame)
    assert [cut.time for cut in watch(film).cuts] == pytest.approx([1.2], abs=0.002)


def test_a_raw_stream_is_counted_and_can_be_written(
    tmp_path: Path, draw_cut: Callable[..., Path]
) -> None:
    path = remux(draw_cut(tmp_path / "a.mp4"), tmp_path / "a.264", unchanged, "h264")
    with pytest.warns(EmsyncWarning, match="does not say when its pictures are shown"):
        film = open_film(path)
    assert film.duration == pytest.approx(2.4, abs=0.002)
    written = open_film(with_music(film, tmp_path / "out.mp4"))
    assert [cut.time for cut in watch(written).cuts] == pytest.approx([1.2], abs=0.002)


def test_pictures_before_the_beginning_of_matroska_are_shown_at_their_distance(
    tmp_path: Path, draw_cut: Callable[..., Path]
) -> None:
    """What a cut without encoding leaves: FFmpeg does not tell times below zero."""
    path = remux(
        draw_cut(tmp_path / "a.mp4"),
        tmp_path / "early.mkv",
        later(-0.8),
        options={"avoid_negative_ts": "disabled"},
    )
    assert None in [packet.pts for packet in packets_of(path)]
    with pytest.warns(EmsyncWarning, match="does not say when some pictures are shown"):
        film = open_film(path)
    assert film.duration == pytest.approx(2.4, abs=0.002)
    for seen in (film, open_film(with_music(film, tmp_path / "out.mp4"))):
        assert [cut.time for cut in watch(seen).cuts] == pytest.approx([1.2], abs=0.002)


def test_a_film_that_no_decoder_reads_is_refused(
    tmp_path: Path, draw_cut: Callable[..., Path]
) -> None:
    path = draw_cut(tmp_path / "a.mkv")
    path.write_bytes(path.read_bytes().replace(b"V_MPEG4/ISO/AVC", b"V_MPEG4/ISO/XYZ"))
    with pytest.raises(InputError, match="a video that no installed decoder reads"):
        open_film(path)


@given(st.permutations(range(12)), st.sets(st.integers(0, 11)))
def test_unknown_times_are_filled_in_between_the_known_ones(
    order: list[int], unknown: set[int]
) -> None:
    true = np.empty(12, np.int64)
    true[order] = np.arange(12) * 40
    known = true.copy()
    known[list(unknown)] = UNKNOWN
    filled = shown_in_order(known, np.asarray(order), 40)
    assert (filled - filled[order[0]]).tolist() == true.tolist()
    assert (decoding_times(filled) <= filled).all() and (np.diff(decoding_times(filled)) > 0).all()


# Timestamps that jump


@pytest.mark.parametrize("start", [0.0, 3600.0, 26 * 3600.0])
def test_joined_transport_streams_go_on_without_a_break(
    tmp_path: Path, draw_cut: Callable[..., Path], start: float
) -> None:
    source = draw_cut(tmp_path / "a.mp4")
    first = remux(source, tmp_path / "a.ts", unchanged)
    second = remux(source, tmp_path / "b.ts", later(start))
    joined = tmp_path / "joined.ts"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    with pytest.warns(EmsyncWarning, match="jump once"):
        film = open_film(joined)
    assert film.duration == pytest.approx(4.8)
    footage = watch(film)
    assert footage.film.duration == pytest.approx(4.8)
    assert [cut.time for cut in footage.cuts] == pytest.approx([1.2, 2.4, 3.6])
    written = open_film(with_music(film, tmp_path / "out.mp4"))
    assert written.duration == pytest.approx(4.8, abs=1e-3)


def test_slides_shown_for_long_are_no_jump(tmp_path: Path, write_film: Callable[..., Path]) -> None:
    def slide(packet: Any, number: int) -> None:
        packet.pts = packet.dts = number * 15 * round(1 / packet.time_base)

    pictures = [np.full((48, 64, 3), 40 * i, np.uint8) for i in range(6)]
    still = write_film(tmp_path / "a.mp4", pictures, codec="mpeg2video")
    film = open_film(remux(still, tmp_path / "slides.ts", slide))
    assert film.timing is not None and film.timing.joins == ()
    assert film.duration == pytest.approx(75, abs=0.1)


def test_a_jump_of_the_pictures_moves_the_sound_by_as_much() -> None:
    moved = Continuity(Fraction(1, 100), known=[Fraction(6)])
    sound = [*range(0, 590, 2), *range(3, 590, 2)]
    repaired = [at + moved(at, 2) for at in sound]
    assert repaired[len(sound) // 2 + 1 :][0] == 603
    assert all(a < b for a, b in pairwise(repaired))


def test_a_gap_in_which_the_other_stream_goes_on_is_no_jump() -> None:
    ahead, back = Fraction(-3600), Fraction(3)
    assert confirmed([ahead, back], []) == (back,)
    assert confirmed([ahead, back], [Fraction(-3599)]) == (ahead, back)
    gap = [*range(0, 40), *range(40 + 10 * AHEAD * 10, 90 + 10 * AHEAD * 10)]
    moved = Continuity(Fraction(1, 10), known=[])
    assert [at + moved(at, 1) for at in gap] == gap


@given(st.lists(st.integers(0, 200), min_size=2, max_size=5))
def test_recordings_joined_from_anywhere_ascend_evenly(starts: list[int]) -> None:
    moved = Continuity(Fraction(1, 25))
    raw = [start * 1000 + i for start in starts for i in range(30)]
    repaired = [at + moved(at, 1) for at in raw]
    assert repaired == list(range(repaired[0], repaired[0] + len(raw)))


def test_the_last_picture_of_an_mp4_ends_with_its_track(
    tmp_path: Path, draw_cut: Callable[..., Path]
) -> None:
    """A slide show: the length that is stored with a picture belongs to its decoding."""

    def slow(packet: Any, number: int) -> None:
        frame = round(Fraction(1, 25) / packet.time_base)
        packet.pts, packet.dts = packet.pts * 50, packet.dts * 50
        packet.duration = frame if number == 67 else frame * 50

    path = remux(draw_cut(tmp_path / "a.mp4", frames=68), tmp_path / "slides.mp4", slow)
    found = [(packet.pts, packet.duration * packet.time_base) for packet in packets_of(path)]
    assert max(found)[1] == 2 and found[-1][1] == Fraction(1, 25)  # seconds
    film = open_film(path)
    assert film.duration == pytest.approx(67 * 2 + 0.04)
    assert watch(film).film.duration == pytest.approx(film.duration)
    written = open_film(with_music(film, tmp_path / "out.mkv"))
    assert written.duration == pytest.approx(film.duration, abs=0.002)


# Frame rates


def test_timecode_counts_the_rate_of_a_camera_that_leaves_out_frames() -> None:
    chosen = np.random.default_rng(1).random(1800) > 0.06
    times = np.flatnonzero(chosen) / 30
    for known in (times, times.round(3)):  # Matroska rounds to milliseconds
        rate = nominal_rate(Fraction(len(times), 60).limit_denominator(1001), known, 60.0)
        assert rate == 30
        assert str(Timecode.at(57.467, rate)) == "00:00:57:14"


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), 25, Fraction(30000, 1001), 12, 15, 60])
def test_an_even_film_has_the_rate_that_it_declares(rate: Fraction | int) -> None:
    times = np.arange(300, dtype=np.float64) / float(rate)
    assert nominal_rate(Fraction(rate), times.round(3), 300 / float(rate)) == rate
    assert nominal_rate(None, times, 300 / float(rate)) == rate


def test_a_slide_show_is_counted_by_a_usual_rate() -> None:
    slides = np.array([0.0, 3.0, 6.0, 9.0, 12.0, 15.0])
    assert nominal_rate(Fraction(1, 3), slides, 18.0) == 25
    assert nominal_rate(None, np.array([0.0, 2.0, 2.1, 9.0, 30.0]), 31.0) == 25
    rate = nominal_rate(Fraction(1, 3), slides, 18.0)
    assert str(Timecode.at(3600 + 6, rate)) == "01:00:06:00"


def test_the_rate_of_a_film_with_missing_frames_is_that_of_its_usual_step(
    tmp_path: Path, draw_cut: Callable[..., Path]
) -> None:
    whole = draw_cut(tmp_path / "a.mkv", frames=90, rate=30, codec="mpeg4")
    path = remux(whole, tmp_path / "vfr.mkv", unchanged, keep=lambda number: number % 17 != 5)
    film = open_film(path)
    assert film.fps == 30 and watch(film).film.fps == 30
    assert [cut.time for cut in watch(film).cuts] == pytest.approx([1.5], abs=0.001)


# Films that are not all there


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [("mp4", "mpeg4"), ("mkv", "mpeg4"), ("avi", "mpeg4"), ("mxf", "mpeg2video")],
)
def test_a_film_cut_off_is_refused_and_one_that_is_nearly_whole_is_told(
    tmp_path: Path, draw_cut: Callable[..., Path], suffix: str, codec: str
) -> None:
    whole = remux(
        draw_cut(tmp_path / "a.mkv", frames=250, codec=codec),
        tmp_path / f"b.{suffix}",
        unchanged,
        options={"movflags": "faststart"} if suffix == "mp4" else None,
    )
    begins = [packet.pos for packet in packets_of(whole)]
    data = whole.read_bytes()
    path = tmp_path / f"cut.{suffix}"
    for number in (1, 50, 150, 220):
        path.write_bytes(data[: begins[number] + 20])
        with pytest.raises(InputError, match="is cut off or damaged"):
            watch(open_film(path))
    path.write_bytes(data[: begins[240]])
    with pytest.warns(EmsyncWarning, match=r"declares 10\.0 s, of which the first 9\.\d s"):
        film = open_film(path)
    assert 9.0 < film.duration < 9.8
    footage = watch(film)
    written = with_music(footage.film, tmp_path / "out.mp4")
    assert open_film(written).duration == pytest.approx(footage.film.duration, abs=0.05)


def test_a_windows_media_film_cut_off_is_refused(
    tmp_path: Path, draw_cut: Callable[..., Path]
) -> None:
    data = draw_cut(tmp_path / "a.wmv", frames=100, codec="wmv2").read_bytes()
    path = tmp_path / "cut.wmv"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"is cut off or damaged: it declares 4\.\d s"):
        open_film(path)


def test_sound_longer_than_the_picture_does_not_make_a_film_incomplete(
    tmp_path: Path, draw_cut: Callable[..., Path]
) -> None:
    path = tmp_path / "a.mkv"
    with av.open(draw_cut(tmp_path / "a.mp4")) as film, av.open(path, "w") as out:
        stream = out.add_stream_from_template(film.streams.video[0])
        sound = out.add_stream("pcm_s16le", rate=8000, layout="mono")
        for packet in film.demux(video=0):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 80_000), np.int16), "s16", "mono")
        samples.sample_rate, samples.pts = 8000, 0
        out.mux(sound.encode(samples))
        out.mux(sound.encode(None))
    assert open_film(path).duration == pytest.approx(2.4, abs=0.002)


def test_a_film_of_which_the_end_is_empty_is_refused(
    tmp_path: Path, draw_cut: Callable[..., Path]
) -> None:
    """As a download whose place was reserved: every byte is there, and half of them are zero."""
    path = draw_cut(tmp_path / "a.mkv", frames=100, codec="ffv1")
    positions = [packet.pos for packet in packets_of(path)]
    data = bytearray(path.read_bytes())
    data[positions[50] + 64 :] = bytes(len(data) - positions[50] - 64)
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match="is cut off or damaged"):
        watch(open_film(path))


def test_a_recording_that_begins_in_the_middle_begins_with_what_can_be_decoded(
    tmp_path: Path, draw_cut: Callable[..., Path]
) -> None:
    """A scene is cut, which is a key frame; then the recording is joined to a whole one."""
    whole = remux(draw_cut(tmp_path / "a.mp4"), tmp_path / "a.ts", unchanged).read_bytes()
    path = tmp_path / "joined.ts"
    found = packets_of(tmp_path / "a.ts")
    path.write_bytes(whole[found[5].pos :] + whole)
    _, key = (packet.pts for packet in found if packet.is_keyframe)
    left = 2.4 - (key - found[0].pts) / TICKS  # seconds of the first recording
    with pytest.warns(EmsyncWarning) as told:
        film = open_film(path)
    assert any("first pictures" in str(warning.message) for warning in told)
    footage = watch(film)
    assert film.duration == pytest.approx(left + 2.4) == footage.film.duration
    written = open_film(with_music(film, tmp_path / "out.mp4"))
    for seen in (footage, watch(written)):
        assert [cut.time for cut in seen.cuts] == pytest.approx([left, left + 1.2], abs=1e-3)
