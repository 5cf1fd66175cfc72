"""A film whose pictures are encoded anew, each shown as long as before, with new sound or none."""

import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from emsync.errors import AssetError
from emsync.files import atomic_write
from emsync.limits import quoted
from emsync.sound.blocks import Sound
from emsync.sound.encode import in_words
from emsync.sound.mux import SoundWriter, new_film
from emsync.video.film import Film, frames
from emsync.video.hdr import is_foreign
from emsync.video.observers import pixels

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.reformatter import VideoReformatter

TICKS = 90_000  # per second, by which the new film counts
INDEX_FIRST = {"movflags": "+faststart"}  # so that a browser plays it before it has all of it


class Form(NamedTuple):
    """What the new pictures are like."""

    longer: float = math.inf  # pixels of the longer side, at most
    shorter: float = math.inf
    preset: str = "veryfast"  # of x264: how much time is taken
    coarse: int = 23  # x264's rate factor; less is finer
    gap: float = math.inf  # seconds between key frames, at most, but for frames that last longer


class _Encoder(NamedTuple):
    """How pictures are encoded."""

    name: str  # FFmpeg's
    suffix: str
    options: Callable[[Form], dict[str, str]]


def _x264(form: Form) -> dict[str, str]:
    # without frames that refer to later ones, the first is shown at 0 for every reader
    return {"preset": form.preset, "crf": str(form.coarse), "bf": "0", "forced-idr": "1"}


def _vpx(form: Form) -> dict[str, str]:
    return {"deadline": "realtime", "cpu-used": "8", "crf": str(form.coarse + 11), "b": "2M"}


ENCODERS = (  # the first that is installed
    _Encoder("libx264", ".mp4", _x264),
    _Encoder("libvpx-vp9", ".webm", _vpx),
    _Encoder("libvpx", ".webm", _vpx),
)


def recoded_suffix(film: Film) -> str:
    """Return the suffix of what ``recode`` writes; AssetError where it cannot."""
    return _encoder(film).suffix


def recode(
    film: Film,
    output: Path,
    form: Form,
    progress: Callable[[float], None],
    sound: Sound | None = None,
) -> tuple[int, int]:
    """Write ``film`` anew, whole or not at all; return the width and the height that one sees.

    ``progress`` gets the seconds that are written.
    """
    upright = film.rotation % 180 == 0
    width, height = (film.width, film.height) if upright else (film.height, film.width)
    scale = min(1.0, form.longer / max(width, height), form.shorter / min(width, height))
    width, height = (max(2, round(side * scale / 2) * 2) for side in (width, height))
    failure = f"cannot encode the pictures of {quoted(film.path)}"
    with atomic_write(output) as part, in_words(failure):
        _write(film, part, form, (width, height), progress, sound)
    return (width, height) if upright else (height, width)


def _encoder(film: Film) -> _Encoder:
    """Return how the pictures of ``film`` are encoded."""
    import av

    for encoder in ENCODERS:
        try:
            av.Codec(encoder.name, "w")
        except ValueError:  # PyAV's UnknownCodecError
            continue
        return encoder
    raise AssetError(
        f"{quoted(film.path)} has {film.codec} pictures, and no encoder of what browsers play is "
        "installed; convert it to H.264 first"
    )


def _write(
    film: Film,
    path: Path,
    form: Form,
    size: tuple[int, int],
    progress: Callable[[float], None],
    sound: Sound | None,
) -> None:
    from av.video.frame import PictureType
    from av.video.reformatter import ColorRange, VideoReformatter

    encoder, scaler, to_ordinary = _encoder(film), VideoReformatter(), VideoReformatter()
    with new_film(path, INDEX_FIRST if path.suffix == ".mp4" else {}) as out:
        pictures: Any = out.add_stream(
            encoder.name,
            rate=film.fps,
            width=size[0],
            height=size[1],
            options=encoder.options(form),
        )
        pictures.time_base = pictures.codec_context.time_base = Fraction(1, TICKS)
        pictures.pix_fmt = "yuv420p"
        if film.rotation:
            pictures.set_display_rotation(film.rotation)
        writer = SoundWriter(out, path.suffix, sound) if sound else None
        lengths: dict[int, int] = {}  # ticks, by when a picture is shown
        last, key = -1, -math.inf  # ticks of the last picture; seconds of the last key frame

        def write(frame: "VideoFrame | None") -> None:
            for packet in pictures.encode(frame):
                packet.duration = lengths.pop(packet.pts, 0)
                out.mux(packet)

        for begin, end, decoded in frames(film):
            frame = _ordinary(decoded, to_ordinary, size)
            if last < 0:
                _colour_as(pictures.codec_context, frame)
            small = scaler.reformat(
                frame,
                *size,
                "yuv420p",
                interpolation="AREA",
                src_color_range=frame.color_range,
                dst_color_range=ColorRange.MPEG,  # which is what a film means that says nothing
                threads=1,
            )
            last = max(last + 1, round(begin * TICKS))
            small.pts, small.time_base = last, Fraction(1, TICKS)
            if is_key := end - key > form.gap:  # else the next one would come too late
                key = begin
            small.pict_type = PictureType.I if is_key else PictureType.NONE
            lengths[last] = max(1, round(end * TICKS) - last)
            write(small)
            if writer:
                writer.until(begin)
            progress(begin)
        write(None)
        if writer:
            writer.finish()


def _ordinary(
    frame: "VideoFrame", scaler: "VideoReformatter", size: tuple[int, int]
) -> "VideoFrame":
    """Return a frame as an ordinary screen shows it, since 8 bits hold no more; see ``hdr``."""
    from av.video.frame import VideoFrame

    if not is_foreign(frame):
        return frame
    return VideoFrame.from_ndarray(pixels(scaler, frame, size, "rgb24"), "rgb24")


def _colour_as(encoder: Any, frame: "VideoFrame") -> None:
    """Let an encoder tell what the colours of ``frame`` mean; of RGB they are made as of old TV."""
    if frame.format.is_rgb:
        encoder.colorspace = 6  # SMPTE 170M, to which FFmpeg converts
        return
    for name in ("colorspace", "color_primaries", "color_trc"):
        setattr(encoder, name, int(getattr(frame, name)))
