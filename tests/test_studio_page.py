"""The studio as a person uses it, in a real Chromium: drop, change, compose, hear, take away."""

import io
import re
import time
import wave
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

import numpy as np
import pytest
from studio_page import Served, Watched, browser, served, served_here, window

from emsync.demo import CUTS, draw_clip
from emsync.formats.midi_check import check
from emsync.studio.studio import Limits
from emsync.video.film import open_film

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Open: TypeAlias = Callable[..., Watched]
READY = r"^Compose \d pieces?$"  # the main button, once a film was watched and nothing is made
PLAY = r"^Play \("  # its key is in the name
PIECES = 2  # that are composed for all tests
RATE = 44100  # of sound
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
        page.button("^Cancel$").wait_for()
        shown = []
        while page.button("^Cancel$").is_visible():
            shown.append(page.page.evaluate(COMPOSING))
            page.page.wait_for_timeout(100)
        return [*shown, page.page.evaluate(COMPOSING)]


COMPOSING = """() => ({
  share: Number(document.querySelector("em-compose [role=progressbar]").ariaValueNow ?? NaN),
  words: document.querySelector("em-compose [role=status]").textContent,
  cards: document.querySelectorAll("em-candidates .piece").length,
})"""


@pytest.fixture
def pieces(open_window: Open, film: str, composing: object) -> Watched:
    """A window in which the film has its pieces."""
    page = open_window(film)
    page.gone("^Fetching")
    return page


@pytest.fixture(scope="session")
def write_sound() -> Callable[[Path], Path]:
    """A function that writes a second of a tone, without any picture, and returns its path."""

    def write(path: Path) -> Path:
        import av

        tone = np.sin(np.arange(RATE) * 2 * np.pi * 440 / RATE).astype(np.float32)
        with av.open(path, "w", format="mp4") as file:
            stream = file.add_stream("aac", rate=RATE, layout="mono")
            frame = av.AudioFrame.from_ndarray(tone[None], "fltp", "mono")
            frame.sample_rate = RATE
            file.mux(stream.encode(frame))
            file.mux(stream.encode(None))
        return path

    return write


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
    seen = "them => them.every((it) => it.naturalWidth)"
    page.until(lambda: strip.evaluate_all(seen), "all pictures are seen")
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


# --- 4: cancelling ---


def test_cancel_ends_the_work_within_a_second_and_leaves_nothing_half_written(
    open_window: Open, studio: Served, film: str, composing: object
) -> None:
    page = open_window(film)
    before = page.told()
    page.button("^Compose").click()
    bar = page.page.get_by_role("progressbar", name="Progress")
    page.until(lambda: float(bar.get_attribute("aria-valuenow") or 0) > 0, "it is composing")
    start = time.monotonic()
    page.button("^Cancel$").click()
    page.until(lambda: page.button(READY).is_enabled(), "the button is back")
    assert time.monotonic() - start < 3  # one second, on a machine with nothing else to do
    assert not page.button("^Cancel$").is_visible()
    after = page.told()
    assert after["document"] == before["document"]
    assert after["takes"] == before["takes"]
    assert not after["jobs"]
    assert not [path for path in studio.home.rglob("*") if ".part" in path.name]


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

    pieces.button(PLAY).click()
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


TAP = """
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (to, ...more) {
  if (to === this.context.destination && this.context instanceof AudioContext) {
    window.tap ??= this.context.createMediaStreamDestination();
    connect.call(this, window.tap);
  }
  return connect.call(this, to, ...more);
};
"""
LOUDNESS = """async (keys) => {
  const wait = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));
  const recorder = new MediaRecorder(window.tap.stream);
  const pieces = [];
  recorder.ondataavailable = (event) => pieces.push(event.data);
  const ended = new Promise((done) => { recorder.onstop = done; });
  recorder.start();
  for (const key of keys) {
    await wait(0.7);
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  }
  await wait(0.7);
  recorder.stop();
  await ended;
  const bytes = await new Blob(pieces).arrayBuffer();
  const heard = await window.tap.context.decodeAudioData(bytes);
  const wave = heard.getChannelData(0);
  const step = Math.round(0.01 * heard.sampleRate);
  return Array.from({ length: Math.floor(wave.length / step) },
    (_, n) => Math.max(...wave.subarray(n * step, (n + 1) * step).map(Math.abs)));
}"""  # of each 10 ms while the keys are struck


def test_another_piece_goes_on_at_the_same_place_without_a_gap(pieces: Watched) -> None:
    pieces.page.add_init_script(TAP)
    pieces.page.reload()
    pieces.button(READY).wait_for()
    pieces.gone("^Fetching")
    pieces.page.keyboard.press("l")
    pieces.page.keyboard.press(" ")
    pieces.until(lambda: pieces.page.evaluate("emsync.sync()") is not None, "it is heard")
    pieces.page.wait_for_timeout(1000)
    loud = np.array(pieces.page.evaluate(LOUDNESS, ["1", "2", "1", "2"]))
    silent = np.flatnonzero(loud[20:-20] < 1e-4)
    runs = np.split(silent, np.flatnonzero(np.diff(silent) > 1) + 1)
    assert max(map(len, runs)) < 5  # windows of 10 ms


# --- 6: the notes ---

COLUMNS = """(canvas, columns) => {
  const paint = canvas.getContext("2d");
  return columns.map((x) => {
    const { data } = paint.getImageData(Math.round(x), 0, 1, canvas.height);
    return [...new Uint32Array(data.buffer)];
  });
}"""


def test_the_roll_shows_at_each_moment_the_notes_that_sound_there_and_no_others(
    pieces: Watched,
) -> None:
    take = pieces.get(f"/api/takes/{pieces.told()['takes'][-1]['id']}")
    canvas = pieces.page.get_by_role("application", name=re.compile("^Notes of piece"))
    box = canvas.bounding_box()
    pixels = box["width"] / take["duration"]  # a second
    columns = {name: np.array(values) for name, values in take["columns"].items()}
    kinds = np.array([player["instrument"] for player in take["players"]])[columns["player"]]
    lines = [*take["bars"], *(cut["time"] for cut in take["cut_reports"]),
             *(section["start"] for section in take["sections"])]  # fmt: skip
    moments = np.arange(0.13, take["duration"], 0.0973)
    moments = moments[[np.abs(np.array(lines) - t).min() * pixels > 8 for t in moments]]
    packed = np.array(canvas.evaluate(COLUMNS, (moments * pixels).tolist()), np.uint32)
    shown = packed.view(np.uint8).reshape(*packed.shape, 4).astype(int)
    edge = 2.5 / pixels  # seconds to both sides of which it is not asked
    seen = 0
    for kind in sorted(set(kinds)):
        name = pieces.page.get_by_text(kind.capitalize(), exact=True).locator("visible=true")
        row = next(r for r in map(_box, name.all()) if box["y"] < r["y"] < box["y"] + box["height"])
        top, bottom = (round(row["y"] - box["y"] + d) for d in (1, row["height"] - 1))
        mine = kinds == kind
        start, end, pitch = (columns[key][mine] for key in ("start", "end", "pitch"))
        heights: list[tuple[int, int]] = []
        for moment, column in zip(moments, shown[:, top:bottom], strict=True):
            if min(np.abs(start - moment).min(), np.abs(end - moment).min()) < edge:
                continue
            sounding = pitch[(start < moment) & (moment < end)]
            drawn = np.flatnonzero(np.abs(column - column[0]).max(axis=1) > 40)
            assert (len(drawn) > 0) == (len(sounding) > 0), (kind, moment)
            if len(drawn):
                seen += 1
                heights.append((sounding.max(), drawn.min()))
        for high, y in heights:  # of two notes the higher stands higher
            assert all(other_y <= y for other, other_y in heights if other > high)
    assert seen > 100


def _box(element: Any) -> Any:
    return element.bounding_box()


# --- 7: some bars anew ---


def test_bars_composed_anew_differ_and_all_else_stays(pieces: Watched) -> None:
    parent = pieces.get(f"/api/takes/{pieces.told()['takes'][-1]['id']}")
    canvas = pieces.page.get_by_role("application", name=re.compile("^Notes of piece"))
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    pixels = box["width"] / parent["duration"]
    bars = parent["bars"]
    first = next(n for n, bar in enumerate(bars) if bar > 6)
    mouse, y = pieces.page.mouse, box["y"] + box["height"] - 5
    mouse.move(box["x"] + pixels * (bars[first] + 0.2), y)
    mouse.down()
    mouse.move(box["x"] + pixels * (bars[first] + 0.6), y, steps=3)
    mouse.move(box["x"] + pixels * (bars[first + 1] + 0.4), y, steps=3)
    mouse.up()
    pieces.button(rf"^Compose bars {first + 1}–{first + 2} anew").click()
    name = parent["name"]
    for letter in "abc":
        pieces.button(f"^Hear piece {name}{letter}").wait_for()
    pieces.page.locator("em-compose").get_by_role("button", name=re.compile(READY)).wait_for()
    told = {take["name"]: take["id"] for take in pieces.told()["takes"]}
    old = _sound(pieces, parent["id"])
    for letter in "abc":
        draft = pieces.get(f"/api/takes/{told[name + letter]}")
        low, high = draft["range"]
        assert (low, high) == pytest.approx((bars[first], bars[first + 2]), abs=1e-3)
        assert _outside(draft, low, high) == _outside(parent, low, high)
        assert _inside(draft, low, high) != _inside(parent, low, high)
        new = _sound(pieces, draft["id"])
        assert len(new) == len(old)
        before, within = (
            slice(0, int(RATE * (low - 0.1))),
            slice(int(RATE * low), int(RATE * high)),
        )
        assert _likeness(old[before], new[before]) > 0.999
        assert _likeness(old[within], new[within]) < 0.9


def _outside(take: Any, low: float, high: float) -> list[tuple[Any, ...]]:
    return [note for note in _notes(take) if not low - 1e-3 <= note[0] < high - 1e-3]


def _inside(take: Any, low: float, high: float) -> list[tuple[Any, ...]]:
    return [note for note in _notes(take) if low - 1e-3 <= note[0] < high - 1e-3]


def _notes(take: Any) -> list[tuple[Any, ...]]:
    columns = take["columns"]
    names = [take["players"][n]["name"] for n in columns["player"]]
    keys = ("start", "end", "pitch", "velocity")
    return sorted(zip(*(columns[key] for key in keys), names, strict=True))


def _sound(page: Watched, take: str) -> Any:
    """Return the sound of a take as the page hears it, its channels as one."""
    import av

    body = io.BytesIO(page.raw(f"/api/takes/{take}/sound").body())
    container: Any
    with av.open(body) as container:
        assert container.streams.audio[0].rate == RATE
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
    return np.concatenate([frame.reshape(-1, 2) for frame in frames]).mean(axis=1)


def _likeness(one: Any, other: Any) -> float:
    return float(one @ other / np.sqrt((one @ one) * (other @ other)))


# --- 8: what is taken away ---


def test_files_that_are_saved_are_whole(pieces: Watched, clip: Path, tmp_path: Path) -> None:
    take = next(take for take in pieces.told()["takes"] if not take["parent"])
    pieces.button(f"^Hear piece {take['name']}").first.click()
    saved = {}
    for name in ("score.mid", "film.mp4", "stems.zip", "bundle.zip"):
        with pieces.page.expect_download() as download:
            pieces.page.get_by_label(re.compile(f"^(Save|Make) {name}")).click()
        saved[name] = tmp_path / download.value.suggested_filename
        download.value.save_as(saved[name])
        assert saved[name].name == f"five scenes.{take['name']}.{name}"

    assert check(saved["score.mid"]).ok
    shown, wanted = (open_film(path).timing for path in (saved["film.mp4"], clip))
    assert shown is not None and wanted is not None
    assert shown.shown.tolist() == wanted.shown.tolist()
    with zipfile.ZipFile(saved["stems.zip"]) as archive:
        assert archive.testzip() is None
        sounds = [name for name in archive.namelist() if name != "mix.wav"]
        assert len(sounds) == len(pieces.get(f"/api/takes/{take['id']}")["players"])
        for name in archive.namelist():
            with archive.open(name) as file, wave.open(file) as sound:
                assert sound.getnframes() / sound.getframerate() == pytest.approx(20, abs=1e-3)
    with zipfile.ZipFile(saved["bundle.zip"]) as archive:
        assert archive.testzip() is None
        assert archive.read("score.mid") == saved["score.mid"].read_bytes()


# --- 9: the next day ---


def test_a_film_is_as_it_was_after_a_reload_and_after_the_studio_was_killed(
    pieces: Watched, open_window: Open, studio: Served, film: str
) -> None:
    def shown(page: Watched) -> tuple[int, int]:
        page.gone("^Fetching")
        cards = page.button("^Hear piece")
        return cards.count(), page.page.get_by_role("slider", name=re.compile("^Cut ")).count()

    told, seen = pieces.told(), shown(pieces)
    pieces.page.reload()
    pieces.button(READY).wait_for()
    assert (pieces.told(), shown(pieces)) == (told, seen)
    pieces.page.close()
    studio.stop(kill=True)
    studio.start()
    again = open_window(film)
    assert (again.told(), shown(again)) == (told, seen)


# --- 10: without a mouse, without seeing ---


def test_keys_alone_take_a_film_in_move_a_cut_compose_and_play(open_window: Open) -> None:
    page = open_window()
    press = page.page.keyboard.press
    page.tab_to("^try the drawn clip$")
    press("Enter")
    page.button("^Compose").wait_for()
    before = page.document()
    frames = [cut["frame"] for cut in before["analysis"]["cuts"]]

    page.tab_to("^Cut 2 of 4$")
    press("Shift+ArrowRight")
    moved = page.until(lambda: (d := page.document())["version"] > before["version"] and d, "saved")
    assert [cut["frame"] for cut in moved["analysis"]["cuts"]] == [
        frames[0], frames[1] + 10, *frames[2:],
    ]  # fmt: skip

    page.tab_to("^1$")
    press("Enter")
    page.tab_to("^Compose 1 piece$")
    press("Enter")
    page.button("^Hear piece 1").wait_for()
    page.tab_to(PLAY)
    press("Enter")
    page.until(lambda: page.page.evaluate("emsync.sync()") is not None, "it is heard")
    page.button("^Pause").wait_for()
    press("Enter")
    page.button(PLAY).wait_for()


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_nothing_serious(
    open_window: Open, film: str, composing: object, colours: str
) -> None:
    axe = pytest.importorskip("axe_core_python", reason="axe-core looks at the page")
    script = Path(axe.__file__).with_name("axe.min.js").read_text(encoding="utf-8")

    def look(page: Watched) -> None:
        page.page.add_script_tag(content=script)
        found = page.page.evaluate("axe.run().then(({ violations }) => violations)")
        serious = [one for one in found if one["impact"] in ("serious", "critical")]
        assert not [(one["id"], node["html"]) for one in serious for node in one["nodes"]]

    how = {"color_scheme": colours, "reduced_motion": "reduce", "bypass_csp": True}
    empty = open_window(**how)
    empty.said("Drop a film here")
    look(empty)
    ready = open_window(film, **how)
    ready.gone("^Fetching")
    look(ready)
    ready.page.keyboard.press("?")
    ready.page.get_by_role("dialog", name="Help").wait_for()
    look(ready)


# --- 11: all kinds of films ---

STILL = """(video) => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  const paint = canvas.getContext("2d");
  paint.drawImage(video, 0, 0);
  const [x, y] = [Math.round(canvas.width * 0.75), canvas.height >> 1];
  return paint.getImageData(x, y, 1, 1).data[0];
}"""
STEADY = tuple(range(0, 2000, 40))
FILMS: dict[str, dict[str, Any]] = {
    "hevc.mp4": {"codec": "libx265", "options": {"x265-params": "log-level=none"}},
    "portrait.mp4": {"codec": "libx264", "size": (2160, 3840), "times": STEADY[:25]},
    "varying.mp4": {"codec": "libsvtav1", "times": (0, 40, 200, 240, 500, 900, 1000, 1040, 1900)},
    "short.mp4": {"codec": "libx264", "times": STEADY[:25]},
}


@pytest.mark.parametrize("name", FILMS)
def test_films_of_all_kinds_are_watched_and_play_from_their_first_picture(
    open_window: Open, write_numbered: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    import av

    how = {"times": STEADY, "size": (256, 144), **FILMS[name]}
    try:
        av.codec.Codec(how["codec"], "w")
    except av.codec.codec.UnknownCodecError:
        pytest.skip(f"this FFmpeg has no {how['codec']}")
    path = write_numbered(tmp_path / name, **how)
    page = open_window()
    page.drop(path)
    page.button(READY).wait_for()
    assert page.told()["film"]["frames"] == len(how["times"])
    assert not page.told()["film"]["has_audio"]
    video = page.page.locator("video")
    video.wait_for()
    page.until(lambda: video.evaluate("it => it.readyState >= 2 && !it.seeking"), "it is there")
    assert video.evaluate("it => it.currentTime") == 0
    assert video.evaluate(STILL) == pytest.approx(40, abs=12)
    last = 40 + 180 * (len(how["times"]) - 1) / len(how["times"])
    page.button(PLAY).click()
    page.until(lambda: video.evaluate("it => it.currentTime") > 0.1, "it moves")
    page.until(lambda: video.evaluate("it => it.ended"), "it ends")
    assert video.evaluate(STILL) == pytest.approx(last, abs=16)


# --- what goes wrong is said in a sentence, and nothing is lost ---


def test_what_is_no_film_is_refused_in_a_sentence(
    open_window: Open, tmp_path: Path, write_sound: Callable[..., Path]
) -> None:
    page = open_window()
    text = tmp_path / "notes.txt"
    text.write_text("no film", encoding="utf-8")
    page.drop(text, "text/plain")
    page.said("notes.txt. is no film")
    sound = write_sound(tmp_path / "song.m4a")
    page.drop(sound, "audio/mp4")
    page.said("song.m4a. is no film")

    for path, says in ((text, "no known format"), (sound, "sound but no video")):
        disguised = path.rename(path.with_suffix(".mp4"))
        page.drop(disguised)
        page.button("^Choose another film").wait_for()
        page.said(says)
        page.button("^Delete this one").click()
        page.said("Drop a film here")
    assert not any(told["name"] in ("notes.mp4", "song.mp4") for told in page.get("/api/films"))


def test_a_film_that_is_too_large_is_refused_before_it_is_sent(
    chromium: Any, clip: Path, tmp_path: Path
) -> None:
    with served_here(tmp_path, Limits(upload=10_000)) as address, window(chromium, address) as page:
        page.drop(clip)
        page.said(r"five scenes.mp4. has \d.* are the most; make a smaller copy of it\.$")
        assert page.get("/api/films") == []


def test_of_two_windows_the_second_is_told_and_shows_what_holds(
    open_window: Open, film: str
) -> None:
    one, other = open_window(film), open_window(film)
    before = one.document()
    frames = [cut["frame"] for cut in before["analysis"]["cuts"]]
    for page, key in ((one, "Shift+ArrowRight"), (other, "Shift+ArrowLeft")):
        page.slider("Cut 2 of 4").focus()
        page.page.keyboard.press(key)
        page.until(lambda: one.document()["version"] > before["version"], "saved")
    other.said("changed in another window; here is how it is now")
    assert [cut["frame"] for cut in one.document()["analysis"]["cuts"]][1] == frames[1] + 10
    place = f"{(frames[1] + 10) / 25:.3f}"
    slider = other.slider("Cut 2 of 4")
    other.until(lambda: slider.get_attribute("aria-valuenow") == place, "it shows what holds")
    other.page.keyboard.press("Escape")
    other.button("^Undo").click()
    one.until(lambda: one.document()["version"] == before["version"], "it is undone")
    other.errors = [error for error in other.errors if "409" not in error]


def test_a_studio_that_is_killed_while_it_composes_is_told_of_and_loses_nothing(
    open_window: Open, studio: Served, film: str, composing: object
) -> None:
    page = open_window(film)
    before = page.told()
    page.button("^Compose").click()
    page.said("^Composing")
    studio.stop(kill=True)
    page.said("The studio does not answer")
    studio.start()
    page.errors.clear()
    page.go_to(f"{studio.address}&film={film}")  # as a person opens what was printed
    page.button(READY).wait_for()
    assert page.told()["document"] == before["document"]
    assert page.told()["takes"] == before["takes"]
    page.button("^Compose").click()
    page.said("^Composing")
    page.button("^Cancel$").click()
    page.button(READY).wait_for()
    page.errors.clear()
