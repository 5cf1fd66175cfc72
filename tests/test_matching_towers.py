"""Laws of networks of two towers as matchers: what is embedded, and that a query finds the best."""

import shutil
import wave
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from retrieval_toys import pair, system

from emsync.arrays import Float32s, Picture
from emsync.errors import AssetError, InputError
from emsync.matching import towers
from emsync.matching.library import check_index, listen_to
from emsync.matching.matcher import SILENT, Columns, Match, Shelf
from emsync.matching.towers import Cmvae, OfVmNet, Towers, VmNet, shortlisted
from emsync.retrieval.of_vm_net import EMBEDDED
from emsync.testing import check_matcher, still_footage
from emsync.video.watch import watch_drawn

FPS = 12.5
both = pytest.mark.parametrize("kind", [VmNet, OfVmNet])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a small system of each name is."""
    place = tmp_path_factory.mktemp("systems")
    for name in ("vm-net", "of-vm-net", "cmvae"):
        system(name, [pair(seed) for seed in range(3)]).save(place / name)
    return place


def matcher(kind: type[Towers], folder: Path) -> Towers:
    return kind.given(str(folder / kind.name))


def pictures(seconds: float) -> list[Picture]:
    """Draw a texture that moves, faster in the second half."""
    rng = np.random.default_rng(0)
    texture = cv2.GaussianBlur(rng.integers(0, 256, (60, 900, 3)).astype(np.uint8), (0, 0), 2)
    count = round(seconds * FPS)
    steps = np.cumsum(np.where(np.arange(count) < count / 2, 1, 4)) % 700
    return [np.ascontiguousarray(texture[:, at : at + 100]) for at in steps]


def sound(seconds: float, seed: int = 0) -> Float32s:
    """Return notes that change twice a second."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(16000 * seconds)) / 16000
    pitch = 440 * 2 ** (rng.integers(-12, 12, int(2 * seconds) + 1) / 12)
    made = np.sin(2 * np.pi * pitch[(2 * time).astype(int)] * time) * np.exp(-4 * (time % 0.5))
    return (0.3 * made).astype(np.float32)


def units(rng: np.random.Generator, *shape: int) -> Float32s:
    drawn = rng.normal(size=shape)
    return (drawn / np.linalg.norm(drawn, axis=-1, keepdims=True)).astype(np.float32)


def track(passages: Float32s, hop: float) -> Columns:
    mean = passages.mean(axis=0, keepdims=True)
    return {
        "passages": passages.astype(np.float16),
        "starts": np.arange(len(passages), dtype=np.float32) * hop,
        "mean": mean,
    }


def silence(numbers: int) -> Columns:
    none = np.zeros((0, numbers), np.float16)
    return {
        "passages": none, "starts": np.zeros(0, np.float32),
        "mean": np.zeros((1, numbers), np.float32),
    }  # fmt: skip


def film_of(rng: np.random.Generator, parts: list[tuple[int, int]], numbers: int) -> Columns:
    return {
        "parts": np.array(parts), "embedded": units(rng, len(parts), numbers),
        "seconds": np.array([float(parts[-1][1])]),
    }  # fmt: skip


@pytest.mark.parametrize("kind", [VmNet, OfVmNet, Cmvae])
def test_the_rules_of_matchers_hold(kind: type[Towers], folder: Path) -> None:
    check_matcher(matcher(kind, folder))


@both
def test_a_film_is_seen_as_its_parts(kind: type[Towers], folder: Path) -> None:
    own = matcher(kind, folder)
    looking = own.observers()
    film = own.see(watch_drawn(pictures(22.3), FPS, looking, own.needs), looking)
    parts = film["parts"]
    assert parts[0, 0] == 0 and parts[-1, 1] == 23
    assert len(parts) == {"vm-net": 1, "of-vm-net": 2}[kind.name]
    if len(parts) > 1:
        assert parts[0, 1] == pytest.approx(22.3 / 2, abs=1)  # where it becomes faster
    assert len(film["embedded"]) == len(parts)
    assert film["seconds"] == pytest.approx(22.3, abs=0.1)


def test_a_film_of_less_than_a_second_is_refused(folder: Path) -> None:
    still = still_footage()
    short = replace(still, film=replace(still.film, duration=0.4))
    with pytest.raises(InputError, match=r"lasts 0\.4 s; vm-net needs a film of 1 s or more"):
        matcher(VmNet, folder).see(short, [])


@both
def test_a_track_is_heard_as_its_passages(kind: type[Towers], folder: Path) -> None:
    own = matcher(kind, folder)
    heard = own.hear(sound(45))
    starts = {"vm-net": [0, 14], "of-vm-net": [0, 5, 10, 15, 20, 25, 30, 35]}[kind.name]
    assert heard["starts"].tolist() == starts
    assert heard["passages"].dtype == np.float16 and len(heard["passages"]) == len(starts)
    mean = heard["passages"].mean(axis=0, dtype=np.float32)[None]
    np.testing.assert_allclose(heard["mean"], mean, atol=1e-6)
    assert np.linalg.norm(heard["passages"].astype(float), axis=1) == pytest.approx(1, abs=1e-2)
    again = own.hear(sound(45))
    assert all(np.array_equal(heard[name], again[name]) for name in heard)
    for name, values in own.hear(0.05 * sound(45)).items():  # loudness has no part in it
        np.testing.assert_allclose(values, heard[name], atol=5e-3)


@both
def test_what_is_short_has_one_passage_and_what_is_silent_none(
    kind: type[Towers], folder: Path
) -> None:
    own = matcher(kind, folder)
    for seconds in (0.1, 3.0, 9.5):
        assert own.hear(sound(seconds))["starts"].tolist() == [0]
    numbers = own.hear(sound(0.1))["mean"].shape[1]
    for samples in (np.zeros(0, np.float32), np.zeros(16000, np.float32)):
        heard = own.hear(samples)
        assert heard["passages"].shape == (0, numbers)
        assert heard["starts"].shape == (0,)
        assert heard["mean"].shape == (1, numbers)


def by_hand(film: Columns, shelf: Shelf, passage: int, hop: int) -> list[Match]:
    """Rank by trying each offset of each track, and each passage under each part."""
    found = []
    for number, seconds in enumerate(shelf.seconds):
        passages = shelf.columns["passages"].of(number).astype(float)
        best = Match(number, SILENT)
        for i in range(len(passages)):
            offset = i * float(hop)
            if i and offset + film["seconds"][0] > seconds:
                break
            scores = []
            for (start, stop), embedded in zip(film["parts"], film["embedded"], strict=True):
                begins = hop * np.arange(len(passages))
                covered = np.minimum(begins + passage, offset + stop) - np.maximum(
                    begins, offset + start
                )
                middle = abs(begins + passage / 2 - offset - (start + stop) / 2)
                if stop - start < passage:
                    middle = abs(begins - offset - start)
                scores.append(passages[np.lexsort((middle, -covered))[0]] @ embedded)
            best = max(best, Match(number, float(np.mean(scores)), offset), key=lambda m: m.score)
        found.append(best)
    return sorted(found, key=lambda match: (-match.score, match.track))


@both
def test_a_query_finds_what_trying_all_finds(kind: type[Towers], folder: Path) -> None:
    own, rng = matcher(kind, folder), np.random.default_rng(0)
    passage, hop = own.system.network.passage, own.system.network.hop
    heard: dict[str, tuple[float, Columns]] = {"silent": (50.0, silence(8))}
    for i in range(30):
        count = int(rng.integers(1, 9))
        seconds = (count - 1) * hop + passage + rng.uniform(0, hop)
        heard[str(i)] = (seconds, track(units(rng, count, 8), hop))
    shelf = Shelf.of(heard)
    divided = [[(0, 10), (10, 21), (21, 39)]] if kind is OfVmNet else []
    for parts in ([(0, 8)], [(0, 30)], *divided):
        film = film_of(rng, parts, 8)
        found, wanted = own.rank(film, shelf, 31), by_hand(film, shelf, passage, hop)
        assert [(m.track, m.offset) for m in found] == [(m.track, m.offset) for m in wanted]
        assert [m.score for m in found] == pytest.approx([m.score for m in wanted], abs=1e-5)
        assert found[-1] == Match(0, SILENT)
        for match in found:
            fits = match.offset + film["seconds"][0] <= shelf.seconds[match.track]
            assert match.offset == 0 or fits
        assert own.rank(film, shelf, 3) == found[:3]


@both
def test_music_is_found_where_it_is(kind: type[Towers], folder: Path) -> None:
    own, rng = matcher(kind, folder), np.random.default_rng(1)
    hop, length = own.system.network.hop, own.system.network.passage
    heard = {str(i): (200.0, track(units(rng, 12, 16), hop)) for i in range(20)}
    film = film_of(rng, [(0, length)], 16)
    passages = heard["7"][1]["passages"].copy()
    passages[4] = film["embedded"][0]
    heard["7"] = (200.0, track(passages.astype(np.float32), hop))
    best = own.rank(film, Shelf.of(heard), 1)[0]
    assert (best.track, best.offset) == (7, 4 * hop)
    assert best.score == pytest.approx(1, abs=1e-3)


@both
def test_neither_order_nor_company_changes_a_score(kind: type[Towers], folder: Path) -> None:
    own, rng = matcher(kind, folder), np.random.default_rng(2)
    hop = own.system.network.hop
    heard = {str(i): (90.0, track(units(rng, 5, 32), hop)) for i in range(40)}
    film = film_of(rng, [(0, 12), (12, 25)], 32)
    names = rng.permutation(list(heard)).tolist()
    shelves = Shelf.of(heard), Shelf.of({name: heard[name] for name in names})
    found, turned = (
        [(shelf.names[m.track], m.score, m.offset) for m in own.rank(film, shelf, 40)]
        for shelf in shelves
    )
    assert found == turned
    alone = own.rank(film, Shelf.of({found[3][0]: heard[found[3][0]]}), 10)
    assert alone == [Match(0, *found[3][1:])]


def test_of_equals_the_first_comes_first(folder: Path) -> None:
    own, rng = matcher(VmNet, folder), np.random.default_rng(3)
    same = track(units(rng, 4, 8), 14)
    shelf = Shelf.of({str(i): (80.0, same) for i in range(5)} | {"x": (80.0, silence(8))})
    assert [m.track for m in own.rank(film_of(rng, [(0, 28)], 8), shelf, 9)] == [0, 1, 2, 3, 4, 5]


def test_the_shortlist_holds_the_best(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, rng = matcher(OfVmNet, folder), np.random.default_rng(4)
    heard: dict[str, tuple[float, Columns]] = {}
    for i in range(200):
        passages = units(rng, 1, 32) + 0.5 * units(rng, 9, 32)
        passages /= np.linalg.norm(passages, axis=1, keepdims=True)
        heard[str(i)] = (50.0, track(passages, 5))
    shelf = Shelf.of(heard)
    films = [film_of(rng, [(0, 12), (12, 28)], 32) for _ in range(20)]
    exhaustive = [own.rank(film, shelf, 1) for film in films]
    monkeypatch.setattr(towers, "SHORTLIST", 50)
    assert len(shortlisted(films[0], shelf, towers.SHORTLIST)) == 50
    assert [own.rank(film, shelf, 1) for film in films] == exhaustive


@both
def test_an_index_of_other_columns_is_told(kind: type[Towers], folder: Path) -> None:
    own = matcher(kind, folder)
    numbers = own.system.network.settings.width if kind is VmNet else EMBEDDED
    hop = own.system.network.hop
    good = {
        "a": (60.0, track(np.ones((3, numbers), np.float32), hop)),
        "b": (1.0, silence(numbers)),
    }
    own.verify(Shelf.of(good))
    own.verify(Shelf.of({"a": (50.0, own.hear(sound(30)))}))
    short = {**good["a"][1], "mean": np.ones((2, numbers), np.float32)}
    single = {**good["a"][1], "passages": np.ones((3, numbers), np.float32)}
    for bad in (track(np.ones((3, numbers + 1), np.float32), hop), short, single, {}):
        with pytest.raises(ValueError, match=r"the columns are|some track"):
            own.verify(Shelf.of({"a": (60.0, bad)}))


def test_a_library_is_kept_in_an_index_that_was_not_there(folder: Path, tmp_path: Path) -> None:
    own, library, index = matcher(VmNet, folder), tmp_path / "library", tmp_path / "index"
    library.mkdir()
    for seed in range(2):
        with wave.open(str(library / f"{seed}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16000)
            file.writeframes((sound(2, seed) * 32767).astype("<i2").tobytes())
    check_index(own, index)
    first, again = (listen_to(own, library, index) for _ in range(2))
    assert (first.heard, again.heard) == (2, 0)
    film = film_of(np.random.default_rng(0), [(0, 2)], 16)
    assert own.rank(film, first.shelf, 2) == own.rank(film, again.shelf, 2)
    (other := tmp_path / "other").mkdir()
    shutil.copytree(folder / "vm-net", other / "vm-net")
    system("vm-net", [pair(9)]).save(other / "vm-net")
    assert listen_to(matcher(VmNet, other), library, index).heard == 2  # of another stamp


def test_another_network_or_none_is_refused(folder: Path) -> None:
    with pytest.raises(AssetError, match=r"is of the network 'vm-net', not of 'of-vm-net'"):
        OfVmNet.given(str(folder / "vm-net"))
    with pytest.raises(AssetError, match="there is no system 'nothing'"):
        VmNet.given("nothing")


def test_a_stamp_is_of_what_the_files_hold(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "vm-net", tmp_path / "copy")
    own, other = VmNet.given(str(folder / "vm-net")), VmNet.given(str(tmp_path / "copy"))
    assert own.stamp == other.stamp
    assert own.stamp.startswith("vm-net ")
    system("vm-net", [pair(9)]).save(tmp_path / "copy")
    assert VmNet.given(str(tmp_path / "copy")).stamp != own.stamp


def test_nothing_is_loaded_before_it_is_needed() -> None:
    fields: dict[str, Any] = vars(VmNet("nowhere"))
    assert fields == {"checkpoint": "nowhere"}
