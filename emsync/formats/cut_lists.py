"""Lists of cuts in the files of others: PySceneDetect, seconds, JSON, EDL, OpenTimelineIO.

A file lists scenes or cuts; what counts is where one scene becomes the next. Times are seconds
from the first frame; frames become seconds at exact rates, drop-frame included. A dissolve is one
cut at its middle.
"""

import csv
import importlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

from emsync.analysis import Analysis, Cut
from emsync.errors import AssetError, InputError, UsageError
from emsync.files import atomic_write
from emsync.video.timecode import RATES, Timecode, can_drop, clock_text, exact_rate

MOST_BYTES = 16_000_000  # bytes; a list of cuts is small

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:\.\d*)?)")  # [hours:]minutes:seconds
_CODE = r"\S+"  # a timecode, judged when it is read
_EVENT = re.compile(
    r"\d+\s+\S+\s+(?P<channel>\S+)\s+(?P<kind>C|D|W\d+|KB?|KO)(?:\s+(?P<length>\d+))?\s+F?\s*"
    rf"{_CODE}\s+{_CODE}\s+(?P<begin>{_CODE})\s+(?P<end>{_CODE})\s*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Found:
    """A cut as a file has it."""

    place: str  # such as "line 4"
    time: Fraction  # seconds
    frame: int | None = None


def read_cuts(path: Path, fps: Fraction | None, duration: float) -> list[Cut]:
    """Return the cuts that the file at ``path`` lists for a video of ``duration`` seconds.

    ``fps`` is the video's exact frame rate, None if unknown; only timecodes need it. The start of
    the film is no cut. InputError gives the line and the way out.
    """
    suffix = path.suffix.lower()
    if suffix == ".otio":
        return _accept(path, _read_otio(path), duration)
    text = _text(path)
    if suffix == ".json" or text.lstrip()[:1] in ("[", "{"):
        return _read_json(path, text, duration)
    if suffix == ".edl":
        return _accept(path, _read_edl(path, text, fps), duration)
    if "Start Time (seconds)" in text:
        return _accept(path, _read_scenes(path, text, fps), duration)
    return _accept(path, _read_seconds(path, text, fps), duration)


def write_cuts(path: Path, analysis: Analysis) -> None:
    """Write the cuts of ``analysis`` to ``path``, in the format of its suffix.

    JSON holds the whole analysis; the other formats list the scenes between its kept cuts.
    """
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        raise UsageError(
            f"cannot write cuts to {path.name!r}; the suffix can be {', '.join(WRITERS)}"
        )
    writer(path, analysis)


def _accept(path: Path, found: Sequence[_Found], duration: float) -> list[Cut]:
    """Return ``found`` as cuts; InputError where one is impossible."""
    before: _Found | None = None
    for one in found:
        if one.time < 0:
            raise _fault(path, one.place, f"{_s(one.time)} is before the beginning; remove it")
        if one.time >= duration:
            raise _fault(
                path,
                one.place,
                f"the cut at {_s(one.time)} is beyond the end of the video ({_s(duration)}); "
                f"remove it, or is the list of another video, or of another frame rate?",
            )
        if before is not None and one.time < before.time:
            raise _fault(
                path,
                one.place,
                f"the cut at {_s(one.time)} comes after the one at {_s(before.time)} "
                f"({before.place}); sort the list",
            )
        before = one
    unique = {float(one.time): one for one in found if one.time > 0}
    return [Cut(time, reason=f"from {path.name}", frame=one.frame) for time, one in unique.items()]


def _read_seconds(path: Path, text: str, fps: Fraction | None) -> list[_Found]:
    """Read times between commas and spaces, as seconds, clock times or timecodes; # is a remark."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        for word in line.split("#")[0].replace(",", " ").split():
            place = f"line {number}"
            found.append(_Found(place, _moment(path, place, word, fps)))
    if not found:
        raise InputError(f"{str(path)!r} lists no cuts; write seconds, one in each line")
    return found


def _moment(path: Path, place: str, word: str, fps: Fraction | None) -> Fraction:
    """Return a time as a person writes it, in seconds."""
    if _NUMBER.fullmatch(word) and abs(float(word)) < 1e9:
        return Fraction(word)
    if match := _CLOCK.fullmatch(word):
        hours, minutes, seconds = int(match[1] or 0), int(match[2]), Fraction(match[3])
        if minutes < 60 and seconds < 60:
            return hours * 3600 + minutes * 60 + seconds
    if word.count(":") + word.count(";") == 3:
        return _code(path, place, word, fps).seconds
    raise _fault(path, place, f"{word[:40]!r} is not a time; write seconds, such as 12.5")


def _code(path: Path, place: str, word: str, fps: Fraction | None, drop: bool = False) -> Timecode:
    """Return the timecode ``word``."""
    if fps is None:
        raise _fault(path, place, f"{word!r} counts frames, and the frame rate is not known")
    try:
        return Timecode.parse(word, fps, drop)
    except UsageError as error:
        raise _fault(path, place, str(error)) from error


def _read_scenes(path: Path, text: str, fps: Fraction | None) -> list[_Found]:
    """Read PySceneDetect's list of scenes, with or without its first line of timecodes.

    A scene's first frame is counted from 1. Its seconds are rounded, so where the frame agrees
    with them it has the last word; where all frames mean another rate, they are refused.
    """
    rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines())]
    head = next(i for i, row in enumerate(rows) if "Start Time (seconds)" in row)
    at = rows[head].index("Start Time (seconds)")
    frame_at = rows[head].index("Start Frame") if "Start Frame" in rows[head] else None
    found = []
    for number, row in enumerate(rows[head + 1 :], head + 2):
        if not any(row):
            continue
        place = f"line {number}"
        if len(row) <= max(at, frame_at or 0) or not _NUMBER.fullmatch(row[at]):
            raise _fault(path, place, "there is no start time in seconds; export the list again")
        if frame_at is not None and not row[frame_at].isdecimal():
            raise _fault(path, place, f"the start frame {row[frame_at]!r} is not a number")
        frame = None if frame_at is None else int(row[frame_at]) - 1
        found.append(_Found(place, Fraction(row[at]), frame))
    if not found:
        raise InputError(f"{str(path)!r} lists no scenes; write at least the first, or seconds")
    found = found[1:]  # the first scene begins where the video does
    if fps is None or frame_at is None or not found:
        return found
    last = found[-1]
    if last.frame and last.time > 5:
        rate = exact_rate(last.frame / last.time)
        if rate in RATES and abs(last.frame - last.time * fps) > 2 and rate != exact_rate(fps):
            raise _fault(
                path,
                last.place,
                f"frame {last.frame + 1} at {_s(last.time)} means {float(rate):g} frames a second, "
                f"and the video has {float(fps):g}; detect the scenes in this video, or leave out "
                f"the frames",
            )
    return [
        _Found(one.place, one.frame / fps, one.frame)
        if one.frame is not None and abs(one.frame / fps - one.time) <= Fraction(1, 1000)
        else one
        for one in found
    ]


def _read_edl(path: Path, text: str, fps: Fraction | None) -> list[_Found]:
    """Read the picture's events of a CMX3600 list: record times less the first of them."""
    drop = False
    begins: list[tuple[str, int]] = []  # place, and frame at which an event begins
    first = 0
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if line.upper().startswith("FCM:"):
            drop = "NON" not in line.upper()
            if drop and fps is not None and not can_drop(fps):
                raise _fault(
                    path,
                    f"line {number}",
                    f"drop-frame does not exist at the video's {float(fps):g} frames a second; "
                    f"export the list at the video's rate",
                )
        if not line[:3].isdecimal():
            continue  # titles, remarks, and the names of clips
        place = f"line {number}"
        match = _EVENT.fullmatch(line)
        if match is None:
            raise _fault(
                path,
                place,
                f"{line[:60]!r} is not an event; it needs a reel, a track, C and 4 times",
            )
        if "V" not in match["channel"].upper() and match["channel"].upper() != "B":
            continue  # sound only
        record_in, record_out = (
            _code(path, place, match[group], fps, drop).frame for group in ("begin", "end")
        )
        if record_out < record_in:
            raise _fault(
                path, place, f"it ends at {match['end']}, before it begins at {match['begin']}"
            )
        if record_out == record_in:
            continue  # the outgoing half of a dissolve
        if not begins:
            first = record_in
        length = int(match["length"] or 0) if match["kind"].upper() != "C" else 0
        begins.append((place, 2 * (record_in - first) + length))
    if not begins:
        raise InputError(f"{str(path)!r} lists no events of the picture; is it a CMX3600 list?")
    assert fps is not None  # _code has refused it
    return [_Found(place, Fraction(half_frames, 2) / fps) for place, half_frames in begins[1:]]


def _read_json(path: Path, text: str, duration: float) -> list[Cut]:
    """Read an analysis, or a list of times or of cuts."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{str(path)!r} is not JSON: {error}") from error
    if isinstance(data, list):
        data = {"cuts": [one if isinstance(one, Mapping) else {"time": one} for one in data]}
    if not isinstance(data, dict) or not isinstance(data.get("cuts"), list):
        raise InputError(f"{str(path)!r} holds no list of cuts; write [4.2, 9.8] in seconds")
    cuts = list(Analysis.from_json({"duration": duration, **data}, str(path)).cuts)
    _accept(
        path,
        [_Found(f"cuts[{i}]", Fraction(one["time"])) for i, one in enumerate(data["cuts"])],
        duration,
    )
    return [cut for cut in cuts if cut.time > 0]


def _read_otio(path: Path) -> list[_Found]:
    """Read the first picture track of an OpenTimelineIO timeline."""
    otio = _otio()
    _text(path)
    try:
        timeline = otio.adapters.read_from_file(str(path), adapter_name="otio_json")
    except (otio.exceptions.OTIOError, ValueError, LookupError, TypeError) as error:
        raise InputError(f"{str(path)!r} is no OpenTimelineIO file: {error}") from error
    if not isinstance(timeline, otio.schema.Timeline):
        raise InputError(f"{str(path)!r} holds no timeline; export the timeline itself")
    track = next((track for track in timeline.video_tracks() if len(track)), None)
    if track is None:
        raise InputError(f"{str(path)!r} has no clip on a picture track")
    found, now, shift = [], Fraction(0), Fraction(0)
    for number, item in enumerate(track, 1):
        if isinstance(item, otio.schema.Transition):
            # it lies around the cut; its middle is what the eye takes for the cut
            shift = (_seconds(item.out_offset) - _seconds(item.in_offset)) / 2
            continue
        try:
            length = _seconds(item.duration())
        except otio.exceptions.OTIOError as error:
            raise _fault(path, f"item {number}", f"it has no length: {error}") from error
        if now > 0:
            found.append(_Found(f"item {number}", now + shift))
        now, shift = now + length, Fraction(0)
    return found


def _seconds(time: Any) -> Fraction:
    """Return an OpenTimelineIO time in seconds, its rate made exact."""
    return Fraction(time.value).limit_denominator(1_000_000) / exact_rate(time.rate)


def _write_json(path: Path, analysis: Analysis) -> None:
    analysis.save(path)


def _write_csv(path: Path, analysis: Analysis) -> None:
    rate, scenes = _scenes(analysis)
    with atomic_write(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["Timecode List:", *(clock_text(start / rate) for start, _ in scenes[1:])])
        table.writerow(
            ["Scene Number"]
            + [f"{edge} {unit}" for edge in ("Start", "End") for unit in UNITS]
            + [f"Length ({unit})" for unit in ("frames", "timecode", "seconds")]
        )
        for number, (start, end) in enumerate(scenes, 1):
            length = (end - start) / rate
            table.writerow(
                [
                    number,
                    start + 1,
                    clock_text(start / rate),
                    f"{float(start / rate):.3f}",
                    end,
                    clock_text(end / rate),
                    f"{float(end / rate):.3f}",
                    end - start,
                    clock_text(length),
                    f"{float(length):.3f}",
                ]
            )


def _write_edl(path: Path, analysis: Analysis) -> None:
    rate, scenes = _scenes(analysis)
    drop = can_drop(rate)
    zero = Timecode(0, rate, drop)
    record = Timecode.parse("01:00:00:00", rate, drop)
    name = analysis.source.encode("ascii", "replace").decode()
    lines = [f"TITLE: {name}", f"FCM: {'' if drop else 'NON-'}DROP FRAME", ""]
    for number, (start, end) in enumerate(scenes, 1):
        times = " ".join(str(t) for t in (zero + start, zero + end, record + start, record + end))
        lines += [f"{number:03d}  AX       V     C        {times}", f"* FROM CLIP NAME: {name}"]
    with atomic_write(path) as partial:
        partial.write_text("\n".join([*lines, ""]), encoding="ascii")


def _write_otio(path: Path, analysis: Analysis) -> None:
    otio = _otio()
    rate, scenes = _scenes(analysis)

    def time(frames: int) -> Any:
        return otio.opentime.RationalTime(frames, float(rate))

    whole_film = otio.opentime.TimeRange(time(0), time(scenes[-1][1]))
    track = otio.schema.Track(name="V1", kind=otio.schema.TrackKind.Video)
    for number, (start, end) in enumerate(scenes, 1):
        media = otio.schema.ExternalReference(
            target_url=analysis.source, available_range=whole_film
        )
        scene = otio.opentime.TimeRange(time(start), time(end - start))
        track.append(
            otio.schema.Clip(name=f"scene {number}", media_reference=media, source_range=scene)
        )
    timeline = otio.schema.Timeline(name=analysis.source)
    timeline.tracks.append(track)
    with atomic_write(path) as partial:
        otio.adapters.write_to_file(timeline, str(partial), adapter_name="otio_json")


UNITS = ("Frame", "Timecode", "Time (seconds)")  # of PySceneDetect's columns
WRITERS: dict[str, Callable[[Path, Analysis], None]] = {
    ".csv": _write_csv,
    ".edl": _write_edl,
    ".otio": _write_otio,
    ".json": _write_json,
}


def _scenes(analysis: Analysis) -> tuple[Fraction, list[tuple[int, int]]]:
    """Return the frame rate, and the first frame of each scene and of the next."""
    rate = Fraction(analysis.fps)
    if rate <= 0:
        raise UsageError("the video has no known frame rate; save its cuts as .json")
    end = max(1, round(Fraction(analysis.duration) * rate))
    frames = {Timecode.at(cut.time, rate).frame for cut in analysis.kept}
    starts = sorted({0} | {frame for frame in frames if frame < end})
    return rate, list(zip(starts, [*starts[1:], end], strict=True))


def _otio() -> ModuleType:
    try:
        return importlib.import_module("opentimelineio")
    except ImportError as error:
        raise AssetError(
            "OpenTimelineIO is not installed; pip install 'emsync[timeline]'"
        ) from error


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{str(path)!r} is larger than {MOST_BYTES} bytes; no list of cuts is")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot read {str(path)!r}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{str(path)!r} is not a text: byte {error.start} is no UTF-8") from error


def _fault(path: Path, place: str, text: str) -> InputError:
    return InputError(f"{str(path)!r}, {place}: {text}")


def _s(seconds: float | Fraction) -> str:
    return f"{float(seconds):.3f} s"
