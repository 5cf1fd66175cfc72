"""The report: one page and one picture that say the same, and need nothing else."""

import itertools
import json
import math
import re
import shutil
import struct
import subprocess
from base64 import b64encode
from dataclasses import replace
from fractions import Fraction
from hashlib import sha256
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emsync.analysis import Analysis
from emsync.composition import Composition
from emsync.emotion.belief import Belief, Impression
from emsync.fit.ending import Ending
from emsync.fit.hits import fit
from emsync.formats.labels import ScoreLabels
from emsync.music.chords import Harmony, parse_chord
from emsync.music.lead_sheet import LeadSheet
from emsync.music.piece import Piece
from emsync.options import Options
from emsync.performance.part import Part
from emsync.planning.casting import casting
from emsync.planning.plan import Plan, Section
from emsync.ranking import Candidate
from emsync.report.origin import HOW_TO_CHANGE, NO_SOUND, NOT_FOLLOWED, origin
from emsync.report.page import FEW, write_html
from emsync.report.picture import spans, strength, svg, time_line, write_png
from emsync.report.plots import plot_plan
from emsync.report.rows import (
    CUE_COLOURS,
    OTHER_CUES,
    PAPER,
    cue_colours,
    draw_cues,
    draw_feeling,
    is_given,
    name_cues,
)
from emsync.report.why import Say, stretches, why_rows
from emsync.report.words import (
    cut_rows,
    loudness_lines,
    player_rows,
    remarks,
    section_rows,
    tiles,
)
from emsync.sound.loudness import Loudness
from emsync.video.cuts import Cut
from emsync.video.footage import Curve, Still

RATE = Fraction(30000, 1001)


@pytest.fixture
def composition(piece: Piece) -> Composition:
    """Sixteen seconds with two cuts to answer, of which one is in vain, and a dropped one."""
    cuts = (
        Cut(4.1, 0.9, frame=123),
        Cut(5.0, 0.3, kept=False, reason="within 4 s of the stronger cut at 4.10 s"),
        Cut(15.9, 0.5),
    )
    video = Analysis(
        16.0,
        str(RATE),
        cuts,
        motion=Curve(0.1, tuple(np.linspace(0, 1, 160).tolist())),
        valence=-0.2,
        arousal=0.5,
        valence_curve=Curve(1.0, (-0.2,) * 16),
        arousal_curve=Curve(1.0, tuple(np.linspace(0, 1, 16).tolist())),
        source="a <b> & $c$.mp4",
    )
    pixels = np.random.default_rng(0).integers(0, 255, (36, 64, 3), np.uint8)
    strip = [Still(2.0 + 4 * i, pixels) for i in range(4)]
    chords = [parse_chord(name) for name in ("Fm", "C#", "Eb", "Fm", "F", "Bbmaj7", "C7")]
    starts = np.array([0.0, 2.0, 3.0, 4.0, 8.0, 10.0, 12.0])
    return of(video, piece, strip, two_sections(16.0), Harmony(starts, np.array(chords)))


def two_sections(duration: float) -> Plan:
    """Return a calm section of two players and a loud one of all, in F minor and F major."""
    calm = Section(
        0.0, 8.0, -0.6, -0.4, mode="minor", instruments=("piano", "strings"), theme="A",
        chords="Fm Db/2 Eb/2", level=66.0,
    )  # fmt: skip
    loud = Section(8.0, duration, 0.7, 0.6, mode="major", theme="B", chords="F Bbmaj7 C7")
    return Plan(duration, 120.0, "F", hits=(4.1,), sections=(calm, loud), source="a.mp4")


def of(
    video: Analysis,
    piece: Piece,
    strip: list[Still],
    plan: Plan | None = None,
    harmony: Harmony | None = None,
) -> Composition:
    plan = plan or Plan(video.duration, 120.0)
    fitted = fit(piece, video.cuts, video.duration, "chord", 0.06, Fraction(video.fps) or None)
    best = Candidate(
        fitted, Ending("cut", None, video.duration), 7, np.zeros(3, np.int64), {"hits": 0.5},
        LeadSheet(harmony, ()) if harmony else None,
    )  # fmt: skip
    return Composition(
        best,
        (),
        video,
        plan,
        casting(plan),
        ScoreLabels.of(video, plan=plan),
        Options(seed=7),
        strip=tuple(strip),
        checkpoint="none",
    )


def size(path: Path) -> tuple[int, int]:
    """Return the width and height that a PNG's header tells."""
    return struct.unpack(">II", path.read_bytes()[16:24])


class Page(HTMLParser):
    """The tags, attributes and words of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.words += data


def test_a_page_alone_needs_no_network_no_script_and_no_other_file(
    composition: Composition, tmp_path: Path
) -> None:
    write_html(tmp_path / "report.html", composition)
    page = Page(tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert not re.search(r"https?://", re.sub(r'xmlns(:\w+)?="[^"]*"', "", text))
    assert not {"script", "link", "iframe", "object", "video", "audio"} & set(page.tags)
    places = [value for name, value in page.attributes if name in ("src", "href", "xlink:href")]
    assert any(place.startswith("data:image/png;base64,") for place in places)  # the film strip
    assert all(place.startswith(("data:", "#")) for place in places)
    assert "url(" not in re.sub(r"url\(#\w+\)", "", text)
    assert "@import" not in text


def test_beside_a_film_the_page_plays_it_with_its_own_script_and_no_other(
    composition: Composition, tmp_path: Path
) -> None:
    write_html(tmp_path / "report.html", composition, "preview.mp4", "mix.wav")
    page, text = Page(tmp_path / "report.html"), (tmp_path / "report.html").read_text()
    assert page.tags.count("script") == page.tags.count("video") == 1
    assert ("src", "preview.mp4") in page.attributes and (
        "data-sound",
        "mix.wav",
    ) in page.attributes
    assert "No preview" not in page.words
    script = text[text.index("<script>") + 8 : text.index("</script>")]
    digest = b64encode(sha256(script.encode()).digest()).decode()
    assert any(f"script-src 'sha256-{digest}'" in value for _, value in page.attributes)
    assert "http" not in script and not any(name.startswith("on") for name, _ in page.attributes)
    assert [value for name, value in page.attributes if name == "data-time"] == [
        *("0.000", "8.000"),  # the sections
        *("4.100", "15.900"),
    ]


def test_without_a_preview_the_page_says_so_and_plays_the_sound(
    composition: Composition, tmp_path: Path
) -> None:
    write_html(tmp_path / "report.html", composition, "", "mix.wav")
    page = Page(tmp_path / "report.html")
    assert "video" not in page.tags and page.tags.count("audio") == page.tags.count("script") == 1
    assert ("src", "mix.wav") in page.attributes and "No preview holds pictures" in page.words
    rows = cut_rows(composition), composition.plan.sections, composition.performance().parts
    assert sum(len(some) + 1 for some in rows) == page.tags.count("tr")  # 1 for the names above


def test_the_playhead_meets_the_cuts_where_they_are_drawn(composition: Composition) -> None:
    drawing, line = svg(composition), time_line(composition)
    found = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', drawing)
    assert found is not None and line["duration"] == 16.0
    width, height = map(float, found.groups())
    lines = re.findall(r'd="M ([\d.]+) ([\d.]+) \s*L ([\d.]+) ([\d.]+) \s*"', drawing)
    for cut in composition.cuts:
        x = width * (line["left"] + (line["right"] - line["left"]) * cut.cut.time / 16.0)
        feet = [max(float(a), float(b)) for x1, a, x2, b in lines if x1 == x2
                and abs(float(x1) - x) < 1e-3]  # fmt: skip
        assert max(feet) == pytest.approx(line["foot"] * height, abs=0.1)


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node to run the script")
def test_the_script_moves_the_playhead_and_follows_a_click(
    composition: Composition, tmp_path: Path
) -> None:
    place = f"const place = {json.dumps(time_line(composition))};"
    stub = """
const made = (more) => ({on: {}, style: {}, dataset: {}, clientWidth: 1000, scrollLeft: 0,
  addEventListener(name, what) { this.on[name] = what; }, ...more});
const roll = made({}), row = made({dataset: {time: "4.100"}}), head = made({});
const film = made({currentTime: 0, paused: true, play() { this.paused = false;
  return Promise.resolve(); }, pause() { this.paused = true; }});
const line = made({dataset: place, parentElement: roll,
  getBoundingClientRect: () => ({left: 0, top: 0, width: 1000, height: 1000})});
globalThis.location = {hash: ""}; globalThis.requestAnimationFrame = () => {};
globalThis.document = made({querySelectorAll: () => [row], querySelector: (name) => ({
  ".film": {firstElementChild: film}, ".line": line, ".head": head, ".film p": made({})})[name]});
"""
    play = """
const told = [head.style.left];
line.on.pointerdown({clientX: 523.5, clientY: 100}); told.push(film.currentTime, head.style.left);
line.on.pointerdown({clientX: 100, clientY: 990}); told.push(film.currentTime);
row.on.click(); told.push(film.currentTime);
const space = {key: " ", target: line, preventDefault() {}};
document.on.keydown(space); told.push(film.paused);
document.on.keydown(space); told.push(film.paused);
console.log(JSON.stringify(told));
"""
    script = (files("emsync.report") / "page.js").read_text()
    (tmp_path / "all.js").write_text(place + stub + script + play)
    run = subprocess.run(["node", tmp_path / "all.js"], capture_output=True, text=True, check=True)
    start, clicked, there, below, cut, playing, paused = json.loads(run.stdout)
    assert (start, there) == ("6.200%", "52.350%") and clicked == pytest.approx(8.0)
    assert below == clicked and cut == pytest.approx(3.1)
    assert (playing, paused) == (False, True)


def test_the_page_has_each_cut_with_its_timecode_and_what_answers_it(
    composition: Composition, tmp_path: Path
) -> None:
    write_html(tmp_path / "report.html", composition)
    words = Page(tmp_path / "report.html").words
    for cut in composition.to_json()["cuts"]:
        assert cut["timecode"] in words
    cells = [cells for cells, _ in cut_rows(composition)]
    assert len(cells) == 2  # the dropped one is told below
    assert all(cell in words for row in cells for cell in row)
    assert [hit for _, hit in cut_rows(composition)] == [True, False]
    assert cells[0][4] == "chord" and cells[0][6] == "0.00" and cells[1][4] == "missed"
    assert "a <b> & $c$.mp4" in words  # as words, not as tags


def drawn(drawing: str) -> list[str]:
    """Return the words of an SVG, in order."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", drawing)


def test_chords_stand_above_the_notes_spelt_in_their_key_and_sections_as_they_are(
    composition: Composition, tmp_path: Path
) -> None:
    words = drawn(svg(composition))
    at = words.index("Fm")
    assert words[at : at + 7] == ["Fm", "D♭", "E♭", "Fm", "F", "B♭maj7", "C7"]
    assert "F minor  ·  sadness" in words and "F major  ·  joy" in words
    assert words.index("A") < words.index("B") < at
    write_html(tmp_path / "report.html", composition)
    page = Page(tmp_path / "report.html").words
    for cells in section_rows(composition.plan):
        assert all(cell in page for cell in cells)
    calm, loud = section_rows(composition.plan)
    assert calm[:6] == ["A", "0:00", "sadness", "F minor", "66", "–"]
    assert calm[6:] == ["piano, strings", "Fm D♭/2 E♭/2"]
    assert loud[4] == "99" and len(loud[6].split(", ")) == 5


def palettes(composition: Composition, *names: str) -> Composition:
    """Return the composition with these palettes in the sections of its plan."""
    pairs = zip(composition.plan.sections, names, strict=True)
    sections = tuple(replace(section, palette=name) for section, name in pairs)
    plan = replace(composition.plan, sections=sections)
    return replace(composition, plan=plan, casting=casting(plan))


def test_the_report_tells_who_plays_which_sound_in_which_section_and_how_hard(
    composition: Composition, tmp_path: Path
) -> None:
    composition = palettes(composition, "piano", "orchestra")
    parts = composition.performance().parts
    rows = player_rows(composition.performance())
    assert [row[:2] for row in rows] == [
        ["Piano", "Acoustic Grand Piano"],
        ["Piano 2", "Acoustic Grand Piano"],  # of another volume
    ]
    for part, row in zip(parts, rows, strict=True):
        assert row[3] == str(len(part.onsets))
        assert (row[6], row[8]) == (str(part.velocities.min()), str(part.velocities.max()))
    write_html(tmp_path / "report.html", composition)
    page = Page(tmp_path / "report.html").words
    assert "played by piano, orchestra" in page
    assert all(cell in page for row in rows for cell in row)
    assert [row[5] for row in section_rows(composition.plan)] == ["piano", "orchestra"]
    assert "F minor  ·  sadness  ·  piano" in drawn(svg(composition))
    assert composition.summary().splitlines()[3].endswith("strings; orchestra: F Bbmaj7 C7")


def test_the_harder_a_note_is_struck_the_stronger_is_its_colour(composition: Composition) -> None:
    given = np.arange(128)
    shades = strength(given)
    assert (np.diff(shades) >= 0).all() and shades[0] < 0.5 < shades[90] < shades[127] == 1
    drawing = svg(composition)
    struck = np.concatenate([part.velocities for part in composition.performance().parts])
    found = {float(shade) for shade in re.findall(r"fill-opacity: ([\d.]+)", drawing)}
    assert {float(shade) for shade in strength(struck)} - {1.0} <= found


def test_lanes_show_when_somebody_plays_and_rests(composition: Composition) -> None:
    (part, *_) = composition.performance().parts
    times = np.array([0.0, 0.5, 4.0]), np.array([3.0, 0.9, 5.0])  # the second within the first
    none = np.zeros(3, np.uint8)
    some = replace(part, onsets=times[0], offsets=times[1], pitches=none, velocities=none)
    assert spans(some) == [(0.0, 3.0), (4.0, 5.0)]
    assert spans(Part.silent(part.player)) == []


def test_the_loudness_of_the_film_is_told_where_it_is_not_that_of_the_music() -> None:
    music, film = Loudness(-16.04, -1.2), Loudness(-16.01, -1.2)
    assert loudness_lines({"audio": music, "video": film}) == [f"the music: {music}"]
    film = replace(film, true_peak=-3.0)
    assert len(loudness_lines({"audio": music, "video": film})) == 2
    assert loudness_lines({"audio": music}) == [f"the music: {music}"]


def test_loudness_is_a_figure_where_the_music_was_played(composition: Composition) -> None:
    figures = tiles(composition, {"audio": Loudness(-16.04, -1.2)})
    assert ("−16.0 LUFS", "true peak −1.2 dB") in figures and figures[-1][1] == "seed"
    assert not any("LUFS" in value for value, _ in tiles(composition))


def test_names_of_chords_never_overlap_however_many_there_are(
    composition: Composition, piece: Piece
) -> None:
    from matplotlib.figure import Figure

    from emsync.report.rows import draw_chords

    axes = Figure(figsize=(13, 1)).add_axes((0.062, 0, 0.923, 1))
    symbols = [(time, "F#m7" if time % 2 else "Db") for time in np.arange(0, 180, 0.9).tolist()]
    draw_chords(axes, symbols, 180.0)
    axes.set_xlim(0, 180)
    boxes = [text.get_window_extent() for text in axes.texts]
    assert len(boxes) > 20 and len(boxes) < len(symbols)
    assert all(a.x1 < b.x0 for a, b in itertools.pairwise(boxes))
    assert boxes[-1].x1 <= axes.get_window_extent().x1 + 1  # a pixel


def test_the_plan_alone_has_a_picture(composition: Composition, tmp_path: Path) -> None:
    for name, strip in (("film", composition.strip), ("none", ())):
        plot_plan(composition.analysis, composition.plan, strip, tmp_path / f"{name}.png")
    (width, with_film), (_, without) = (size(tmp_path / f"{n}.png") for n in ("film", "none"))
    assert width == 1560 and with_film > without


@pytest.mark.slow
def test_the_picture_of_a_plan_of_a_hundred_sections_is_no_poster(
    composition: Composition, tmp_path: Path
) -> None:
    long = replace(two_sections(400.0), sections=tuple(
        Section(t, t + 4.0, mode="minor", chords="Fm C7") for t in np.arange(0, 400, 4.0).tolist()
    ))  # fmt: skip
    video = replace(composition.analysis, duration=400.0, cuts=())
    plot_plan(video, long, (), tmp_path / "long.png")
    assert size(tmp_path / "long.png")[1] < 1500


def test_the_summary_tells_key_and_form_and_each_section_in_a_line(
    composition: Composition,
) -> None:
    lines = composition.summary().splitlines()
    assert lines[1] == "F minor, 120 beats a minute, form A B"
    assert "sadness, F minor, piano strings: Fm Db/2 Eb/2" in lines[2] and "0.000 s  A" in lines[2]
    assert "8.000 s  B" in lines[3] and lines[3].endswith("F Bbmaj7 C7")
    assert ("F minor", "key; form A B") in tiles(composition)


@pytest.mark.slow
def test_the_picture_and_the_page_are_the_same_for_the_same_composition(
    composition: Composition, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        write_html(tmp_path / f"{name}.html", composition)
        write_png(tmp_path / f"{name}.png", composition)
    for suffix in ("html", "png"):
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


@pytest.mark.slow
def test_the_picture_grows_with_the_table(
    composition: Composition, piece: Piece, tmp_path: Path
) -> None:
    many = tuple(Cut(0.5 + i / 2) for i in range(30))
    write_png(tmp_path / "few.png", composition)
    write_png(tmp_path / "many.png", of(replace(composition.analysis, cuts=many), piece, []))
    (width, few), (same, more) = (size(tmp_path / f"{name}.png") for name in ("few", "many"))
    assert width == same == 1560 and more > few + 300


def test_a_film_of_which_nothing_is_known_has_a_report_too(tmp_path: Path) -> None:
    nothing = Piece.of(np.zeros((0, 4)))
    composition = of(Analysis(5.0, "0"), nothing, [])
    write_html(tmp_path / "report.html", composition)
    write_png(tmp_path / "report.png", composition)
    assert math.isnan(composition.analysis.valence)
    assert ("–", "no clear key") in tiles(composition)
    assert ("–", "no cuts to hit") in tiles(composition)
    assert "no cuts to hit" in composition.summary() and "0 of 0" not in composition.summary()
    assert any("no film strip" in remark for remark in remarks(composition))
    assert any("no cut" in remark for remark in remarks(composition))


def test_free_timing_is_heard_and_not_notated(composition: Composition) -> None:
    free = replace(composition, options=replace(composition.options, humanize=1.0))
    straight, heard, notated = (
        [part.onsets.tolist() for part in performance.parts]
        for performance in (
            composition.performance(),
            free.performance(),
            free.performance(humanize=0.0),
        )
    )
    assert straight == notated != heard


# Why it feels so

HAPPY = Belief(0.75, 0.5, 0.25, 0.5, "two faces, happy 0.9")
DARK = Belief(-0.5, -0.5, 0.5, 0.5, "dark, still")
SILENT = Belief(words="silent")
SHOTS = (
    Impression(0.0, 4.1, {"faces": HAPPY, "pictures": DARK, "sound": SILENT}),
    Impression(4.1, 5.0, {"faces": Belief(words="no face"), "pictures": DARK, "sound": SILENT}),
    Impression(5.0, 16.0, {"faces": HAPPY, "pictures": replace(DARK, words="light")}),
)


def seen(composition: Composition, **options: Any) -> Composition:
    """Return the composition of a film that three cues were asked about, under options."""
    given = {"emotion", "valence", "arousal", "emotion_file", "plan"} & set(options)
    estimator = "" if given else "faces,pictures,sound"
    video = replace(composition.analysis, shots=SHOTS, estimator=estimator)
    return replace(composition, analysis=video, options=Options(seed=7, **options))


def test_the_page_tells_of_each_section_what_each_cue_said_in_words_and_numbers(
    composition: Composition, tmp_path: Path
) -> None:
    write_html(tmp_path / "report.html", seen(composition), "preview.mp4")
    page = Page(tmp_path / "report.html")
    calm, loud = stretches(seen(composition))
    assert calm.told == (
        "faces: two faces, happy 0.9 (2 of 3 shots) · pictures: dark, still · sound: silent"
    )
    for words in (calm.told, loud.told, *origin(seen(composition))):
        assert words in page.words
    faces, pictures, sound, together = calm.rows
    assert faces.words == "two faces, happy 0.9 (2 of 3 shots)" and sound.valence is None
    assert faces.valence and faces.valence.words == "+0.75 ± 0.25" and together.valence
    assert pictures.arousal and pictures.arousal.words == "−0.50 ± 0.50"
    # where a face was seen, its certainty was 16 to 4; elsewhere there was none
    assert faces.valence.weight == f"{7.1 / 8 * 0.8:.0%}".replace("%", " %")
    assert [shot.number for shot in calm.shots] == [1, 2, 3]
    assert [(s.number, s.span) for s in loud.shots] == [(3, "0:08 – 0:16")]
    assert calm.shots[0].says[0] == ("two faces, happy 0.9", "V +0.75 ± 0.25, A +0.50 ± 0.50")
    low = "V −0.50 ± 0.50, A −0.50 ± 0.50"
    assert calm.shots[1].says == [("no face", ""), ("dark, still", low), ("silent", ""), ("", low)]
    assert page.attributes.count(("open", "")) == 2  # so few are shown at once
    # the shots are places to go to, but where they are the section itself
    assert [v for name, v in page.attributes if name == "data-time"] == [
        "0.000", "8.000", "0.000", "4.100", "5.000", "4.100", "15.900",
    ]  # fmt: skip


def test_each_section_has_a_picture_where_the_strip_has_one(
    composition: Composition, tmp_path: Path
) -> None:
    strip = tuple(Still(s.time, s.pixels // (i + 1)) for i, s in enumerate(composition.strip))
    write_html(tmp_path / "report.html", replace(seen(composition), strip=strip))
    page = Page(tmp_path / "report.html")
    pictures = [value for name, value in page.attributes if name == "src"]
    assert len(pictures) == 2 and len(set(pictures)) == 2
    assert all(picture.startswith("data:image/jpeg;base64,") for picture in pictures)
    late = replace(seen(composition), strip=composition.strip[2:])
    assert [bool(stretch.picture) for stretch in stretches(late)] == [False, True]


def test_of_many_sections_the_page_shows_a_line_each_until_one_is_opened(
    composition: Composition, tmp_path: Path
) -> None:
    edges = np.linspace(0, 16, FEW + 2).tolist()
    many = tuple(Section(start, end) for start, end in itertools.pairwise(edges))
    plan = replace(composition.plan, sections=many)
    write_html(tmp_path / "many.html", replace(seen(composition), plan=plan))
    page = Page(tmp_path / "many.html")
    assert page.tags.count("summary") >= len(many) and ("open", "") not in page.attributes


@pytest.mark.parametrize(
    ("mean", "sd", "left", "width", "at"),
    [(0.0, 0.5, 25, 50, 50), (0.75, 0.5, 62.5, 37.5, 87.5), (-1.0, 4.0, 0, 100, 0)],
)
def test_a_say_is_drawn_from_its_mean_as_far_as_its_width_and_no_further_than_the_plane(
    mean: float, sd: float, left: float, width: float, at: float
) -> None:
    say = Say.of(mean, sd)
    assert say is not None and (say.left, say.width, say.mean) == (left, width, at)
    assert Say.of(0.0, math.inf) is None


def test_a_report_says_what_it_was_felt_from_and_how_to_change_it(
    composition: Composition,
) -> None:
    read, silent, guessed, change = origin(seen(composition))
    assert guessed == "Whether it is pleasant or unpleasant is a guess in 1 of 2 sections."
    assert read.startswith("The feeling was read from the faces and the pictures. ")
    assert silent == "Sound had no say: silent." and change == HOW_TO_CHANGE
    assert NO_SOUND in origin(seen(composition, ignore_sound=True))
    constant = origin(seen(composition, arc="constant"))
    assert "One feeling was asked for throughout: the mean of the whole film." in constant
    edited = origin(seen(composition, analysis=composition.analysis))
    assert any("where its states were edited, they count" in said for said in edited)
    assert guessed not in edited
    unsure = {"faces": Belief(0.0, 0.0, 9.0, 9.0, "one face, neutral 1.0"), "pictures": DARK}
    hardly = replace(seen(composition).analysis, shots=(Impression(0.0, 16.0, unsure),))
    assert origin(replace(composition, analysis=hardly))[:2] == [
        "The feeling was read from the pictures.",
        "Faces had hardly a say: one face, neutral 1.0.",
    ]
    one = replace(composition.analysis, estimator="clip", shots=(
        Impression(0.0, 16.0, {"clip": replace(HAPPY, words="joy 70%")}),
    ))  # fmt: skip
    assert origin(replace(composition, analysis=one))[0] == "The feeling was read from clip."
    old = replace(one, shots=())
    assert "what each shot said was not kept" in origin(replace(composition, analysis=old))[0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"emotion": "joy"}, "The feeling was given: joy 100%."),
        ({"emotion": "joy=3,fear=1", "arousal": -0.5},
         "The feeling was given: joy 75%, fear 25%, arousal −0.50."),
        ({"valence": 0.5, "arousal": 0.25},
         "The feeling was given: valence +0.50, arousal +0.25."),
        ({"valence": 0.5},
         "The feeling was given in part: valence +0.50. Its arousal is that of the film."),
        ({"emotion_file": "to/arc.csv"}, "The feeling was given: the file arc.csv."),
        ({"plan": "edited.json"}, "The feeling was given by the plan."),
    ],
)  # fmt: skip
def test_what_a_person_gave_is_called_given_and_what_was_seen_is_not_followed(
    composition: Composition, options: dict[str, Any], words: str
) -> None:
    made = seen(composition, **options)
    assert origin(made)[:2] == [words, NOT_FOLLOWED]
    assert not any("read from" in said for said in origin(made))
    assert all(stretch.emotion.endswith(" (given)") for stretch in stretches(made))
    assert is_given(made.analysis)


def test_a_feeling_given_in_the_analysis_is_called_so(composition: Composition) -> None:
    assert origin(composition) == ["The feeling was given by the analysis.", HOW_TO_CHANGE]
    assert stretches(composition) == [] and why_rows(composition) == []


@pytest.mark.slow
def test_the_picture_has_a_row_of_reasons_for_each_section(
    composition: Composition, tmp_path: Path
) -> None:
    assert [row[:3] for row in why_rows(seen(composition))] == [
        ["A", "0:00", "sadness"], ["B", "0:08", "joy"],
    ]  # fmt: skip
    write_png(tmp_path / "with.png", seen(composition))
    write_png(tmp_path / "none.png", composition)
    assert size(tmp_path / "with.png")[1] > size(tmp_path / "none.png")[1] + 100


# What each cue says, over time


def test_each_cue_is_drawn_where_it_speaks_as_wide_as_it_says(composition: Composition) -> None:
    from matplotlib.collections import LineCollection, PolyCollection
    from matplotlib.colors import to_hex, to_rgba_array
    from matplotlib.figure import Figure

    axes = Figure(figsize=(13, 1)).add_subplot()
    draw_cues(axes, seen(composition).analysis, "valence")
    name_cues(axes, seen(composition).analysis)
    faces, pictures = [c for c in axes.collections if isinstance(c, PolyCollection)]
    boxes = [path.get_extents() for path in faces.get_paths()]
    assert [(box.x0, box.y0, box.x1, box.y1) for box in boxes] == [
        (0.0, 0.5, 4.1, 1.0), (5.0, 0.5, 16.0, 1.0),
    ]  # fmt: skip
    assert len(pictures.get_paths()) == 3
    shades = [to_rgba_array(cue.get_facecolor())[0] for cue in (faces, pictures)]
    assert shades[0][3] > shades[1][3] > 0  # the surer, the stronger
    first, second, together = [c for c in axes.collections if isinstance(c, LineCollection)]
    strokes = [to_rgba_array(line.get_color())[0][3] for line in (first, second)]
    assert strokes[0] == 1 and strokes[1] == 1  # both have a say worth seeing
    heights = [segment[0][1] for segment in together.get_segments()]
    assert heights == pytest.approx([0.5, -0.5, 0.5])  # 0.75 with four times the certainty of -0.5
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["faces", "pictures", "together"]
    assert to_hex(shades[0]) == CUE_COLOURS["faces"]


def test_the_picture_says_that_the_given_feeling_is_followed_and_not_the_cues(
    composition: Composition,
) -> None:
    from matplotlib.figure import Figure

    for given, options in ((False, {}), (True, {"emotion": "joy"})):
        axes = Figure(figsize=(13, 2)).subplots(2)
        video = seen(composition, **options).analysis
        draw_feeling(axes[0], video)
        draw_cues(axes[1], video, "arousal")
        titles = [one.texts[-1].get_text() for one in axes]
        assert all(("given" in title) == given for title in titles), titles


def test_cues_of_plug_ins_have_colours_of_their_own() -> None:
    said = dict.fromkeys(("faces", "clip", "mine", "sound"), HAPPY)
    colours = cue_colours([Impression(0.0, 1.0, {**said, "mute": SILENT})])
    assert list(colours) == ["faces", "clip", "mine", "sound"]
    assert len(set(colours.values())) == 4


def test_the_colour_blind_tell_the_cues_apart_on_light_and_on_dark() -> None:
    usual = [*CUE_COLOURS.values()]
    for seen_as in SIGHTS:
        for one, other in itertools.combinations(usual, 2):
            assert np.linalg.norm(lab(one, seen_as) - lab(other, seen_as)) > 25
    for colour in (*usual, *OTHER_CUES):
        for paper in (PAPER, "#161b21"):
            assert np.linalg.norm(lab(colour) - lab(paper)) > 35


SIGHTS = (  # Machado, Oliveira & Fernandes 2009, severity 1, on linear RGB; and full sight
    np.eye(3),
    np.array([[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]]),
    np.array([[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]]),
    np.array([[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]]),
)


def lab(colour: str, sight: np.ndarray = SIGHTS[0]) -> np.ndarray:
    """Return a colour in CIELAB, as it is seen."""
    import cv2
    from matplotlib.colors import to_rgb

    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen_as = np.clip(sight @ linear, 0, 1)
    back = np.where(seen_as <= 0.0031308, 12.92 * seen_as, 1.055 * seen_as ** (1 / 2.4) - 0.055)
    return cv2.cvtColor(back.astype(np.float32).reshape(1, 1, 3), cv2.COLOR_RGB2LAB).reshape(3)
