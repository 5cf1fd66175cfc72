"""AV-Align: hand-computed scores, slow twins, and films and sounds made on the spot."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emsync.metrics import av_align
from emsync.metrics.av_align import Motion, Sound
from emsync.video.film import open_film

STEP = av_align.HOP / av_align.RATE
moments = st.lists(st.integers(0, 100), max_size=12).map(lambda xs: np.sort(np.array(xs)) / 20)


@given(moments, moments)
def test_v1_counts_each_onset_near_any_peak(onsets: np.ndarray, peaks: np.ndarray) -> None:
    both = sum(any(p - 0.04 < a < p + 0.04 for p in peaks) for a in onsets)
    either = len(onsets) + len(peaks) - both
    assert av_align.v1(onsets, peaks, 0.04) == (both / either if either else 0.0)


@given(moments, moments)
def test_v2_is_the_published_loop(onsets: np.ndarray, peaks: np.ndarray) -> None:
    used = [False] * len(peaks)
    for a in onsets:
        for j, p in enumerate(peaks):
            if not used[j] and p - 0.12 < a < p + 0.12:
                used[j] = True
                break
    either = len(onsets) + len(peaks) - sum(used)
    found = av_align.v2(onsets, peaks, 0.12)
    assert found == (sum(used) / either if either else 0.0)
    assert 0 <= found <= 1


@given(st.lists(st.integers(0, 4), max_size=20), st.integers(1, 5))
def test_a_summit_is_the_first_largest_within_reach(values: list[int], reach: int) -> None:
    expected = []
    for i in range(1, len(values) - 1):
        near = values[max(0, i - reach) : i + reach + 1]
        before = values[max(0, i - reach) : i]
        if values[i] == max(near) and values[i] not in before and values[i] > min(near):
            expected.append(i)
    assert av_align.summits(values, reach).tolist() == expected


@given(st.lists(st.integers(0, 4), max_size=20))
def test_a_peak_is_above_both_neighbours(values: list[int]) -> None:
    assert av_align.peaks(values, 2).tolist() == [
        i
        for i in range(1, len(values) - 1)
        if values[i - 1] < values[i] > values[i + 1] and values[i] >= 2
    ]


def test_scores_by_hand() -> None:
    times = np.arange(50) / 25
    flow = np.zeros(50)
    flow[[10, 30]] = 1.0, 0.05  # at 0.4 and 1.2 s; the second is too small for v2
    envelope = np.zeros(round(2 / STEP))
    envelope[[round(0.41 / STEP), round(1.8 / STEP)]] = 1.0
    sound = Sound(np.array([0.41, 0.42, 1.21]), envelope, STEP)
    scores = av_align.evaluate(Motion(times, flow, flow), sound, 25.0)
    assert scores["v1"] == 3 / 2
    assert scores["v2"] == 1 / 3
    assert scores["emsync_frame"] == 1 / 3
    assert scores["emsync_second"] == 1 / 2  # the smaller summit of motion is in the larger's reach


def test_nothing_with_nothing_is_nought() -> None:
    still = Motion(np.arange(3) / 25, np.zeros(3), np.zeros(3))
    one = Motion(np.zeros(1), np.zeros(1), np.zeros(1))
    constant = Motion(np.arange(9) / 25, np.full(9, 2.0), np.full(9, 2.0))
    silence = av_align.listen(np.zeros(22050, np.float32))
    for motion in (still, one, constant):
        assert set(av_align.evaluate(motion, silence, 25.0).values()) == {0.0}
    assert len(av_align.listen(np.zeros(0, np.float32)).onsets) == 0
    with pytest.raises(ValueError, match="the rate is 0"):
        av_align.evaluate(still, silence, 0)


def clicks(times: list[float], seconds: float) -> np.ndarray:
    """Return bursts of noise at ``times``, mono at 22,050 Hz."""
    y = np.zeros(round(seconds * av_align.RATE), np.float32)
    burst = np.random.default_rng(0).normal(0, 0.3, 2000) * np.exp(-np.arange(2000) / 300)
    for t in times:
        at = round(t * av_align.RATE)
        y[at : at + 2000] += burst[: len(y) - at].astype(np.float32)
    return y


def test_clicks_are_heard_where_they_are() -> None:
    times = [0.5, 1.1, 2.0, 3.3]
    sound = av_align.listen(clicks(times, 4.0))
    assert sound.onsets == pytest.approx(times, abs=0.03)
    assert av_align.superflux_onsets(sound, 0.04) == pytest.approx(times, abs=0.03)
    assert sound.superflux.max() == 1.0


def test_the_control_moves_the_sound_around_the_video() -> None:
    sound = Sound(np.array([1.0, 3.5]), np.array([0.0, 1.0, 0.0, 0.0]), 1.0)
    moved = av_align.shifted(sound, 1.0, 4.0)
    assert moved.onsets.tolist() == [0.5, 2.0]
    assert moved.superflux.tolist() == [0.0, 0.0, 1.0, 0.0]


def textured(height: int, width: int) -> np.ndarray:
    import cv2

    noise = np.random.default_rng(0).integers(0, 256, (height, width)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 4)
    smooth -= smooth.min()
    return (smooth * (255 / smooth.max())).astype(np.uint8)


def test_both_flows_grow_with_the_movement_and_are_nought_without() -> None:
    picture = textured(90, 160)
    for flow in (av_align.farneback, av_align.horn_schunck):
        still, slow, fast = (flow(picture, np.roll(picture, n, axis=1)) for n in (0, 1, 2))
        assert still == pytest.approx(0.0, abs=0.01)
        assert 0.3 < slow < fast
    assert av_align.farneback(picture, np.roll(picture, 2, axis=1)) == pytest.approx(2.0, abs=0.5)


def _slow_horn_schunck(a: np.ndarray, b: np.ndarray) -> float:
    """Pixel by pixel, as the paper has it."""
    h, w = a.shape
    a, b = a.astype(float), b.astype(float)

    def at(p: np.ndarray, i: int, j: int) -> float:
        return float(p[min(max(i, 0), h - 1), min(max(j, 0), w - 1)])

    x, y, t, u, v = (np.zeros((h, w)) for _ in range(5))
    for i in range(h):
        for j in range(w):
            cube = [[[at(p, i + m - 1, j + n - 1) for n in (0, 1)] for m in (0, 1)] for p in (a, b)]
            c = np.array(cube)
            x[i, j] = (c[:, :, 1] - c[:, :, 0]).sum() / 4
            y[i, j] = (c[:, 1] - c[:, 0]).sum() / 4
            t[i, j] = (c[1] - c[0]).sum() / 4
    for _ in range(av_align.ITERATIONS):
        means = []
        for f in (u, v):
            m = np.zeros((h, w))
            for i in range(h):
                for j in range(w):
                    near = sum(at(f, i + p, j + q) for p, q in ((0, 1), (1, 0), (0, -1), (-1, 0)))
                    far = sum(at(f, i + p, j + q) for p in (-1, 1) for q in (-1, 1))
                    m[i, j] = near / 6 + far / 12
            means.append(m)
        step = (x * means[0] + y * means[1] + t) / (av_align.ALPHA**2 + x * x + y * y)
        u, v = means[0] - x * step, means[1] - y * step
    return float(np.hypot(u, v).mean())


def test_horn_schunck_is_that_of_the_paper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(av_align, "ITERATIONS", 4)
    a, b = (textured(20, 20)[:6, :8], textured(20, 20)[1:7, 2:10])
    assert av_align.horn_schunck(a, b) == pytest.approx(_slow_horn_schunck(a, b), rel=1e-4)


@pytest.fixture
def film(tmp_path: Path, write_film: Callable[..., Path]) -> Callable[..., Path]:
    """Return what writes a film of a texture that jumps by so many pixels at each frame."""

    def write(steps: list[int], size: tuple[int, int] = (180, 320)) -> Path:
        picture = np.repeat(textured(*size)[..., None], 3, 2)
        pictures = [np.roll(picture, place, axis=1) for place in np.cumsum(steps)]
        return write_film(tmp_path / "film.mkv", pictures, codec="ffv1")

    return write


def test_a_jolt_is_seen_at_its_frame(film: Callable[..., Path]) -> None:
    steps = [0] * 30
    steps[10], steps[20] = 3, 2
    motion = av_align.watch(open_film(film(steps)))
    assert motion.times == pytest.approx(np.arange(30) / 25)
    for flow in (motion.farneback, motion.horn_schunck):
        assert av_align.peaks(flow, 0.1).tolist() == [10, 20]
    assert motion.farneback[0] == motion.farneback[1]  # as published


def test_flow_is_told_in_pixels_of_the_whole_frame(
    film: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = film([0, 4, 4, 4])
    whole = av_align.watch(open_film(path)).farneback
    monkeypatch.setattr(av_align, "PIXELS", 160 * 90)
    assert av_align.watch(open_film(path)).farneback[1:] == pytest.approx(whole[1:], rel=0.25)
