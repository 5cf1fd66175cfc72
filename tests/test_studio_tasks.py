"""What the studio's worker does: watching, composing, spans anew, and the files of a take."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emsync.analysis import Analysis
from emsync.demo import draw_clip
from emsync.errors import EmsyncError, InputError, UsageError
from emsync.formats.midi_check import check
from emsync.formats.smf import parse
from emsync.sound.audio import OUTPUT_RATE
from emsync.sound.decode import own_sound
from emsync.studio import tasks
from emsync.studio.document import Document, Edit, edited
from emsync.studio.takes import summary, take_json
from emsync.video.film import open_film


class Told:
    """Notes what a task tells."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, event: str, **facts: Any) -> None:
        self.events.append((event, facts))

    def of(self, name: str) -> list[dict[str, Any]]:
        return [facts for event, facts in self.events if event == name]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a film of nine seconds that was watched."""
    folder = tmp_path_factory.mktemp("studio") / "film"
    (folder / "takes").mkdir(parents=True)
    draw_clip(folder / "film.mp4", seconds=9)
    told = Told()
    tasks.do({"kind": "watch", **_of(folder), "name": "a clip.mp4", "seconds": 60, "draw": False},
             told)  # fmt: skip
    times = [facts["time"] for facts in told.of("strip")]
    assert times == sorted(times)
    assert len(list((folder / "strip").glob("*.jpg"))) == len(times) == 24
    assert told.of("picture") == [{"file": "film.mp4", "type": "video/mp4"}]
    shares = [facts["share"] for facts in told.of("progress") if facts["stage"] == "Watching"]
    assert shares == sorted(shares)
    return folder


def _of(folder: Path) -> dict[str, Any]:
    return {"folder": str(folder), "film": "film.mp4"}


@pytest.fixture(scope="module")
def document(project: Path) -> Document:
    seen = Analysis.load(project / "seen.json")
    assert seen.source == "a clip.mp4"
    return edited(Document.of(seen), Edit(wishes={"tonic": "D", "keep_audio": "duck"}))


@pytest.fixture(scope="module")
def composed(project: Path, document: Document) -> list[Path]:
    """The folders of two takes."""
    return _compose(project, document, candidates=2)


def _compose(
    project: Path, document: Document, told: Told | None = None, **more: Any
) -> list[Path]:
    recipe = {"analysis": document.analysis.to_json(), "plan": document.plan.to_json(),
              "wishes": dict(document.wishes), "seed": 3}  # fmt: skip
    keep = more.pop("keep", None)
    task = {"kind": "compose", **_of(project), "recipe": {**recipe, **more}, "version": 1, "run": 1}
    result = tasks.do({**task, "keep": keep and str(keep / "score.mid"),
                       "parent": keep and keep.name}, told or Told())  # fmt: skip
    assert result is not None
    return [project / "takes" / take for take in result["takes"]]


@pytest.mark.slow
def test_a_take_is_told_once_it_is_whole(project: Path, document: Document) -> None:
    class Looks(Told):
        def __call__(self, event: str, **facts: Any) -> None:
            super().__call__(event, **facts)
            if event == "candidate":
                folder = project / "takes" / facts["take"]
                held = {path.name for path in folder.iterdir()}
                assert held == {"score.mid", "sound.flac", "take.json", "recipe.json"}

    told = Looks()
    made = _compose(project, document, told, candidates=3)
    assert [facts["take"] for facts in told.of("candidate")] == [path.name for path in made]
    kinds = [event for event, _ in told.events]
    assert kinds.index("candidate") < len(kinds) - 1 - kinds[::-1].index("progress")


@pytest.mark.slow
def test_the_facts_are_those_of_the_score(composed: list[Path], document: Document) -> None:
    first = int(take_json(composed[0], "f")["name"])
    for number, folder in enumerate(composed, first):
        take, score = take_json(folder, "f"), parse((folder / "score.mid").read_bytes())
        assert check(folder / "score.mid").ok
        assert take["name"] == str(number)
        assert take["key"] == "Dm" or take["key"] == "D"
        columns = take["columns"]
        assert {len(column) for column in columns.values()} == {score.note_num()}
        assert columns["start"] == sorted(columns["start"])
        seconds: Any = score.to("second")
        heard = sorted(round(note.start, 3) for track in seconds.tracks for note in track.notes)
        assert np.allclose(heard, columns["start"], atol=0.002)
        assert [player["name"] for player in take["players"]] == [
            track.name for track in score.tracks if track.notes
        ]
        kept = [row for row in take["cut_reports"] if row["kept"]]
        assert [row["time"] for row in kept] == list(document.plan.hits)
        assert take["hits"] == sum(row["hit"] is not None for row in kept)
        assert all(row["nearest"] == row["hit"] for row in kept if row["hit"])
        assert all(row["nearest"]["error_ms"] is not None for row in kept)  # of those missed, too
        assert "columns" not in summary(take)
        json.dumps(take, allow_nan=False)


@pytest.mark.slow
def test_a_take_lasts_as_long_as_the_film_and_is_the_sum_of_its_players(
    composed: list[Path], project: Path
) -> None:
    folder = composed[0]
    tasks.do({"kind": "stems", "take": str(folder)}, Told())
    rows = take_json(folder, "f")["stems"]
    film = open_film(project / "film.mp4")
    sound = own_sound(folder / "sound.flac", OUTPUT_RATE)
    assert len(sound.samples) == round(film.duration * sound.rate)
    parts = [
        own_sound(folder / "stems" / f"{row['name']}.flac", OUTPUT_RATE).samples for row in rows
    ]
    assert np.abs(np.sum(parts, axis=0) - sound.samples).max() < len(parts) * 2**-15


@pytest.mark.slow
def test_files_are_of_the_take_and_a_bundle_repeats_it(project: Path, composed: list[Path]) -> None:
    folder = composed[1]
    for name in ("film.mp4", "score.musicxml", "bundle.zip"):
        task = {"kind": "file", **_of(project), "take": str(folder), "name": name, "wishes": {}}
        assert tasks.do(task, Told()) == {"name": name, "take": folder.name}
    assert open_film(folder / "files" / "film.mp4").frames == open_film(project / "film.mp4").frames
    with zipfile.ZipFile(folder / "files" / "bundle.zip") as archive:
        assert archive.read("score.mid") == (folder / "score.mid").read_bytes()
        assert {"analysis.json", "plan.json", "report.html"} <= set(archive.namelist())
    assert take_json(folder, "f")["files"] == [
        "score.mid", "bundle.zip", "film.mp4", "score.musicxml"
    ]  # fmt: skip


@pytest.mark.slow
def test_a_take_of_another_version_is_not_passed_off(project: Path, composed: list[Path]) -> None:
    folder = composed[0]
    score = (folder / "score.mid").read_bytes()
    (folder / "score.mid").write_bytes(score + b"\0")
    task = {"kind": "file", **_of(project), "take": str(folder), "name": "score.musicxml"}
    try:
        with pytest.raises(EmsyncError, match="another version of emsync"):
            tasks.do({**task, "wishes": {}}, Told())
        assert not list((folder / "files").glob("score.musicxml"))
    finally:
        (folder / "score.mid").write_bytes(score)


@pytest.mark.slow
def test_a_span_anew_keeps_all_else_to_the_note(
    project: Path, composed: list[Path], document: Document
) -> None:
    parent = composed[0]
    before = take_json(parent, "f")
    bars = [*before["bars"], before["duration"]]
    span = (bars[1], bars[2])
    drafts = _compose(project, document, candidates=2, redo=span, keep=parent)
    for letter, folder in zip("ab", drafts, strict=True):
        take = take_json(folder, "f")
        assert take["name"] == before["name"] + letter
        assert (take["parent"], take["range"]) == (parent.name, list(span))
        assert _outside(take, span) == _outside(before, span)
        assert (folder / "kept.mid").read_bytes() == (parent / "score.mid").read_bytes()
    again = tasks.recomposed(drafts[0], project / "film.mp4", lambda stage, share: None)
    assert again.midi() == (drafts[0] / "score.mid").read_bytes()


def test_takes_are_called_one_after_the_other(tmp_path: Path) -> None:
    def add(id_: str, parent: str | None = None) -> str:
        name = tasks.next_name(tmp_path, parent)
        (tmp_path / id_).mkdir()
        (tmp_path / id_ / "take.json").write_text(json.dumps({"name": name}))
        return name

    assert [add("A"), add("B"), add("C")] == ["1", "2", "3"]
    assert [add("D", "B"), add("E", "B"), add("F", "C")] == ["2a", "2b", "3a"]
    assert [add("G", "E"), add("H", "E"), add("I", "G")] == ["2b1", "2b2", "2b1a"]
    (tmp_path / "B" / "take.json").unlink()
    (tmp_path / "D" / "take.json").unlink()
    assert add("J") == "4"


def _outside(take: dict[str, Any], span: tuple[float, float]) -> list[tuple[float, int]]:
    rows = zip(take["columns"]["start"], take["columns"]["pitch"], strict=True)
    near = 0.05
    return sorted((s, p) for s, p in rows if not span[0] - near <= s < span[1] + near)


def test_a_film_that_is_too_long_is_refused_before_it_is_watched(
    tmp_path: Path, write_numbered: Callable[..., Path]
) -> None:
    write_numbered(tmp_path / "film.mp4", range(0, 3000, 100))
    task = {"kind": "watch", **_of(tmp_path), "name": "clip.mp4", "seconds": 1, "draw": False}
    with pytest.raises(UsageError, match="the film has 0:02, and 0:01 is the most"):
        tasks.do(task, Told())


def test_no_film_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_text("a letter")
    task = {"kind": "watch", **_of(tmp_path), "name": "letter.mp4", "seconds": 5, "draw": False}
    with pytest.raises(InputError):
        tasks.do(task, Told())
