"""A list of cuts reads back as written, in every format; a wrong one is refused by its line."""

import json
import sys
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emsync.analysis import Analysis, Cut
from emsync.errors import AssetError, InputError, UsageError
from emsync.formats.cut_lists import WRITERS, read_cuts, write_cuts
from emsync.video.timecode import NTSC

FILM = Fraction(24)
VIDEO = 30 * NTSC


def at_frames(frames: list[int], rate: Fraction, length: int) -> Analysis:
    cuts = tuple(Cut(float(f / rate), 0.5, frame=f) for f in frames)
    return Analysis(float(length / rate), str(rate), cuts, source="clip.mp4")


def cuts_of(tmp_path: Path, name: str, text: str, fps: Fraction | None = FILM) -> list[Cut]:
    path = tmp_path / name
    path.write_text(text)
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
        ("rate.csv", SCENES + "2,251,00:00:10.000,10.000\n", FILM, "line 3.*25 frames.*has 24"),
    ],
)
def test_a_wrong_list_is_refused_with_its_line_and_a_way_out(
    tmp_path: Path, name: str, text: str, fps: Fraction | None, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        cuts_of(tmp_path, name, text, fps)


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
