"""Laws of --min-cut-distance: what is found is thinned by it, a person's list only if asked."""

from pathlib import Path

import numpy as np
import pytest

from emsync import Options
from emsync.analysis import Analysis
from emsync.brief import brief_of
from emsync.errors import UsageError
from emsync.fit.hits import fit
from emsync.music.piece import Piece
from emsync.planning.plan import hit_cuts
from emsync.video.cuts import Cut, left_out, thin, thinned

FOUND = tuple(Cut(time, strength) for time, strength in ((2, 0.5), (5, 0.9), (6.5, 0.7), (12, 0.4)))


@pytest.mark.parametrize(
    ("gap", "kept"),
    [(4.0, [5, 12]), (2.0, [2, 5, 12]), (1.0, [2, 5, 6.5, 12]), (0.0, [2, 5, 6.5, 12])],
)
def test_a_smaller_distance_keeps_more_cuts(gap: float, kept: list[float]) -> None:
    assert [cut.time for cut in thin(FOUND, 20.0, gap) if cut.kept] == kept


def test_a_list_is_kept_whole_unless_a_distance_is_given(tmp_path: Path) -> None:
    path = tmp_path / "cuts.txt"
    path.write_text("2.0\n5.0\n6.5\n12.0\n")
    film = Analysis(20.0, "25")

    def kept(distance: float | None) -> int:
        options = Options(analysis=film, cuts=str(path), min_cut_distance=distance)
        return len(brief_of(None, options).kept)

    assert [kept(None), kept(0.0), kept(2.0), kept(4.0)] == [4, 4, 3, 3]
    assert thinned(FOUND, 20.0, None) == FOUND


@pytest.mark.parametrize("distance", [-0.1, 60.1, float("nan"), float("inf")])
def test_a_distance_that_cannot_be_is_refused(distance: float) -> None:
    with pytest.raises(UsageError, match="between cuts is outside 0 to 60 s; 0 keeps all"):
        Options(min_cut_distance=distance)


def test_how_many_are_left_out_is_said() -> None:
    assert left_out(FOUND) == ""
    assert left_out(hit_cuts(FOUND, ())) == "4 of 4 cuts are left out by the plan"
    assert left_out(thin(FOUND)).startswith("2 of 4 cuts are left out, too near a stronger cut")
    fitted = fit(Piece.of(np.array([(3.0, 60.0, 0.0, 1.0)])), thin(FOUND), 20.0)
    assert "--min-cut-distance" in left_out(report.cut for report in fitted.cuts)
