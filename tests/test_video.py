import csv
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from emsync.errors import InputError
from emsync.options import CUT_DISTANCE
from emsync.video import observers
from emsync.video.cuts import CUT_MARGIN, Cut, thin
from emsync.video.film import Film, open_film
from emsync.video.footage import Footage, Needs
from emsync.video.observers import STRIP
from emsync.video.watch import watch, watch_drawn

Pixels = NDArray[np.uint8]

CLIPS = (
    pytest.param("bbb_0_30.webm", marks=pytest.mark.slow),
    "city_cc0.mpg",
    "fingers.mov",
    pytest.param("fireworks.3gp", marks=pytest.mark.slow),
    "lego_small.ogv",
    "mdn_friday_bw.mp4",
    "nasa_13013.mp4",
    pytest.param("skv_bikes.mp4", marks=pytest.mark.slow),
    "transit_sun.mkv",
)


def texture(seed: int, width: int, height: int, fine: float = 0.03) -> Pixels:
    """Return a soft random picture; ``fine`` is the size of its grains in picture heights."""
    shape = (90, max(1, 90 * width // height), 3)
    noise = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), fine * 90)
    levels = np.clip(128 + 45 * soft / soft.std(), 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(levels, (width, height), interpolation=cv2.INTER_CUBIC))


def write(
    path: Path,
    pictures: Iterable[Pixels],
    fps: Fraction | int = 25,
    pts: Sequence[int] | None = None,  # milliseconds; even steps where not given
    codec: str = "mpeg4",
    layout: str = "yuv420p",
    turn: int = 0,
    seconds_of_sound: float = 0.0,
    options: dict[str, str] | None = None,
    tags: dict[str, str] | None = None,
) -> Path:
    with av.open(path, "w", options=options or {}) as container:
        container.metadata.update(tags or {})
        pictures = list(pictures)
        height, width = pictures[0].shape[:2]
        stream: Any = container.add_stream(codec, rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, layout
        if codec == "mpeg4":
            stream.bit_rate = 4_000_000
        if turn:
            stream.set_display_rotation(turn)
        sound = container.add_stream("aac", rate=16000) if seconds_of_sound else None
        if pts:
            stream.codec_context.time_base = Fraction(1, 1000)
        for i, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format=layout)
            frame.pts = pts[i] if pts else i
            frame.time_base = Fraction(1, 1000) if pts else 1 / Fraction(fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound:
            samples = np.zeros((1, int(16000 * seconds_of_sound)), np.float32)
            for start in range(0, samples.shape[1], 1024):
                piece = av.AudioFrame.from_ndarray(
                    samples[:, start : start + 1024], format="fltp", layout="mono"
                )
                piece.sample_rate, piece.pts = 16000, start
                container.mux(sound.encode(piece))
            container.mux(sound.encode(None))
    return path


def scenes(lengths: Sequence[int], width: int = 160, height: int = 90) -> list[Pixels]:
    """Return still scenes of so many frames each."""
    return [p for s, n in enumerate(lengths) for p in [texture(s, width, height, 0.2)] * n]


def panning(frames: int, step: float, width: int, height: int) -> list[Pixels]:
    """Return a camera that moves by ``step`` picture heights a frame."""
    wide = texture(7, 4 * width, height)
    moves = [np.asarray([[1, 0, -i * step * height], [0, 1, 0]], np.float32) for i in range(frames)]
    return [np.asarray(cv2.warpAffine(wide, m, (width, height)), np.uint8) for m in moves]


# Facts


def test_the_facts_are_read_without_watching(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", scenes([20, 10]), fps=Fraction(30000, 1001))
    video = open_film(path)
    assert video == watch(video).film
    seconds = 30 * 1001 / 30000
    assert video.duration == pytest.approx(seconds)
    assert replace(video, duration=seconds) == Film(
        path, seconds, Fraction(30000, 1001), 160, 90, 0, has_audio=False, frames=30, stream=0
    )


def test_the_picture_says_how_long_the_video_is_and_not_the_sound(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", scenes([25]), seconds_of_sound=3.0)
    video = open_film(path)
    assert video.has_audio
    assert video.duration == pytest.approx(1.0, abs=1e-3)
    assert watch(video).film.duration == pytest.approx(1.0, abs=1e-3)


def test_a_container_that_tells_no_duration_is_measured(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", scenes([25]), options={"live": "1"})
    with av.open(path) as container:
        assert container.duration is None
    assert open_film(path).duration == pytest.approx(1.0, abs=0.002)
    assert watch(open_film(path)).film.duration == pytest.approx(1.0, abs=0.002)


def test_times_are_presentation_timestamps_from_the_first_frame(tmp_path: Path) -> None:
    pts = [500, 540, 600, 1000, 1010, 1900, 1940, 2000]
    path = write(tmp_path / "a.mkv", panning(8, 0.02, 160, 90), pts=pts, codec="ffv1")
    footage = watch(open_film(path))
    assert footage.times == pytest.approx((np.asarray(pts) - 500) / 1000)
    assert footage.times[-1] < footage.film.duration <= 1.6
    assert footage.film.duration == pytest.approx(open_film(path).duration, abs=1e-3)


def test_a_stream_without_timestamps_is_as_long_as_its_frames(tmp_path: Path) -> None:
    path = write(tmp_path / "a.m4v", scenes([25, 25]))
    footage = watch(open_film(path))
    assert len(footage.times) == 50
    assert footage.film.duration == pytest.approx(2.0, abs=0.05)
    assert (np.diff(footage.times) > 0).all()


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_turned_video_is_seen_upright(tmp_path: Path, turn: int) -> None:
    upright = np.zeros((180, 96, 3), np.uint8)
    upright[:40, :48] = (250, 20, 20)  # a red corner at the upper left
    stored = np.ascontiguousarray(np.rot90(upright, -turn // 90))
    path = write(tmp_path / "a.mp4", [stored] * 10, turn=turn)
    video = open_film(path)
    assert (video.width, video.height, video.rotation) == (96, 180, turn)
    still = watch(video).strip[0].pixels
    assert still.shape[0] / still.shape[1] == pytest.approx(180 / 96, rel=0.02)
    assert still[5, 5, 0] > 200 and still[5, -5, 0] < 60 and still[-5, 5, 0] < 60


@pytest.mark.parametrize(
    ("size", "codec", "layout", "suffix"),
    [
        ((160, 90), "ffv1", "gray", "mkv"),
        ((161, 91), "ffv1", "yuv444p", "mkv"),
        ((160, 90), "ffv1", "yuv420p10le", "mkv"),
        ((160, 90), "ffv1", "rgb48le", "mkv"),
        ((64, 48), "mjpeg", "yuvj422p", "avi"),
        ((16, 16), "mpeg4", "yuv420p", "avi"),
        ((720, 16), "mpeg2video", "yuv420p", "ts"),
        ((1080, 1920), "mpeg4", "yuv420p", "mp4"),
        ((64, 64), "gif", "rgb8", "gif"),
    ],
)
def test_any_size_and_pixel_layout_is_watched(
    tmp_path: Path, size: tuple[int, int], codec: str, layout: str, suffix: str
) -> None:
    path = write(tmp_path / f"a.{suffix}", scenes([8, 8], *size), codec=codec, layout=layout)
    footage = watch(open_film(path))
    assert (footage.film.width, footage.film.height) == size
    assert len(footage.times) == 16
    assert [cut.frame for cut in footage.cuts] == [8]


# Cuts


@pytest.mark.parametrize("fps", [12, 25, Fraction(30000, 1001), 60])
def test_a_hard_cut_is_found_at_its_frame(tmp_path: Path, fps: Fraction | int) -> None:
    path = write(tmp_path / "a.mp4", scenes([31, 17, 44]), fps=fps)
    cuts = watch(open_film(path)).cuts
    assert [cut.frame for cut in cuts] == [31, 48]
    assert [cut.time for cut in cuts] == pytest.approx([31 / fps, 48 / fps], abs=1e-4)
    assert all(0.1 < cut.strength <= 1 for cut in cuts)


def test_cuts_of_a_variable_frame_rate_are_at_their_timestamps(tmp_path: Path) -> None:
    """The same scenes as a slide show: one frame each, held for seconds."""
    path = write(tmp_path / "a.mkv", scenes([1] * 5), pts=[0, 3000, 7000, 7500, 12000])
    assert [cut.time for cut in watch(open_film(path)).cuts] == [3.0, 7.0, 7.5, 12.0]


def test_flashes_fades_and_pans_are_no_cuts(tmp_path: Path) -> None:
    still = scenes([60])
    flash = [*still[:30], *[np.full_like(still[0], 250)] * 3, *still[30:]]
    fade = [(p * min(1.0, i / 50)).astype(np.uint8) for i, p in enumerate(still)]
    pan = panning(50, 0.06, 160, 90)
    for name, pictures in {"flash": flash, "fade": fade, "pan": pan}.items():
        path = write(tmp_path / f"{name}.mp4", pictures)
        assert watch(open_film(path)).cuts == (), name


strengths = st.floats(0, 1).map(lambda x: round(x, 2))
some_cuts = st.lists(st.builds(Cut, st.floats(0, 60).map(lambda x: round(x, 2)), strengths))


@given(some_cuts)
def test_thinned_cuts_are_apart_and_each_dropped_one_has_a_stronger_neighbour(
    cuts: list[Cut],
) -> None:
    thinned = thin(cuts, 60.0)
    kept = [cut for cut in thinned if cut.kept]
    assert sorted((c.time, c.strength) for c in thinned) == sorted(
        (c.time, c.strength) for c in cuts
    )
    assert [c.time for c in thinned] == sorted(c.time for c in cuts)
    assert all(b.time - a.time >= CUT_DISTANCE for a, b in pairwise(kept))
    for cut in thinned:
        inside = CUT_MARGIN <= cut.time <= 60.0 - CUT_MARGIN
        stronger = [
            k for k in kept if abs(k.time - cut.time) < CUT_DISTANCE and k.strength >= cut.strength
        ]
        assert cut.kept == (inside and stronger == [cut])
        assert bool(cut.reason) != cut.kept


@given(some_cuts)
def test_thinning_what_is_thinned_changes_nothing(cuts: list[Cut]) -> None:
    assert thin(thin(cuts, 60.0), 60.0) == thin(cuts, 60.0)


def test_a_dropped_cut_says_why() -> None:
    cuts = [Cut(0.2, 0.9), Cut(10, 0.5), Cut(12.344, 0.8), Cut(29.8, 1.0)]
    assert [cut.reason for cut in thin(cuts, 30.0)] == [
        "within 0.5 s of the start",
        "within 4 s of the stronger cut at 12.34 s",
        "",
        "within 0.5 s of the end",
    ]


# Motion and colour


@pytest.mark.parametrize(
    ("width", "height", "fps"), [(160, 90, 25), (640, 360, 25), (160, 90, 60), (90, 160, 30)]
)
def test_motion_is_in_picture_heights_a_second_whatever_size_and_rate(
    tmp_path: Path, width: int, height: int, fps: int
) -> None:
    path = write(tmp_path / "a.mp4", panning(fps, 0.5 / fps, width, height), fps=fps)
    assert np.median(watch(open_film(path)).motion) == pytest.approx(0.5, rel=0.1)


def test_what_is_measured_has_no_digits_that_only_the_machine_gives(tmp_path: Path) -> None:
    footage = watch(open_film(write(tmp_path / "a.mp4", [*panning(30, 0.02, 161, 91)])))
    for values in (
        footage.brightness, footage.saturation, footage.colourfulness, footage.motion,
        footage.change,
    ):  # fmt: skip
        assert len(values) and np.round(values, 6).tolist() == values.tolist()


def test_a_cut_is_no_motion(tmp_path: Path) -> None:
    footage = watch(open_film(write(tmp_path / "a.mkv", scenes([20, 20]), codec="ffv1")))
    assert len(footage.cuts) == 1
    assert footage.motion.max() < 0.01
    at = float(footage.change_times[footage.change.argmax()])
    assert at == pytest.approx(footage.cuts[0].time, abs=0.05)  # but a change


def test_change_is_the_share_of_the_picture_that_changes_a_second(tmp_path: Path) -> None:
    dark = np.full((90, 160, 3), 60, np.uint8)
    lit = dark.copy()
    lit[:, :40] = 120  # a quarter of it
    dim = np.minimum(dark + 10, 255).astype(np.uint8)  # too little to be seen
    pictures = [dark, lit] * 10 + [dark, dim] * 10
    footage = watch(open_film(write(tmp_path / "a.mkv", pictures, codec="ffv1", fps=25)))
    early = footage.change_times < 0.75
    assert footage.change[early] == pytest.approx(0.25 * 25, abs=0.2)
    assert np.median(footage.change[~early]) == 0


def test_pictures_that_could_not_be_read_again_are_in_no_film_with_music(tmp_path: Path) -> None:
    film = open_film(write(tmp_path / "a.avi", scenes([3]), codec="rawvideo"))
    assert film.suffixes == ()
    film = open_film(write(tmp_path / "b.avi", scenes([3]), codec="rawvideo", layout="yuyv422"))
    assert film.suffixes == (".mov",)


def test_colours_are_those_of_the_papers(tmp_path: Path) -> None:
    def look(
        colour: tuple[int, int, int], other: tuple[int, int, int] | None = None
    ) -> list[float]:
        picture = np.zeros((90, 160, 3), np.uint8)
        picture[:, :80], picture[:, 80:] = colour, other or colour
        path = write(tmp_path / "a.avi", [picture] * 3, codec="rawvideo", layout="bgr24")
        footage = watch(open_film(path))
        return [
            float(c[0]) for c in (footage.brightness, footage.saturation, footage.colourfulness)
        ]

    assert look((255, 255, 255)) == pytest.approx([1, 0, 0], abs=0.01)
    assert look((0, 0, 0)) == [0, 0, 0]
    assert look((128, 128, 128)) == pytest.approx([0.5, 0, 0], abs=0.01)
    assert look((255, 0, 0))[:2] == pytest.approx([0.299, 1], abs=0.01)
    # Hasler & Süsstrunk by hand: rg is 1 and -1, yb is 0.5 in both halves.
    red_and_green = np.hypot(1.0, 0.0) + 0.3 * np.hypot(0.0, 0.5)
    assert look((255, 0, 0), (0, 255, 0))[2] == pytest.approx(red_and_green, abs=0.02)


def test_a_curve_is_the_mean_over_each_step_and_covers_the_video(tmp_path: Path) -> None:
    footage = watch(open_film(write(tmp_path / "a.mp4", scenes([30]))))
    curve = footage.curve(np.asarray([0.0, 0.3, 0.6, 1.1]), np.asarray([1.0, 3.0, 5.0, 7.0]), 0.5)
    assert curve.values == (2.0, 5.0, 7.0)
    assert footage.curve(np.asarray([0.1, 1.1]), np.asarray([1.0, 2.0]), 0.5).values[1] == 1.5
    assert footage.curve(np.asarray([]), np.asarray([]), 0.5).values == (0.0, 0.0, 0.0)


def test_stills_thin_out_within_the_same_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observers, "MOST_STILLS", 4)
    levels = [np.full((90, 160, 3), level, np.uint8) for level in range(36)]
    stills = watch_drawn(levels, 2.0, needs=Needs(stills=1.0)).stills
    assert [still.time for still in stills] == [3.5, 7.0, 10.0, 14.0]
    assert [still.pixels.mean() for still in stills] == [2 * still.time for still in stills]
    assert len({id(still.pixels.base) for still in stills}) == 1


def test_the_strip_spans_the_video(tmp_path: Path) -> None:
    footage = watch(open_film(write(tmp_path / "a.mp4", scenes([100]))))
    times = [still.time for still in footage.strip]
    assert len(times) == STRIP
    assert times == pytest.approx([(i + 0.5) / STRIP * 4 for i in range(STRIP)], abs=0.04)


def test_progress_rises_to_the_end(tmp_path: Path) -> None:
    shares: list[float] = []
    watch(open_film(write(tmp_path / "a.mp4", scenes([40]))), shares.append)
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1.0, abs=0.05)


# Inputs that are no videos


def picture(path: Path) -> None:
    assert cv2.imwrite(str(path), texture(1, 64, 48))


def misnamed(path: Path) -> None:
    picture(path.with_suffix(".bmp"))
    path.with_suffix(".bmp").rename(path)


def gif(path: Path) -> None:
    write(path, scenes([1]), codec="gif", layout="rgb8")


def sound(path: Path, sleeve: bool = False) -> None:
    with av.open(path, "w") as container:
        stream = container.add_stream("flac", rate=16000)
        cover = container.add_stream("png", rate=1) if sleeve else None
        if cover:
            from av.stream import Disposition

            cover.width, cover.height, cover.pix_fmt = 32, 32, "rgb24"
            cover.disposition = Disposition.attached_pic
        for i in range(4):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 4608), np.int16), "s16", "mono")
            frame.sample_rate, frame.pts = 16000, i * 4608
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if cover:
            container.mux(cover.encode(av.VideoFrame.from_ndarray(texture(1, 32, 32), "rgb24")))
            container.mux(cover.encode(None))


def truncated(path: Path) -> None:
    whole = write(path.with_name("whole.mp4"), scenes([20])).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def playlist(path: Path) -> None:
    write(path.with_name("whole.mp4"), scenes([20]))
    path.write_text("ffconcat version 1.0\nfile 'whole.mp4'\n")


@pytest.mark.parametrize(
    ("name", "make", "sentence"),
    [
        ("none.mp4", lambda _: None, "there is no file .*none.mp4"),
        ("http://there/a.mp4", lambda _: None, "there is no file"),
        ("folder.mp4", Path.mkdir, "is a folder"),
        ("pipe.mp4", os.mkfifo, "not an ordinary file"),
        ("nul\0.mp4", lambda _: None, "cannot read .*null byte"),
        ("x" * 300, lambda _: None, "cannot read .*too long"),
        ("empty.mp4", Path.touch, "no known format, empty or incomplete"),
        ("text.mp4", lambda path: path.write_text("words\n" * 99), "no known format"),
        ("random.mp4", lambda path: path.write_bytes(bytes(range(256)) * 40), "no known format"),
        ("truncated.mp4", truncated, "empty or incomplete"),
        ("playlist.mp4", playlist, "no known format"),
        ("picture.png", picture, "is a picture, not a video"),
        ("picture.jpg", picture, "is a picture, not a video"),
        ("picture.mp4", misnamed, "is a picture, not a video"),
        ("one.gif", gif, "is a picture, not a video"),
        ("one.mp4", lambda path: write(path, scenes([1])), "is a picture, not a video"),
        ("sound.flac", sound, "holds sound but no video"),
        ("sleeve.flac", lambda path: sound(path, sleeve=True), "holds sound but no video"),
    ],
)  # fmt: skip
def test_what_is_no_video_is_refused_with_a_sentence(
    tmp_path: Path, name: str, make: Callable[[Path], object], sentence: str
) -> None:
    path = tmp_path / name
    make(path)
    with pytest.raises(InputError, match=sentence) as caught:
        watch(open_film(path))
    assert caught.value.exit_code == 3 and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("suffix", "tags"),
    [
        ("mp4", {"title": "Abcde"}),
        ("avi", {"title": "Abcde"}),
        ("mkv", {"title": "Abcde", "artist": "Abcde"}),
    ],
)
def test_tags_that_are_no_utf8_change_nothing(
    tmp_path: Path, suffix: str, tags: dict[str, str]
) -> None:
    path = write(tmp_path / f"a.{suffix}", scenes([10, 10]), tags=tags)
    known = open_film(path)
    data = path.read_bytes()
    assert b"Abcde" in data
    handler = "Обраб".encode("cp1251") + b"Handler"  # as a Russian Mac names it
    path.write_bytes(data.replace(b"Abcde", b"Caf\xe9s").replace(b"VideoHandler", handler))
    assert open_film(path) == known
    assert len(watch(known).times) == 20


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", scenes([5]))
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user reads everything")
    with pytest.raises(InputError, match=r"cannot read .*[Pp]ermission"):
        open_film(path)


@pytest.mark.parametrize(
    "name", ["-x.mp4", "concat:a.mp4", "http:a.mp4", "a'b\".mp4", "$(x);`y` %03d.mp4", "é\n.mp4"]
)
def test_a_name_is_a_file_name_and_never_a_protocol_or_an_option(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.mp4", scenes([10])).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert open_film(Path(name)).frames == 10


# Real clips


@cache
def watched(path: Path) -> Footage:
    return watch(open_film(path))


@pytest.mark.slow
@pytest.mark.parametrize("name", CLIPS)
def test_real_clips_are_as_long_as_their_manifest_says(shared: Path, name: str) -> None:
    with (shared / "clips" / "MANIFEST.csv").open(newline="", encoding="utf-8") as file:
        (row,) = (row for row in csv.DictReader(file) if row["file"] == name)
    video = open_film(shared / "clips" / name)
    footage = watched(shared / "clips" / name)
    frame = 1 / float(footage.film.fps)
    assert footage.film.frames == int(row["n_frames_decoded"])
    assert footage.film.duration == pytest.approx(float(row["video_span_s"]), abs=frame)
    assert video.duration == pytest.approx(footage.film.duration, abs=frame)
    assert (video.width, video.height) == (int(row["width"]), int(row["height"]))
    assert video.has_audio == (row["has_audio"] == "yes")
    assert (np.diff(footage.times) > 0).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "times"),
    [
        ("bbb_0_30.webm", [11.79, 15.67, 22.96]),  # not the fade from black, not the title
        ("skv_bikes.mp4", [1.20, 3.04, 5.48, 7.48, 9.68]),
        ("fireworks.3gp", []),  # flashes
        ("transit_sun.mkv", [6.21]),
        ("fingers.mov", []),
    ],
)
def test_real_clips_are_cut_where_the_eye_sees_it(
    shared: Path, name: str, times: list[float]
) -> None:
    cuts = watched(shared / "clips" / name).cuts
    assert [cut.time for cut in cuts] == pytest.approx(times, abs=0.01)


def test_importing_is_light() -> None:
    import subprocess

    heavy = "{'av', 'cv2', 'scenedetect', 'matplotlib', 'torch'}"
    imports = "import sys, emsync.analysis, emsync.report.plots"
    code = f"{imports}; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
