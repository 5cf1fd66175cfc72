"""Files of the studio that a person, or a power cut, has changed: what can be read is there."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from studio_client import studio

pytestmark = pytest.mark.filterwarnings("ignore::emsync.errors.EmsyncWarning")
DAMAGES = ["", "{", "[]", "null", "{}", "\x00\x00", '{"analysis": 7}', '{"name": {}}']


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def film(home: Path) -> str:
    """A film with three versions and four pieces, in a studio that has ended."""
    with studio(home) as page:
        film = page.film()
        page.compose(film)
        for tempo in (80, 90):
            page.edit(film, what=f"{tempo}", wishes={"tempo": tempo})
        return film


@pytest.fixture
def folder(home: Path, film: str) -> Path:
    return home / film


def told(home: Path, film: str) -> tuple[dict[str, Any], list[str]]:
    """Return what a new start tells of a film, and its notes."""
    with studio(home) as page:
        for job in page.studio.jobs.of(film):
            page.follow(job.id)
        return page.ask("GET", f"/api/films/{film}"), page.ask("GET", "/api/health")["notes"]


@pytest.mark.parametrize("text", DAMAGES)
def test_the_version_before_one_that_is_damaged_is_shown(
    home: Path, film: str, folder: Path, text: str
) -> None:
    (folder / "versions" / "3.json").write_text(text)
    with studio(home) as page:
        document = page.document(film)
        # version 3 is what lies in analysis.json and plan.json, so it is not lost
        assert document["plan"]["tempo"] == 90 and document["version"] == 3
        assert [v["number"] for v in document["versions"]] == [1, 2, 3]
        (note, taken_in) = page.ask("GET", "/api/health")["notes"]
        assert note.startswith("a version of 'clip.mp4' is left out: ") and "taken in" in taken_in
        page.edit(film, wishes={"tempo": 70})
        page.ask("POST", f"/api/films/{film}/undo", {"version": 4})


def test_without_any_version_the_film_is_watched_again(home: Path, film: str, folder: Path) -> None:
    shutil.rmtree(folder / "versions")
    now, _ = told(home, film)
    assert now["film"]["state"] == "ready" and len(now["takes"]) == 4
    assert [v["what"] for v in now["document"]["versions"]] == ["as seen"]


@pytest.mark.parametrize("text", DAMAGES)
def test_what_was_seen_is_seen_again_and_the_versions_stay(
    home: Path, film: str, folder: Path, text: str
) -> None:
    (folder / "seen.json").write_text(text)
    now, notes = told(home, film)
    assert notes[0].startswith("'clip.mp4' is watched again: ")
    assert now["film"]["state"] == "ready" and now["seen"]["duration"] == 20.0
    assert now["document"]["plan"]["tempo"] == 90 and now["document"]["version"] == 3


def test_what_a_person_changes_by_hand_becomes_a_version(
    home: Path, film: str, folder: Path
) -> None:
    plan = json.loads((folder / "plan.json").read_text())
    (folder / "plan.json").write_text(json.dumps({**plan, "tempo": 77.0}))
    now, notes = told(home, film)
    assert notes[-1] == "what was changed by hand of 'clip.mp4' is taken in as a version of it"
    assert (now["document"]["what"], now["document"]["version"]) == ("changed outside the page", 4)
    assert now["document"]["plan"]["tempo"] == 77.0 and now["document"]["plan_is"] == "yours"
    again, notes = told(home, film)
    assert again["document"] == now["document"] and notes == []


@pytest.mark.parametrize("name", ["analysis.json", "plan.json"])
@pytest.mark.parametrize("text", DAMAGES)
def test_what_is_changed_by_hand_and_cannot_be_read_is_said(
    home: Path, film: str, folder: Path, name: str, text: str
) -> None:
    (folder / name).write_text(text)
    now, notes = told(home, film)
    assert len(notes) == 1 and "is not taken in" in notes[0]
    assert now["document"]["version"] == 3 and (folder / name).read_text() == text


def test_a_file_that_a_person_removed_is_there_again(home: Path, film: str, folder: Path) -> None:
    before = (folder / "plan.json").read_text()
    (folder / "plan.json").unlink()
    assert told(home, film)[0]["document"]["version"] == 3
    assert (folder / "plan.json").read_text() == before


@pytest.mark.parametrize("text", DAMAGES)
def test_a_piece_that_is_damaged_is_left_out_alone(
    home: Path, film: str, folder: Path, text: str
) -> None:
    takes = [path.parent for path in (folder / "takes").glob("*/take.json")]
    (takes[0] / "take.json").write_text(text)
    with studio(home) as page:
        now = page.ask("GET", f"/api/films/{film}")
        assert len(now["takes"]) == 3 and len(now["notes"]) == 1
        assert now["notes"][0].startswith("a piece is left out: ")
        error = page.ask("GET", f"/api/takes/{takes[0].name}", status=422)["error"]
        assert "take.json" in error
        assert page.ask("GET", "/api/films")[0]["takes"] == 4
        page.ask("DELETE", f"/api/takes/{takes[0].name}")
        assert page.ask("GET", f"/api/films/{film}")["notes"] == []
        shutil.rmtree(folder / "takes")
        assert page.ask("GET", f"/api/films/{film}")["takes"] == []
