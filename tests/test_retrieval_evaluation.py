"""Measuring how music is found: galleries without leaks, figures beside chance, both protocols."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_pairs import write_store

from emsync.cli import main
from emsync.data.split import song_key
from emsync.errors import InputError, UsageError
from emsync.evaluation.retrieval import OWN, PAIRS, ask, cut, evaluate, galleries, untrained
from emsync.matching.matcher import Columns
from emsync.retrieval.checkpoint import System
from emsync.retrieval.config import RetrievalConfig
from emsync.retrieval.pairs import PairStore
from emsync.retrieval.pulses import cm_scores, dm_scores
from emsync.retrieval.scoring import by_own, by_query
from emsync.retrieval.training import train

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"
)  # torch and tensorboard warn of one another


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(
        tmp_path_factory.mktemp("pairs") / "store", songs=60, shared=True, seconds=20
    )


@pytest.fixture(scope="module")
def trained(store: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The folders of a VM-Net and of an OF-VM-Net."""
    folder = tmp_path_factory.mktemp("runs")
    config = RetrievalConfig(
        store=str(store), out=str(folder / "vm"), system="vm-net", film=("motion",),
        music=("chroma",), network={"hidden": 32, "width": 16}, steps=60, batch=16, rate=0.003,
    )  # fmt: skip
    train(config)
    train(
        replace(config, out=str(folder / "of"), system="of-vm-net", network={"width": 8}, steps=2)
    )
    return {name: str(folder / name) for name in ("vm", "of")}


def test_what_learned_is_above_chance_and_what_did_not_is_at_it(
    store: Path, trained: dict[str, str]
) -> None:
    report = evaluate(store, [trained["vm"], trained["of"]])
    assert (report["films"], report["units"], report["gallery"], report["seconds"]) == (
        36, 18, 18, 20,
    )  # fmt: skip
    rows, chance = report["systems"], report["chance"]
    names = (trained["vm"], trained["of"], trained["of"] + OWN, "untrained", "cm", "dm")
    assert tuple(rows) == names
    assert chance["recall"][1] == pytest.approx(1 / 18) and chance["median_rank"] == 9.5
    learned = rows[trained["vm"]]
    assert learned["recall"][5]["low"] > chance["recall"][5] and learned["p"] < 0.01
    assert learned["percentile"]["high"] < 0.3
    for name in ("untrained", "cm"):
        assert rows[name]["percentile"]["low"] < 0.5 < rows[name]["percentile"]["high"]
    assert 0 <= rows[trained["of"]]["flow_order"]["value"] <= 1


def test_only_what_divides_films_by_their_flow_is_measured_by_it(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store", songs=4, shared=True, held=1, seconds=30)
    widths = {"motion": 40}, {"chroma": 12}
    system = System.build("ut-cmvmr", *widths, {"shrink": 32})
    system.save(tmp_path / "cmvmr")
    np.save(tmp_path / "cmvmr" / "trained.npy", np.zeros(0, np.uint32))
    assert len(system.film_parts(PairStore.open(store).film(0))) == 2
    rows = evaluate(store, [name := str(tmp_path / "cmvmr")])["systems"]
    assert tuple(rows) == (name, name + PAIRS, "untrained", "cm", "dm")
    assert not any("flow_order" in row for row in rows.values())
    assert rows[name + PAIRS]["shortlist"] == 1  # of eight tracks all are on it


def test_a_gallery_has_one_passage_of_each_song_and_of_the_own_song_the_own_one() -> None:
    groups = ["a", "a", "b", "c", "c", "c", "d"]
    table, right = galleries(groups, seed=0)
    assert table.shape == right.shape == (7, 4) and (right.sum(1) == 1).all()
    assert table[right].tolist() == list(range(7))
    for row in table:
        assert [groups[i] for i in row] == ["a", "b", "c", "d"]
    assert (galleries(groups, seed=0)[0] == table).all()
    drawn = Counter(int(galleries(groups, seed)[0][0, 2]) for seed in range(300))
    assert set(drawn) == {3, 4, 5} and 60 < drawn[3] < 140


def test_songs_that_were_trained_on_are_never_asked_for(store: Path) -> None:
    opened = PairStore.open(store)
    asked = ask(opened, set(), None, (), 8, 0)
    fewer = ask(opened, {song_key("song0"), song_key("song1")}, None, (), 8, 0)
    songs = [{pair.song for pair in one.pairs} for one in (asked, fewer)]
    assert songs[0] - songs[1] == {"song0", "song1"}
    version = replace(opened.pairs[4], song="another version")
    fewer = ask(opened, version.keys, None, (), 8, 0)
    assert songs[0] - {pair.song for pair in fewer.pairs} == {opened.pairs[4].song}
    assert all(pair.split == "held" for pair in asked.pairs)
    assert {pair.style for pair in ask(opened, set(), None, ("lines",), 8, 0).pairs} == {"lines"}


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"gallery": 18}, UsageError, "gallery is 18; the store .* choose from 1 to 17"),
        ({"styles": ("cubes",)}, UsageError, "no films of the style 'cubes', but lines, shapes"),
        ({"seconds": 30}, InputError, "has 0 held-out songs of 30 s or more"),
    ],
)
def test_what_cannot_be_is_refused(
    changes: dict[str, Any], error: type[Exception], words: str, store: Path
) -> None:
    kinds: dict[str, Any] = {
        "trained": set(),
        "gallery": None,
        "styles": (),
        "seconds": 8,
        "seed": 0,
    }
    with pytest.raises(error, match=words):
        ask(PairStore.open(store), **{**kinds, **changes})


def test_scores_are_those_of_each_film_and_track_alone(
    store: Path, trained: dict[str, str]
) -> None:
    opened = PairStore.open(store)
    films, music = ([of(i) for i in range(5)] for of in (opened.film, opened.music))
    for name in trained.values():
        system = System.load(name)
        scores = by_query(system, films, music)
        for q, film in enumerate(films):
            parts = system.film_parts(film)
            for t, track in enumerate(music):
                both = system.embed_film(film, parts) * system.embed_music(track, parts)
                assert scores[q, t] == pytest.approx(both.sum() / len(parts), abs=1e-5)
        own = by_own(system, films, music)
        assert np.allclose(np.diag(own), np.diag(scores), atol=1e-5)


def test_what_learned_nothing_reads_what_the_other_does(trained: dict[str, str]) -> None:
    system = System.load(trained["vm"])
    bare, again = untrained(system, 0), untrained(system, 0)
    for name, weight in bare.state_dict().items():
        assert weight.equal(again.state_dict()[name])
        same = weight.equal(system.state_dict()[name])
        assert same or name.startswith("network.")
    first = "network.of_film.0.weight"
    assert not bare.state_dict()[first].equal(system.state_dict()[first])


def test_any_seed_will_do(trained: dict[str, str], store: Path) -> None:
    told = evaluate(store, [next(iter(trained.values()))], gallery=5, seconds=2, seed=10**30)
    assert told["seed"] == 10**30


def test_columns_are_cut_to_the_same_seconds(store: Path) -> None:
    opened = PairStore.open(store)
    film, music = cut(opened.film(0), 9), cut(opened.music(0), 9)
    assert [len(film[name]) for name in ("motion", "flow", "impact")] == [9, 36, 388]
    assert [len(music[name]) for name in ("chroma", "beats", "strength", "pulse", "rhythm")] == [
        9, 18, 18, 18, 388,
    ]  # fmt: skip


def test_cm_and_dm_find_the_music_whose_pulse_a_film_has() -> None:
    """Bells at random moments, of ten films and their music."""
    rng = np.random.default_rng(0)
    films: list[Columns] = []
    tracks: list[Columns] = []
    for _ in range(10):
        seconds = np.cumsum(rng.uniform(0.4, 0.7, 15))
        signal = np.zeros(round(12 * 22050 / 512))
        steps = np.rint(seconds[seconds < 11] * 22050 / 512).astype(int)
        signal[steps] = 1
        signal = np.convolve(signal, np.exp(-(np.arange(-4, 5) ** 2) / 2), "same")
        films.append({"impact": signal})
        tracks.append({"rhythm": signal, "pulse": seconds.astype(np.float32)})
    tracks.append({"rhythm": np.zeros(100), "pulse": np.zeros(0, np.float32)})
    cm = cm_scores(films, tracks, 12)
    assert (cm.argmax(1) == np.arange(10)).all() and np.allclose(np.diag(cm), 1)
    assert (cm[:, -1] == 0).all()
    dm = dm_scores(films, tracks, 12)
    assert (dm[:, -1] == 0).all() and np.isfinite(dm).all()
    assert (dm.argmax(1) == np.arange(10)).mean() > 0.5


def test_the_command_prints_a_table_and_json(
    store: Path, trained: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", "retrieval", str(store), "--checkpoint", trained["of"], "--gallery", "9"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "among 10 passages" in said and "| chance" in said and "in order of flow" in said
    assert main([*words, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["gallery"] == 10 and report["chance"]["recall"]["10"] == 1.0
    assert main(["evaluate", "retrieval", str(store), "--checkpoint", "nowhere"]) == 4
