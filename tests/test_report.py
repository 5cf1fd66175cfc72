"""The report: one page and one picture that say the same, and need nothing else."""

import math
import re
import struct
from dataclasses import replace
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from emsync.analysis import Analysis
from emsync.composition import Composition
from emsync.fit.ending import Ending
from emsync.fit.hits import fit
from emsync.formats.labels import ScoreLabels
from emsync.music.piece import Piece
from emsync.options import Options
from emsync.ranking import Candidate
from emsync.report.page import write_html
from emsync.report.picture import write_png
from emsync.report.words import remarks, rows, tiles
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
    return of(video, piece, strip)


def of(video: Analysis, piece: Piece, strip: list[Still]) -> Composition:
    fitted = fit(piece, video.cuts, video.duration, "chord", 0.06, Fraction(video.fps) or None)
    best = Candidate(
        fitted, Ending("cut", None, video.duration), 7, np.zeros(3, np.int64), {"hits": 0.5}
    )
    return Composition(
        best,
        (),
        video,
        ScoreLabels.of(video),
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


def test_the_page_needs_no_network_no_script_and_no_other_file(
    composition: Composition, tmp_path: Path
) -> None:
    write_html(tmp_path / "report.html", composition)
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
    composition: Composition, tmp_path: Path
) -> None:
    write_html(tmp_path / "report.html", composition)
    words = Page(tmp_path / "report.html").words
    for cut in composition.to_json()["cuts"]:
        assert cut["timecode"] in words
    cells = [cells for cells, _ in rows(composition)]
    assert len(cells) == 2  # the dropped one is told below
    assert all(cell in words for row in cells for cell in row)
    assert [hit for _, hit in rows(composition)] == [True, False]
    assert cells[0][4] == "chord" and cells[0][6] == "0.00" and cells[1][4] == "missed"
    assert "a <b> & $c$.mp4" in words  # as words, not as tags


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
