"""The report: one page and one picture that say the same, and need nothing else."""

import math
import re
import struct
from dataclasses import replace
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emsync.analysis import Analysis
from emsync.hits import fit
from emsync.music import Piece
from emsync.report import Story, remarks, rows, tiles, write_html, write_png
from emsync.video import Curve, Cut, Still

RATE = Fraction(30000, 1001)


@pytest.fixture
def story(piece: Piece) -> Story:
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
        emotion={"fear": 0.75, "joy": 0.25},
        valence_curve=Curve(1.0, (-0.2,) * 16),
        arousal_curve=Curve(1.0, tuple(np.linspace(0, 1, 16).tolist())),
        source="a <b> & $c$.mp4",
    )
    pixels = np.random.default_rng(0).integers(0, 255, (36, 64, 3), np.uint8)
    strip = [Still(2.0 + 4 * i, pixels) for i in range(4)]
    return of(video, piece, strip)


def of(video: Analysis, piece: Piece, strip: list[Still]) -> Story:
    rate = Fraction(video.fps) or None
    fitted = fit(piece, video.cuts, video.duration, "chord", 0.06, rate)
    facts: dict[str, Any] = {
        **fitted.to_json(rate),
        "ending": {"kind": "cut", "chord": None},
        "notes": len(piece),
        "instruments": piece.instruments,
        "seed": 7,
    }
    return Story(video, strip, fitted, facts)


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


def test_the_page_needs_no_network_no_script_and_no_other_file(
    story: Story, tmp_path: Path
) -> None:
    write_html(tmp_path / "report.html", story)
    page = Page(tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert not re.search(r"https?://", re.sub(r'xmlns(:\w+)?="[^"]*"', "", text))
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    places = [value for name, value in page.attributes if name in ("src", "href", "xlink:href")]
    assert any(place.startswith("data:image/png;base64,") for place in places)  # the film strip
    assert all(place.startswith(("data:", "#")) for place in places)
    assert "url(" not in re.sub(r"url\(#\w+\)", "", text)
    assert "@import" not in text


def test_the_page_has_each_cut_with_its_timecode_and_what_answers_it(
    story: Story, tmp_path: Path
) -> None:
    write_html(tmp_path / "report.html", story)
    words = Page(tmp_path / "report.html").words
    for cut in story.facts["cuts"]:
        assert cut["timecode"] in words
    cells = [cells for cells, _ in rows(story)]
    assert len(cells) == 2  # the dropped one is told below
    assert all(cell in words for row in cells for cell in row)
    assert [hit for _, hit in rows(story)] == [True, False]
    assert cells[0][4] == "chord" and cells[0][6] == "0.00" and cells[1][4] == "missed"
    assert "a <b> & $c$.mp4" in words  # as words, not as tags


def test_the_picture_and_the_page_are_the_same_for_the_same_story(
    story: Story, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        write_html(tmp_path / f"{name}.html", story)
        write_png(tmp_path / f"{name}.png", story)
    for suffix in ("html", "png"):
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


def test_the_picture_grows_with_the_table(story: Story, piece: Piece, tmp_path: Path) -> None:
    many = tuple(Cut(0.5 + i / 2) for i in range(30))
    write_png(tmp_path / "few.png", story)
    write_png(tmp_path / "many.png", of(replace(story.video, cuts=many), piece, []))
    (width, few), (same, more) = (size(tmp_path / f"{name}.png") for name in ("few", "many"))
    assert width == same == 1560 and more > few + 300


def test_a_film_of_which_nothing_is_known_has_a_report_too(tmp_path: Path) -> None:
    nothing = Piece.of(np.zeros((0, 4)))
    story = of(Analysis(5.0, "0"), nothing, [])
    write_html(tmp_path / "report.html", story)
    write_png(tmp_path / "report.png", story)
    assert math.isnan(story.video.valence)
    assert ("–", "no clear key") in tiles(story)
    assert any("no film strip" in remark for remark in remarks(story))
    assert any("no cut" in remark for remark in remarks(story))
