"""The frame of the studio's page: films come in, wishes, undo, what is said, colours, widths."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from studio_page import Watched, browser, served

from emsync.studio.projects import Project

pytestmark = pytest.mark.browser

DROP = """(files) => {
  const told = { types: ["Files"], items: [], files: files.map(([name, type, size]) => {
    const file = new File(["x"], name, { type });
    Object.defineProperty(file, "size", { value: size });
    return file;
  }) };
  dispatchEvent(Object.assign(new Event("drop"), { dataTransfer: told }));
}"""
STORE = "(keys) => import('/store.js').then(({ store }) => keys.map((key) => store[key]))"


LATE = """async (id) => {
  const { store } = await import("/store.js");
  const real = fetch;
  const wait = () => new Promise((resolve) => { setTimeout(resolve, 300); });
  globalThis.fetch = async (path, how) => {
    const answer = await real(path, how);
    if (how.method === "GET") await wait();
    return answer;
  };
  const { tempo } = store.document.plan;
  const looks = [store.reload()];
  await store.edit("a fault", () => { throw new Error("of the page"); }).catch(() => {});
  store.edit("tempo", { wishes: { tempo: tempo === 96 ? 84 : 96 } });
  store.edit("pieces", ({ wishes }) => ({ wishes: { ...wishes, candidates: 2 } }));
  looks.push(store.reload());
  await Promise.all(looks);
  const { version, wishes } = store.document;
  looks.push(store.reload(), store.open(id), store.open(null));
  await Promise.all(looks);
  globalThis.fetch = real;
  return { version, wishes, film: store.film };
}"""


class Frame:
    """A page with a film, and what a person does to its wishes."""

    def __init__(self, watched: Watched) -> None:
        self.watched, self.page = watched, watched.page

    @property
    def document(self) -> dict[str, Any]:
        """The document as the page has it, once all is saved."""
        self.page.wait_for_timeout(50)
        self.page.wait_for_selector("em-header .saved:text-is('Saved')")
        return self.page.evaluate(STORE, ["document"])[0]

    def field(self, name: str) -> Any:
        return self.page.locator("em-wishes").get_by_label(name, exact=True)

    def write(self, name: str, text: str) -> None:
        self.field(name).fill(text)
        self.page.keyboard.press("Tab")

    def said(self) -> list[str]:
        return self.page.locator(".toast p").all_text_contents()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("studio")) as studio:
        yield studio.address


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def film(address: str, chromium: Any) -> str:
    """Return the address of the drawn clip, once it has been watched."""
    page = chromium.new_page()
    page.goto(address)
    page.click("text=try the drawn clip")
    page.wait_for_selector("main[data-screen=ready]", timeout=300_000)
    id_ = page.evaluate(STORE, ["film"])[0]["id"]
    page.close()
    return f"{address}&film={id_}"


@pytest.fixture
def frame(film: str, chromium: Any) -> Iterator[Frame]:
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    watched = Watched(page, film)
    page.wait_for_selector("main[data-screen=ready]")
    yield Frame(watched)
    assert watched.elsewhere == set()
    context.close()


@pytest.mark.parametrize(
    ("dropped", "sentence"),
    [
        (["notes.txt", "text/plain", 5], "“notes.txt” is no film; drop one of up to 20 minutes."),
        (["empty.mp4", "video/mp4", 0], "“empty.mp4” is empty."),
        (
            ["huge.mp4", "video/mp4", 3 * 2**30],
            "“huge.mp4” has 3 GB, and 2 GB are the most; make a smaller copy of it.",
        ),
    ],
)
def test_what_is_no_film_is_refused_before_a_byte_is_sent(
    address: str, chromium: Any, dropped: list[Any], sentence: str
) -> None:
    page = chromium.new_page()
    sent = []
    page.on("request", lambda request: sent.append(request.method))
    page.goto(address)
    page.wait_for_selector("em-drop .idle h1")
    page.evaluate(DROP, [dropped])
    assert page.locator(".toast.error p").all_text_contents() == [sentence]
    assert sent.count("POST") == 1  # of the key
    page.close()


def test_what_cannot_be_watched_is_told_by_its_own_name(
    address: str, chromium: Any, tmp_path: Path
) -> None:
    noise = tmp_path / "noise.mp4"
    noise.write_bytes(b"no film at all")
    page = chromium.new_page()
    page.goto(address)
    page.wait_for_selector("main[data-screen=empty]")
    page.set_input_files("em-drop input", noise)
    page.wait_for_selector("main[data-screen=failed]", timeout=60_000)
    assert page.inner_text("em-watching [role=status]").startswith("Cannot read 'noise.mp4'")
    page.click("text=Delete this one")
    page.wait_for_selector("main[data-screen=empty]")
    page.close()


def test_two_windows_of_a_film_do_not_undo_each_other(frame: Frame, chromium: Any) -> None:
    other = frame.page.context.new_page()
    other.goto(frame.watched.address)
    other.wait_for_selector("main[data-screen=ready]")
    frame.field("Tempo").fill("88")
    frame.page.keyboard.press("Tab")
    assert frame.document["wishes"]["tempo"] == 88
    other.click("em-wishes button:text-is('Cut')")
    other.wait_for_selector(".toast.error >> text=changed in another window")
    assert other.locator(".toast.error p").inner_text().endswith("not taken: ending: cut.")
    assert other.locator("em-wishes").get_by_label("Tempo", exact=True).input_value() == "88"
    other.click("em-wishes button:text-is('Cut')")
    other.wait_for_selector(".toast.error", state="detached")  # it is mended
    other.close()
    frame.page.bring_to_front()
    frame.page.evaluate("dispatchEvent(new Event('focus'))")
    frame.page.wait_for_selector("em-wishes button[aria-pressed=true]:text-is('Cut')")


def test_a_page_without_the_key_says_so(address: str, chromium: Any) -> None:
    page = chromium.new_context().new_page()
    page.goto(address.split("#")[0])
    page.wait_for_selector("main >> text=This address has no key any more")
    page.close()


def test_a_mood_sets_the_whole_arc_and_the_film_brings_its_own_back(frame: Frame) -> None:
    seen = frame.document["analysis"]
    frame.field("Mood").select_option("sadness")
    changed = frame.document
    assert changed["what"] == "mood: sadness"
    assert {state["emotion"] for state in changed["analysis"]["arc"]} == {"sadness"}
    assert frame.field("Mood").input_value() == "sadness"
    frame.field("Mood").select_option("")
    assert frame.document["analysis"] == seen
    assert frame.watched.errors == []


def test_wishes_show_what_the_plan_has_and_are_undone(frame: Frame) -> None:
    before = frame.document
    tempo = frame.field("Tempo")
    assert tempo.get_attribute("placeholder") == f"auto · {round(before['plan']['tempo'])}"
    frame.write("Tempo", "90")
    assert frame.document["plan"]["tempo"] == 90
    assert frame.page.inner_text("em-compose .hint").startswith("Next: compose. 4 pieces will")
    frame.page.click("em-wishes button:text-is('Fade')")
    assert frame.document["plan"]["ending"] == "fade"
    for _ in range(2):
        frame.page.keyboard.press("Control+z")
        after = frame.document
    assert after["wishes"] == before["wishes"]
    assert frame.watched.errors == []


def test_quick_changes_do_not_undo_each_other(frame: Frame) -> None:
    for name in ("Drums", "Bass", "Guitar"):
        frame.page.click(f"em-wishes button:has-text('{name}')")
    frame.page.click("em-compose button:text-is('6')")
    wishes = frame.document["wishes"]
    assert wishes["instruments"] == ["piano", "strings"]
    assert wishes["candidates"] == 6
    assert frame.page.inner_text("em-compose .primary") == "Compose 6 pieces"


def test_answers_that_come_late_and_faults_undo_no_change_and_open_no_film(frame: Frame) -> None:
    before = frame.document["version"]
    found = frame.page.evaluate(LATE, frame.watched.film)
    assert found["version"] == before + 2
    assert found["wishes"]["candidates"] == 2 and found["wishes"]["tempo"] in (84, 96)
    assert found["film"] is None
    assert frame.said() == []


def test_what_is_refused_stays_in_its_field(frame: Frame) -> None:
    before = frame.document["wishes"]
    frame.write("Chords", "Am F X7")
    assert frame.document["wishes"] == before
    chords = frame.field("Chords")
    assert chords.input_value() == "Am F X7"
    assert chords.get_attribute("aria-invalid") == "true"
    assert "'X7' is no chord" in frame.said()[-1]


def test_colours_are_remembered(frame: Frame) -> None:
    theme = "document.documentElement.dataset.theme"
    for choice in ("Dark", "Light"):
        frame.page.click("em-header button[aria-label^=Colours]")
        frame.page.click(f"em-header [role=menuitem]:has-text('{choice}')")
        frame.page.reload()
        assert frame.page.evaluate(theme) == choice.lower()


@pytest.mark.parametrize("width", [360, 768, 1280, 1920])
def test_nothing_is_wider_than_the_window(frame: Frame, width: int) -> None:
    frame.page.set_viewport_size({"width": width, "height": 800})
    frame.page.wait_for_timeout(100)
    assert frame.page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_film_is_deleted_only_when_that_is_confirmed(tmp_path: Path, chromium: Any) -> None:
    project = Project.create(tmp_path, "old.mp4")
    project.film.write_bytes(b"no film")
    project.record = replace(project.record, state="failed", reason="it is broken")
    project.enter()
    with served(tmp_path) as studio:
        page = chromium.new_page()
        page.goto(studio.address)
        for answer, left in (("Cancel", True), ("Delete", False)):
            page.click("em-films button[aria-label='Delete old.mp4']")
            page.click(f"dialog button:text-is('{answer}')")
            page.wait_for_timeout(300)
            assert project.folder.exists() == left
        page.close()
