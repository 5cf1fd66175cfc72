"""Windows over long films."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emsync.muvi.windows import most_given, windows


@given(
    st.integers(1, 2000),
    st.integers(12, 300),
    st.lists(st.integers(0, 2000), max_size=20),
    st.floats(0, 1),
)
def test_windows_cover_all_and_share_a_third(
    count: int, longest: int, cuts: list[int], share: float
) -> None:
    prompt = min(int(share * most_given(longest)), count)
    found = windows(count, longest, cuts, prompt)
    assert (found[0].start, found[0].given, found[-1].stop) == (0, prompt, count)
    assert all(window.stop - window.start <= longest for window in found)
    for before, after in pairwise(found):
        assert after.start + after.given == before.stop < after.stop
        assert after.given == min(most_given(longest), before.stop)


@given(st.integers(1, 2000))
def test_without_cuts_no_context_is_much_more_than_what_is_new(count: int) -> None:
    for window in windows(count, 300):
        assert window.given <= 1.01 * (window.stop - window.start - window.given) + 1


def test_what_fits_is_one_window() -> None:
    assert len(windows(300, 300)) == 1
    assert len(windows(301, 300)) == 2


@pytest.mark.parametrize(("cut", "seam"), [(240, 240), (221, 221), (280, 280), (281, 250)])
def test_what_is_new_begins_at_a_cut_within_three_seconds(cut: int, seam: int) -> None:
    first, second, *_ = windows(450, 300, [100, cut])
    assert first.stop == seam == second.start + second.given
