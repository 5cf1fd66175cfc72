"""What a film holds beside pictures and sound, taken along: tags, chapters, subtitles, fonts."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from emsync.errors import UsageError
from emsync.limits import one_line, shown
from emsync.video.discontinuities import Continuity
from emsync.video.media import continued, continuity, stated
from emsync.video.timecode import Timecode

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.container.core import Chapter
    from av.packet import Packet
    from av.video.stream import VideoStream

TEXT = {".mp4": "mov_text", ".mov": "mov_text", ".mkv": "subrip", ".webm": "webvtt"}
SPOKEN = frozenset(["ass", "mov_text", "ssa", "subrip", "srt", "text", "webvtt"])  # in letters
OWN = frozenset([  # tags of a file, not of the film in it
    "compatible_brands", "creation_time", "duration", "encoder", "handler_name", "major_brand",
    "minor_version", "software", "timecode", "vendor_id",
])  # fmt: skip
APPLE = "com.apple.quicktime."
AS_KNOWN = {"location.iso6709": "location", "creationdate": "date"}  # Apple's names, and FFmpeg's
TAGS_OF_A_STREAM = ("language", "title")


class Extras:
    """The streams that go beside the pictures into another file, and what does not."""

    def __init__(
        self,
        source: "InputContainer",
        pictures: "VideoStream",
        out: "OutputContainer",
        suffix: str,
        start: Fraction,
        duration: Fraction,
        joins: Sequence[Fraction] = (),
        rate: Fraction = Fraction(25),
    ) -> None:
        """Set the tags and chapters of ``out``, and add a stream for each that it can hold.

        The film's ``pictures`` are there already; it begins at ``start`` seconds of ``source`` and
        lasts ``duration`` seconds. ``joins`` are the jumps of its timestamps, ``rate`` the frames a
        second by which its timecode counts.
        """
        self.start, self.duration = start, duration
        self.lost: list[str] = []  # in words
        self.streams: list[Any] = []  # of the source, whose packets are to be given to ``write``
        self._source, self._out, self._joins = source, out, joins
        self._moved: dict[int, Continuity | None] = {}  # repairs of times, by index
        self._copies: dict[int, Any] = {}  # by the index in the source
        self.tags = tags_of(source)
        out.metadata.update(self.tags)
        if created := stated(source, "creation_time"):
            out.metadata["creation_time"] = created
        if timecode := stated(source, "timecode"):
            if suffix in (".mkv", ".webm") or _can_count(timecode, rate):
                out.metadata["timecode"] = timecode
            else:
                self.lost.append(f"the timecode {shown(timecode)}")
        chapters = list(_chapters(source, start, duration))
        if chapters:
            out.set_chapters(chapters)
        for stream in source.streams:
            if stream.type == "subtitle":
                self._add_subtitles(stream, suffix)
            elif stream.type == "attachment" and suffix == ".mkv":
                out.add_stream_from_template(stream)
            elif words := _words_of(stream, pictures, chapters):
                self.lost.append(words)
        self.lost = list(dict.fromkeys(self.lost))

    def _add_subtitles(self, stream: Any, suffix: str) -> None:
        if stream.codec_context is None:
            self.lost.append("subtitles of an unknown kind")
            return
        name = stream.codec_context.name
        wanted = TEXT[suffix]
        try:
            copy: Any
            if name == wanted or (suffix == ".mkv" and name != "mov_text"):
                copy = self._out.add_stream_from_template(stream)
            elif name in SPOKEN:
                copy = self._out.add_stream(wanted)
                stream.codec_context.open(strict=False)
                copy.codec_context.subtitle_header = stream.codec_context.subtitle_header
                copy.time_base = copy.codec_context.time_base = Fraction(1, 1000)
            else:
                raise ValueError(name)
        except ValueError:
            self.lost.append(f"subtitles of the kind {one_line(name)}")
            return
        copy.metadata.update(of_stream(stream))
        copy.disposition = stream.disposition
        self.streams.append(stream)
        self._moved[stream.index] = continuity(self._source, stream, self._joins)
        self._copies[stream.index] = copy

    def write(self, packet: "Packet[Any]") -> None:
        """Write a packet of one of ``streams`` as far as it is in the film, at its time there."""
        import av

        (packet,) = continued([packet], self._moved[packet.stream.index])
        if packet.pts is None or packet.time_base is None or not packet.size:
            return
        begin = packet.pts * packet.time_base - self.start
        end = begin + (packet.duration or 0) * packet.time_base
        stream, copy = packet.stream, self._copies[packet.stream.index]
        if begin >= self.duration or (end <= 0 and begin < 0) or not bytes(packet).strip(b"\0"):
            return
        if copy.codec_context.name != stream.codec_context.name:
            try:
                said = stream.codec_context.decode2(packet)
                if said is None or not len(said):
                    return
                packet = copy.codec_context.encode_subtitle(said)
            except (av.FFmpegError, UnicodeError):
                return  # a player shows nothing either
        unit = Fraction(1, 1000)
        packet.time_base = unit
        packet.pts = packet.dts = max(0, round(begin / unit))
        packet.duration = max(0, round((min(end, self.duration)) / unit) - packet.pts)
        packet.stream = copy
        self._out.mux(packet)


def _can_count(timecode: str, rate: Fraction) -> bool:
    """Return whether a timecode track, which has a byte for the rate, can begin at ``timecode``."""
    try:
        start = Timecode.parse(timecode, rate)
    except UsageError:
        return False
    return rate <= (60 if start.drop else 255)


def tags_of(source: "InputContainer") -> dict[str, str]:
    """Return what a file says of its film: title, artist, date, place and so on."""
    tags: dict[str, str] = {}
    if "mxf" in source.format.name:  # its tags are of the programs that wrote it
        return tags
    said: list[Mapping[str, str]] = [source.metadata]
    if source.format.name == "ogg":  # it keeps them in its streams
        said += [stream.metadata for stream in source.streams.video]
    for key, value in ((k, v) for some in said for k, v in some.items()):
        name = key.lower().removeprefix(APPLE)
        name = AS_KNOWN.get(name, name)
        if name not in OWN and not name.startswith("location-") and value:
            tags.setdefault(name, value)
    return tags


def of_stream(stream: Any) -> dict[str, str]:
    """Return what a stream says of itself: its language and its title."""
    return {key: stream.metadata[key] for key in TAGS_OF_A_STREAM if stream.metadata.get(key)}


def _chapters(source: "InputContainer", start: Fraction, duration: Fraction) -> Iterator["Chapter"]:
    """Yield the chapters as they are in a film from ``start`` on, in milliseconds."""
    for chapter in source.chapters():
        base = chapter["time_base"] or Fraction(1)
        begin, end = (chapter[edge] * base - start for edge in ("start", "end"))
        begin, end = max(Fraction(0), begin), min(duration, end)
        if begin < duration and end > begin:
            yield {
                "id": chapter["id"],
                "start": round(begin * 1000),
                "end": round(end * 1000),
                "time_base": Fraction(1, 1000),
                "metadata": chapter["metadata"],
            }


def _words_of(stream: Any, pictures: "VideoStream", chapters: "list[Chapter]") -> str:
    """Return in words what is lost with a stream that is not carried; "" where nothing is."""
    from av.stream import Disposition

    name = stream.metadata.get("handler_name") or getattr(stream, "name", None)
    if stream.type == "video" and stream.index != pictures.index:
        cover = stream.disposition & Disposition.attached_pic
        return "a still picture" if cover else "further pictures"
    if stream.type == "attachment":
        return f"the attached file {shown(name)}"
    # timecode and chapters are carried in another way
    told = "timecode" in stream.metadata or (chapters and stream.name == "bin_data")
    if stream.type != "data" or told or not name:
        return ""
    return f"a stream of data ({one_line(name)})"
