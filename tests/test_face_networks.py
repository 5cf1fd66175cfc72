"""The face networks say what the original says, wherever the face is and however large."""

from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
import torch

from emsync.arrays import Picture
from emsync.encoders import weights
from emsync.encoders.faces import detector, expressions
from emsync.encoders.faces.boxes import Box, cut_out
from emsync.encoders.faces.detector import FaceDetector
from emsync.encoders.faces.expressions import EXPRESSIONS, Expressions
from emsync.errors import AssetError

GREY, SKIN, HAIR, WHITE = (110, 120, 130), (214, 164, 136), (58, 40, 28), (240, 236, 230)
NOSE, MOUTH, NECK, SHIRT = (190, 134, 108), (150, 40, 45), (176, 128, 104), (40, 60, 110)


def grey(height: int, width: int) -> Picture:
    return np.full((height, width, 3), GREY, np.uint8)


def draw_face(picture: Picture, x: int, y: int, height: int) -> None:
    """Paint a face around (``x``, ``y``), with whole numbers alone, so everywhere the same."""
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]]
    u, v = 2000 * (columns - x) // height, 2000 * (rows - y) // height

    def oval(a: int, b: int, w: int, h: int, colour: tuple[int, int, int]) -> None:
        picture[((u - a) * h) ** 2 + ((v - b) * w) ** 2 <= (w * h) ** 2] = colour

    oval(0, -150, 580, 720, HAIR)
    oval(0, 1000, 1000, 260, SHIRT)
    oval(0, 700, 190, 300, NECK)
    oval(0, 60, 450, 640, SKIN)
    oval(0, -560, 480, 190, HAIR)
    for side in (-1, 1):
        oval(side * 190, -215, 125, 22, HAIR)
        oval(side * 190, -110, 110, 52, WHITE)
        oval(side * 190, -110, 48, 50, HAIR)
    oval(0, 205, 85, 36, NOSE)
    oval(0, 420, 200, 90, MOUTH)
    oval(0, 400, 170, 45, WHITE)


def portrait(height: int) -> Picture:
    picture = grey(112, 112)
    draw_face(picture, 56, 50, height)
    return picture


@pytest.fixture(scope="module")
def faces() -> FaceDetector:
    return FaceDetector.load()


@pytest.fixture(scope="module")
def looks() -> Expressions:
    return Expressions.load()


def test_boxes_are_those_of_the_original(
    faces: FaceDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    # @vladmandic/face-api 1.7.15 in node, tfjs 4.22.0 (cpu), SsdMobilenetv1Options 0.1
    golden = [
        (0.249963, 0.250271, 0.331296, 0.373827, 0.975482),
        (0.620489, 0.572856, 0.774535, 0.780670, 0.197818),
    ]
    picture = grey(512, 512)
    draw_face(picture, 150, 160, 90)
    draw_face(picture, 360, 330, 200)
    monkeypatch.setattr(detector, "AREA", 512 * 512)  # as large as the original looks at it
    (found,) = faces.detect([picture], 0.1)
    assert [astuple(box) for box in found] == [pytest.approx(box, abs=1e-3) for box in golden]


def test_expressions_are_those_of_the_original(looks: Expressions) -> None:
    # As above: faceExpressionNet.predictExpressions of the portraits
    golden = [
        [0.234489, 0.468993, 0.222137, 0.051890, 0.011152, 0.002052, 0.009287],
        [0.249681, 0.069302, 0.018026, 0.054378, 0.545048, 0.000079, 0.063486],
    ]
    with torch.inference_mode():
        ours = looks(expressions.batch([portrait(84), portrait(92)])).numpy()
    assert ours == pytest.approx(np.array(golden), abs=2e-4)
    assert ours.shape[1] == len(EXPRESSIONS)


@pytest.mark.parametrize(
    ("height", "width", "x", "y", "size"),
    [(180, 320, 100, 80, 60), (360, 640, 420, 170, 150), (640, 360, 180, 200, 150)],
)
def test_a_face_is_found_where_it_is(
    faces: FaceDetector, height: int, width: int, x: int, y: int, size: int
) -> None:
    picture = grey(height, width)
    draw_face(picture, x, y, size)
    ((box,),) = faces.detect([picture])
    assert box.left < x / width < box.right
    assert box.top < y / height < box.bottom
    assert box.height * height == pytest.approx(0.7 * size, rel=0.35)
    assert cut_out(picture, box).shape[0] == pytest.approx(box.height * height, abs=2)


def test_a_picture_without_a_face_has_none(faces: FaceDetector) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (180, 320, 3)).astype(np.uint8)
    black = np.zeros((180, 320, 3), np.uint8)
    assert faces.detect([black, grey(180, 320), noise]) == [[], [], []]
    assert faces.detect([]) == []


def test_a_picture_says_the_same_alone_and_among_others(faces: FaceDetector) -> None:
    one, other = grey(180, 320), grey(180, 320)
    draw_face(one, 100, 80, 60)
    draw_face(other, 220, 90, 70)
    assert faces.detect([one, other]) == [*faces.detect([one]), *faces.detect([other])]


def test_the_smallest_picture_is_looked_at(faces: FaceDetector) -> None:
    assert faces.detect([np.zeros((1, 1, 3), np.uint8)]) == [[]]
    assert faces.detect([np.zeros((2, 4000, 3), np.uint8)]) == [[]]


def test_a_face_and_its_mirror_image_express_the_same(looks: Expressions) -> None:
    face = portrait(92)
    face[:, :30] //= 2  # lit from one side
    straight, mirrored = looks.of([face, face[:, ::-1]])
    assert straight == pytest.approx(mirrored, abs=2e-3)


def test_shares_of_expressions_sum_to_one(looks: Expressions) -> None:
    shares = looks.of([portrait(84), grey(1, 1), grey(300, 20)])
    assert shares.shape == (3, len(EXPRESSIONS))
    assert shares.sum(1) == pytest.approx(np.ones(3), abs=4e-3)
    assert looks.of([]).shape == (0, len(EXPRESSIONS))


def test_a_box_at_the_edge_is_cut_out_of_the_picture() -> None:
    picture = grey(10, 20)
    assert cut_out(picture, Box(0.5, 0.5, 1.0, 1.0, 1)).shape == (5, 10, 3)
    assert cut_out(picture, Box(1.0, 1.0, 1.0, 1.0, 1)).shape == (1, 1, 3)


def test_weights_that_are_missing_or_cut_off_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = weights.weights_of("faces").read_bytes()
    path = tmp_path / "encoders" / "faces" / "model.safetensors"
    monkeypatch.setattr(weights, "checkpoints_folder", lambda: tmp_path)
    with pytest.raises(AssetError, match="'faces' is not installed"):
        FaceDetector.load()
    path.parent.mkdir(parents=True)
    path.write_bytes(whole[:-1000])
    for load in (FaceDetector.load, Expressions.load):
        with pytest.raises(AssetError, match="cut off"):
            load()
