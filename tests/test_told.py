"""What telling gives: what is read of each song, and what is told of it."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from emsync.cli import main
from emsync.conditioning import Conditioner
from emsync.data.crops import Passage, droppable, window
from emsync.errors import InputError, UsageError
from emsync.evaluation import told
from emsync.evaluation.tables import told_table
from emsync.model.composer import Composer
from emsync.model.transformer import EventTransformer, ModelConfig
from emsync.music.piece import BASS, PIANO, Piece, to_score
from emsync.plain import plain
from emsync_conditioners.given import Given
from emsync_conditioners.instruments import Instruments
from emsync_conditioners.metre import Metre
from emsync_conditioners.onset_density import OnsetDensity
from emsync_conditioners.valence_arousal import ValenceArousal
from emsync_tokenizers.events import Events

CONTEXT, BAR = 480, 2.0  # tokens, seconds
EVENTS = Events()
CONDITIONERS = (ValenceArousal(), Metre(), OnsetDensity(), Instruments(), Given())


def network(*taught: Conditioner, context: int = CONTEXT) -> EventTransformer:
    torch.manual_seed(0)
    conditioners = taught or CONDITIONERS
    added = ("given",) if Given() in conditioners else ()
    shape = ModelConfig(1011, width=16, depth=1, heads=2, context=context, dropout=0.0, added=added)
    return EventTransformer(shape, conditioners).eval()


def song(seed: int, bars: int = 30, late: int = 0) -> Piece:
    """A piece whose notes begin ``late`` bars after its first bar line."""
    rng = np.random.default_rng(seed)
    onsets = np.sort(rng.uniform(0, bars * BAR, 12 * bars)) + late * BAR
    rows = [(rng.choice([BASS, PIANO]), rng.integers(40, 80), t, t + 0.3) for t in onsets]
    return Piece.of(np.array(rows), np.arange(0, bars + late, dtype=np.float64) * BAR,
                    np.array([9 * BAR]))  # fmt: skip


def places(piece: Piece) -> told.Places:
    found = told.places_in(Passage.of(EVENTS.encode(piece), EVENTS), EVENTS, CONTEXT)
    assert found is not None
    return found


def same(a: object, b: object) -> bool:
    return np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True)


@pytest.mark.parametrize("name", [None, "onset_density", "instruments"])
def test_what_is_read_is_what_a_crop_of_training_is(name: str | None) -> None:
    model, here = network(), places(song(0)).middle
    sources = {} if name is None else {name: here}
    reading = told.read(model, [(None, here)], sources)
    dropped = droppable(model.conditioners) - {name}
    crop = Passage(here.song.ids, here.song.timeline, here.song.requested, here.at[0], dropped)
    expected = window(crop, model.conditioners, CONTEXT)
    assert same(reading.ids, expected.ids)
    for c in model.conditioners:
        assert same(reading.features[c.name], expected.features[c.name]), c.name


def test_another_song_is_told_from_the_same_place_of_it_on() -> None:
    model, own, late = network(), places(song(0)).middle, places(song(0, late=3))
    shift = (
        np.flatnonzero(late.middle.song.ids == EVENTS.bar)[3]
        - np.flatnonzero(own.song.ids == EVENTS.bar)[0]
    )
    moved = told.Place(late.middle.song, own.at + shift)  # the same music, three bars later
    assert moved.begin == pytest.approx(own.begin + 3 * BAR)
    for name in ("onset_density", "instruments"):
        mine, theirs = (told.read(model, [(None, own)], {name: p}) for p in (own, moved))
        assert same(mine.ids, theirs.ids)
        assert np.mean(mine.features[name] == theirs.features[name]) > 0.99, "but for rounding"


def test_passages_stand_before_the_music_and_say_what_they_are() -> None:
    model, mine, other = network(), places(song(0)), places(song(1))
    theme = told.given_reading(model, "theme", mine, other)
    first = told.THEME + 1
    assert same(theme.ids[1:first], other.theme.song.ids[other.theme.at])
    assert same(theme.ids[first:], [mine.after.song.ids[0], *mine.after.song.ids[mine.after.at]])
    rows = theme.features["given"]
    assert same(rows[:first], np.tile([1, 0, 0, 0], (first, 1))) and np.isnan(rows[first:]).all()
    metre = Metre().features(
        Metre().from_music(other.theme.song.requested), other.theme.song.timeline
    )
    assert same(theme.features["metre"][:first], metre[other.theme.beside])
    assert np.isnan(theme.features["onset_density"]).all()

    later = told.given_reading(model, "later", mine, mine)
    first = told.LATER + 1
    assert len(later.ids) == CONTEXT + 1
    assert same(mine.later.at[0], mine.before.at[-1] + 1), "it follows"
    rows = later.features["given"]
    assert same(rows[:first], np.tile([0, 1, 0, 0], (first, 1)))
    waits = -np.log(rows[first:, 3])
    assert (np.diff(rows[first:, 2]) <= 0).all() and waits[-1] < 0.5
    nothing = told.given_reading(model, "later", mine, None)
    assert np.isnan(nothing.features["given"]).all()
    assert same(nothing.ids, later.ids[first:]), "what counts is the same, told or not"


def test_only_the_last_tokens_count_and_what_is_not_read_is_unknown() -> None:
    model = network()
    with torch.no_grad():
        model.head.bias[:] = torch.randn(1011)
    reading = told.read(model, [(None, places(song(0)).middle)])
    (nats, missing), (last, _) = (told.mean_nats(model, [reading, None], n) for n in (50, 1))
    assert math.isnan(missing)
    features = {name: torch.from_numpy(rows)[None] for name, rows in reading.features.items()}
    with torch.no_grad():
        logits = model(torch.from_numpy(reading.ids[None, :-1]), features)[0].log_softmax(-1)
    chosen = [-float(logits[i, reading.ids[i + 1]]) for i in range(CONTEXT)]
    assert nats == pytest.approx(np.mean(chosen[-50:]), rel=1e-5)
    assert last == pytest.approx(chosen[-1], rel=1e-5)


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("songs")
    for i in range(3):
        to_score(song(i)).dump_midi(folder / f"{i}.mid")
    to_score(song(3, bars=4)).dump_midi(folder / "short.mid")
    (folder / "torn.mid").write_bytes(b"MThd")
    return [(path.name, path) for path in sorted(folder.iterdir())]


def test_a_network_that_listens_to_nothing_gains_nothing(songs: list[tuple[str, Path]]) -> None:
    model = network()
    with torch.no_grad():
        model.head.weight[:] = 0
    shares: list[float] = []
    report = told.evaluate(Composer(model, EVENTS), songs, lambda _, share: shares.append(share))
    assert report["songs"] == 3 and shares == sorted(shares) and shares[-1] == 1.0
    assert list(report["given"]) == ["theme", "later"]
    for name in ("onset_density", "instruments"):
        row = report["conditions"][name]
        assert row["none"]["value"] == pytest.approx(math.log(1011), rel=1e-5)
        assert (row["own"]["value"], row["own"]["n"], row["other"]["value"]) == (0, 3, 0)
    for name in ("valence_arousal", "given"):  # of which songs without labels tell nothing
        assert report["conditions"][name]["own"] == {
            "value": None,
            "low": None,
            "high": None,
            "n": 0,
        }
    assert all(row["own_less_other"]["value"] == 0 for row in report["given"].values())
    page = "\n".join(told_table(report))
    assert "| theme | 6.919 | +0.000 [+0.000, +0.000] |" in page
    assert "| valence_arousal | – | – | – | – | 0 |" in page


def test_gains_are_paired_by_song() -> None:
    none, own = np.array([1.0, 2.0, 5.0]), np.array([0.9, 1.9, np.nan])
    row = plain(told.compared(none, own, own + 0.3))
    assert row["own"]["value"] == pytest.approx(-0.1) and row["own"]["n"] == 2
    assert row["own"]["high"] == pytest.approx(-0.1), "songs differ, but not in what telling gives"
    assert row["own_less_other"]["value"] == pytest.approx(-0.3)
    assert row["none"]["value"] == 1.5


def test_a_network_without_given_music_has_no_such_rows(songs: list[tuple[str, Path]]) -> None:
    report = told.evaluate(Composer(network(Metre(), OnsetDensity()), EVENTS), songs)
    assert report["given"] == {} and list(report["conditions"]) == ["onset_density"]


def test_too_little_is_refused(songs: list[tuple[str, Path]]) -> None:
    with pytest.raises(
        InputError, match="two songs of some 960 tokens or more are needed, and the"
    ):
        told.evaluate(Composer(network(), EVENTS), songs[:1])
    with pytest.raises(UsageError, match="a context of 64 tokens holds no theme"):
        told.evaluate(Composer(network(context=64), EVENTS), songs)


@pytest.mark.slow
def test_the_command_adds_what_telling_gives(
    songs: list[tuple[str, Path]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Composer(network(), EVENTS).save_pretrained(tmp_path)
    np.save(tmp_path / "trained.npy", np.array([], np.uint32))
    words = ["evaluate", "likelihood", str(songs[0][1].parent), "--checkpoint", str(tmp_path)]
    assert main([*words, "--limit", "3", "--told", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["songs"] == report["told"]["songs"] + 1 == 3, "one is too short to be told of"
