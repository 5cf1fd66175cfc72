"""Faces are followed through shots, and what they express becomes a belief."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from emsync.emotion.faces import Faces as Estimator
from emsync.encoders.faces.boxes import Box
from emsync.testing import check_estimator, example_footage
from emsync.video import watch as watching
from emsync.video.faces import MOST, RATE, SAVED, Face, Faces, Look, Sighting, faces_of, sharpness
from emsync.video.film import open_film
from emsync.video.footage import Footage, Needs
from emsync.video.watch import watch

WIDE = 16 / 9
HAPPY, NEUTRAL = (0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def seen(
    x: float, y: float = 0.4, height: float = 0.2, score: float = 0.9, expression: Any = NEUTRAL
) -> Sighting:
    """A face whose middle is at ``x`` and ``y``, in shares of the picture."""
    across, down = 0.4 * height / WIDE, height / 2
    return Sighting(Box(x - across, y - down, x + across, y + down, score), 0.5, expression)


def looks(*rows: Sequence[Sighting]) -> list[Look]:
    """One look a second."""
    return [Look(float(time), tuple(row)) for time, row in enumerate(rows)]


def test_a_face_that_moves_through_a_shot_is_one_from_its_first_look_to_the_shots_end() -> None:
    moving = looks(*([seen(0.2 + 0.05 * i, expression=HAPPY)] for i in range(5)))
    (face,) = faces_of(moving, 5.5, WIDE)
    assert (face.start, face.end, face.looks, face.height) == (0.0, 5.5, 5, 0.2)
    assert face.expression["happy"] == 1.0


def test_what_a_face_expresses_is_the_mean_of_its_looks() -> None:
    flickering = looks([seen(0.5, expression=HAPPY)], [seen(0.5)], [seen(0.5)], [seen(0.5)])
    (face,) = faces_of(flickering, 4.0, WIDE)
    assert face.expression["neutral"] == 0.75
    assert sum(face.expression.values()) == pytest.approx(1.0)


def test_a_face_that_is_missed_at_some_looks_is_still_the_same() -> None:
    (face,) = faces_of(looks([seen(0.5)], [], [], [seen(0.52)]), 4.0, WIDE)
    assert (face.start, face.end, face.looks) == (0.0, 4.0, 2)


def test_faces_far_apart_or_unlike_in_size_are_not_one() -> None:
    apart = faces_of(looks([seen(0.2), seen(0.8)], [seen(0.8), seen(0.2)]), 2.0, WIDE)
    assert [face.looks for face in apart] == [2, 2]
    larger = faces_of(looks([seen(0.5)], [seen(0.5, height=0.6)]), 2.0, WIDE)
    assert [face.looks for face in larger] == [1, 1]


def test_of_two_faces_that_come_close_each_goes_on_with_the_nearer() -> None:
    close = looks([seen(0.45, expression=HAPPY), seen(0.55)],
                  [seen(0.54), seen(0.46, expression=HAPPY)])  # fmt: skip
    shares = sorted(face.expression["happy"] for face in faces_of(close, 2.0, WIDE))
    assert shares == [0.0, 1.0]


def test_what_is_seen_once_of_many_looks_has_to_be_sure() -> None:
    once = looks([], [seen(0.5, score=0.6)], [], [])
    assert not faces_of(once, 4.0, WIDE)
    assert faces_of(once[1:2], 2.0, WIDE), "a short shot has no second look"
    assert faces_of(looks([], [seen(0.5, score=0.9)], [], []), 4.0, WIDE)
    again = looks([], [seen(0.5, score=0.6)], [seen(0.5, score=0.35)], [])
    assert faces_of(again, 4.0, WIDE), "seen again"
    doubtful = looks([seen(0.5, score=0.35)], [seen(0.5, score=0.35)])
    assert not faces_of(doubtful, 2.0, WIDE), "never sure"


def test_sharp_detail_makes_a_face_sharp_whatever_its_contrast() -> None:
    import cv2

    noise: Any = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    blurred = cv2.GaussianBlur(noise, (0, 0), 6.0)
    assert sharpness(noise) > 2 * sharpness(np.asarray(blurred))
    assert sharpness(noise // 4) == pytest.approx(sharpness(noise), rel=0.05)
    assert sharpness(np.zeros((1, 1, 3), np.uint8)) == 0.0


class Everywhere:
    """Stands for the detector: it finds ``count`` faces in each picture."""

    count = 1

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def detect(self, pictures: Sequence[NDArray[np.uint8]]) -> list[list[Box]]:
        self.shapes += [picture.shape for picture in pictures]
        rows = [seen(0.2 + 0.6 * i / self.count).box for i in range(self.count)]
        return [rows for _ in pictures]


class Smiling:
    """Stands for the expression network: every face is happy."""

    def of(self, faces: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
        return np.tile(HAPPY, (len(faces), 1))


@pytest.fixture
def observed(monkeypatch: pytest.MonkeyPatch) -> list[Faces]:
    """The observers of the films that are watched, with networks that find a face anywhere."""
    kept: list[Faces] = []

    class Observed(Faces):
        def __init__(self, film: Any, looking: Executor) -> None:
            super().__init__(film, looking)
            self._detector, self._expressions = Everywhere(), Smiling()  # type: ignore[assignment]
            kept.append(self)

    monkeypatch.setattr(watching, "Faces", Observed)
    return kept


def test_a_film_is_looked_at_in_each_shot_and_its_faces_end_at_cuts(
    tmp_path: Path, draw_cut: Callable[..., Path], observed: list[Faces]
) -> None:
    film = open_film(draw_cut(tmp_path / "cut.mp4", frames=100))
    footage = watch(film, needs=Needs(faces=True))
    (cut,) = footage.cuts
    spans = [(face.start, face.end) for face in footage.faces]
    assert spans == [(0.0, cut.time), (cut.time, film.duration)]


def test_faces_are_not_looked_for_unless_somebody_needs_them(
    tmp_path: Path, draw_cut: Callable[..., Path], observed: list[Faces]
) -> None:
    assert watch(open_film(draw_cut(tmp_path / "cut.mp4"))).faces == ()
    assert not observed


def test_where_nothing_changes_one_look_is_enough_and_it_holds(
    tmp_path: Path, write_film: Callable[..., Path], observed: list[Faces]
) -> None:
    still = [np.full((48, 64, 3), 120, np.uint8)] * 100
    footage = watch(open_film(write_film(tmp_path / "still.mp4", still)), needs=Needs(faces=True))
    assert len(observed[0].looks) == 1
    assert [(face.start, face.end) for face in footage.faces] == [(0.0, 4.0)]


def test_quick_cuts_are_looked_at_no_oftener_than_can_be_afforded(
    tmp_path: Path, write_film: Callable[..., Path], observed: list[Faces]
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (150, 48, 64, 3), np.uint8)
    film = open_film(write_film(tmp_path / "noise.mp4", noise))
    watch(film, needs=Needs(faces=True))
    assert len(observed[0].looks) <= SAVED + RATE * film.duration + 1


def test_two_hundred_faces_are_asked_for_those_that_are_largest(
    tmp_path: Path,
    write_film: Callable[..., Path],
    observed: list[Faces],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Everywhere, "count", 200)
    still = [np.full((48, 64, 3), 120, np.uint8)] * 50
    footage = watch(open_film(write_film(tmp_path / "crowd.mp4", still)), needs=Needs(faces=True))
    assert len(footage.faces) == MOST


@pytest.mark.parametrize("size", [(16, 16), (120, 32), (32, 120)])
def test_small_narrow_and_empty_films_have_no_faces(
    tmp_path: Path, write_film: Callable[..., Path], size: tuple[int, int]
) -> None:
    black = [np.zeros((*size, 3), np.uint8)] * 10
    assert not _faces(write_film(tmp_path / "black.mp4", black))
    noise = np.random.default_rng(0).integers(0, 256, (20, *size, 3), np.uint8)
    assert not _faces(write_film(tmp_path / "noise.mp4", noise))


def test_a_turned_film_is_looked_at_upright(tmp_path: Path, observed: list[Faces]) -> None:
    import av

    path = tmp_path / "turned.mp4"
    with av.open(path, "w") as film:
        stream: Any = film.add_stream("libx264", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = 96, 48, "yuv420p"
        stream.set_display_rotation(90)
        for i in range(10):
            picture = np.full((48, 96, 3), 10 * i, np.uint8)
            film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        film.mux(stream.encode(None))
    watch(open_film(path), needs=Needs(faces=True))
    assert observed[0]._detector.shapes[0] == (96, 48, 3)  # type: ignore[attr-defined]


def _faces(path: Path) -> tuple[Face, ...]:
    return watch(open_film(path), needs=Needs(faces=True)).faces


def test_looking_leaves_the_number_of_threads_as_it_was(
    tmp_path: Path, draw_cut: Callable[..., Path], observed: list[Faces]
) -> None:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        watch(open_film(draw_cut(tmp_path / "cut.mp4")), needs=Needs(faces=True))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.slow
def test_a_laughing_face_of_a_real_film_is_happy_mirrored_or_not(shared: Path) -> None:
    faces = _faces(shared / "clips" / "mdn_friday_bw.mp4")
    largest = max(faces, key=lambda face: face.looks)
    assert largest.looks >= 4
    assert max(largest.expression, key=lambda name: largest.expression[name]) == "happy"


# What faces make of a film


def footage_of(*faces: Face) -> Footage:
    return replace(example_footage(), faces=faces)


def face(expression: str = "happy", share: float = 1.0, **values: float) -> Face:
    shares = {"neutral": 1 - share, expression: share}
    return replace(Face(0.0, 20.0, 5, 0.3, 0.4, shares), **values)  # type: ignore[arg-type]


def felt(*faces: Face, span: tuple[float, float] = (0.0, 20.0)) -> Any:
    (belief,) = Estimator().feel(footage_of(*faces), [span])
    return belief


def test_the_estimator_keeps_the_rules_and_the_faces_are_drawn_for_it() -> None:
    check_estimator(Estimator())
    footage = example_footage(Needs(faces=True))
    said = Estimator().feel(footage, [(0.0, 12.0), (12.0, 20.0), (0.0, 1.0)])
    assert [belief.words for belief in said] == [
        "one face, sad 0.7",
        "two faces, happy 0.8",
        "no face",
    ]


def test_happy_faces_are_pleasant_and_angry_ones_are_not() -> None:
    assert felt(face("happy")).valence > 0.5
    assert felt(face("angry")).valence < -0.3
    assert felt(face("sad")).arousal < 0 < felt(face("fearful")).arousal


def test_without_a_face_there_is_nothing_to_say() -> None:
    nothing = felt()
    assert nothing.words == "no face"
    assert math.isinf(nothing.valence_sd)
    assert math.isinf(nothing.arousal_sd)
    assert math.isinf(felt(face(end=5.0), span=(5.0, 9.0)).valence_sd)


def test_a_neutral_face_and_one_that_is_seen_briefly_say_little() -> None:
    sure = felt(face("happy"))
    assert felt(face("happy", 0.1)).valence_sd > 2 * sure.valence_sd
    assert felt(face("happy", end=2.0)).valence_sd > 2 * sure.valence_sd


def test_a_face_that_was_seen_once_says_less_than_one_seen_often() -> None:
    once, often = felt(face(looks=1)), felt(face(looks=9))
    assert once.valence == pytest.approx(often.valence)
    assert once.valence_sd > 1.2 * often.valence_sd
    assert (
        felt(face("happy", looks=9), face("angry", looks=1)).valence
        > felt(face("happy"), face("angry")).valence + 0.1
    )


def test_a_crowd_is_no_surer_than_one_and_disagreement_is_less_sure() -> None:
    one, crowd = felt(face()), felt(*[face()] * 40)
    assert crowd.valence_sd == pytest.approx(one.valence_sd)
    assert crowd.words == "a crowd, happy 1.0"
    assert felt(face(), face("angry")).valence_sd > 1.1 * one.valence_sd


def test_large_and_sharp_faces_count_for_more() -> None:
    small = felt(face("happy", height=0.5), face("angry", height=0.1))
    blurred = felt(face("happy", sharpness=0.4), face("angry", sharpness=0.05))
    even = felt(face("happy"), face("angry"))
    assert min(small.valence, blurred.valence) > even.valence + 0.2
