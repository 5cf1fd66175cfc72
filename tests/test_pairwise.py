"""What finds music by each side alone and then scores it in pairs."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
import torch

from emsync.matching import pairwise
from emsync.matching.matcher import Column, Columns, Match, Shelf
from emsync.matching.pairwise import UtCmvmr
from emsync.matching.towers import Cbvmr, Cmvae, Towers
from emsync.retrieval.checkpoint import System
from emsync.retrieval.network import Batch, Parts
from emsync.retrieval.pairing import (
    by_pairs,
    of_film,
    of_music,
    scores,
    shortlist_recall,
)

SECONDS, TRACKS = 28, 200
FILM, MUSIC = {"motion": 40}, {"onsets": 3, "chroma": 12}


def pair(seed: int, seconds: int = SECONDS) -> tuple[Columns, Columns]:
    """Return a film and music that share 8 numbers."""
    chance = np.random.default_rng(seed)
    film, music = (
        {
            name: chance.normal(size=(seconds, width)).astype(np.float32)
            for name, width in of.items()
        }
        for of in (FILM, MUSIC)
    )
    film["motion"][:, :8] += 2 * (shared := chance.normal(size=8))
    music["chroma"][:, :8] += 2 * shared
    beats = np.arange(0, seconds, 0.5, dtype=np.float32)
    music |= {"beats": beats, "strength": np.abs(chance.normal(size=len(beats)))}
    return {**film, "flow": np.abs(chance.normal(size=4 * seconds))}, music


def taught(system: System, pairs: Sequence[tuple[Columns, Columns]], steps: int) -> None:
    """Let a system learn pairs for a few steps."""
    network, readers = system.network.train(), (system.films, system.music)
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    for step in range(steps):
        some = [pairs[(step * 16 + i) % len(pairs)] for i in range(16)]
        films, music = (
            Parts.of(
                [reader(both[side]) for both in some],
                [network.marks(both[side], (0, SECONDS)) for both in some],
            )
            for side, reader in enumerate(readers)
        )
        zeros = torch.zeros(len(some), dtype=torch.int64)
        batch = Batch(films, music, torch.arange(len(some)), zeros, zeros)
        optimizer.zero_grad()
        network.loss(batch, step / steps).backward()  # type: ignore[no-untyped-call]
        optimizer.step()


@cache
def made(steps: int) -> System:
    """Return a small system that has learned for some steps."""
    torch.manual_seed(0)
    system = System.build("ut-cmvmr", FILM, MUSIC, {"shrink": 16, "dropout": 0.0})
    pairs = [pair(seed) for seed in range(1000, 1080)]
    for reader, side in ((system.films, 0), (system.music, 1)):
        reader.fit({name: [both[side][name] for both in pairs] for name in reader.names})
    taught(system, pairs, steps)
    return system.eval()


@pytest.fixture(params=[0, 40], ids=["untrained", "trained"], scope="module")
def matcher(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> UtCmvmr:
    folder = tmp_path_factory.mktemp("system")
    made(request.param).save(folder)
    return UtCmvmr(str(folder))


@pytest.fixture(scope="module")
def many(matcher: UtCmvmr) -> Shelf:
    return shelf(matcher, [pair(seed)[1] for seed in range(TRACKS)])


def seen(matcher: UtCmvmr, film: Columns) -> Columns:
    parts = matcher.system.film_parts(film)
    seconds = np.array([float(len(film["motion"]))])
    own = matcher.embed_film(film, parts)
    return {**own, "parts": np.array(parts, np.int64), "seconds": seconds}


def shelf(matcher: UtCmvmr, tracks: Sequence[Columns], silent: Sequence[int] = ()) -> Shelf:
    heard = {}
    for number, track in enumerate(tracks):
        seconds = len(track["chroma"])
        starts = range(0, max(seconds - 28, 0) + 1, 14)
        own = matcher.embed_music(track, [(start, start + 28) for start in starts])
        mean = own["passages"].mean(axis=0, dtype=np.float32)[None]
        if number in silent:
            own = {name: rows[:0] for name, rows in own.items()}
        heard[f"{number}.wav"] = float(seconds), {**own, "mean": mean}
    return Shelf.of(heard)


def reordered(tracks: Shelf, order: Sequence[int]) -> Shelf:
    return Shelf.of({tracks.names[i]: (float(tracks.seconds[i]), tracks.track(i)) for i in order})


def test_the_best_of_all_pairs_are_among_those_that_are_found_alone(
    matcher: UtCmvmr, many: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(5):
        film = seen(matcher, pair(seed)[0])
        monkeypatch.setattr(pairwise, "PAIRS", TRACKS)
        best = matcher.rank(film, many, TRACKS)[0]
        monkeypatch.setattr(pairwise, "PAIRS", 50)
        assert matcher.rank(film, many, 1) == [best]


@pytest.mark.parametrize("matcher", [40], ids=["trained"], indirect=True)
def test_it_finds_the_music_of_films_that_it_never_saw(matcher: UtCmvmr, many: Shelf) -> None:
    ranked = [matcher.rank(seen(matcher, pair(i)[0]), many, 20) for i in range(10)]
    assert sum(i in [match.track for match in own] for i, own in enumerate(ranked)) >= 5


def test_scores_are_those_of_pairs(matcher: UtCmvmr) -> None:
    both = [pair(seed) for seed in range(6)]
    tracks = shelf(matcher, [music for _, music in both])
    table = by_pairs(matcher.system, [film for film, _ in both], [music for _, music in both])
    for row, (film, _) in zip(table, both, strict=True):
        for match in matcher.rank(seen(matcher, film), tracks, 6):
            assert match.score == pytest.approx(row[match.track], abs=2e-2)  # half precision
            assert match.offset == 0
    films, music = ([both[i][side] for i in range(6)] for side in (0, 1))
    among = np.array([[q, (q + 2) % 6] for q in range(6)])
    some = by_pairs(matcher.system, films, music, among=among)
    asked = np.zeros((6, 6), bool)
    np.put_along_axis(asked, among, True, 1)
    np.testing.assert_array_equal(some, np.where(asked, table, -np.inf))


def test_the_order_of_the_tracks_changes_nothing(matcher: UtCmvmr) -> None:
    tracks = shelf(matcher, [pair(seed)[1] for seed in range(30)])
    order = np.random.default_rng(0).permutation(30).tolist()
    other, film = reordered(tracks, order), seen(matcher, pair(3)[0])
    named = [
        [(one.names[m.track], m.score, m.offset) for m in matcher.rank(film, one, 30)]
        for one in (tracks, other)
    ]
    assert named[0] == named[1]


def test_an_offset_is_within_the_track_and_finds_what_sounds_there(matcher: UtCmvmr) -> None:
    film, music = pair(0)
    long = {name: np.concatenate([pair(1)[1][name], music[name]]) for name in MUSIC}
    beats = np.concatenate([music["beats"], music["beats"] + 28])
    long |= {"beats": beats, "strength": np.tile(music["strength"], 2)}
    tracks = shelf(matcher, [pair(2)[1], long])
    for match in matcher.rank(seen(matcher, film), tracks, 2):
        assert match.offset + 28 <= tracks.seconds[match.track]
        assert match.offset % 14 == 0
    parts = [(28, 56)]
    expected = scores(
        matcher.system,
        of_film(matcher.system, film, [(0, 28)]),
        of_music(matcher.system, long, parts),
    )
    found = matcher.paired(seen(matcher, film), tracks, [Match(1, 0.0, 28.0)])
    assert found[0].score == pytest.approx(expected[0], abs=2e-2)


def test_a_film_of_several_parts_has_the_mean_of_their_scores(matcher: UtCmvmr) -> None:
    film, music = pair(0, 56)
    tracks = shelf(matcher, [music])
    (match,) = matcher.rank(seen(matcher, film), tracks, 5)
    parts = [(0, 28), (28, 56)]
    system = matcher.system
    each = scores(system, of_film(system, film, parts), of_music(system, music, parts))
    assert (match.track, match.offset) == (0, 0.0)
    assert match.score == pytest.approx(each.mean(), abs=2e-2)


def test_what_is_silent_is_last(matcher: UtCmvmr) -> None:
    tracks = shelf(matcher, [pair(seed)[1] for seed in range(5)], silent=[0, 3])
    found = matcher.rank(seen(matcher, pair(3)[0]), tracks, 5)
    assert {match.track for match in found[3:]} == {0, 3}
    assert found[3].score <= found[2].score
    nothing = shelf(matcher, [pair(0)[1]], silent=[0])
    assert [m.track for m in matcher.rank(seen(matcher, pair(0)[0]), nothing, 3)] == [0]


def test_what_is_kept_is_in_half_precision_and_as_long_as_the_passages(matcher: UtCmvmr) -> None:
    track = pair(0, 60)[1]
    own = matcher.embed_music(track, [(0, 28), (14, 42), (28, 56)])
    assert set(own) == {"passages", "phi"}
    assert all(len(rows) == 3 and rows.dtype == np.float16 for rows in own.values())
    column = Column(own["phi"], np.array([0, 3]))
    assert np.isfinite(column.of(0)).all()


def test_what_a_shortlist_keeps_of_the_best_pairs() -> None:
    alone = np.array([[4.0, 3.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0]])
    paired = np.array([[-4.0, -3.0, -2.0, -1.0], [-4.0, -3.0, -2.0, -1.0]])
    assert shortlist_recall(alone, paired, 2, top=2) == 0.5
    assert shortlist_recall(alone, paired, 3, top=2) == 0.75


@pytest.fixture(scope="module", params=["ut-cmvmr", "cmvae", "cbvmr"])
def hearing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Towers:
    folder = tmp_path_factory.mktemp("small")
    settings = {"shrink": 32} if request.param == "ut-cmvmr" else {"width": 8, "hidden": 16}
    torch.manual_seed(0)
    System.build(request.param, FILM, MUSIC, settings).save(folder)
    kinds: dict[str, type[Towers]] = {kind.name: kind for kind in (UtCmvmr, Cmvae, Cbvmr)}
    return kinds[request.param].given(str(folder))


def test_a_track_is_heard_whatever_its_length_and_its_loudness(hearing: Towers) -> None:
    clicks = np.zeros(16_000 * 10, np.float32)
    clicks[::8000] = 0.5
    for seconds in (0.1, 9.5):
        samples = clicks[: int(seconds * 16_000)]
        own = hearing.hear(samples)
        assert len(own["passages"]) == len(own["starts"]) == 1
        assert np.isfinite(own["passages"].astype(float)).all()
        softer = hearing.hear(samples * np.float32(0.05))
        for name, rows in own.items():
            np.testing.assert_allclose(rows, softer[name], rtol=2e-2, atol=2e-2)
    nothing = hearing.hear(np.zeros(16_000, np.float32))
    assert all(len(rows) == 0 for name, rows in nothing.items() if name != "mean")


def test_an_index_of_other_columns_is_told(matcher: UtCmvmr) -> None:
    tracks = shelf(matcher, [pair(0)[1]])
    starts = np.zeros(1, np.float32)
    whole = {**tracks.track(0), "starts": starts}
    matcher.verify(Shelf.of({"a": (28.0, whole)}))
    for bad in (tracks.track(0), {**whole, "phi": whole["phi"][:, 1:]}):
        with pytest.raises(ValueError, match="the columns are"):
            matcher.verify(Shelf.of({"a": (28.0, bad)}))
