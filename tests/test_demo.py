"""Laws of the project's own clip."""

import resource
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from emsync import demo
from emsync.errors import EmsyncError, UsageError
from emsync.video.film import open_film
from emsync.video.watch import watch


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole clip."""
    path = tmp_path_factory.mktemp("demo") / "clip.mp4"
    demo.draw_clip(path)
    return path


@pytest.mark.slow
def test_the_clip_is_twenty_seconds_of_h264_that_any_player_shows(clip: Path) -> None:
    video = open_film(clip)
    assert (video.duration, video.fps, video.frames) == (20.0, Fraction(25), 500)
    assert (video.width, video.height, video.has_audio) == (640, 360, False)
    with clip.open("rb") as file, av.open(file) as film:
        context = film.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")


@pytest.mark.slow
def test_the_default_detector_of_pyscenedetect_finds_the_cuts_and_nothing_else(clip: Path) -> None:
    from scenedetect import ContentDetector, detect

    scenes = detect(str(clip), ContentDetector())
    starts = [start.seconds for start, _ in scenes[1:]]
    assert starts == pytest.approx(list(demo.CUTS), abs=1e-6)


@pytest.mark.slow
def test_our_own_detector_finds_the_cuts_and_nothing_else(clip: Path) -> None:
    found = [cut.time for cut in watch(open_film(clip)).cuts]
    assert found == pytest.approx(list(demo.CUTS), abs=1e-6)


@pytest.mark.slow
def test_the_demonstration_leaves_a_page_that_plays_its_film(tmp_path: Path) -> None:
    composition, _ = demo.demonstrate(tmp_path, seed=3)
    assert {path.name for path in tmp_path.iterdir()} == {
        "clip.mp4", "score.mid", "clip-with-music.mp4", "report.html",
    }  # fmt: skip
    page = (tmp_path / "report.html").read_text()
    assert '<video src="clip-with-music.mp4"' in page and 'data-sound=""' in page
    assert all(report.hit for report in composition.cuts)


def test_a_demonstration_is_replaced_by_the_next_and_nothing_else_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "draw_clip", lambda path: 1 / 0)  # as far as it has to go
    (tmp_path / "clip.mp4").write_bytes(b"a person's own")
    with pytest.raises(UsageError, match=r"holds 'clip.mp4', which is of no whole demonstration"):
        demo.demonstrate(tmp_path, 0)
    for name in demo.FILES:
        (tmp_path / name).touch()
    with pytest.raises(ZeroDivisionError):
        demo.demonstrate(tmp_path, 0)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UsageError, match=r"holds 'notes.txt'"):
        demo.demonstrate(tmp_path, 0)


def test_the_cuts_are_irregular_and_far_enough_apart_to_be_answered_all() -> None:
    scenes = np.diff([0, *demo.CUTS, demo.LENGTH])
    assert len(scenes) == len(demo.SCENES) == 5
    assert scenes.min() > 3 and np.diff(demo.CUTS).min() >= 4
    assert len(set(np.round(scenes, 3))) == 5
    assert np.array_equal(np.round(np.array(demo.CUTS) * 25) / 25, demo.CUTS)  # on a frame


def test_a_scene_begins_exactly_at_its_cut() -> None:
    for i, cut in enumerate(demo.CUTS):
        assert np.array_equal(demo.picture(cut), demo.SCENES[i + 1](0.0))
        assert not np.array_equal(demo.picture(cut - 0.04), demo.picture(cut))


def test_every_scene_moves_and_is_drawn_the_same_each_time() -> None:
    for scene in demo.SCENES:
        image = scene(1.0)
        assert image.shape == (demo.HEIGHT, demo.WIDTH, 3) and image.dtype == np.uint8
        assert np.array_equal(image, scene(1.0))
        assert not np.array_equal(image, scene(1.04))


def test_the_scenes_differ_in_light_and_motion() -> None:
    def light(scene: int) -> float:
        return float(demo.SCENES[scene](1.0).mean())

    def motion(scene: int) -> float:
        one, two = (demo.SCENES[scene](t).astype(float) for t in (1.0, 1.04))
        return float(np.abs(one - two).mean())

    dawn, city, storm, joy, night = range(5)
    assert light(joy) > light(dawn) > light(storm) > light(night)
    assert motion(city) > 3 * motion(dawn) and motion(storm) > 3 * motion(night)


def test_two_drawings_are_the_same_bytes_whatever_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = [Path(name) for name in ("plain.mp4", "-x.mp4", "concat:a.mp4", "it's %d.mp4")]
    for name in names:
        demo.draw_clip(name, seconds=1, fps=5)
    assert len({name.read_bytes() for name in names}) == 1
    assert len(list(tmp_path.iterdir())) == len(names)


def test_nothing_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    demo.draw_clip(tmp_path / "clip.mp4", seconds=1, fps=5)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("seconds", [0, -1, 21, float("nan")])
def test_a_length_that_cannot_be_is_refused(seconds: float, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="lasts 1 to 20 seconds, not"):
        demo.draw_clip(tmp_path / "clip.mp4", seconds)


@pytest.mark.parametrize("size", [500, 8000])
def test_a_full_disk_leaves_the_previous_clip(size: int, tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"before")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        with pytest.raises(
            EmsyncError, match=r"could not write .*clip\.mp4' whole; is the disk full"
        ):
            demo.draw_clip(path, seconds=1, fps=5)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"before" and len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        demo.draw_clip(tmp_path / "no" / "clip.mp4", seconds=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2, 3, 4])
def test_the_demonstration_hits_all_of_its_cuts(clip: Path, seed: int) -> None:
    from emsync import Options, generate
    from emsync.analysis import Analysis
    from emsync.video.cuts import Cut

    strengths = (0.645, 0.341, 0.887, 0.968)
    cuts = tuple(Cut(time, strength) for time, strength in zip(demo.CUTS, strengths, strict=True))
    seen = Analysis(demo.LENGTH, "25", cuts, valence=0.1, arousal=0.3)
    made = generate(clip, Options(analysis=seen, seed=seed, candidates=1))
    assert [report.hit is not None for report in made.cuts] == [True] * 4
    assert max(abs(report.hit.error_ms) for report in made.cuts if report.hit) <= 2
