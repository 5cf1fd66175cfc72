"""Which of a film's sounds is heard: the one that a player takes, or both tracks of a camera."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from emsync.errors import InputError, UsageError, warn
from emsync.limits import one_line, quoted

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer

SAME_LENGTH = 0.5  # seconds by which two tracks of one recording may differ


@dataclass(frozen=True)
class Choice:
    """The sound streams that are heard, by their place among those of the file."""

    tracks: tuple[int, ...]  # one, or a left and a right one
    note: str = ""  # for a person, where there was a choice


def choose(path: Path, container: "InputContainer", wanted: int | None = None) -> Choice:
    """Return what is heard: track ``wanted``, or what players take, which is the default track.

    Of several, or none, the one with the most channels is, and of equals the first. The first two
    of the mono tracks that a camera records side by side are left and right. UsageError where
    there is no such track, InputError where there is none that can be decoded.
    """
    streams = container.streams.audio
    name = quoted(path)
    if not streams:
        raise InputError(f"{name} holds no sound")
    listed = "; ".join(f"{i}: {describe(stream)}" for i, stream in enumerate(streams))
    if wanted is not None:
        if not 0 <= wanted < len(streams):
            raise UsageError(f"{name} has no sound track {wanted}; it has {listed}")
        if streams[wanted].codec_context is None:
            raise InputError(
                f"no installed decoder reads sound track {wanted} of {name}; it has {listed}"
            )
        return Choice((wanted,))
    known = [i for i, stream in enumerate(streams) if stream.codec_context is not None]
    if not known:
        raise InputError(
            f"no installed decoder reads the sound of {name} ({listed}); convert it to AAC"
        )
    best = max(known, key=lambda i: _preference(streams[i]))
    pair = [i for i in known if _belong_together(streams[best], streams[i])][:2]
    if len(streams) == 1:
        return Choice((best,))
    if len(pair) == 2:
        kept = f"tracks {pair[0]} and {pair[1]} are heard as left and right"
    else:
        pair, kept = [best], f"track {best} is heard"
    return Choice(
        tuple(pair), f"{name} has {len(streams)} sound tracks ({listed}), of which {kept}"
    )


def heard_tracks(path: Path, container: "InputContainer", wanted: int | None) -> tuple[int, ...]:
    """Return the tracks that are heard, telling of it where there was a choice; see ``choose``."""
    choice = choose(path, container, wanted)
    if choice.note:
        warn(choice.note)
    return choice.tracks


def describe(stream: "AudioStream") -> str:
    """Return a track in words: title, language, how it is coded, channels."""
    words = [stream.metadata.get("title", ""), stream.metadata.get("language", "")]
    if stream.codec_context is not None:
        alone = len(stream.layout.channels) == 1  # FFmpeg may say "1 channels"
        words += [stream.codec_context.name, "mono" if alone else stream.layout.name]
    return one_line(", ".join(word for word in words if word and word != "und")) or "unknown"


def _preference(stream: "AudioStream") -> tuple[bool, bool, int]:
    """Return how much a player prefers a track: as FFmpeg does, and no spoken commentary."""
    from av.stream import Disposition

    aside = Disposition.comment | Disposition.visual_impaired | Disposition.descriptions
    default = bool(stream.disposition & Disposition.default)
    return default, not stream.disposition & aside, len(stream.layout.channels)


def _belong_together(best: "AudioStream", other: "AudioStream") -> bool:
    """Return whether ``other`` is a channel of the recording whose first one is ``best``."""
    from av.stream import Disposition

    marked = other.disposition & Disposition.default
    alike = _facts(best) == _facts(other) and len(best.layout.channels) == 1
    # that the first one alone is marked as the default only says that nobody chose
    same = marked == best.disposition & Disposition.default or not marked
    lengths = [_seconds(stream) for stream in (best, other)]
    near = abs(lengths[0] - lengths[1]) < SAME_LENGTH
    return alike and same and near and best.index <= other.index


def _facts(stream: "AudioStream") -> tuple[object, ...]:
    from av.stream import Disposition

    tags = [stream.metadata.get(key) for key in ("language", "title")]
    kind = stream.disposition & ~Disposition.default
    return stream.codec_context.name, stream.rate, len(stream.layout.channels), kind, *tags


def _seconds(stream: "AudioStream") -> float:
    return float((stream.duration or 0) * (stream.time_base or 0))
