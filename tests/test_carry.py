"""Laws of what a film with music keeps of the film: tags, chapters, subtitles, shape, timecode."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from emsync.brief import first_timecode
from emsync.errors import EmsyncWarning
from emsync.options import Options
from emsync.pipeline import analyze
from emsync.sound.audio import Audio
from emsync.sound.matroska import display_size
from emsync.sound.mux import mux
from emsync.video.film import open_film

FORMATS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
TAGS = {
    "title": "My film", "artist": "Someone", "date": "2024-05-06",
    "location": "+48.1000+011.5000/", "creation_time": "2024-05-06T07:08:09.000000Z",
}  # fmt: skip
CHAPTERS = [("One", 0, 1000), ("Two", 1000, 9000), ("Beyond", 9000, 9500)]
LINES = [("Hello there", 200, 700), ("Ночь", 1000, 1800), ("Beyond", 2500, 3000)]  # milliseconds


def draw(
    path: Path,
    codec: str = "libx264",
    words: str = "",
    pixel: Fraction | None = None,
    timecode: str = "",
    attached: bool = False,
    late: int = 0,
) -> Path:
    """Write two seconds of film with tags, chapters and, of the kind ``words``, subtitles."""
    with av.open(path, "w", format=FORMATS[path.suffix]) as out:
        out.metadata.update(TAGS)
        if timecode:
            out.metadata["timecode"] = timecode
        out.set_chapters([
            {
                "id": i, "start": start, "end": end, "time_base": Fraction(1, 1000),
                "metadata": {"title": title},
            }
            for i, (title, start, end) in enumerate(CHAPTERS)
        ])  # fmt: skip
        pictures: Any = out.add_stream(codec, rate=25, width=64, height=48)
        pictures.pix_fmt = "yuv420p"
        if pixel:
            pictures.codec_context.sample_aspect_ratio = pixel
        if words:
            track: Any = out.add_mux_stream(words, time_base=Fraction(1, 1000))
            track.metadata["language"] = "rus"
        if attached:
            out.add_attachment("font.ttf", "application/x-truetype-font", b"letters")
        for text, start, end in LINES if words else []:
            data = text.encode()
            if words == "mov_text":
                data = len(data).to_bytes(2, "big") + data
            packet = av.Packet(data)
            packet.stream, packet.time_base = track, Fraction(1, 1000)
            packet.pts = packet.dts = start
            packet.duration = end - start
            out.mux(packet)
        for i in range(50):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 4 * i, np.uint8), "rgb24")
            frame.pts, frame.time_base = i, Fraction(1, 25)
            out.mux(pictures.encode(frame))
        out.mux(pictures.encode(None))
    return path


def music() -> Audio:
    return Audio(np.full((88200, 2), 0.01, np.float32), 44100)


def with_music(source: Path, target: Path) -> Path:
    film = open_film(source)
    mux(film, music(), target)
    return target


def said(path: Path) -> list[tuple[str, int, int]]:
    """Return the subtitles of a film with their times in milliseconds."""
    film: Any
    with av.open(path) as film:
        (stream,) = film.streams.subtitles
        assert stream.language == "rus"
        found = []
        for packet in film.demux(stream):
            for line in packet.decode() if packet.size > 2 else []:
                text = line.dialogue.decode() if line.dialogue else line.text.decode()
                begin = round(float(packet.pts * packet.time_base) * 1000)
                end = begin + round(float(packet.duration * packet.time_base) * 1000)
                found.append((text, begin, end))
        return found


@pytest.mark.parametrize("target", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize(("source", "words"), [(".mov", "mov_text"), (".mkv", "subrip")])
def test_tags_chapters_and_subtitles_are_taken_along(
    source: str, words: str, target: str, tmp_path: Path
) -> None:
    path = draw(tmp_path / f"film{source}", words=words)
    copy = with_music(path, tmp_path / f"out{target}")
    film: Any
    with av.open(copy) as film:
        tags = {key.lower(): value for key, value in film.metadata.items()}
        assert TAGS.items() <= tags.items()
        chapters = [
            (c["metadata"]["title"], c["start"] * c["time_base"], c["end"] * c["time_base"])
            for c in film.chapters()
        ]
        assert chapters == [("One", 0, 1), ("Two", 1, 2)]  # clipped to the two seconds of film
    assert said(copy) == LINES[:2]
    assert open_film(copy).duration == pytest.approx(2.0)


def test_a_film_in_webm_keeps_its_words_as_webvtt(tmp_path: Path) -> None:
    path = draw(tmp_path / "film.mkv", "libvpx", words="subrip")
    copy = with_music(path, tmp_path / "out.webm")
    assert said(copy) == LINES[:2]
    with av.open(copy) as film:
        assert film.streams.subtitles[0].codec_context.name == "webvtt"


def test_attached_files_stay_in_matroska_and_elsewhere_their_loss_is_told(tmp_path: Path) -> None:
    path = draw(tmp_path / "film.mkv", attached=True)
    with av.open(with_music(path, tmp_path / "out.mkv")) as film:
        (attached,) = film.streams.attachments
        assert (attached.name, attached.data) == ("font.ttf", b"letters")
    with pytest.warns(EmsyncWarning, match=r"leaves out the attached file 'font\.ttf'$"):
        with_music(path, tmp_path / "out.mp4")


@pytest.mark.parametrize("target", [".mp4", ".mov", ".mkv"])
def test_the_timecode_of_a_film_is_kept(target: str, tmp_path: Path) -> None:
    path = draw(tmp_path / "film.mov", timecode="10:00:00:00")
    copy = with_music(path, tmp_path / f"out{target}")
    assert open_film(path).timecode == open_film(copy).timecode == "10:00:00:00"


@pytest.mark.parametrize("timecode", ["noon", "01:00:00;00", "01:00:00:25"])
def test_a_timecode_that_the_frames_cannot_have_is_left_out_and_told(
    timecode: str, tmp_path: Path
) -> None:
    path = draw(tmp_path / "film.mkv", timecode=timecode)
    with pytest.warns(EmsyncWarning, match=f"leaves out the timecode '{timecode}'"):
        copy = with_music(path, tmp_path / "out.mov")
    assert open_film(copy).timecode == ""


def test_a_timecode_counts_as_the_camera_does_whatever_frames_are_missing(tmp_path: Path) -> None:
    """29.97 frames a second in drop-frame, of which one in ten is missing."""
    path = tmp_path / "film.mov"
    with av.open(path, "w") as out:
        out.metadata["timecode"] = "01:00:00;00"
        pictures: Any = out.add_stream("mpeg4", rate=Fraction(30000, 1001), width=64, height=48)
        pictures.time_base = pictures.codec_context.time_base = Fraction(1001, 30000)
        for i in (n for n in range(60) if n % 10 != 5):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 4 * i, np.uint8), "rgb24")
            frame.pts, frame.time_base = i, Fraction(1001, 30000)
            out.mux(pictures.encode(frame))
        out.mux(pictures.encode(None))
    copy = with_music(path, tmp_path / "out.mov")
    assert open_film(copy).timecode == "01:00:00;00"


def test_the_timecode_of_a_film_is_that_of_its_first_frame_unless_another_is_asked_for(
    tmp_path: Path,
) -> None:
    film = open_film(draw(tmp_path / "film.mov", timecode="10:00:00:00"))
    asked, seen = Options(start_timecode="01:00:00:00"), analyze(film)
    with pytest.warns(EmsyncWarning, match="the first frame is 10:00:00:00, as the film states"):
        assert first_timecode(film, seen, Options()) == "10:00:00:00"
    assert first_timecode(film, seen, asked) == "01:00:00:00"


@pytest.mark.parametrize("pixel", [Fraction(4, 3), Fraction(16, 15), Fraction(8, 9)])
def test_pixels_that_are_not_square_stay_so_where_the_codec_does_not_say(
    pixel: Fraction, tmp_path: Path
) -> None:
    path = draw(tmp_path / "film.mp4", "libvpx-vp9", pixel=pixel)
    webm = with_music(path, tmp_path / "one.webm")
    for copy in (
        webm,
        *(with_music(webm, tmp_path / f"two{s}") for s in (".webm", ".mkv", ".mp4")),
    ):
        with av.open(copy) as film:
            (pictures,) = film.streams.video
            assert pictures.sample_aspect_ratio == pixel, copy.name
            assert "title" not in pictures.metadata
            assert len(list(film.decode(pictures))) == 50


def test_the_name_of_a_track_stays_beside_its_shape(tmp_path: Path) -> None:
    path = draw(tmp_path / "film.mp4", "libvpx-vp9", pixel=Fraction(4, 3))
    film = with_music(path, tmp_path / "one.mkv")
    head = film.read_bytes()
    assert b"emsync" not in head.replace(b"emsync.", b"")
    assert display_size(720, 480, Fraction(32, 27)) == (864, 486)  # 16:9 to the last digit
    assert display_size(101, 99, Fraction(997, 991)) == (102, 99)  # or as near as pixels are


def test_the_same_film_gives_the_same_bytes_with_all_that_it_carries(tmp_path: Path) -> None:
    path = draw(tmp_path / "film.mov", words="mov_text", timecode="10:00:00:00")
    for suffix in (".mov", ".mkv"):
        one, two = (with_music(path, tmp_path / f"{name}{suffix}") for name in "ab")
        assert one.read_bytes() == two.read_bytes()
