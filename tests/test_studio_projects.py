"""Films on disk: versions, what is half written, and what is of others."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from emsync.analysis import Analysis
from emsync.errors import InputError, UsageError
from emsync.files import Together, atomic_write
from emsync.planning.plan import Plan
from emsync.studio import projects as module
from emsync.studio.document import Document
from emsync.studio.projects import MOST_VERSIONS, Project, load_all, open_home
from emsync.testing import example_video

DOCUMENT = Document.of(example_video())


def tempo(number: float) -> Document:
    return replace(DOCUMENT, plan=replace(DOCUMENT.plan, tempo=number))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A film that was watched."""
    made = Project.create(open_home(tmp_path / "home"), "clip.mp4")
    made.film.write_bytes(b"a film")
    made.enter()
    made.put(DOCUMENT, "as seen", state="ready")
    return made


def again(project: Project) -> Project:
    """Return the film as it is after a start."""
    return load_all(project.folder.parent)[project.id]


def test_a_film_is_as_it_was_after_a_start(project: Project) -> None:
    project.save(strip=(0.0, 1.5), facts={"duration": 20.0}, composed=3)
    project.put(tempo(90), "slower")
    other = again(project)
    assert other == project and other.record is not project.record
    assert other.document().to_json() == tempo(90).to_json()
    assert other.bytes() == project.bytes() > 100


def test_the_present_version_lies_there_for_the_command_line(project: Project) -> None:
    project.put(tempo(90), "slower")
    assert Plan.load(project.folder / "plan.json").tempo == 90
    project.go(1)
    assert Plan.load(project.folder / "plan.json").tempo == DOCUMENT.plan.tempo
    assert Analysis.load(project.folder / "analysis.json") == Analysis.from_json(
        DOCUMENT.analysis.to_json()
    )


def test_a_new_version_takes_the_place_of_those_that_were_undone(project: Project) -> None:
    for number in (60, 70, 80):
        project.put(tempo(number), f"{number}")
    project.go(2)
    assert (project.beside(-1), project.beside(1), project.beside(9)) == (1, 3, None)
    project.put(tempo(100), "\n\x1b other\u202e ")
    assert [v.number for v in project.record.versions] == [1, 2, 5]
    assert project.record.versions[-1].what == "other"
    names = sorted(path.name for path in (project.folder / "versions").iterdir())
    assert names == ["1.json", "2.json", "5.json"]
    with pytest.raises(KeyError):
        project.go(3)


def test_the_last_versions_are_kept(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_VERSIONS == 200
    monkeypatch.setattr(module, "MOST_VERSIONS", 5)
    for number in range(60, 72):
        project.put(tempo(number), "")
    assert [v.number for v in project.record.versions] == [9, 10, 11, 12, 13]
    assert len(list((project.folder / "versions").iterdir())) == 5
    assert project.record.versions[0].what == "changed"
    project.go(9)
    assert project.document().plan.tempo == 67 and project.beside(-1) is None
    assert again(project) == project


def test_a_disk_that_is_full_changes_nothing(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.put(tempo(90), "slower")
    before = again(project)

    def full(self: Together) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Together, "appear", full)
    acts: list[Callable[[], None]] = [
        lambda: project.put(tempo(60), "x"), lambda: project.go(1), lambda: project.save(at=1),
    ]  # fmt: skip
    for act in acts:
        with pytest.raises(Exception, match="No space left on device"):
            act()
        assert project == before
    monkeypatch.undo()
    assert again(project) == before


def test_takes_are_those_that_are_whole_by_age(project: Project, tmp_path: Path) -> None:
    ids = [f"{number:016x}" for number in (3, 1, 2)]
    for age, id_ in enumerate(ids):
        folder = project.folder / "takes" / id_
        folder.mkdir()
        (folder / "take.json").write_text("{}")
        os.utime(folder / "take.json", (age, age))
    (project.folder / "takes" / "no-id").mkdir()
    (project.folder / "takes" / ("f" * 16)).mkdir()  # without a take.json
    (project.folder / "takes" / ("e" * 16)).symlink_to(project.folder / "takes" / ids[0])
    assert project.takes() == ids
    assert project.take(ids[1]).name == ids[1]
    odd: list[Any] = ["f" * 16, "e" * 16, "no-id", "..", "", None, [], {}, 7, f"../takes/{ids[0]}"]
    for wrong in odd:
        assert not project.has(wrong)
        with pytest.raises(KeyError):
            project.take(wrong)


def test_a_take_that_is_gone_is_not_kept(project: Project) -> None:
    project.put(replace(DOCUMENT, take="0" * 16), "kept")
    assert project.document().take is None
    folder = project.folder / "takes" / ("0" * 16)
    folder.mkdir()
    (folder / "take.json").write_text("{}")
    assert project.document().take == "0" * 16


def test_what_is_half_written_is_swept_away_and_nothing_else(project: Project) -> None:
    before = sorted(path for path in project.folder.rglob("*"))
    half = project.folder / "takes" / ".0123456789abcdef.0011aabb.part"
    half.mkdir()
    (half / "score.mid").write_text("half")
    with atomic_write(project.folder / "seen.json") as partial:
        kept = partial.with_name(partial.name.replace(".part", "x.part"))
        kept.write_text("half")
    (project.folder / "seen.json").unlink()
    (project.folder / ".hidden").write_text("mine")
    project.sweep()
    assert sorted(project.folder.rglob("*")) == sorted([*before, project.folder / ".hidden"])


def test_an_upload_that_was_killed_is_swept_away_by_the_next_start(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home")
    half = Project.create(home, "clip.mp4")
    half.film.write_bytes(b"half")
    assert load_all(home) == {} and not half.folder.exists()


def test_folders_of_others_are_left_alone(project: Project, tmp_path: Path) -> None:
    home = project.folder.parent
    (home / "0123456789abcdef.txt").write_text("mine")
    (home / "notes").mkdir()
    (home / ("1" * 16)).symlink_to(project.folder)
    (home / ".cache.part").mkdir()
    assert list(load_all(home)) == [project.id]
    assert len(list(home.iterdir())) == 5


RECORDS = [
    "", "[]", "{}", '{"format": 2}', '{"format": 1}', '{"format": 1, "versions": 3}',
    {"film": "../../etc/passwd"}, {"film": "/etc/passwd"}, {"picture": "a/b.mp4"},
    {"versions": [{"number": "x", "what": ""}]}, {"strip": ["x"]}, {"strip": None}, {"film": None},
    {"name": 7}, {"created": "now"}, {"state": "odd"}, {"facts": []}, {"composed": -1}, {"at": 9},
    {"versions": []}, {"versions": [3]}, {"picture_type": "text/html"}, {"reason": None},
    {"facts": {"duration": "20"}},
]  # fmt: skip


@pytest.mark.parametrize("record", RECORDS, ids=str)
def test_a_damaged_record_is_an_error_in_a_sentence(project: Project, record: object) -> None:
    path = project.folder / "project.json"
    text = record if isinstance(record, str) else json.dumps(
        {**json.loads(path.read_text()), **record}  # type: ignore[dict-item]
    )  # fmt: skip
    path.write_text(text)
    with pytest.raises(InputError):
        Project.load(project.folder)
    with pytest.warns(UserWarning, match="a film is left alone"):
        assert load_all(project.folder.parent) == {}
    assert project.film.read_bytes() == b"a film"


@pytest.mark.parametrize("place", ["file", "file/home"])
def test_a_home_that_cannot_be_is_said(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"cannot keep its films in .*; name another folder"):
        open_home(tmp_path / place)


def test_a_home_is_made_closed_and_one_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    home = open_home(tmp_path / "a" / "b")
    assert home.stat().st_mode & 0o777 == 0o700
    home.chmod(0o750)
    assert open_home(home).stat().st_mode & 0o777 == 0o750


def test_deleted_is_deleted(project: Project) -> None:
    project.leave()
    project.delete()
    assert list(project.folder.parent.iterdir()) == []


def test_what_was_being_deleted_when_it_was_killed_is_gone_at_the_next_start(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = project.folder / "takes" / ("1" * 16)
    folder.mkdir()
    (folder / "take.json").write_text("{}")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda path: None)
        project.delete_take(folder.name)
        assert project.takes() == []
        project.sweep()
    project.sweep()
    assert list((project.folder / "takes").iterdir()) == []
    project.leave()
    assert load_all(project.folder.parent) == {} and not project.folder.exists()
