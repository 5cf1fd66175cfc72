"""What is heard in the studio's page: pieces, their notes and players, in a film made by hand.

Nothing is composed here: takes are written as the worker writes them, each a tone of its own.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from studio_page import Watched, browser, served, window

from emsync.demo import draw_clip
from emsync.sound.blocks import Made
from emsync.sound.encode import write_audio
from emsync.studio.document import Document
from emsync.studio.projects import Project, Record
from emsync.testing import example_video
from emsync.video.film import open_film

pytestmark = pytest.mark.browser

SECONDS, LONG = 8.0, 185.0  # of the film, and of one whose sound is not kept in memory
BARS = (0.0, 1.0, 3.0, 5.0, 7.0)
RATE = 44100
READY = "em-player[data-sound=ready]"
STEMS = ("stems/00-drums", "stems/01-piano")
PLAYERS = (("Drums", "drums"), ("Piano", "piano"))
HEARD = """import('/store.js').then(({ store }) =>
  store.takes.find((take) => take.id === store.heard).name)"""
LEVELS = "import('/player.js').then(({ heard }) => [...heard.sound.levels])"
RANGE = "import('/store.js').then(({ store }) => store.range)"
SEEK = "(time) => import('/clock.js').then(({ clock }) => clock.seek(time))"
NOW = "import('/clock.js').then(({ clock }) => clock.time)"


def put_film(home: Path, seconds: float = SECONDS, picture: bool = True) -> Project:
    """Write a film that was watched, with a picture or none."""
    project = Project.create(home, "made by hand.mp4")
    if picture:
        draw_clip(project.film, seconds=seconds)
    facts = {"duration": seconds, "fps": "25", "frames": round(25 * seconds), "width": 640,
             "height": 360, "has_audio": False}  # fmt: skip
    if picture:
        seconds = facts["duration"] = open_film(project.film).duration
    record = Record("made by hand.mp4", project.film.name, state="ready", facts=facts)
    if picture:
        record = replace(record, picture=project.film.name, picture_type="video/mp4")
    project.record = record
    project.enter()
    seen = replace(example_video(), duration=seconds, cuts=(), motion=None, brightness=None,
                   saturation=None, colourfulness=None, impact=None, valence_curve=None,
                   arousal_curve=None, arc=(), shots=())  # fmt: skip
    seen.save(project.folder / "seen.json")
    project.put(Document.of(seen), "as seen")
    return project


def put_take(project: Project, number: int, **more: Any) -> Path:
    """Write a take: a chord, and of each of two players a tone and a note in each second."""
    seconds = project.record.facts["duration"]
    folder = project.folder / "takes" / f"{number:016x}"
    (folder / "stems").mkdir(parents=True)
    times = np.arange(round(seconds * RATE)) / RATE
    stems = [
        0.1 * np.sin(2 * np.pi * pitch * (1 + number / 8) * times).astype(np.float32)
        for pitch in (110, 330)
    ]
    for name, mono in zip(("sound", *STEMS), (stems[0] + stems[1], *stems), strict=True):
        stereo = np.stack([mono, mono], axis=1)
        write_audio(Made(RATE, len(stereo), partial(iter, [stereo])), folder / f"{name}.flac")
    starts = [float(time) for time in range(int(seconds)) for _ in PLAYERS]
    count = len(starts)
    facts = {
        "name": str(number), "seed": number, "score": number / 10, "run": "first", "version": 1,
        "parts": {"hits": 1.0, "mood": 0.5, "density": 0.7, "likeness": 0.8, "plan": 0.9},
        "hits": 1, "cuts": 1, "key": "Bm", "tempo": 60.0, "notes": count, "parent": None,
        "range": None, "created": 1e9 + number, "instruments": [name for _, name in PLAYERS],
        "duration": seconds, "bars": list(BARS), "beats": starts, "tempi": [],
        "players": [{"name": name, "instrument": kind} for name, kind in PLAYERS],
        "columns": {"start": starts, "end": [time + 0.5 for time in starts],
                    "pitch": [36, 60] * (count // 2), "velocity": [100] * count,
                    "player": [0, 1] * (count // 2)},
        "cut_reports": [], "chords": [{"time": 0.0, "name": "Bm"}],
        "sections": [{"start": 0.0, "end": seconds, "theme": "A", "emotion": "joy"}],
        "loudness": {"lufs": -16.0, "true_peak": -1.0, "range": 2.0}, "words": "", **more,
    }  # fmt: skip
    (folder / "score.mid").write_bytes(b"MThd")
    rows = [{"name": f"{n:02d}-{name.lower()}", "title": name, "instrument": kind}
            for n, (name, kind) in enumerate(PLAYERS)]  # fmt: skip
    (folder / "stems.json").write_text(json.dumps({"stems": rows}))
    (folder / "take.json").write_text(json.dumps(facts))
    return folder


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as started:
        yield started


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return put_film(tmp_path / "home")


@pytest.fixture
def page(chromium: Any, project: Project) -> Iterator[Watched]:
    """A window with a film of three pieces, of which the last is heard."""
    for number in (1, 2, 3):
        put_take(project, number)
    with (
        served(project.folder.parent) as studio,
        window(chromium, studio.address, project.id) as page,
    ):
        page.page.wait_for_selector(READY)
        yield page


def _piece(page: Watched, name: str) -> Any:
    return page.page.get_by_role("button", name=f"Hear piece {name}", exact=False)


def test_number_keys_play_pieces_and_the_drafts_of_one(page: Watched, project: Project) -> None:
    second = f"{2:016x}"
    for number, letter in ((4, "a"), (5, "b")):
        put_take(project, number, name=f"2{letter}", parent=second, range=[1.0, 5.0], run="second")
    page.page.reload()
    page.said("bars 2–3 anew")
    for key, name in (("2", "2"), ("4", "2a"), ("5", "2b"), ("1", "1"), ("8", "1")):
        page.page.keyboard.press(key)
        assert page.page.evaluate(HEARD) == name
    assert _piece(page, "1").get_attribute("aria-pressed") == "true"
    assert _piece(page, "3").get_attribute("aria-pressed") == "false"


def test_drafts_are_ranked_among_those_of_the_same_bars(page: Watched, project: Project) -> None:
    for number, letter, seam in ((4, "a", 0.12), (5, "b", 0.15), (6, "c", 0.11)):
        put_take(project, number, name=f"2{letter}", parent=f"{2:016x}", range=[1.0, 5.0],
                 run="second", score=0.5, parts={"hits": 1.0, "seam": seam})  # fmt: skip
    page.page.reload()
    page.said("bars 2–3 anew")
    assert page.page.locator(".draft .rank").all_text_contents() == ["second", "best seam", "third"]


def test_the_best_of_each_column_is_marked_where_pieces_differ(page: Watched) -> None:
    best = page.page.locator("tr.piece .best")
    assert [best.nth(n).get_attribute("data-key") for n in range(best.count())] == ["score"]
    assert best.first.text_content() == "30, the best"  # of piece 3


def test_pieces_say_that_wishes_have_changed_since(page: Watched) -> None:
    since = page.page.locator(".since")
    page.button("^Keep piece 1$").click()
    page.until(lambda: page.document()["take"], "it is kept")
    assert set(since.all_text_contents()) == {""}  # that changes no music
    page.button("^Wishes$").click()
    page.button("^Fade$").click()
    page.until(lambda: all(since.all_text_contents()), "all are of before")
    page.button("^Undo").click()
    page.until(lambda: not any(since.all_text_contents()), "none is")


def test_space_plays_after_a_piece_was_clicked_and_hears_one_that_keys_have_reached(
    page: Watched,
) -> None:
    _piece(page, "1").click()
    page.page.keyboard.press(" ")
    page.button(r"^Pause \(Space\)$").wait_for()
    page.page.keyboard.press(" ")
    page.button(r"^Play \(Space\)$").wait_for()
    page.page.keyboard.press("Shift+Tab")
    _piece(page, "2").focus()
    page.page.keyboard.press(" ")
    assert page.page.evaluate(HEARD) == "2"
    assert page.button(r"^Play \(Space\)$").count() == 1


def test_the_film_plays_on_in_a_corner_while_its_place_is_out_of_view(page: Watched) -> None:
    page.page.set_viewport_size({"width": 1280, "height": 500})
    page.page.evaluate("document.querySelector('video').dataset.same = 'yes'")
    page.page.keyboard.press(" ")
    page.until(lambda: page.page.evaluate(NOW) > 0.2, "it plays")
    page.page.evaluate("scrollTo(0, document.body.scrollHeight)")
    box = page.page.locator(".docked")
    box.wait_for()
    assert box.locator("video").get_attribute("data-same") == "yes"
    assert not box.locator("video").evaluate("it => it.paused")
    box.get_by_role("button", name="Switch to piece 1").click()
    assert page.page.evaluate(HEARD) == "1"
    low = box.bounding_box()["y"]
    box.get_by_role("button", name="other corner").click()
    assert box.bounding_box()["y"] < low
    box.get_by_role("button", name="Put the film away").click()
    assert box.count() == 0
    page.page.evaluate("scrollTo(0, 0)")
    page.page.wait_for_timeout(300)
    page.page.evaluate("scrollTo(0, document.body.scrollHeight)")
    box.wait_for()  # it was away until its place was seen again


@pytest.mark.parametrize("size", [(1440, 900), (1280, 800)])
def test_film_pieces_and_notes_are_in_view_at_once(page: Watched, size: tuple[int, int]) -> None:
    width, height = size
    page.page.set_viewport_size({"width": width, "height": height})
    page.page.wait_for_timeout(200)
    for place in ("em-player", "tr.piece >> nth=2", "em-plan .lane-stage"):
        box = page.page.locator(place).bounding_box()
        assert box["y"] + box["height"] <= height
    assert page.page.locator("em-roll").bounding_box()["y"] < height - 40


def test_what_is_marked_is_whole_bars(page: Watched) -> None:
    for time, key, bars in (
        (1.5, "[", (1, 3)), (5.5, "]", (1, 7)), (6.9, "[", (5, 7)), (0.2, "]", (0, 1)),
    ):  # fmt: skip
        page.page.evaluate(SEEK, time)
        page.page.keyboard.press(key)
        marked = page.page.evaluate(RANGE)
        assert (marked["from"], marked["to"]) == bars
    page.button("^Compose bar 1 anew").wait_for()
    page.page.keyboard.press("Escape")
    assert page.page.evaluate(RANGE) is None


def test_a_piece_is_deleted_only_when_that_is_confirmed(page: Watched) -> None:
    page.button("^Delete piece 2").click()
    page.page.keyboard.press("Escape")
    assert len(page.told()["takes"]) == 3
    page.button("^Delete piece 2").click()
    page.button("^Delete$").click()
    page.said("Piece 2 is deleted")
    assert [take["name"] for take in page.told()["takes"]] == ["1", "3"]
    assert _piece(page, "2").count() == 0


def test_a_piece_that_another_version_keeps_is_heard(page: Watched) -> None:
    def kept(name: str) -> bool:
        return bool(page.document()["what"] == f"kept piece {name}")

    for name in ("1", "2"):
        page.button(f"^Keep piece {name}$").first.click()
        page.until(partial(kept, name), "it is kept")
    page.page.locator("em-versions").get_by_role("button", name="Kept piece 1").click()
    page.until(lambda: page.page.evaluate(HEARD) == "1", "piece 1 is heard")
    assert page.document()["take"] == f"{1:016x}"


def test_players_run_along_with_the_mix_until_one_is_changed(page: Watched) -> None:
    page.page.keyboard.press("1")
    page.button("^Mixer$").click()
    page.button("^Mute Drums$").wait_for()
    mix, drums, piano = (f"take:{1:016x}", f"stem:{1:016x}/00-drums", f"stem:{1:016x}/01-piano")

    def levels() -> dict[str, float]:
        return dict(page.page.evaluate(LEVELS))

    page.until(lambda: levels() == {mix: 1, drums: 0, piano: 0}, "the mix is heard")
    page.button("^Mute Drums$").click()
    assert levels() == {drums: 0, piano: 1}
    page.button("^Mute Drums$").click()
    page.button("^Hear Drums alone$").click()
    assert levels() == {drums: 1, piano: 0}
    page.button("^As the mix has it$").click()
    slider = page.page.get_by_role("slider", name="Loudness of Piano")
    slider.focus()
    for _ in range(12):
        page.page.keyboard.press("ArrowLeft")
    assert levels() == {drums: 1, piano: pytest.approx(10 ** (-6 / 20))}
    other = {key.replace("1/", "2/"): level for key, level in levels().items()}
    page.page.keyboard.press("2")  # piece 2 has players, too
    page.until(lambda: levels() == other, "its players are heard the same way")


def test_no_more_sound_than_eight_pieces_is_kept(chromium: Any, project: Project) -> None:
    for number in range(1, 12):
        put_take(project, number)
    with (
        served(project.folder.parent) as studio,
        window(chromium, studio.address, project.id) as page,
    ):
        page.page.wait_for_selector(READY)
        each = 2 * 4 * RATE * SECONDS
        page.until(lambda: page.page.evaluate("emsync.bytes()") >= 8 * each, "eight are there")
        for number in range(1, 12):
            page.page.get_by_role("button", name=f"Hear piece {number}").first.click()
            page.page.wait_for_selector(READY)
        assert page.page.evaluate("emsync.bytes()") <= 8 * each


@pytest.mark.parametrize("seconds", [SECONDS, LONG], ids=["in memory", "streamed"])
def test_music_plays_over_stills_while_there_is_no_picture(
    chromium: Any, tmp_path: Path, seconds: float
) -> None:
    project = put_film(tmp_path / "home", seconds, picture=False)
    for number in (1, 2):
        put_take(project, number)
    with (
        served(project.folder.parent) as studio,
        window(chromium, studio.address, project.id) as page,
    ):
        page.said("stills stand in for it")
        page.page.wait_for_selector(READY)
        page.page.keyboard.press(" ")
        page.until(lambda: page.page.evaluate("emsync.sync()") is not None, "it is heard")
        page.page.wait_for_timeout(1500)
        page.page.keyboard.press("1")
        page.page.wait_for_timeout(1500)
        assert abs(page.page.evaluate("emsync.sync()")) < 0.25
        assert page.page.evaluate(NOW) > 2
        page.page.evaluate(SEEK, seconds - 0.3)
        page.button(r"^Play \(Space\)$").wait_for()
        assert page.page.evaluate(NOW) == pytest.approx(seconds)
        page.page.keyboard.press(" ")  # at the end it begins again
        page.button(r"^Pause \(Space\)$").wait_for()
        assert page.page.evaluate(NOW) < seconds / 2


def test_a_version_that_was_present_is_gone_to_though_what_replaces_it_is_on_its_way(
    page: Watched,
) -> None:
    def slowly(route: Any) -> None:
        answer = route.fetch()
        page.page.wait_for_timeout(500)
        route.fulfill(response=answer)

    page.button("^Keep piece 1$").first.click()
    first = page.page.locator("em-versions").get_by_role("button", name="Kept piece 1")
    page.until(lambda: first.get_attribute("aria-current"), "it is present")
    page.page.route("**/document", slowly)
    page.button("^Keep piece 2$").first.click()
    first.click()
    page.until(lambda: page.document()["take"] == f"{2:016x}", "piece 2 is kept")
    page.until(lambda: page.document()["take"] == f"{1:016x}", "and then piece 1 again")
    page.until(lambda: page.page.evaluate(HEARD) == "1", "piece 1 is heard")
