"""Candidates: told of one by one as they are judged, and composed alone again, to the byte."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

import emsync
from emsync import pipeline
from emsync.analysis import Analysis, Cut, State
from emsync.cli import main
from emsync.composition import Composition
from emsync.errors import EmsyncError
from emsync.model.composer import Composer, Sample
from emsync.model.transformer import EventTransformer, ModelConfig
from emsync.options import Options, Sampling
from emsync.pipeline import PAIR, STRIDE, at_once
from emsync_conditioners.boundaries import Boundaries
from emsync_conditioners.chroma import Chroma
from emsync_conditioners.metre import Metre
from emsync_conditioners.valence_arousal import ValenceArousal
from emsync_tokenizers import vocabulary as v
from emsync_tokenizers.events import Events

# the network here knows no chords, and is held to those asked for by rules alone
pytestmark = pytest.mark.filterwarnings("ignore:the network of this checkpoint was not taught")

TEMPO = 117.1875
FILM = Analysis(
    12.0,
    "25",
    cuts=(Cut(1.96, 0.9), Cut(4.4, 0.8), Cut(7.2, 1.0), Cut(9.0, 0.7)),
    arc=(State(0.0, 4.4, 0.4, 0.1), State(4.4, 12.0, -0.5, 0.6)),
    valence=0.1,
    arousal=0.4,
    source="film.mp4",
)


@pytest.fixture(scope="module")
def composer() -> Composer:
    """An untrained network of the shipped one's kind."""
    torch.manual_seed(0)
    config = ModelConfig(v.SIZE, width=32, depth=1, heads=2, context=256, position_channels=18)
    model = EventTransformer(config, (ValenceArousal(), Metre(), Boundaries(), Chroma()))
    with torch.no_grad():
        model.head.bias[v.SHIFT : v.NOTE] += 2.5
    return Composer(model.eval(), Events().at_tempo(TEMPO), TEMPO)


@pytest.fixture(scope="module")
def film(draw_cut: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_cut(tmp_path_factory.mktemp("film") / "film.mp4", frames=300)


@pytest.fixture(scope="module")
def kept(composer: Composer, film: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("kept") / "kept.mid"
    emsync.generate(film, options(candidates=1), checkpoint=composer).save(path)
    return path


def options(**values: Any) -> Options:
    return Options(**{"analysis": FILM, "palette": "plain", "seed": 6, **values})


def scores(composition: Composition) -> dict[int, bytes]:
    """Return the scores of all candidates by their seeds."""
    return {one.seed: composition.midi(one) for one in composition.candidates}


@pytest.mark.parametrize("anew", [False, True], ids=["piece", "draft"])
def test_each_candidate_is_told_of_as_it_is_judged(
    composer: Composer, film: Path, kept: Path, anew: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    asked = options(candidates=3, **({"keep": kept, "redo": "3-6"} if anew else {}))
    told: list[Composition] = []
    shares: list[float] = []
    at: list[float] = []  # how far all was when each was told of

    def progress(stage: str, share: float) -> None:
        if stage == "Composing":
            shares.append(share)

    def listen(piece: Composition) -> None:
        told.append(piece)
        at.append(shares[-1])

    whole = emsync.generate(
        film, asked, checkpoint=composer, progress=progress, on_candidate=listen
    )
    assert [piece.best.seed for piece in told] == [6 + k * STRIDE for k in range(3)]
    assert not any(piece.others for piece in told)
    assert {piece.best.seed: piece.midi() for piece in told} == scores(whole)
    assert {piece.best for piece in told} == set(whole.candidates)
    assert shares == sorted(shares) and 0 == shares[0] < shares[-1] <= 1
    assert max(at[:PAIR]) <= PAIR / 3 < at[PAIR]  # the first ones before the others are drawn


@pytest.mark.parametrize("anew", [False, True], ids=["piece", "draft"])
def test_how_many_are_drawn_at_once_changes_no_byte(
    composer: Composer, film: Path, kept: Path, anew: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = options(candidates=5, **({"keep": kept, "redo": "3-6"} if anew else {}))
    together = scores(emsync.generate(film, asked, checkpoint=composer))
    assert len(set(together.values())) == 5
    for size in (1, 2, 3):
        monkeypatch.setattr(pipeline, "at_once", lambda _sampling, few=size: few)
        told: list[Composition] = []
        found = emsync.generate(film, asked, checkpoint=composer, on_candidate=told.append)
        assert len(told) == 5 and scores(found) == together


@pytest.mark.parametrize(
    ("threads", "guidance", "few"), [(1, 1.0, 2), (2, 1.5, 2), (8, 1.0, 8), (8, 1.5, 4)]
)
def test_threads_say_how_many_are_drawn_at_once(
    threads: int, guidance: float, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert at_once(Sampling(guidance=guidance)) == few


def test_what_the_listener_raises_ends_the_work(
    composer: Composer, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    draw = pipeline.draw

    def spy(composer: Composer, briefs: Any, seeds: Sequence[int], *values: Any,
            **named: Any) -> list[Sample]:  # fmt: skip
        drawn.extend(seeds)
        return draw(composer, briefs, seeds, *values, **named)

    def full(_piece: Composition) -> None:
        raise EmsyncError("the disk is full")

    monkeypatch.setattr(pipeline, "draw", spy)
    monkeypatch.setattr(pipeline, "at_once", lambda _sampling: 2)
    with pytest.raises(EmsyncError, match="the disk is full"):
        emsync.generate(film, options(candidates=4), checkpoint=composer, on_candidate=full)
    assert drawn == [6, 6 + STRIDE]


WISHES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "feeling": {"emotion": "joy", "max_va": 0.6, "arc": "constant"},
    "music": {"tonic": "D", "mode": "minor", "instruments": "piano,strings", "ending": "fade"},
    "chords": {"chords": "Am F", "palette": "chamber", "humanize": 0.5},
    "cuts": {"cuts": "none"},
    "distance": {"min_cut_distance": 4.0, "sync": "downbeat", "max_tempo_change": 0.03},
    "drawing": {"temperature": 0.9, "top_p": 0.9, "guidance": 1.5, "rules_off": ("order",)},
    "timecode": {"start_timecode": "01:00:00:00", "tempo": 96.0},
}


@pytest.mark.parametrize("wishes", WISHES.values(), ids=WISHES)
@pytest.mark.parametrize("anew", [None, "3-6", "8-"], ids=["piece", "draft", "end"])
def test_a_candidate_is_composed_alone_again(
    composer: Composer, film: Path, kept: Path, tmp_path: Path, wishes: dict[str, Any],
    anew: str | None,
) -> None:  # fmt: skip
    """Of its analysis, plan and seed, and what says how it is drawn; also as files keep them."""
    if anew is not None:
        wishes = {k: value for k, value in wishes.items() if k != "tempo"}
        wishes |= {"keep": kept, "redo": anew}
    whole = emsync.generate(film, options(candidates=2, **wishes), checkpoint=composer)
    for one in whole.candidates:
        recipe = whole.recipe(one)
        again = emsync.generate(film, recipe, checkpoint=composer)
        assert (again.analysis, again.plan) == (whole.analysis, whole.plan)
        assert again.midi() == whole.midi(one)
        assert again.best.parts == one.parts
    assert isinstance(recipe.analysis, Analysis) and isinstance(recipe.plan, emsync.Plan)
    recipe.analysis.save(tmp_path / "analysis.json")
    recipe.plan.save(tmp_path / "plan.json")
    filed = Options(
        **{
            **vars(recipe),
            "analysis": tmp_path / "analysis.json",
            "plan": tmp_path / "plan.json",
        }
    )
    assert emsync.generate(film, filed, checkpoint=composer).midi() == whole.midi(one)


def test_a_theme_that_is_given_is_in_the_recipe(composer: Composer, film: Path, kept: Path) -> None:
    whole = emsync.generate(film, options(theme=kept), checkpoint=composer)
    second = whole.others[0]
    assert whole.recipe(second).theme == kept
    again = emsync.generate(film, whole.recipe(second), checkpoint=composer)
    assert again.midi() == whole.midi(second)


def test_the_recipe_of_a_film_that_was_watched(composer: Composer, film: Path) -> None:
    asked = Options(seed=3, rhythm=True)
    whole = emsync.generate(film, asked, checkpoint=composer)
    again = emsync.generate(film, whole.recipe(), checkpoint=composer)
    assert again.midi() == whole.midi()


def test_the_command_line_tells_of_each(
    film: Path, small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    FILM.save(tmp_path / "film.json")
    words = ["generate", str(film), "--analysis", str(tmp_path / "film.json"), "--json"]
    words += ["--checkpoint", str(small), "--out", str(tmp_path / "out.mid"), "--candidates"]
    assert main([*words, "3"]) == 0
    said = capsys.readouterr()
    lines = [line for line in said.err.splitlines() if "piece" in line]
    found = [re.fullmatch(r"emsync: piece (\d) of 3: score (.*), (\d) of 4 cuts hit", line)
             for line in lines]  # fmt: skip
    told = sorted((float(match[2]) for match in found if match), reverse=True)
    report = json.loads(said.out)
    assert [match[1] for match in found if match] == ["1", "2", "3"]
    assert told == [round(one["score"], 2) for one in report["candidates"]]
    assert main([*words, "1"]) == 0
    assert "piece" not in capsys.readouterr().err
