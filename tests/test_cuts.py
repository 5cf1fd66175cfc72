"""A list of cuts reads back as written, in every format; a wrong one is refused by its line."""

import csv
import json
import re
import sys
import warnings
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emsync.analysis import Analysis, Cut
from emsync.errors import AssetError, EmsyncWarning, InputError, UsageError
from emsync.formats.cut_lists import WRITERS, check_writable, read_cuts, write_cuts
from emsync.formats.labels import ScoreLabels
from emsync.formats.markers import write_markers
from emsync.video.timecode import NTSC, Timecode, can_drop

FILM = Fraction(24)
VIDEO = 30 * NTSC


def at_frames(frames: list[int], rate: Fraction, length: int) -> Analysis:
    cuts = tuple(Cut(float(f / rate), 0.5, frame=f) for f in frames)
    return Analysis(float(length / rate), str(rate), cuts, source="clip.mp4")


def cuts_of(tmp_path: Path, name: str, text: str, fps: Fraction | None = FILM) -> list[Cut]:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_cuts(path, fps, 60.0)


def times(cuts: list[Cut]) -> list[float]:
    return [round(cut.time, 6) for cut in cuts]


@pytest.mark.parametrize("suffix", WRITERS)
@given(
    rate=st.sampled_from([FILM, FILM * NTSC, Fraction(25), VIDEO, 2 * VIDEO, Fraction(60)]),
    frames=st.lists(st.integers(1, 59_999), unique=True, max_size=20).map(sorted),
)
def test_cuts_on_frames_read_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, rate: Fraction, frames: list[int]
) -> None:
    if suffix == ".otio":
        pytest.importorskip("opentimelineio")
    analysis = at_frames(frames, rate, 60_000)
    path = tmp_path_factory.mktemp("cuts") / f"list{suffix}"
    write_cuts(path, analysis)
    back = read_cuts(path, rate, analysis.duration)
    assert [cut.time for cut in back] == pytest.approx([f / rate for f in frames], abs=1e-9)


def test_only_kept_cuts_become_scenes(tmp_path: Path) -> None:
    analysis = Analysis(20.0, "25", (Cut(4.0), Cut(6.0, kept=False), Cut(12.0)))
    write_cuts(tmp_path / "list.edl", analysis)
    assert times(read_cuts(tmp_path / "list.edl", Fraction(25), 20.0)) == [4.0, 12.0]


def test_seconds_clock_times_and_timecodes_are_understood(tmp_path: Path) -> None:
    text = "# my cuts\n0\n4.25, 5e0\n00:00:06.5 # a remark\n0:07\n\n00:00:08:12\n"
    assert times(cuts_of(tmp_path, "cuts.txt", text)) == [4.25, 5.0, 6.5, 7.0, 8.5]


def test_json_is_a_list_of_times_or_of_cuts_or_an_analysis(tmp_path: Path) -> None:
    assert times(cuts_of(tmp_path, "a.json", "[1, 2.5]")) == [1.0, 2.5]
    (cut,) = cuts_of(tmp_path, "b.json", '[{"time": 3, "strength": 0.25, "kept": false}]')
    assert (cut.time, cut.strength, cut.kept) == (3.0, 0.25, False)
    assert cuts_of(tmp_path, "c.json", "[]") == []
    analysis = Analysis(60.0, "24", (Cut(4.0, 0.5, False, "too near", 96), Cut(6.0)))
    text = json.dumps(analysis.to_json())
    assert tuple(cuts_of(tmp_path, "d.json", text)) == analysis.cuts


def test_scenes_of_pyscenedetect_are_read_with_and_without_its_first_line(tmp_path: Path) -> None:
    pytest.importorskip("scenedetect")
    from scenedetect import FrameTimecode
    from scenedetect.output import write_scene_list

    marks = [FrameTimecode(frame, 24.0) for frame in (0, 100, 205, 1440)]
    for first_line in (True, False):
        with (tmp_path / "scenes.csv").open("w") as file:
            scenes = list(pairwise(marks))
            write_scene_list(file, scenes, include_cut_list=first_line)
        cuts = read_cuts(tmp_path / "scenes.csv", FILM, 60.0)
        assert [(cut.time, cut.frame) for cut in cuts] == [
            (float(Fraction(frame, 24)), frame) for frame in (100, 205)
        ]
        rounded = read_cuts(tmp_path / "scenes.csv", None, 60.0)
        assert [cut.time for cut in rounded] == [4.167, 8.542]


EDL = """TITLE: reel
FCM: NON-DROP FRAME

001  AX  V     C        00:00:00:00 00:00:05:00 01:00:00:00 01:00:05:00
* FROM CLIP NAME: a.mov
002  AX  A     C        00:00:00:00 00:00:07:00 01:00:05:00 01:00:07:00
003  AX  AA/V  C        00:00:00:00 00:00:05:12 01:00:05:00 01:00:10:12
M2   AX             024.0                00:00:00:00
004  AX  V     C        00:00:10:12 00:00:10:12 01:00:10:12 01:00:10:12
004  BX  V     D    024 00:00:00:00 00:00:49:12 01:00:10:12 01:01:00:00
"""


def test_an_edl_gives_the_picture_and_the_middle_of_dissolves(tmp_path: Path) -> None:
    assert times(cuts_of(tmp_path, "cuts.edl", EDL)) == [5.0, 11.0]


def test_drop_frame_record_times_are_counted_in_frames(tmp_path: Path) -> None:
    text = (
        "FCM: DROP FRAME\n"
        "001 AX V C 00:00:00;00 00:00:20;00 00:59:50;00 01:00:10;00\n"
        "002 AX V C 00:00:00;00 00:00:50;00 01:00:10;00 01:01:00;02\n"
    )
    (cut,) = cuts_of(tmp_path, "cuts.edl", text, VIDEO)
    assert cut.time == float(600 / VIDEO)  # no number is skipped at the tenth minute


def test_the_middle_of_a_timeline_transition_is_the_cut(tmp_path: Path) -> None:
    otio = pytest.importorskip("opentimelineio")
    time, length = otio.opentime.RationalTime, otio.opentime.TimeRange
    track = otio.schema.Track(kind=otio.schema.TrackKind.Video)
    track.append(otio.schema.Clip(source_range=length(time(0, 24), time(96, 24))))
    track.append(otio.schema.Transition(in_offset=time(0, 24), out_offset=time(24, 24)))
    track.append(otio.schema.Gap(source_range=length(time(0, 25), time(50, 25))))
    track.append(otio.schema.Clip(source_range=length(time(0, 29.97), time(300, 29.97))))
    timeline = otio.schema.Timeline()
    timeline.tracks.append(track)
    path = tmp_path / "cuts.otio"
    otio.adapters.write_to_file(timeline, str(path))
    assert times(read_cuts(path, None, 60.0)) == [4.5, 6.0]


SCENES = "Scene Number,Start Frame,Start Timecode,Start Time (seconds)\n1,1,00:00:00.000,0.000\n"


@pytest.mark.parametrize(
    ("name", "text", "fps", "words"),
    [
        ("empty.txt", "", FILM, "lists no cuts; write seconds"),
        ("remarks.txt", "# nothing\n\n", FILM, "lists no cuts"),
        ("empty.edl", "TITLE: x\n", FILM, "no events of the picture"),
        ("empty.csv", "Scene Number,Start Time (seconds)\n", FILM, "lists no scenes"),
        ("empty.json", "", FILM, "is not JSON"),
        ("object.json", '{"duration": 60}', FILM, "holds no list of cuts; write"),
        ("unsorted.txt", "4\n9\n\n7", FILM, r"line 4.*7.000 s comes after.*line 2\); sort"),
        ("unsorted.json", "[4, 9, 7]", FILM, r"cuts\[2\].*sort the list"),
        ("far.txt", "4\n61", FILM, r"line 2.*beyond the end of the video \(60.000 s\); remove"),
        ("far.json", "[4, 61]", FILM, r"cuts\[1\].*outside the 60 s"),
        ("before.txt", "-4", FILM, "line 1.*before the beginning"),
        ("word.txt", "4\nfive", FILM, "line 2: 'five' is not a time; write seconds"),
        ("nan.txt", "nan", FILM, "'nan' is not a time"),
        ("huge.txt", "1e999", FILM, "is not a time"),
        ("code.txt", "00:00:04:24", FILM, "line 1.*no 24 frames at 24.*another frame rate"),
        ("code.txt", "00:00:04:10", None, "line 1.*the frame rate is not known"),
        ("bad.edl", EDL.replace("01:00:05:00 01:00:10:12", "01:00:05 01:00:10:12"), FILM, "line 7"),
        ("bad.edl", EDL.replace("01:00:10:12", "01:00:10:29"), FILM, "line 7.*no 29 frames"),
        ("bad.edl", EDL.replace(" C ", " Z "), FILM, "line 4.*is not an event; it needs"),
        ("bad.edl", EDL.replace("NON-DROP", "DROP"), FILM, "line 2: drop-frame does not exist"),
        ("bad.edl", EDL, None, "line 4.*the frame rate is not known"),
        ("back.edl", EDL.replace("01:00:00:00 01:00:05", "01:00:30:00 01:00:35"), FILM, "line 7"),
        ("bad.csv", SCENES + "2,x,0,4.2\n", FILM, "line 3: the start frame 'x'"),
        ("bad.csv", SCENES + "2,5\n", FILM, "line 3: there is no start time"),
        ("open.csv", 'Start,Name\n4.2,a\n9,"b\n', FILM, "line 3: unexpected end.*quotation marks"),
        ("open.csv", 'Start,Name\n4.2,"a\n9,"b"\n', FILM, "line 2: .*quotation marks"),
        ("rate.csv", SCENES + "2,251,00:00:10.000,10.000\n", FILM, "line 3.*25 frames.*has 24"),
    ],
)
def test_a_wrong_list_is_refused_with_its_line_and_a_way_out(
    tmp_path: Path, name: str, text: str, fps: Fraction | None, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        cuts_of(tmp_path, name, text, fps)


def test_a_frame_has_one_cut_however_many_a_list_gives_it(tmp_path: Path) -> None:
    text = "\n".join(f"{1 + i / 250:.3f}" for i in range(2000))
    for fps, most in ((FILM, 8 * 24), (None, 8 * 100)):
        cuts = cuts_of(tmp_path, "cuts.txt", text, fps)
        assert times(cuts)[0] == 1.0 and times(cuts) == sorted(times(cuts))
        assert most - 1 <= len(cuts) <= most + 1


def test_scenes_that_a_spreadsheet_saved_again_are_read(tmp_path: Path) -> None:
    text = SCENES + "2,102,00:00:04.208,4.208\n"
    saved = text.replace(",", ";").replace("4.208\n", "4,208\n")
    assert times(cuts_of(tmp_path, "scenes.csv", saved)) == [round(101 / 24, 6)]
    assert cuts_of(tmp_path, "scenes.csv", saved) == cuts_of(tmp_path, "scenes.csv", text)


def test_a_list_that_cannot_be_read_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        read_cuts(tmp_path / "none.csv", FILM, 60.0)
    with pytest.raises(InputError, match="cannot read"):
        read_cuts(tmp_path, FILM, 60.0)
    (tmp_path / "film.csv").write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match="is not a text"):
        read_cuts(tmp_path / "film.csv", FILM, 60.0)


TIMELINE = '{"OTIO_SCHEMA": "Timeline.1", "tracks": %s}'
TRACK = '{"children": [{"OTIO_SCHEMA": "Track.1", "kind": "Video", "children": %s}]}'
TIME = '{"value": 24, "rate": 24}'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", "no OpenTimelineIO file"),
        ("text", "is not JSON"),
        ('{"OTIO_SCHEMA": "Clip.2", "name": "a"}', "holds no timeline"),
        (TIMELINE % "null", "no clip on a picture track"),
        (TIMELINE % ("[" * 100_000), "64 deep"),
        (TIMELINE % (TRACK % "[]"), "no clip on a picture track"),
        (TIMELINE % (TRACK % "[null]"), "item 1: it has no length"),
        (TIMELINE % (TRACK % '[{"source_range": {"duration": []}}]'), "item 1.*no number"),
        (
            TIMELINE % (TRACK % '[{"source_range": {"duration": {"value": 9, "rate": 0}}}]'),
            "item 1.*is no time",
        ),
        *(
            (TIMELINE % (TRACK % f'[{{"source_range": {{"duration": {time}}}}}]'), "1.*is no time")
            for time in ('{"value": 9, "rate": 1e-308}', '{"value": 1e308, "rate": 1}')
        ),
        (
            TIMELINE % (TRACK % '[{"media_references": {}, "active_media_reference_key": []}]'),
            "item 1.*no number",
        ),
        (TIMELINE % (TRACK % '[{"OTIO_SCHEMA": "Transition.1"}]'), "item 1"),
    ],
)
def test_a_wrong_timeline_is_an_input_error(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        cuts_of(tmp_path, "cuts.otio", text)


def test_a_timeline_is_read_as_its_library_does(tmp_path: Path) -> None:
    otio = pytest.importorskip("opentimelineio")
    schema, opentime = otio.schema, otio.opentime

    def span(frames: int, rate: float) -> Any:
        return opentime.TimeRange(
            opentime.RationalTime(7, rate), opentime.RationalTime(frames, rate)
        )

    nested = schema.Stack()
    for length in (30, 48):
        inner = schema.Track(kind="Video")
        inner.extend(
            [schema.Clip(source_range=span(length, 24)), schema.Gap(duration=span(2, 24).duration)]
        )
        nested.append(inner)
    whole = schema.Clip(media_reference=schema.ExternalReference("a.mov", span(100, 29.97)))
    track = schema.Track(kind="Video")
    track.extend(
        [
            whole,
            nested,
            schema.Gap(duration=span(25, 25).duration),
            schema.Clip(source_range=span(9, 24)),
        ]
    )
    timeline = schema.Timeline(global_start_time=opentime.RationalTime(86400, 24))
    timeline.tracks.extend([schema.Track(kind="Audio"), schema.Track(kind="Video"), track])
    otio.adapters.write_to_file(timeline, str(tmp_path / "cuts.otio"))
    starts = [track.range_of_child(item).start_time.to_seconds() for item in track]
    cuts = read_cuts(tmp_path / "cuts.otio", None, 60.0)
    assert [cut.time for cut in cuts] == pytest.approx(starts[1:], abs=1e-4)


def test_without_the_extra_a_timeline_is_read_but_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentimelineio", None)
    clip = f'{{"source_range": {{"duration": {TIME}}}}}'
    text = TIMELINE % (TRACK % f"[{clip}, {clip}]")
    assert times(cuts_of(tmp_path, "cuts.otio", text)) == [1.0]
    with pytest.raises(AssetError, match=r"pip install 'emsync\[timeline\]'"):
        write_cuts(tmp_path / "new.otio", Analysis(10.0, "25", (Cut(4.0),)))


def test_frames_need_a_rate_and_formats_a_known_suffix(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no known frame rate; save its cuts as \.json"):
        write_cuts(tmp_path / "cuts.edl", Analysis(10.0, "0", (Cut(4.0),)))
    with pytest.raises(UsageError, match=r"suffix can be \.csv, \.edl, \.otio, \.json"):
        write_cuts(tmp_path / "cuts.xml", Analysis(10.0, "25"))


RESOLVE = """TITLE: Timeline 1
FCM: NON-DROP FRAME

001  001      V     C        01:00:04:05 01:00:04:06 01:00:04:05 01:00:04:06
 |C:ResolveColorBlue |M:Marker 1 |D:1

002  001      V     C        01:00:08:00 01:00:08:01 01:00:08:00 01:00:08:01
 |C:ResolveColorBlue |M:Café |D:1
"""
PAL = Fraction(25)
HOUR, ASKED, NONE = "counts from 01:00:00:00; give a start", "not from '10:00:00:00'", ""


def read_noting(
    path: Path, note: str, fps: Fraction | None = PAL, duration: float = 60.0, start: str = ""
) -> list[float]:
    """Return the times, and check what is said of them: a note, or none."""
    if not note:
        return times(read_cuts(path, fps, duration, start))
    with pytest.warns(EmsyncWarning, match=re.escape(note)):
        return times(read_cuts(path, fps, duration, start))


@pytest.mark.parametrize(
    ("duration", "start", "note"),
    [
        (60.0, "", HOUR),
        (60.0, "01:00:00:00", NONE),
        (60.0, "10:00:00:00", ASKED),
        (5400.0, "", HOUR),  # all markers of a long film after its first hour: the usual start
        (5400.0, "00:00:00:00", NONE),
    ],
)
def test_markers_of_resolve_count_from_the_start_of_their_timeline(
    tmp_path: Path, duration: float, start: str, note: str
) -> None:
    (tmp_path / "m.edl").write_text(RESOLVE, encoding="utf-8")
    found = read_noting(tmp_path / "m.edl", note, duration=duration, start=start)
    assert found == ([3604.2, 3608.0] if start == "00:00:00:00" else [4.2, 8.0])


def test_a_marker_behind_the_end_is_named_by_its_own_time(tmp_path: Path) -> None:
    (tmp_path / "m.edl").write_text(RESOLVE, encoding="utf-8")
    with (
        pytest.warns(EmsyncWarning, match="counts from 01:00:00:00"),
        pytest.raises(InputError, match=r"line 7: the cut at 8\.000 s is beyond the end"),
    ):
        read_cuts(tmp_path / "m.edl", PAL, 5.0)


def test_events_of_one_frame_are_markers_without_being_called_so(tmp_path: Path) -> None:
    bare = "".join(line for line in RESOLVE.splitlines(True) if "|" not in line)
    (tmp_path / "m.edl").write_text(bare)
    assert read_noting(tmp_path / "m.edl", HOUR) == [4.2, 8.0]
    (tmp_path / "one.edl").write_text(bare[: bare.index("002")])
    assert read_noting(tmp_path / "one.edl", HOUR) == [4.2]


AVID = """TITLE: avid
FCM: NON-DROP FRAME
000001  A001 C002  V   C      00:00:00:00 00:00:04:11 01:00:00:00 01:00:04:11
000002             V1  C      00:00:00:00 00:00:03:14 01:00:04:11 01:00:08:00
000003  TITLE      V2  C      00:00:00:00 00:00:01:00 01:00:05:00 01:00:06:00
000004  BL         V   C      00:00:00:00 00:00:02:00 01:00:08:00 01:00:10:00
000005  AX         A2  C      00:00:00:00 00:00:02:00 01:00:08:12 01:00:10:00
000006  AX       AA/V  K B 010 F 00:00:00:00 00:00:50:00 01:00:10:00 01:01:00:00
"""


def test_what_lies_over_the_picture_is_no_cut_and_reels_may_be_missing_or_have_spaces(
    tmp_path: Path,
) -> None:
    assert times(cuts_of(tmp_path, "a.edl", AVID, PAL)) == [4.44, 8.0, 10.2]
    above = AVID.replace("V1 ", "V2 ").replace("  V   C", "  V2  C").replace("AA/V", "V2  ")
    assert times(cuts_of(tmp_path, "a.txt", above, PAL)) == [4.44, 5.0, 8.0, 10.2]


def test_a_timeline_that_begins_late_ends_with_the_film(tmp_path: Path) -> None:
    late = AVID.replace("01:00:00:00 01:00:04:11", "01:00:02:00 01:00:04:11")
    (tmp_path / "late.edl").write_text(late)
    note = "begins 2 s into a timeline from 01:00:00:00"
    assert read_noting(tmp_path / "late.edl", note) == [2.0, 4.44, 8.0, 10.2]
    assert read_noting(tmp_path / "late.edl", NONE, start="01:00:01:00") == [1.0, 3.44, 7.0, 9.2]


@pytest.mark.parametrize(
    ("encoding", "note"),
    [
        ("utf-8", NONE),
        ("utf-8-sig", NONE),
        ("utf-16", NONE),
        ("utf-16-le", NONE),
        ("cp1252", "is not in UTF-8 (line 8)"),
    ],
)
def test_a_text_is_read_in_the_encoding_that_it_has(
    tmp_path: Path, encoding: str, note: str
) -> None:
    (tmp_path / "m.edl").write_bytes(RESOLVE.replace("\n", "\r\n").encode(encoding))
    assert read_noting(tmp_path / "m.edl", note, start="01:00:00:00") == [4.2, 8.0]


def test_only_a_line_break_of_an_editor_ends_a_line(tmp_path: Path) -> None:
    title = "TITLE: \u2028\x85\x0b\x1e002 AX V C 00:00:00:00 00:00:04:00 01:00:04:00 01:00:08:00"
    assert times(cuts_of(tmp_path, "a.edl", title + AVID, PAL)) == [4.44, 8.0, 10.2]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("4,5\n4,9\n", [4.5, 4.9]),  # as two times a line they would not rise
        ("4,05\n8,95", [4.05, 8.95]),
        ("12,345\n14,567", [12.345, 14.567]),
        ("4,5;8,9;12,25", [4.5, 8.9, 12.25]),
        ("0:04,5\n0:08,9", [4.5, 8.9]),
        ("4,5,9\n12,15", [4.0, 5.0, 9.0, 12.0, 15.0]),
        ("4, 5\n8, 9", [4.0, 5.0, 8.0, 9.0]),
        ("4.5,9.5\n12,13", [4.5, 9.5, 12.0, 13.0]),
        ("Name;Start;End\na;4,5;8,25\nb;8,25;9", [4.5, 8.25]),
    ],
)
def test_a_decimal_comma_is_read_where_it_can_be_nothing_else(
    tmp_path: Path, text: str, found: list[float]
) -> None:
    assert times(cuts_of(tmp_path, "cuts.txt", text)) == found


@pytest.mark.parametrize("text", ["1\n4,5\n8,9", "4,5"])
def test_a_comma_that_can_be_two_things_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"line \d: '4,5' is one time or two; write 4\.5"):
        cuts_of(tmp_path, "cuts.txt", text)


PREMIERE = (
    "Marker Name\tDescription\tIn\tOut\tDuration\tMarker Type\n"
    "A\t\t00:00:04:05\t00:00:04:05\t00:00:00:00\tComment\n"
    "B\tx, y\t00:00:08:00\t00:00:08:00\t00:00:00:00\tChapter\n"
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (PREMIERE, [4.2, 8.0]),
        (PREMIERE.replace("\tIn\t", "\tEntrée\t"), [4.2, 8.0]),
        ("User\t00:00:04:05\tV1\tred\tone\nUser\t00:00:08:00\tV1\tred\t\n", [4.2, 8.0]),  # Avid
        ("0.000000\t4.200000\tA\n4.200000\t9.8\tB, c\n", [4.2]),  # Audacity
        ('4.2\t4.2\t"she said\n9.8\t9.8\tB\n', [4.2, 9.8]),  # ... whose names are as they are
        ("4,200000\t4,200000\tA\n\\\t100,0\t200,0\n9,8\t9,8\t\n", [4.2, 9.8]),
        (',4.2,\n4.2,9.8,"x, y"\n9.8,,end\n', [4.2, 9.8]),  # LosslessCut
        ("0,4.2,\n4.2,9.8,\n", [4.2]),
        ("start,end,name\n9.8,12,\n4.2,9.8,a\n", [4.2, 9.8]),
        ("0:00 Intro\n0:04 5 things\n\n0:32 - End\n", [4.0, 32.0]),  # chapters
        ("(0:00) Intro\n(0:12.5) b", [12.5]),
        ("[0:00] Intro\n[0:12] b", [12.0]),
        (
            "1\n00:00:04,500 --> 00:00:06,000\nHello\n\n2\n00:00:08,000 --> 00:00:09,000\n",
            [4.5, 8.0],
        ),
        ("WEBVTT\n\n00:04.500 --> 00:06.000 align:start\nx\n", [4.5]),
        ("#,Name,Start,End,Length\nR1,a,0:00.000,0:01.200,\nR2,b,0:01.200,,\n", [1.2]),  # REAPER
        ("#,Name,Start\nM2,b,0:09.000\nM1,a,0:04.333\nR1,c,0:02.000\n", [4 + 1 / 3, 9.0]),
        ("4.2, 9.8, # remark\n12,", [4.2, 9.8, 12.0]),
    ],
)
def test_lists_of_other_programs_are_read(tmp_path: Path, text: str, found: list[float]) -> None:
    fps = Fraction(25) if ":05" in text or "R1" not in text else Fraction(30)
    assert times(cuts_of(tmp_path, "cuts.csv", text, fps)) == pytest.approx(found, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.xml", "<?xml version='1.0'?><xmeml/>", "is XML; export.*EDL"),
        ("a.csv", "#,Name,Start\nM1,a,3.1.00\n", "line 2: '3.1.00' is not a time"),
        ("a.csv", "#,Name,Start\n", "lists no markers"),
        ("a.csv", "Name,Start\na,4\nb\n", "line 3: there is no time"),
        ("a.csv", "time,valence,arousal\n0,0.1,0.2\n", "lists feelings; give it as the emotion"),
        ("a.txt", "0:00 Intro\nChapters\n0:12 End", "line 2: 'Chapters' is not a time"),
        ("a.txt", "4.2, 9.8, 12.1 and 15", "line 1: 'and' is not a time"),
        ("a.txt", "1e-999999999", "'1e-999999999' is not a time"),
        ("a.txt", "1e999999999", "is not a time"),
        ("a.txt", "9" * 5000, r"line 1: '9+\.\.\. is not a time"),
        ("a.txt", "9" * 5000 + ":00:01", "is not a time"),
        ("a.txt", "\x1b[31m\u202e", r"'\\x1b\[31m\\u202e' is not a time"),
        ("a.txt", "4\n" * 100_001, "more than 100000 lines"),
        ("a.txt", "4," * 100_001, "more than 100000 times"),
        ("a.json", "[" * 10_000, "64 deep"),
        ("a.json", '{"cuts": [], "fps": "1e999999999"}', "fps is"),
        ("a.csv", SCENES + "2," + "1" * 5000 + ",x,4.2\n", "line 3: the start frame '1+.* number"),
        ("a.csv", SCENES + "2,5,x," + "1" * 5000 + "\n", "line 3: '1+.* is not a number"),
        ("a.csv", "Start Time (seconds)", "lists no scenes"),
        ("a.csv", "my Start Time (seconds)\n1", "no column"),
        ("a.csv", SCENES + '2,"' + "x" * 200_000, "line 3: field larger"),
        ("a.edl", "001 " + ":" * 300_000, "is not an event"),
        ("a.edl", "001" + " " * 300_000 + "x", "is not an event"),
    ],
)
def test_what_is_not_understood_is_refused_shortly(
    tmp_path: Path, name: str, text: str, words: str
) -> None:
    with pytest.raises(InputError, match=words) as refused:
        cuts_of(tmp_path, name, text)
    assert len(str(refused.value)) < 600 and str(refused.value).isprintable()


starts = st.sampled_from(["", "00:00:00:00", "01:00:00:00", "10:59:59:10", "23:59:50:00"])


@given(
    rate=st.sampled_from([FILM, FILM * NTSC, PAL, VIDEO, Fraction(50), 2 * VIDEO, Fraction(100)]),
    frames=st.lists(st.integers(1, 3999), unique=True, min_size=1, max_size=9).map(sorted),
    start=starts,
    drop=st.booleans(),
)
def test_every_list_of_a_score_counts_from_its_start_and_reads_back(
    tmp_path_factory: pytest.TempPathFactory,
    rate: Fraction,
    frames: list[int],
    start: str,
    drop: bool,
) -> None:
    folder, analysis = tmp_path_factory.mktemp("cuts"), at_frames(frames, rate, 4000)
    start = start[:8] + ";" + start[9:] if start and drop and can_drop(rate) else start
    labels = ScoreLabels.of(analysis, start)
    write_markers(folder / "markers.csv", analysis, labels)
    write_cuts(folder / "cuts.edl", analysis, labels.start)
    lines = (folder / "cuts.edl").read_text().splitlines()
    dropping = ";" in start if start else can_drop(rate)
    assert lines[1] == f"FCM: {'' if dropping else 'NON-'}DROP FRAME"
    events = [line.split()[4:] for line in lines if line[:1].isdecimal()]
    assert [event[2] for event in events[1:]] == [
        str((labels.start or Timecode.parse("01:00:00:00", rate, dropping)) + f) for f in frames
    ]
    assert events[0][0] == f"00:00:00{';' if dropping else ':'}00"
    rows = list(csv.reader((folder / "markers.csv").read_text().splitlines()))[1:]
    if start:
        assert [event[2] for event in events[1:]] == [
            row[1].split()[-1] for row in rows[: len(frames)]
        ]
    for name in ("cuts.edl", "markers.csv"):
        back = read_cuts(folder / name, rate, analysis.duration, start)
        assert [cut.time for cut in back] == pytest.approx([f / rate for f in frames], abs=1e-9)


def test_an_edl_has_at_most_a_hundred_frames_a_second(tmp_path: Path) -> None:
    check_writable(".edl", Fraction(100))
    with pytest.raises(UsageError, match=r"100 frames a second.*240; save its cuts as \.otio"):
        check_writable(".edl", Fraction(240))
    with pytest.raises(UsageError, match="the video has 240"):
        write_cuts(tmp_path / "a.edl", Analysis(10.0, "240", (Cut(4.0),)))
    with pytest.raises(UsageError, match="no known frame rate"):
        check_writable(".csv", Fraction(0))


def test_a_name_forges_no_event(tmp_path: Path) -> None:
    name = (
        "a\n002  AX V C 00:00:00:00 00:00:05:00 01:00:05:00 01:00:10:00\r\u2028\x1b[31m\u202e.mp4"
    )
    write_cuts(tmp_path / "a.edl", Analysis(20.0, "25", (Cut(4.0),), source=name))
    assert times(read_cuts(tmp_path / "a.edl", PAL, 20.0)) == [4.0]
    assert (tmp_path / "a.edl").read_text().replace("\n", "").isprintable()


BITS = (
    *(
        "\n",
        "\t",
        ",",
        ";",
        ":",
        ".",
        "0",
        "7",
        "25",
        "1e9",
        "1e-999999999",
        "-->",
        "|M:",
        "#",
        '"',
    ),
    *(
        "00:00:04:05",
        "01:00:08;02",
        "0:12,5",
        "Start",
        "In\t",
        "M1,a,",
        "TITLE: ",
        "FCM: DROP FRAME\n",
    ),
    *(
        "001  AX V C ",
        " D 024 ",
        "BL V2 C",
        "[",
        "]",
        "{",
        "}",
        '"cuts":',
        '"time":',
        "null",
        "NaN",
    ),
    *(
        '"OTIO_SCHEMA":',
        '"Timeline.1"',
        '"tracks":',
        '"children":',
        "\0",
        "\u2028",
        "\u202e",
        "é",
        "٣",
    ),
)


@given(
    suffix=st.sampled_from([".txt", ".csv", ".edl", ".otio", ".json"]),
    bits=st.lists(st.sampled_from(BITS) | st.text(max_size=3), max_size=40),
    encoding=st.sampled_from(["utf-8", "utf-16", "cp1251"]),
)
def test_any_text_is_a_list_or_is_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, bits: list[str], encoding: str
) -> None:
    path = tmp_path_factory.mktemp("any") / f"list{suffix}"
    path.write_bytes("".join(bits).encode(encoding, "replace"))
    found, refusal = [], "it is refused"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EmsyncWarning)
        try:
            found = read_cuts(path, PAL, 60.0, "01:00:00:00")
        except InputError as error:
            refusal = str(error)
    assert all(0 < cut.time <= 60.0 for cut in found)
    assert refusal.isprintable() and len(refusal) < 600
