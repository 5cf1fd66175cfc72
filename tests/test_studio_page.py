"""The studio as a person uses it, in a real Chromium: drop, change, compose, hear, take away."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

import numpy as np
import pytest
from studio_page import Served, Watched, browser, served, window

from emsync.demo import CUTS, draw_clip

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Open: TypeAlias = Callable[..., Watched]
READY = r"^Compose \d pieces?$"  # the main button, once a film was watched and nothing is made
PIECES = 2  # that are composed for all tests
APART = 0.08  # seconds between sound and picture that nobody minds


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A Chromium."""
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drawn clip: 20 s at 25 frames a second, with four cuts."""
    path = tmp_path_factory.mktemp("drawn") / "five scenes.mp4"
    draw_clip(path)
    return path


@pytest.fixture(scope="module")
def studio(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A studio that all tests share."""
    with served(tmp_path_factory.mktemp("studio")) as running:
        yield running


@pytest.fixture(scope="module")
def film(chromium: Any, studio: Served, clip: Path) -> str:
    """The drawn clip, watched."""
    with window(chromium, studio.address) as page:
        page.drop(clip)
        page.button(READY).wait_for()
        return page.film


@pytest.fixture(scope="module")
def composing(chromium: Any, studio: Served, film: str) -> list[dict[str, Any]]:
    """What a window shows from moment to moment while pieces are composed in it."""
    with window(chromium, studio.address, film) as page:
        page.button(f"^{PIECES}$").click()
        page.button(f"^Compose {PIECES} pieces$").click()
        shown = []
        while not shown or not page.button(READY).is_enabled():
            shown.append(page.page.evaluate(COMPOSING))
            page.page.wait_for_timeout(100)
        shown.append(page.page.evaluate(COMPOSING))
        return shown


COMPOSING = """() => ({
  share: Number(document.querySelector("em-compose [role=progressbar]").ariaValueNow ?? NaN),
  words: document.querySelector("em-compose [role=status]").textContent,
  cards: document.querySelectorAll("em-candidates li").length,
})"""


@pytest.fixture
def pieces(open_window: Open, film: str, composing: object) -> Watched:
    """A window in which the film has its pieces."""
    page = open_window(film)
    page.said("^Fetching").wait_for(state="hidden")
    return page


@pytest.fixture
def open_window(chromium: Any, studio: Served) -> Iterator[Open]:
    """A function that opens a window, with a film or none."""
    with ExitStack() as windows:

        def open_(film: str = "", **how: Any) -> Watched:
            return windows.enter_context(window(chromium, studio.address, film, **how))

        yield open_


# --- 1: dropping ---


def test_a_dropped_film_shows_its_strip_and_its_cuts_and_feelings_as_they_were_seen(
    open_window: Open, film: str, tmp_path: Path
) -> None:
    page = open_window(film)
    told = page.told()
    cuts, arc = told["document"]["analysis"]["cuts"], told["document"]["analysis"]["arc"]
    assert [cut["frame"] for cut in cuts] == [round(25 * time) for time in CUTS]
    assert [picture["time"] for picture in told["strip"]] == sorted(
        picture["time"] for picture in told["strip"]
    )
    for number, cut in enumerate(cuts, 1):
        slider = page.slider(f"Cut {number} of {len(cuts)}")
        assert float(slider.get_attribute("aria-valuenow")) == pytest.approx(cut["time"], abs=1e-3)
    for state in arc:
        feeling = page.button(rf"^{state['emotion'].capitalize()} from {_clock(state['start'])} ")
        assert feeling.count() == 1
    strip = page.page.get_by_role("group", name="Film", exact=True).locator("img")
    assert strip.count() >= 8
    for n in range(strip.count()):
        page.until(lambda n=n: strip.nth(n).evaluate("it => it.naturalWidth"), "a picture is seen")
    page.page.screenshot(path=tmp_path / "ready.png", full_page=True)


def _clock(seconds: float) -> str:
    return f"{int(seconds // 60)}:{seconds % 60:04.1f}"


# --- 2: cuts ---


def test_cuts_are_moved_added_and_removed_to_the_frame_and_undone(
    open_window: Open, film: str
) -> None:
    page = open_window(film)
    before = page.document()
    frames = [cut["frame"] for cut in before["analysis"]["cuts"]]
    lane = page.page.get_by_role("group", name="Cuts", exact=True)
    lane.scroll_into_view_if_needed()
    box = lane.bounding_box()
    second = box["width"] / before["analysis"]["duration"]  # pixels

    def changed() -> list[int]:
        now = page.until(
            lambda: (d := page.document())["version"] != before["version"] and d, "it is changed"
        )
        found = [cut["frame"] for cut in now["analysis"]["cuts"]]
        page.button("^Undo").click()
        page.until(lambda: page.document()["version"] == before["version"], "it is undone")
        assert page.document()["analysis"] == before["analysis"]
        assert page.document()["plan"] == before["plan"]
        return found

    mouse, y = page.page.mouse, box["y"] + box["height"] / 2
    x = box["x"] + second * frames[1] / 25
    mouse.move(x, y)
    mouse.down()
    mouse.move(x + second * 5 / 25, y, steps=4)
    mouse.move(x + second * 10 / 25, y, steps=4)
    mouse.up()
    assert changed() == [frames[0], frames[1] + 10, *frames[2:]]

    page.slider("Cut 3 of 4").focus()
    page.page.keyboard.press("Delete")
    assert changed() == [*frames[:2], frames[3]]

    page.slider("Playhead").focus()
    page.page.keyboard.press("Home")
    for _ in range(3):
        page.page.keyboard.press(".")
    page.button("^Cut at the playhead").click()
    assert changed() == [3, *frames]


# --- 3: composing ---


def test_progress_only_grows_and_pieces_appear_one_after_the_other(
    composing: list[dict[str, Any]],
) -> None:
    shares = [now["share"] for now in composing if np.isfinite(now["share"])]
    assert shares == sorted(shares)
    assert len(set(shares)) > 3
    cards = [now["cards"] for now in composing]
    assert sorted(set(cards)) == list(range(PIECES + 1))
    assert cards == sorted(cards)


# --- 5: sound with picture ---

OFF = """(seconds) => new Promise((done) => {
  const found = [];
  const timer = setInterval(() => found.push(emsync.sync()), 50);
  setTimeout(() => { clearInterval(timer); done(found); }, 1000 * seconds);
})"""


def test_sound_stays_with_the_picture_over_ten_seconds_a_seek_and_another_piece(
    pieces: Watched,
) -> None:
    def steady(seconds: float) -> None:
        off = [value for value in pieces.page.evaluate(OFF, seconds) if value is not None]
        assert len(off) > seconds * 10  # of 20 a second
        assert abs(median(off)) < APART
        assert np.mean([abs(value) < APART for value in off]) > 0.9

    pieces.button("^Play").click()
    pieces.button("^Pause").wait_for()
    steady(10)
    pieces.page.keyboard.press("Home")
    pieces.page.keyboard.press("l")
    pieces.page.wait_for_timeout(500)
    steady(2)
    pieces.page.keyboard.press("2")
    assert pieces.button("^Hear piece 2").get_attribute("aria-pressed") == "true"
    steady(2)
    pieces.button("^Pause").click()
