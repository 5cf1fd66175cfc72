"""Candidates: told of one by one as they are judged, and composed alone again, to the byte."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

import emsync
from emsync import composing
from emsync.analysis import Analysis, Cut, State
from emsync.cli import main
from emsync.composing import PAIR, at_once
from emsync.composition import Composition
from emsync.errors import EmsyncError
from emsync.model.composer import Composer, Sample
from emsync.model.transformer import EventTransformer, ModelConfig
from emsync.options import MOST_SEED, Options, Sampling
from emsync.pipeline import STRIDE, seeds_of
from emsync.studio.document import Document
from emsync.studio.tasks import options_of_recipe
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
        monkeypatch.setattr(composing, "at_once", lambda _sampling, few=size: few)
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
    draw = composing.draw

    def spy(composer: Composer, briefs: Any, seeds: Sequence[int], *values: Any,
            **named: Any) -> list[Sample]:  # fmt: skip
        drawn.extend(seeds)
        return draw(composer, briefs, seeds, *values, **named)

    def full(_piece: Composition) -> None:
        raise EmsyncError("the disk is full")

    monkeypatch.setattr(composing, "draw", spy)
    monkeypatch.setattr(composing, "at_once", lambda _sampling: 2)
    with pytest.raises(EmsyncError, match="the disk is full"):
        emsync.generate(film, options(candidates=4), checkpoint=composer, on_candidate=full)
    assert drawn == [6, 6 + STRIDE]


@pytest.mark.parametrize(
    ("wishes", "redo"),
    [
        ({}, None),
        ({"tonic": "D", "mode": "minor", "instruments": ["piano", "strings"]}, None),
        ({"chords": "Am F", "palette": "chamber", "ending": "fade", "strength": 0.6}, None),
        ({"sync": "downbeat", "max_tempo_change": 0.03, "humanize": 0.5}, None),
        ({"temperature": 0.9, "top_p": 0.9, "guidance": 1.5, "tempo": 96.0}, None),
        ({"humanize": 0.5, "guidance": 1.5}, [3.0, 6.0]),
        ({"strength": 0.6}, [8.0, 12.0]),
    ],
)
def test_a_candidate_is_composed_alone_again_of_its_recipe(
    composer: Composer, film: Path, kept: Path, wishes: dict[str, Any], redo: list[float] | None
) -> None:
    """As the studio does it: of its analysis, plan and seed, and what says how it is drawn."""
    wishes = {"palette": "plain", **wishes}
    document = Document.of(FILM, wishes).to_json()
    recipe = {name: document[name] for name in ("analysis", "plan", "wishes")} | {"redo": redo}
    score = kept if redo else None
    asked = options_of_recipe(recipe, score, 6, candidates=2)
    whole = emsync.generate(film, asked, checkpoint=composer)
    for one in whole.candidates:
        alone = options_of_recipe(recipe, score, one.seed)
        again = emsync.generate(film, alone, checkpoint=composer)
        assert (again.analysis, again.plan) == (whole.analysis, whole.plan)
        assert again.midi() == whole.midi(one)
        assert again.best.parts == one.parts


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


def test_each_candidate_has_a_seed_with_which_it_can_be_drawn_again() -> None:
    assert seeds_of(Options(seed=6, candidates=2)) == [6, 6 + STRIDE]
    assert seeds_of(Options(seed=MOST_SEED, candidates=2)) == [MOST_SEED, STRIDE - 1]
