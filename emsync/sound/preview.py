"""The film in a bundle: one that browsers play, its pictures encoded anew where they must be."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from emsync.errors import AssetError, warn
from emsync.files import atomic_write
from emsync.limits import quoted, shown
from emsync.sound.blocks import Sound
from emsync.sound.encode import in_words
from emsync.sound.mux import SoundWriter, copy_film, new_film
from emsync.video.film import Film, frames

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

COPIED = (".mp4", ".webm")  # the first that holds the pictures, if browsers play those
PLAYED = {  # by browsers: how pictures are coded, and how their pixels lie
    "h264": ("yuv420p", "yuvj420p"),
    "hevc": ("yuv420p", "yuvj420p", "yuv420p10le"),
    "av1": ("yuv420p", "yuv420p10le"),
    "vp8": ("yuv420p",),
    "vp9": ("yuv420p", "yuv420p10le"),
}
LARGEST = 1280  # pixels of the longer side of an encoded preview
TICKS = 90_000  # per second, by which an encoded preview counts


class _Encoder(NamedTuple):
    """How pictures are encoded."""

    name: str  # FFmpeg's
    suffix: str
    options: dict[str, str]


ENCODERS = (  # the first that is installed
    _Encoder("libx264", ".mp4", {"preset": "veryfast", "crf": "23"}),
    _Encoder("libvpx-vp9", ".webm", {"deadline": "realtime", "cpu-used": "8", "crf": "34"}),
    _Encoder("libvpx", ".webm", {"deadline": "realtime", "cpu-used": "8", "b": "2M"}),
)


def preview_suffix(film: Film) -> str:
    """Return the suffix of the preview of ``film``; AssetError where none can be made."""
    return _copied_into(film) or _encoder(film).suffix


def is_encoded(film: Film) -> bool:
    """Return whether the pictures of a preview of ``film`` are not its own."""
    return not _copied_into(film)


def write_preview(
    film: Film, sound: Sound, output: Path, progress: Callable[[float], None]
) -> None:
    """Write ``film`` with ``sound``; a warning tells where the pictures are encoded for it."""
    if _copied_into(film) == output.suffix:
        copy_film(film, sound, output, progress)
        return
    failure = f"cannot encode a preview of {quoted(film.path)}"
    with atomic_write(output) as part, in_words(failure):
        size = _encode(film, sound, part, progress)
    warn(
        f"browsers do not play the {film.codec} pictures ({film.pixels}) of "
        f"{shown(film.path.name)}: the preview in the bundle is encoded anew, {size[0]} x {size[1]}"
    )


def _copied_into(film: Film) -> str:
    """Return the suffix of a film that holds the pictures as they are, for browsers, or ""."""
    suffixes = [s for s in COPIED if s in film.suffixes and not (film.hides and s != ".mp4")]
    if film.codec not in PLAYED or not suffixes or film.timing is None:
        return ""
    return suffixes[0] if film.pixels in PLAYED[film.codec] else ""


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
        f"{quoted(film.path)} has {film.codec} pictures, and no encoder for a preview is "
        "installed; convert it to H.264 first"
    )


def _encode(
    film: Film, sound: Sound, path: Path, progress: Callable[[float], None]
) -> tuple[int, int]:
    """Encode the pictures and the sound; return the width and the height of the pictures."""
    encoder = _encoder(film)
    upright = film.rotation % 180 == 0
    width, height = (film.width, film.height) if upright else (film.height, film.width)
    scale = min(1.0, LARGEST / max(width, height))
    width, height = (max(2, round(side * scale / 2) * 2) for side in (width, height))
    with new_film(path) as out:
        pictures: Any = out.add_stream(
            encoder.name, rate=film.fps, width=width, height=height, options=encoder.options
        )
        pictures.time_base = pictures.codec_context.time_base = Fraction(1, TICKS)
        pictures.pix_fmt = "yuv420p"
        if film.rotation:
            pictures.set_display_rotation(film.rotation)
        writer = SoundWriter(out, path.suffix, sound)
        lengths: dict[int, int] = {}  # ticks, by when a picture is shown
        last = -1

        def write(frame: "VideoFrame | None") -> None:
            for packet in pictures.encode(frame):
                packet.duration = lengths.pop(packet.pts, 0)
                out.mux(packet)

        for begin, end, frame in frames(film):
            if last < 0:
                _colour_as(pictures.codec_context, frame)
            small = frame.reformat(width, height, "yuv420p")
            last = max(last + 1, round(begin * TICKS))
            small.pts, small.time_base = last, Fraction(1, TICKS)
            lengths[last] = max(1, round(end * TICKS) - last)
            write(small)
            writer.until(begin)
            progress(begin)
        write(None)
        writer.finish()
    return (width, height) if upright else (height, width)


def _colour_as(encoder: Any, frame: "VideoFrame") -> None:
    """Let an encoder tell what the colours of ``frame`` mean; of RGB they are made as of old TV."""
    if frame.format.is_rgb:
        encoder.colorspace = 6  # SMPTE 170M, to which FFmpeg converts
        return
    for name in ("colorspace", "color_primaries", "color_trc"):
        setattr(encoder, name, int(getattr(frame, name)))
