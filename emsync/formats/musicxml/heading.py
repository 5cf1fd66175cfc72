"""The head of a score: title, paper, and who plays, in the order of the staves."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from emsync.formats.musicxml.families import abbreviation, family
from emsync.formats.musicxml.staves import Staff
from emsync.limits import one_line
from emsync.music.piece import DRUMS
from emsync.performance.part import Part

PAPER = 210, 297  # mm, A4
MARGIN = 12  # mm around a page
HEIGHTS = ((2, 7.0), (4, 6.0), (6, 5.2), (9, 4.5), (14, 4.0))  # up to how many staves are so high
LEAST_HEIGHT = 3.5  # mm of a staff where there are more


@dataclass(frozen=True)
class Desk:
    """One part with its place in the score."""

    number: int  # from 1
    part: Part
    channel: int
    staves: list[Staff]

    @property
    def id(self) -> str:
        """What the file calls it."""
        return f"P{self.number}"


def write_head(root: Element, desks: Sequence[Desk], title: str, alone: bool) -> None:
    """Write all that comes before the bars; of a desk that is ``alone`` its name, too."""
    SubElement(SubElement(root, "work"), "work-title").text = one_line(title)
    encoding = SubElement(SubElement(root, "identification"), "encoding")
    SubElement(encoding, "software").text = "emsync"
    tenths = _paper(root, sum(len(desk.staves) for desk in desks))
    if alone:  # a title alone would be printed without being told to
        top = PAPER[1] - MARGIN
        _credit(root, one_line(title), "center", PAPER[0] / 2 * tenths, top * tenths)
        _credit(root, desks[0].part.player.name, "left", MARGIN * tenths, top * tenths)
    listed = SubElement(root, "part-list")
    kin = [family(desk.part.player).name for desk in desks]
    for i, desk in enumerate(desks):
        if kin.count(kin[i]) > 1 and kin[i] not in kin[:i]:
            group = SubElement(listed, "part-group", type="start", number="1")
            SubElement(group, "group-symbol").text = "bracket"
            SubElement(group, "group-barline").text = "yes"
        _list_desk(listed, desk)
        if kin.count(kin[i]) > 1 and kin[i] not in kin[i + 1 :]:
            SubElement(listed, "part-group", type="stop", number="1")


def _paper(root: Element, staves: int) -> float:
    """Say how large paper and staves are, the more the smaller; return tenths in a millimeter."""
    height = next((mm for most, mm in HEIGHTS if staves <= most), LEAST_HEIGHT)
    defaults = SubElement(root, "defaults")
    scaling = SubElement(defaults, "scaling")
    SubElement(scaling, "millimeters").text = str(height)
    SubElement(scaling, "tenths").text = "40"
    layout = SubElement(defaults, "page-layout")
    tenths = 40 / height
    for name, mm in (("page-height", PAPER[1]), ("page-width", PAPER[0])):
        SubElement(layout, name).text = f"{mm * tenths:.1f}"
    margins = SubElement(layout, "page-margins", type="both")
    for side in ("left", "right", "top", "bottom"):
        SubElement(margins, f"{side}-margin").text = f"{MARGIN * tenths:.1f}"
    return tenths


def _credit(root: Element, words: str, side: str, x: float, y: float) -> None:
    """Print words at the head of the first page, ``x`` and ``y`` tenths from its lower left."""
    credit = SubElement(root, "credit", page="1")
    place = {"default-x": f"{x:.1f}", "default-y": f"{y:.1f}", "justify": side, "valign": "top"}
    size = "22" if side == "center" else "14"
    SubElement(credit, "credit-words", {**place, "font-size": size}).text = words


def _list_desk(listed: Element, desk: Desk) -> None:
    """Say what a part is called and played by."""
    player, drums = desk.part.player, desk.part.player.instrument == DRUMS
    row = SubElement(listed, "score-part", id=desk.id)
    SubElement(row, "part-name").text = player.name
    SubElement(row, "part-abbreviation").text = abbreviation(player.name)
    sounds = np.unique(desk.part.pitches).tolist() if drums else [0]
    for pitch in sounds:
        instrument = SubElement(row, "score-instrument", id=f"{desk.id}-I{pitch}")
        name = f"Drum {pitch}" if drums else player.name
        SubElement(instrument, "instrument-name").text = name
    for pitch in sounds:
        midi = SubElement(row, "midi-instrument", id=f"{desk.id}-I{pitch}")
        SubElement(midi, "midi-channel").text = str(desk.channel + 1)
        SubElement(midi, "midi-program").text = str(player.program + 1)
        if drums:
            SubElement(midi, "midi-unpitched").text = str(pitch + 1)
