"""The time line of the studio's page: what is dragged, pressed and typed there, to the frame."""

import itertools
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from studio_page import Served, Watched, browser, served, window
from test_studio_sound import put_take

from emsync.studio.document import Document
from emsync.studio.projects import Project, write_json
from emsync.testing import example_video

pytestmark = pytest.mark.browser

FPS, FRAMES = 25, 500
DOCUMENT = "import('/store.js').then(({ store }) => store.document)"
AS_SEEN = "import('/store.js').then(({ store }) => store.goTo(1))"
EDITS = """([name, values]) => import('/edits.js').then((edits) => edits[name](...values))"""
CUTS_AT = """(times) => import('/draft.js').then(({ draft }) => draft.show({ analysis: {
  ...draft.analysis,
  cuts: times.map((time) => ({ ...draft.analysis.cuts[0], time, frame: 25 * time })),
} }))"""
AS_LEFT_OUT = """(reason) => Promise.all([import('/store.js'), import('/draft.js')]).then(
  ([{ store }, { draft }]) => store.edit("a test", { analysis: { ...draft.analysis,
    cuts: draft.analysis.cuts.map((cut) => (cut.kept ? cut : { ...cut, reason })) } }))"""
STRIP = """(times) => import('/store.js').then(({ store }) => store.set({
  strip: times.map((time, i) => ({ time, url: `/icon.svg?${i}` })),
}))"""
SCALE = "import('/scale.js').then(({ scale }) => [scale.from, scale.to])"
CLOCK = "import('/clock.js').then(({ clock }) => clock.time)"


class Line:
    """The time line of a film, and its document once all that was done is saved."""

    def __init__(self, watched: Watched) -> None:
        self.watched, self.page = watched, watched.page
        self.puts: list[str] = []
        self.page.on("request", self._request)

    def _request(self, request: Any) -> None:
        if request.method == "PUT":
            self.puts.append(request.url)

    @property
    def document(self) -> dict[str, Any]:
        self.page.wait_for_timeout(650)  # keys are told once they rest
        self.page.wait_for_selector("em-header .saved:text-is('Saved')")
        return self.page.evaluate(DOCUMENT)

    @property
    def frames(self) -> list[int]:
        """The frames of all cuts."""
        return [round(FPS * cut["time"]) for cut in self.document["analysis"]["cuts"]]

    def at(self, lane: str, time: float, y: float) -> tuple[float, float]:
        """Return the point of a lane at a moment, ``y`` pixels from its top."""
        stage = self.page.locator(f"{lane} .lane-stage")
        stage.scroll_into_view_if_needed()
        box, (start, end) = stage.bounding_box(), self.page.evaluate(SCALE)
        return box["x"] + (time - start) / (end - start) * box["width"], box["y"] + y

    def drag(self, lane: str, start: float, end: float, y: float = 14, up: float = 0) -> None:
        """Take hold at a moment, and let go at another, so many pixels higher."""
        self.page.mouse.move(*self.at(lane, start, y))
        self.page.mouse.down()
        x, height = self.at(lane, end, y)
        self.page.mouse.move(x, height - up, steps=5)
        self.page.wait_for_timeout(60)
        self.page.mouse.up()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
            self.page.wait_for_timeout(40)  # a frame in which it is drawn

    def edit(self, name: str, *values: Any) -> Any:
        """What a function of edits.js returns."""
        return self.page.evaluate(EDITS, [name, values])


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def studio(
    tmp_path_factory: pytest.TempPathFactory, draw_cut: Callable[..., Path], chromium: Any
) -> Iterator[tuple[Served, str]]:
    """A studio, and the id of a film in it that was watched: two scenes in twenty seconds."""
    home = tmp_path_factory.mktemp("studio")
    project = put_scenes(home, draw_cut)
    with served(home) as running:
        yield running, project.id


def put_scenes(home: Path, draw_cut: Callable[..., Path]) -> Project:
    """Write a film of twenty seconds that was watched."""
    project = Project.create(home, "clip.mp4")
    draw_cut(project.film, FRAMES, FPS)
    project.enter()
    write_json(project.folder / "seen.json", example_video().to_json())
    facts = {"duration": 20.0, "fps": str(FPS), "frames": FRAMES, "width": 64, "height": 48,
             "has_audio": False}  # fmt: skip
    project.put(Document.of(example_video()), "as seen", state="ready", facts=facts,
                picture="film.mp4", picture_type="video/mp4")  # fmt: skip
    return project


@pytest.fixture
def line(studio: tuple[Served, str], chromium: Any) -> Iterator[Line]:
    """The time line with the film as it was seen."""
    running, film = studio
    with window(chromium, running.address, film) as watched:
        watched.page.evaluate(AS_SEEN)
        watched.page.wait_for_timeout(100)
        yield Line(watched)


# --- cuts ---


def test_a_cut_is_dragged_to_a_frame_and_told_once(line: Line) -> None:
    line.drag("em-cuts", 4.04, 5.011)
    document = line.document
    moved = document["analysis"]["cuts"][0]
    assert moved["frame"] == round(25 * 5.011) and moved["time"] == moved["frame"] / FPS
    assert document["what"] == "moved a cut" and len(line.puts) == 1
    assert document["plan"]["hits"] == [moved["time"], 12.52]  # the plan follows
    assert line.page.evaluate(CLOCK) == moved["time"]  # and the film shows it


def test_escape_gives_a_drag_up(line: Line) -> None:
    line.page.mouse.move(*line.at("em-cuts", 4.04, 14))
    line.page.mouse.down()
    line.page.mouse.move(*line.at("em-cuts", 7.0, 14), steps=4)
    line.press("Escape")
    line.page.mouse.up()
    assert line.frames == [101, 150, 313] and not line.puts


def test_cuts_are_walked_moved_turned_and_removed_by_keys(line: Line) -> None:
    first = line.watched.slider("Cut 1 of 3")
    first.focus()
    line.press("ArrowRight", "Shift+ArrowRight", "ArrowLeft")
    assert line.frames == [111, 150, 313] and len(line.puts) == 1
    line.press("Tab")
    focused = line.page.evaluate("document.activeElement.ariaLabel")
    assert focused == "Cut 2 of 3"
    line.press("Enter")
    assert [cut["kept"] for cut in line.document["analysis"]["cuts"]] == [True, True, True]
    line.press("Delete")
    assert line.frames == [111, 313]
    assert line.page.evaluate("document.activeElement.ariaLabel") == "Cut 2 of 2"


def test_undo_takes_back_what_keys_have_done_just_now(line: Line) -> None:
    line.watched.slider("Cut 3 of 3").focus()
    line.press("Delete")
    assert line.frames == [101, 150]
    line.watched.slider("Cut 1 of 2").focus()
    line.page.keyboard.press("ArrowRight")
    line.watched.button("^Undo").click()
    assert line.frames == [101, 150] and line.document["can_redo"]


def test_the_focus_stays_with_a_cut_that_passes_another(line: Line) -> None:
    line.watched.slider("Cut 1 of 3").focus()
    line.press(*["Shift+ArrowRight"] * 6)
    assert line.frames == [150, 161, 313]
    assert line.page.evaluate("document.activeElement.ariaLabel") == "Cut 2 of 3"


def test_a_cut_is_added_where_one_clicks_twice_and_at_the_playhead(line: Line) -> None:
    line.page.mouse.dblclick(*line.at("em-cuts", 9.0, 30))
    assert 225 in {frame + off for frame in line.frames for off in (-1, 0, 1)}
    line.page.evaluate("import('/clock.js').then(({ clock }) => clock.seek(16))")
    line.press(",", ",", ".", "c")
    assert 399 in line.frames
    line.press("c")  # one is there already: its neighbour is free
    assert {399, 400} <= set(line.frames) or {398, 399} <= set(line.frames)


def test_a_click_chooses_a_cut_and_tells_of_it(line: Line) -> None:
    line.page.mouse.click(*line.at("em-cuts", 12.52, 14))
    bubble = line.page.locator(".bubble.shown")
    assert "The music answers it" in bubble.inner_text()
    assert line.page.evaluate("document.activeElement.ariaLabel") == "Cut 3 of 3"
    assert not line.puts  # nothing is changed
    line.page.mouse.move(*line.at("em-strip", 2, 20))
    assert bubble.is_visible()  # it stays, to be pressed
    bubble.get_by_role("button", name="Leave it out", include_hidden=True).click()
    assert "Left out by hand" in bubble.inner_text()
    cut = line.document["analysis"]["cuts"][2]
    assert not cut["kept"] and cut["reason"] == "left out by hand"
    told = line.watched.slider("Cut 3 of 3").get_attribute("aria-valuetext")
    assert told == "0:12.52, left out by hand"
    bubble.get_by_role("button", name="Answer it", include_hidden=True).click()
    assert line.document["analysis"]["cuts"][2]["kept"]
    line.press("Escape")
    assert not bubble.is_visible()


def test_two_clicks_on_a_cut_turn_it(line: Line) -> None:
    line.page.mouse.dblclick(*line.at("em-cuts", 4.04, 14))
    assert [cut["kept"] for cut in line.document["analysis"]["cuts"]] == [False, False, True]
    assert line.frames == [101, 150, 313]
    line.page.mouse.dblclick(*line.at("em-cuts", 4.04, 14))
    assert [cut["kept"] for cut in line.document["analysis"]["cuts"]] == [True, False, True]
    turner = line.page.get_by_role("button", name="Let the music answer the cut", exact=False)
    assert turner.get_attribute("aria-pressed") == "true"
    turner.click()
    assert not line.document["analysis"]["cuts"][0]["kept"]


def test_a_cut_that_the_program_left_out_keeps_its_reason(line: Line) -> None:
    reason = "0.08 s after the cut at 5.92 s"
    line.page.evaluate(AS_LEFT_OUT, reason)
    line.drag("em-cuts", 6.0, 7.0)
    cut = line.document["analysis"]["cuts"][1]
    assert cut["frame"] == 175 and not cut["kept"] and cut["reason"] == reason


def test_fingers_choose_each_of_near_cuts(studio: tuple[Served, str], chromium: Any) -> None:
    running, film = studio
    with window(chromium, running.address, film) as watched:
        line = Line(watched)
        line.page.evaluate(AS_SEEN)
        line.page.set_viewport_size({"width": 360, "height": 800})
        line.page.evaluate(CUTS_AT, [10 + 0.64 * number for number in range(8)])
        line.page.wait_for_timeout(200)
        line.at("em-cuts", 10, 14)  # brings it into view
        boxes = [grip.bounding_box() for grip in line.page.locator(".cut .grip").all()]
        places = [(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2) for box in boxes]
        assert places[-1][0] - places[0][0] < 100
        apart = [math.dist(a, b) for a, b in itertools.combinations(places, 2)]
        assert min(apart) >= 24
        stage = line.page.locator("em-cuts .lane-stage").bounding_box()
        assert all(stage["y"] < y < stage["y"] + stage["height"] for _, y in places)
        for number, (x, y) in enumerate(places):
            line.page.mouse.click(x, y)
            focused = line.page.evaluate("document.activeElement.ariaLabel")
            assert focused == f"Cut {number + 1} of 8"
        assert not line.puts


def test_what_a_piece_makes_of_the_cuts_is_marked_below_them(
    tmp_path: Path, draw_cut: Callable[..., Path], chromium: Any
) -> None:
    project = put_scenes(tmp_path, draw_cut)
    hit, far = ({"kind": "chord", "error_ms": error} for error in (3.2, -180.4))
    reports = [
        {"time": 4.04, "frame": 101, "kept": True, "reason": "", "hit": hit, "nearest": hit},
        {"time": 6.0, "frame": 150, "kept": False, "reason": "", "hit": None, "nearest": hit},
        {"time": 12.52, "frame": 313, "kept": True, "reason": "", "hit": None, "nearest": far},
    ]
    put_take(project, 1, cut_reports=reports)
    with (
        served(tmp_path) as running,
        window(chromium, running.address, project.id) as watched,
    ):
        line = Line(watched)
        marks = watched.page.locator("em-cuts .hit")
        watched.until(lambda: marks.count() == 2, "both are marked")
        assert marks.all_inner_texts() == ["+3 ms", "missed"]
        assert marks.nth(1).evaluate("(mark) => mark.classList.contains('missed')")
        watched.page.mouse.click(*line.at("em-cuts", 12.52, 14))
        told = watched.page.locator(".bubble.shown").inner_text()
        assert "Piece 1 misses it: its nearest note is 180 ms early" in told
        watched.page.mouse.click(*line.at("em-cuts", 4.04, 14))
        assert "Piece 1 hits it, 3 ms late" in watched.page.locator(".bubble.shown").inner_text()
        line.page.evaluate("""Promise.resolve(document.querySelector('em-cuts')).then((lane) => {
          lane.reports = [4, 4.3, 4.5, 4.6, 5.9].map((time, i) => ({ ...lane.reports[0], time,
            hit: i === 2 ? null : lane.reports[0].hit }));
          lane.soon();
        })""")
        watched.page.wait_for_timeout(100)
        spans = [(box["x"], box["x"] + box["width"])
                 for box in (mark.bounding_box() for mark in marks.all())]  # fmt: skip
        assert 2 < len(spans) < 5  # two that are too near a miss have no mark
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))
        assert watched.page.locator(".hit.missed").count() == 1


# --- what edits make of an analysis and a plan ---


@pytest.mark.parametrize(
    ("wanted", "frame"), [(120, 120), (150, 149), (-5, 1), (9999, 499), (313, 312)]
)
def test_no_cut_is_on_another_nor_outside_the_film(line: Line, wanted: int, frame: int) -> None:
    analysis = example_video().to_json()
    assert line.edit("freeFrame", analysis, wanted) == frame


def test_frames_of_a_fraction_are_exact(line: Line) -> None:
    analysis = {**example_video().to_json(), "fps": "30000/1001"}
    added = line.edit("addCut", analysis, 300)["cut"]
    assert added["time"] == 300 * 1001 / 30000 and added["frame"] == 300
    unknown = line.edit("addCut", {**analysis, "fps": "0"}, 300)["cut"]
    assert unknown["frame"] is None


def test_chords_that_are_split_and_merged_are_the_same(line: Line) -> None:
    section = {"start": 0, "end": 16, "chords": "Am F C/2 G/2 Am | F C G Am"}
    plan = {"tempo": 120, "sections": [section]}
    halved = line.edit("splitSection", plan, 0, 6.0)
    assert [one["chords"] for one in halved["sections"]] == ["Am F C/2 G/2", "Am F C G | Am"]
    assert line.edit("mergeSections", halved, 0)["sections"] == [section]


# --- the arc ---


def test_heights_and_edges_of_the_arc_are_dragged_and_pressed(line: Line) -> None:
    line.page.evaluate("import('/clock.js').then(({ clock }) => clock.seek(8))")
    line.page.locator(".state-name").first.click()
    line.press("s")
    arc = line.document["analysis"]["arc"]
    assert [state["start"] for state in arc] == [0, 8]
    line.drag("em-arc", 8, 12.6, y=10)  # it snaps to the cut that is kept
    assert line.document["analysis"]["arc"][1]["start"] == 12.52
    line.drag("em-arc", 16, 16, y=26, up=7.5)  # of 30 pixels for 2
    analysis = line.document["analysis"]
    assert analysis["arc"][1]["valence"] == pytest.approx(1.0, abs=0.02)
    assert analysis["arc"][0]["valence"] == 0.5
    mean = (12.52 * 0.5 + 7.48 * analysis["arc"][1]["valence"]) / 20
    assert analysis["valence"] == pytest.approx(mean)
    line.page.locator(".knob.arousal").last.focus()
    line.press("ArrowUp", "ArrowUp")
    assert line.document["analysis"]["arc"][1]["arousal"] == pytest.approx(-0.15)
    line.page.locator(".lane-panel").get_by_role("button", name="Sadness").click()
    assert line.document["analysis"]["arc"][1]["emotion"] == "sadness"
    line.page.locator(".state-name").first.focus()
    line.press("Enter", "m")
    assert len(line.document["analysis"]["arc"]) == 1


def test_an_edge_that_lies_on_a_cut_goes_with_it(line: Line) -> None:
    line.page.evaluate("import('/clock.js').then(({ clock }) => clock.seek(4.04))")
    line.page.locator(".state-name").first.click()
    line.press("s")
    line.drag("em-cuts", 4.04, 5.0)
    analysis = line.document["analysis"]
    assert analysis["arc"][1]["start"] == analysis["cuts"][0]["time"] != 4.04


# --- the plan ---


def test_a_section_is_edited_and_refused_chords_stay_in_their_field(line: Line) -> None:
    line.page.locator(".section-name").first.click()
    panel = line.page.locator("em-section")
    chords = panel.get_by_label("Chords", exact=False).first
    before = chords.input_value()
    chords.fill("Am Xq")
    chords.press("Enter")
    line.watched.said("'Xq' is no chord")
    assert line.page.locator("em-section .wrong").inner_text().startswith("Chord 2")
    assert line.page.locator(".toast").count() == 0  # it is said where it belongs
    assert chords.input_value() == "Am Xq"
    assert line.document["plan"]["sections"][0]["chords"] == before
    chords.press("Escape")
    assert chords.input_value() == before
    line.watched.errors.clear()  # a browser tells of each answer that is a refusal
    chords.fill("Am F")
    chords.press("Enter")
    document = line.document
    assert document["plan"]["sections"][0]["chords"] == "Am F" and document["plan_is"] == "yours"
    panel.get_by_role("button", name="Chords anew").click()
    one = line.document["plan"]["sections"][0]["chords"]
    panel.get_by_role("button", name="Chords anew").click()
    assert len({"Am F", one, line.document["plan"]["sections"][0]["chords"]}) == 3
    panel.get_by_role("button", name="Bass").click()
    assert "bass" not in line.document["plan"]["sections"][0]["instruments"]


def test_sections_are_split_dragged_and_merged(line: Line) -> None:
    line.page.evaluate("import('/clock.js').then(({ clock }) => clock.seek(9))")
    line.page.locator(".section-name").first.click()
    line.press("s")
    sections = line.document["plan"]["sections"]
    assert [one["end"] for one in sections[:1]] == [9.0]
    line.drag("em-plan", 9, 12.5, y=70)
    assert line.document["plan"]["sections"][1]["start"] == 12.52
    line.page.locator(".section-name").first.focus()
    line.press("m")
    assert len(line.document["plan"]["sections"]) == len(sections) - 1


def _inks(line: Line) -> list[tuple[str, float, float, float]]:
    """The chords of the plan's lane: text, left, right, and the second they stand at."""
    line.page.wait_for_timeout(100)
    start, end = line.page.evaluate(SCALE)
    box = line.page.locator("em-plan .lane-stage").bounding_box()
    return [
        (span.inner_text(), ink["x"], ink["x"] + ink["width"],
         start + (ink["x"] - box["x"]) / box["width"] * (end - start))
        for span, ink in ((one, one.bounding_box())
                          for one in line.page.locator("em-plan .chords span").all())
    ]  # fmt: skip


def test_chords_stand_at_their_places_and_never_on_each_other(line: Line) -> None:
    line.page.locator(".section-name").first.click()
    chords = line.page.locator("em-section").get_by_label("Chords", exact=True)
    chords.fill("Am F/2 G/2 C")
    chords.press("Enter")
    document = line.document
    places = document["places"]
    assert len(places["bars"]) == len(set(places["bars"])) and places["bars"][0] == 0
    assert places["chords"] == sorted(places["chords"], key=lambda one: one["time"])
    known = {one["name"].replace("#", "♯"): one["time"] for one in reversed(places["chords"])}
    half = places["bars"][1] + (places["bars"][2] - places["bars"][1]) / 2
    assert known["F"] == places["bars"][1] and known["G"] == pytest.approx(half, abs=0.01)
    line.page.evaluate("import('/scale.js').then(({ scale }) => scale.show(0, 8))")
    inks = _inks(line)
    for name, _, _, time in inks[:4]:
        assert time == pytest.approx(known[name], abs=0.01)
    for width in (1280, 700, 360):
        line.page.set_viewport_size({"width": width, "height": 900})
        line.press("0")
        inks = _inks(line)
        assert inks[0][0] == "Am"
        assert all("/" not in name for name, *_ in inks)
        assert all(end <= start + 0.5 for (_, _, end, _), (_, start, _, _)
                   in itertools.pairwise(inks))  # fmt: skip
    label = line.page.locator(".section-name").first.get_attribute("aria-label")
    assert "chords Am, F and G, C" in label


def test_what_the_plan_follows_is_said_and_flashes(line: Line) -> None:
    before = line.document["plan"]
    line.drag("em-cuts", 12.52, 9.0)
    line.drag("em-cuts", 4.04, 2.2)
    after = line.document["plan"]
    notes = " ".join(line.page.locator(".toast p").all_inner_texts())
    assert round(before["tempo"]) != round(after["tempo"])
    assert "The plan follows: " in notes and f"→ {round(after['tempo'])}" in notes
    line.page.wait_for_timeout(2000)
    assert line.page.locator(".section-block.changed").count() == 0  # it is over
    line.page.keyboard.press("Control+z")
    line.page.locator(".section-block.changed").first.wait_for()
    line.page.evaluate("document.querySelectorAll('.toast').forEach((one) => one.remove())")
    line.page.locator(".section-name").first.click()
    line.page.locator("em-section").get_by_label("Chords", exact=True).fill("Am F")
    line.press("Enter")
    assert line.document["plan"]["sections"][0]["chords"] == "Am F"
    assert "The plan follows" not in line.page.locator("em-messages").inner_text()


def test_a_mood_says_that_it_overwrites_what_was_set_by_hand(line: Line) -> None:
    mood = line.page.locator("em-wishes").get_by_label("Mood", exact=True)
    mood.select_option("joy")
    assert "Undo brings" not in line.page.locator("em-messages").inner_text()
    line.page.evaluate("import('/clock.js').then(({ clock }) => clock.seek(8))")
    line.page.locator(".state-name").first.click()
    line.press("s")
    line.page.locator(".lane-panel").get_by_role("button", name="Calm").click()
    state = line.document["analysis"]["arc"][1]
    assert (state["valence"], state["arousal"]) == (0.3, -0.5)
    pressed = line.page.locator(".lane-panel .group button[aria-pressed=true]")
    assert pressed.all_inner_texts() == ["Calm"]
    mood.select_option("fear")
    line.watched.said("took the place of the feelings that were set by hand")


def test_the_strip_has_no_picture_of_another_shot_and_no_holes(line: Line) -> None:
    shots = [(0, 4.04), (4.04, 6.0), (6.0, 12.52), (12.52, 20)]
    times = [0.5, 3.0, 6.0, 9.0, 15.0]  # none of the second shot
    line.page.evaluate(STRIP, times)
    for start, span in ((0, 20), (5, 5), (2.5, 4), (13, 1)):
        line.page.evaluate("([from, span]) => import('/scale.js').then(({ scale }) => "
                           "scale.show(from, span))", [start, span])  # fmt: skip
        line.page.wait_for_timeout(100)
        box = line.page.locator("em-strip .lane-stage").bounding_box()
        covered = 0.0
        for image in line.page.locator("em-strip img").all():
            place = image.bounding_box()
            edges = [start + (x - box["x"]) / box["width"] * span
                     for x in (place["x"], place["x"] + place["width"])]  # fmt: skip
            time = times[int(image.get_attribute("src").split("?")[1])]
            first, last = next(shot for shot in shots if shot[0] <= time < shot[1])
            slack = 2 * span / box["width"]
            assert first - slack <= edges[0] and edges[1] <= last + slack
            covered += min(edges[1], start + span) - max(edges[0], start)
        hole = max(0, min(6.0, start + span) - max(4.04, start))
        assert covered == pytest.approx(span - hole, rel=0.03)


# --- the scale ---


def test_the_moment_under_the_pointer_stays_when_one_zooms(line: Line) -> None:
    x, y = line.at("em-strip", 12.0, 20)
    under = 12.0 + (round(x) - x) / (line.at("em-strip", 13.0, 20)[0] - x)
    line.page.mouse.move(round(x), y)
    line.page.keyboard.down("Control")
    for _ in range(5):
        line.page.mouse.wheel(0, -100)
    line.page.keyboard.up("Control")
    line.page.wait_for_timeout(100)
    start, end = line.page.evaluate(SCALE)
    assert end - start < 5
    assert line.at("em-strip", under, 20)[0] == pytest.approx(round(x), abs=1)
    line.page.mouse.wheel(0, 200)
    line.page.wait_for_timeout(100)
    assert line.page.evaluate(SCALE)[0] > start
    line.press("0")
    assert line.page.evaluate(SCALE) == [0, 20]


def test_fingers_drag_cuts_and_zoom(studio: tuple[Served, str], chromium: Any) -> None:
    running, film = studio
    with window(chromium, running.address, film, has_touch=True) as watched:
        watched.page.evaluate(AS_SEEN)
        line = Line(watched)
        devtools = watched.page.context.new_cdp_session(watched.page)

        def touch(kind: str, *points: tuple[float, float]) -> None:
            rows = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
            devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": rows})
            watched.page.wait_for_timeout(40)

        touch("touchStart", line.at("em-cuts", 4.04, 14))
        for time in (4.5, 5.0, 6.5, 8.0):
            touch("touchMove", line.at("em-cuts", time, 14))
        touch("touchEnd")
        assert line.frames[1] in range(198, 203)
        left, right = line.at("em-strip", 8, 20), line.at("em-strip", 12, 20)
        touch("touchStart", left, right)
        for apart in (20, 60, 120):
            touch("touchMove", (left[0] - apart, left[1]), (right[0] + apart, right[1]))
        touch("touchEnd")
        start, end = watched.page.evaluate(SCALE)
        assert 10 > end - start > 4 and (start + end) / 2 == pytest.approx(10, abs=0.3)
