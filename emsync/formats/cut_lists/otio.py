"""OpenTimelineIO timelines. Reading needs no library: its native code crashes on strange files."""

import importlib
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

from emsync.analysis import Analysis
from emsync.errors import AssetError, InputError
from emsync.files import atomic_write
from emsync.formats.cut_lists.listing import Found, Listing
from emsync.formats.cut_lists.scenes import scenes
from emsync.limits import parse_json, shown
from emsync.video.timecode import Timecode, exact_rate

SLOWEST, FASTEST = 1e-3, 1e6  # frames a second of a time
LONGEST = 1e12  # frames; no timeline has more


def knows(listing: Listing) -> bool:
    """Return whether ``listing`` is a timeline, by its name or its content."""
    return listing.path.suffix.lower() == ".otio" or (
        listing.text.lstrip()[:1] == "{" and '"OTIO_SCHEMA"' in listing.text[:1000]
    )


def read(listing: Listing) -> list[Found]:
    """Return where the items of the first picture track that has some begin, but the first."""
    timeline = parse_json(listing.text, listing.name)
    if _kind(timeline) == "":
        raise InputError(f"{listing.name} is no OpenTimelineIO file; export the timeline again")
    if _kind(timeline) != "Timeline":
        raise InputError(f"{listing.name} holds no timeline; export the timeline itself")
    tracks = _children(timeline.get("tracks"))
    pictures = (
        _children(track)
        for track in tracks
        if _kind(track) == "Track" and track.get("kind") == "Video"
    )
    track = next((items for items in pictures if items), None)
    if track is None:
        raise InputError(f"{listing.name} has no clip on a picture track")
    found, now, shift = [], Fraction(0), Fraction(0)
    for number, item in enumerate(track, 1):
        place = f"item {number}"
        try:
            if _kind(item) == "Transition":
                # it lies around the cut; its middle is what the eye takes for the cut
                shift = (_seconds(item.get("out_offset")) - _seconds(item.get("in_offset"))) / 2
                continue
            length = _length(item)
        except ValueError as error:
            raise listing.fault(place, f"it has no length: {error}") from error
        if now > 0:
            found.append(Found(place, now + shift))
        now, shift = now + length, Fraction(0)
    return found


def _kind(value: Any) -> str:
    """Return the name of a value's schema, such as Clip for ``Clip.2``."""
    name = value.get("OTIO_SCHEMA") if isinstance(value, Mapping) else None
    return name.partition(".")[0] if isinstance(name, str) else ""


def _children(value: Any) -> list[Any]:
    children = value.get("children") if isinstance(value, Mapping) else None
    return children if isinstance(children, list) else []


def _length(item: Any) -> Fraction:
    """Return the seconds that an item of a track lasts: its range, or that of what it holds."""
    if not isinstance(item, Mapping):
        raise ValueError(f"{shown(item)} is no item of a track")
    if (trimmed := item.get("source_range")) is not None:
        return _duration(trimmed)
    if _kind(item) == "Stack":
        return max(map(_length, _children(item)), default=Fraction(0))
    if _kind(item) == "Track":
        parts = [child for child in _children(item) if _kind(child) != "Transition"]
        return sum(map(_length, parts), Fraction(0))
    several, key = item.get("media_references"), item.get("active_media_reference_key")
    media = (
        several.get(key if isinstance(key, str) else "DEFAULT_MEDIA")
        if isinstance(several, Mapping)
        else item.get("media_reference")
    )
    return _duration(media.get("available_range") if isinstance(media, Mapping) else None)


def _duration(span: Any) -> Fraction:
    return _seconds(span.get("duration") if isinstance(span, Mapping) else None)


def _seconds(time: Any) -> Fraction:
    """Return a RationalTime in seconds, its rate made exact."""
    value, rate = (
        _number(time.get(key) if isinstance(time, Mapping) else None) for key in ("value", "rate")
    )
    if not 0 <= value <= LONGEST or not SLOWEST <= rate <= FASTEST:
        raise ValueError(f"{shown(time)} is no time")
    return Fraction(value).limit_denominator(1_000_000) / exact_rate(rate)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{shown(value)} is no number")
    return value


def write(path: Path, analysis: Analysis, start: Timecode | None = None) -> None:
    """Write the scenes of ``analysis`` as clips of one track, in a timeline from ``start``."""
    otio = library()
    rate, found = scenes(analysis)

    def time(frames: int) -> Any:
        return otio.opentime.RationalTime(frames, float(rate))

    whole_film = otio.opentime.TimeRange(time(0), time(found[-1][1]))
    track = otio.schema.Track(name="V1", kind=otio.schema.TrackKind.Video)
    for number, (begin, stop) in enumerate(found, 1):
        media = otio.schema.ExternalReference(
            target_url=analysis.source, available_range=whole_film
        )
        scene = otio.opentime.TimeRange(time(begin), time(stop - begin))
        track.append(
            otio.schema.Clip(name=f"scene {number}", media_reference=media, source_range=scene)
        )
    timeline = otio.schema.Timeline(name=analysis.source)
    timeline.tracks.append(track)
    if start is not None:
        timeline.global_start_time = time(start.frame)
    with atomic_write(path) as partial:
        # not by the name: its native code takes only those in UTF-8
        text = otio.adapters.write_to_string(timeline, adapter_name="otio_json")
        partial.write_text(text, encoding="utf-8")


def library() -> ModuleType:
    """Return OpenTimelineIO, which only writing needs."""
    try:
        return importlib.import_module("opentimelineio")
    except ImportError as error:
        raise AssetError(
            "OpenTimelineIO is not installed; pip install 'emsync[timeline]'"
        ) from error
