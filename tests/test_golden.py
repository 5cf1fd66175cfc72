"""Two drawn films and what is made of them, as files: a change of the music is seen.

``python -m pytest tests/test_golden.py --update-golden`` writes tests/golden anew.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from emsync import Options, analyze, generate

GOLDEN = Path(__file__).parent / "golden"
FILES = ("analysis.json", "facts.json", "score.mid")
NEAR = 2e-3  # of a measured value: processors differ in how they scale pictures


class Film(NamedTuple):
    """A film to draw, and how its music is asked for."""

    rate: Fraction
    frames: int
    size: tuple[int, int]  # (width, height) in pixels
    picture: Callable[[int, int, int], Any]  # frame, width, height -> (height, width, 3)
    options: Options


def three_scenes(frame: int, width: int, height: int) -> Any:
    """Two hard cuts: a calm dark scene, a bright one in which much moves, a green one."""
    y, x = np.mgrid[:height, :width]
    if frame < 55:
        plain, speed, radius = (24, 30, 66), 1, 9
    elif frame < 160:
        plain, speed, radius = (236, 190, 70), 7, 14
    else:
        plain, speed, radius = (40, 120, 60), 3, 11
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = plain
    picture[(x // 8 + y // 8) % 2 == 0] += 12
    middle = (20 + frame * speed) % width
    picture[(x - middle) ** 2 + (y - height // 2) ** 2 < radius**2] = (200, 40, 60)
    return picture


def through_black(frame: int, width: int, height: int) -> Any:
    """A slow pan over stripes that fades to black and comes back in another colour."""
    y, x = np.mgrid[:height, :width]
    stripes = ((x + y + frame) // 10 % 2 * 60).astype(np.float64)
    colour = np.array([150.0, 90.0, 40.0] if frame < 100 else [60.0, 110.0, 190.0])
    light = min(1.0, abs(frame - 100) / 12)
    return np.uint8(np.clip((stripes[..., None] + colour) * light, 0, 255))


FILMS = {
    "three-scenes": Film(Fraction(25), 215, (160, 90), three_scenes, Options(seed=3)),
    "through-black": Film(
        Fraction(30000, 1001), 200, (90, 160), through_black,
        Options(seed=1, candidates=1, tonic="D", ending="fade", start_timecode="01:00:00;00"),
    ),
}  # fmt: skip


def draw(film: Film, path: Path) -> None:
    """Write the film without loss, so that every decoder shows the same pictures."""
    import av

    with av.open(str(path), "w", format="matroska") as out:
        stream = out.add_stream("ffv1", rate=film.rate)
        stream.width, stream.height = film.size
        stream.pix_fmt = "bgr0"
        for i in range(film.frames):
            frame = av.VideoFrame.from_ndarray(film.picture(i, *film.size), "rgb24")
            out.mux(stream.encode(frame.reformat(format="bgr0")))
        out.mux(stream.encode(None))


def near(value: Any) -> Any:
    """Return ``value`` as something that is equal to what is the same but for NEAR."""
    if isinstance(value, dict):
        return {key: near(part) for key, part in value.items()}
    if isinstance(value, list):
        return [near(part) for part in value]
    return pytest.approx(value, abs=NEAR, rel=NEAR) if isinstance(value, float) else value


def compose(clip: Path, analysis: Path, options: Options, folder: Path) -> None:
    """Write score.mid and facts.json for an analysis, with the shipped checkpoint."""
    composition = generate(clip, replace(options, analysis=analysis))
    composition.save(folder / "score.mid")
    facts = composition.to_json()
    del facts["settings"]  # which name the path of the analysis
    (folder / "facts.json").write_text(json.dumps(facts, indent=1) + "\n")


@pytest.fixture(params=FILMS)
def film(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """The name of a film, and where it is drawn."""
    draw(FILMS[request.param], tmp_path / f"{request.param}.mkv")
    return request.param, tmp_path / f"{request.param}.mkv"


def test_what_is_seen_and_composed_is_what_it_was(
    film: tuple[str, Path], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    name, clip = film
    made, kept = tmp_path / "made", GOLDEN / name
    made.mkdir()
    analyze(clip).save(made / "analysis.json")
    if update := request.config.getoption("--update-golden"):
        kept.mkdir(parents=True, exist_ok=True)
        (kept / "analysis.json").write_bytes((made / "analysis.json").read_bytes())
    # from the analysis that is kept: processors differ in pictures, not in music
    compose(clip, kept / "analysis.json", FILMS[name].options, made)
    if update:
        for file in FILES[1:]:
            (kept / file).write_bytes((made / file).read_bytes())
    assert sorted(path.name for path in kept.iterdir()) == list(FILES)
    for file in FILES[:2]:
        assert json.loads((made / file).read_text()) == near(json.loads((kept / file).read_text()))
    assert (made / "score.mid").read_bytes() == (kept / "score.mid").read_bytes()
