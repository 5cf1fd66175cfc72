"""The studio's routes: what they answer, what they refuse, and that nothing is lost."""

import asyncio
import io
import json
import shutil
import threading
import time
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from starlette.routing import Route
from studio_client import ROOMY, Page, studio

from emsync.analysis import Analysis
from emsync.files import Together
from emsync.planning.plan import Plan
from emsync.studio.studio import Limits, Studio

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def page(home: Path) -> Iterator[Page]:
    with studio(home) as page:
        yield page


def inside(home: Path) -> list[str]:
    """Return the folders of films, also those that are hidden."""
    return sorted(path.name for path in home.iterdir())


# --- films ----------------------------------------------------------------------------------------


def test_a_film_is_taken_in_watched_and_told(page: Page, home: Path) -> None:
    told = page.send(b"a film", quote("Ferien ä/b.MP4"))
    film = told["film"]
    assert film["name"] == "b.MP4" and film["bytes"] > 5 and told["takes"] == []
    events = page.follow(page.watching(film["id"]))
    assert [name for name, _ in events if name != "job"] == [
        "film", "strip", "strip", "picture", "end",
    ]  # fmt: skip
    whole = page.ask("GET", f"/api/films/{film['id']}")
    assert whole["film"]["state"] == "ready" and whole["film"]["duration"] == 20.0
    assert [one["time"] for one in whole["strip"]] == [0.0, 10.0]
    assert page.get(whole["strip"][1]["url"]).headers["content-type"] == "image/jpeg"
    assert page.get(whole["film"]["picture"]).content == b"a film"
    assert whole["document"]["version"] == 1 and whole["document"]["plan_is"] == "made"
    assert whole["document"]["analysis"] == whole["seen"] and whole["jobs"] == []
    (folder,) = (path for path in home.iterdir() if not path.name.startswith("."))
    assert Analysis.load(folder / "analysis.json").duration == 20.0
    assert Plan.load(folder / "plan.json").to_json() == whole["document"]["plan"]


def test_films_are_listed_newest_first(page: Page) -> None:
    films = [page.film(f"{name}.mp4") for name in "abc"]
    page.compose(films[1])
    listed = page.ask("GET", "/api/films")
    assert [one["id"] for one in listed] == films[::-1]
    compared = page.ask("GET", "/api/health")["defaults"]["candidates"]
    assert [one["takes"] for one in listed] == [0, compared, 0]
    assert all(one["picture"].endswith("/strip/0") and one["bytes"] > 0 for one in listed)


@pytest.fixture(scope="module")
def roomy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A studio that tests may fill."""
    with studio(tmp_path_factory.mktemp("roomy") / "home") as page:
        yield page


NAMES = [
    ("", "film"), ("..", "film"), (".", "film"), ("/", "film"), ("\x00", "film"),
    ("a\nb\x1b[31m.mp4", "a b [31m.mp4"), ("\u202egpj.mp4", "gpj.mp4"), ("x" * 1000, "x" * 200),
    ("../../etc/passwd", "passwd"), ("concat:a.mp4|b.mp4", "concat:a.mp4|b.mp4"),
    ("http://evil.example/a.mp4", "a.mp4"), ("C:\\a.mp4", "C:\\a.mp4"), ("noend", "noend"),
    ("<script>.mp4", "<script>.mp4"), ("a.m p4", "a.m p4"), ("-i.mp4", "-i.mp4"),
    ("film.json", "film.json"), ("\ud800.mp4", "???.mp4"), ("🎬.mov", "🎬.mov"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "shown"), NAMES, ids=[repr(name[:12]) for name, _ in NAMES])
def test_the_name_of_a_film_is_shown_and_never_a_path(roomy: Page, name: str, shown: str) -> None:
    page, home = roomy, roomy.studio.home
    sent = quote(name.encode("utf-8", "surrogatepass"))
    film = page.send(b"a film", sent)["film"]
    assert film["name"].replace("\ufffd", "?") == shown
    (folder,) = (path for path in home.iterdir() if path.name == film["id"])
    (copy,) = (path for path in folder.iterdir() if path.name.startswith("film."))
    assert copy.name == page.studio.project(film["id"]).record.film
    assert copy.suffix in (".mp4", ".video", ".mov", ".json") and copy.read_bytes() == b"a film"


def test_a_film_that_cannot_be_watched_says_why_and_can_be_deleted(page: Page, home: Path) -> None:
    film = page.film("bad.txt")
    told = page.ask("GET", f"/api/films/{film}")
    assert (told["film"]["state"], told["film"]["reason"]) == ("failed", "it is no film")
    for method, path, body in (
        ("PUT", "document", {"version": 0}), ("POST", "undo", {"version": 0}),
        ("POST", "jobs", {"kind": "compose"}),
    ):  # fmt: skip
        error = page.ask(method, f"/api/films/{film}/{path}", body, 422)["error"]
        assert error == "the film could not be watched: it is no film"
    page.ask("DELETE", f"/api/films/{film}")
    assert film not in inside(home)


def test_a_film_that_is_being_watched_can_be_cancelled_and_deleted(page: Page, home: Path) -> None:
    told = page.send(b"a film", "slow.mp4")
    film, job = told["film"]["id"], told["jobs"][0]["id"]
    error = page.ask("POST", f"/api/films/{film}/jobs", {"kind": "compose"}, 422)["error"]
    assert error == "the film is still being watched; wait until it is"
    while not list((home / film).glob(".*.part")):
        time.sleep(0.01)
    assert page.ask("DELETE", f"/api/jobs/{job}")["state"] == "cancelled"
    assert page.ask("GET", f"/api/films/{film}")["film"]["reason"] == "watching it was cancelled"
    assert not list((home / film).glob(".*.part"))
    other = page.send(b"a film", "slow.mp4")["film"]["id"]
    page.ask("DELETE", f"/api/films/{other}")
    assert other not in inside(home) and page.studio.jobs.of(other) == []
    page.ask("GET", f"/api/films/{other}", status=404)


def test_a_film_that_could_not_be_deleted_whole_is_gone_and_the_next_start_ends_it(
    page: Page, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = page.film()
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", failing)
        page.ask("DELETE", f"/api/films/{film}", status=500)
    assert page.ask("GET", "/api/films") == [] and inside(home) == [f".{film}.part"]
    Studio(home)
    assert inside(home) == []


def failing(path: Path) -> None:
    raise PermissionError(13, "Permission denied", str(path))


def test_a_job_that_waits_is_cancelled_without_touching_the_one_that_runs(
    page: Page, home: Path
) -> None:
    ready = page.film()
    slow = page.send(b"a film", "slow.mp4")["film"]["id"]
    while not (parts := list((home / slow).glob(".*.part"))):
        time.sleep(0.01)
    job = page.ask("POST", f"/api/films/{ready}/jobs", {"kind": "compose"}, 202)["job"]
    assert job["state"] == "queued" and job["place"] == 1
    (home / ready / ".mine.part").write_text("half")
    assert page.ask("DELETE", f"/api/jobs/{job['id']}")["state"] == "cancelled"
    assert parts[0].exists() and (home / ready / ".mine.part").exists()


def test_the_demonstration_is_drawn(page: Page) -> None:
    told = page.ask("POST", "/api/films/demo", status=201)
    assert told["film"]["name"] == "demo.mp4"
    assert page.studio.project(told["film"]["id"]).record.drawn


def test_numbers_that_are_none_of_ours_are_not_there(page: Page) -> None:
    film = page.film()
    for number in ("9" * 9, "9" * 300, "9" * 5000, "-1", "x", "٣"):
        page.ask("GET", f"/api/films/{film}/strip/{number}", status=404)
        page.ask("POST", f"/api/films/{film}/versions/{number}", {"version": 1}, 404)
    job = page.watching(page.send(b"a film")["film"]["id"])
    for number in ("9" * 5000, "-1", "x"):
        answer = page.get(f"/api/jobs/{job}/events", headers={"last-event-id": number})
        assert "event: end" in answer.text


def test_pieces_are_drawn_with_the_largest_seed_too(page: Page, home: Path) -> None:
    film = page.film()
    page.edit(film, wishes={"seed": 2**63 - 1})
    page.compose(film)
    page.compose(film)
    takes = page.ask("GET", f"/api/films/{film}")["takes"]
    assert takes[0]["seed"] == 2**63 - 1 and takes[4]["seed"] == 0


def test_a_full_disk_while_a_film_is_watched_fails_it_and_nothing_waits(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = page.send(b"a film", "slow.mp4")
    film, job = told["film"]["id"], told["jobs"][0]["id"]
    full = OSError(28, "No space left on device")
    with monkeypatch.context() as patch:
        patch.setattr(Together, "appear", lambda self: (_ for _ in ()).throw(full))
        page.ask("DELETE", f"/api/jobs/{job}")
        now = page.ask("GET", f"/api/films/{film}")
        assert now["film"]["state"] == "failed" and now["jobs"] == []
    assert page.ask("DELETE", f"/api/films/{film}") == {}


@pytest.mark.parametrize("path", ["films/0123456789abcdef", "jobs/0", "takes/0123456789abcdef"])
def test_what_is_not_there_is_said_in_a_sentence(page: Page, path: str) -> None:
    assert page.ask("GET", f"/api/{path}", status=404)["error"].startswith("there is no such ")
    page.ask("DELETE", f"/api/{path}", status=404)
    assert page.ask("GET", "/api/nothing", status=404)["error"].startswith("the studio has nothing")
    assert page.ask("PATCH", "/api/films", status=405)["error"]


# --- uploads --------------------------------------------------------------------------------------


def test_more_bytes_than_a_film_may_have_are_refused_before_one_is_written(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with studio(home, Limits(upload=1000, free=0)) as page:
        monkeypatch.setattr(Path, "open", None)  # nothing is opened
        error = page.send(b"x" * 1001, status=413)["error"]
        assert "are the most; make a smaller copy" in error
        assert inside(home) == []


def test_more_bytes_than_were_told_are_refused_as_they_come(home: Path) -> None:
    with studio(home, Limits(upload=1000, free=0)) as page:
        pieces = (b"x" * 400 for _ in range(3))
        assert "are the most" in page.send(pieces, status=413)["error"]
        assert inside(home) == []
        assert page.send(b"x" * 1000)["film"]["state"] == "watching"


def test_an_empty_film_is_refused(page: Page, home: Path) -> None:
    assert page.send(b"", "a.mp4", 422)["error"] == "'a.mp4' is empty; choose a video"
    assert inside(home) == []


def test_a_film_that_is_shorter_than_was_told_is_refused(page: Page, home: Path) -> None:
    error = page.send(iter([b"half"]), status=422, **{"content-length": "8"})["error"]
    assert error.startswith("only 4 of 8 bytes") and inside(home) == []


def test_an_upload_that_stalls_is_given_up(home: Path) -> None:
    async def stalls() -> Any:
        yield b"half"
        await asyncio.sleep(60)

    async def act() -> None:
        with pytest.raises(Exception, match=r"nothing of the film has arrived for 0\.05 s"):
            await Studio(home, Limits(free=0, stalled=0.05)).add("a.mp4", stalls())

    asyncio.run(act())
    assert inside(home) == []


def test_two_uploads_at_once_do_not_meet(page: Page) -> None:
    def pieces(letter: bytes) -> Iterator[bytes]:
        for _ in range(20):
            yield letter * 1000
            time.sleep(0.005)

    found: dict[str, str] = {}

    def send(letter: str) -> None:
        found[letter] = page.send(pieces(letter.encode()), f"{letter}.mp4")["film"]["id"]

    threads = [threading.Thread(target=send, args=(letter,)) for letter in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for letter, film in found.items():
        assert page.studio.project(film).film.read_bytes() == letter.encode() * 20000


# --- the disk -------------------------------------------------------------------------------------


def test_a_disk_that_is_too_full_takes_no_film_and_composes_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with studio(home, Limits(free=1000)) as page:
        film = page.film()
        monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 10**9, 999))
        for error in (
            page.send(b"x", status=507)["error"],
            page.ask("POST", "/api/films/demo", status=507)["error"],
            page.ask("POST", f"/api/films/{film}/jobs", {"kind": "compose"}, 507)["error"],
        ):
            assert str(home) in error and "make room, or delete a film" in error
        assert page.edit(film, wishes={"tempo": 90})["document"]["version"] == 2
        assert [name for name in inside(home) if name != film] == []
        monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 0, 1500))
        assert "free" in page.send(b"x" * 600, status=507)["error"]
        page.send(b"x" * 400)


def test_a_disk_that_fills_while_a_film_arrives_keeps_nothing_of_it(
    page: Page, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Any, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    class Full(io.BytesIO):
        write = full  # type: ignore[assignment]

    monkeypatch.setattr(Path, "open", lambda self, mode: (self.touch(), Full())[1])
    error = page.send(b"x", status=507)["error"]
    assert error == f"the disk with '{home}' is full, and nothing was changed; make room"
    assert inside(home) == []


def test_a_disk_that_fills_while_a_version_is_written_leaves_the_one_before(
    page: Page, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = page.film()
    page.edit(film, wishes={"tempo": 90})
    before = page.document(film)
    files = {path: path.read_bytes() for path in (home / film).rglob("*") if path.is_file()}

    def full(self: Together) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Together, "appear", full)
        for method, path, more in (
            ("PUT", "document", {"wishes": {"tempo": 120}}), ("POST", "undo", {}),
            ("POST", "versions/1", {}), ("POST", "jobs", {"kind": "compose"}),
        ):  # fmt: skip
            body = {"version": 2, **more}
            error = page.ask(method, f"/api/films/{film}/{path}", body, 507)["error"]
            assert str(home) in error and "full" in error
    assert page.document(film) == before
    assert files == {p: p.read_bytes() for p in (home / film).rglob("*") if p.is_file()}
    assert page.edit(film, wishes={"tempo": 120})["document"]["version"] == 3


# --- files and their ranges -----------------------------------------------------------------------


def test_sound_is_sent_in_ranges_and_not_twice(page: Page) -> None:
    take = page.compose(page.film())[0]
    url, whole = f"/api/takes/{take}/sound", bytes(range(200))
    answer = page.get(url)
    assert answer.content == whole and answer.headers["content-type"] == "audio/flac"
    assert answer.headers["accept-ranges"] == "bytes"
    part = page.get(url, headers={"range": "bytes=10-19"})
    assert part.status_code == 206 and part.content == whole[10:20]
    assert part.headers["content-range"] == "bytes 10-19/200"
    assert page.get(url, headers={"range": "bytes=190-"}).content == whole[190:]
    assert page.get(url, headers={"range": "bytes=-5"}).content == whole[-5:]
    for wrong in ("bytes=200-", "bytes=300-400"):
        answer = page.get(url, headers={"range": wrong})
        assert answer.status_code == 416
        assert answer.headers["content-range"] in ("bytes */200", "*/200")
    again = page.get(url, headers={"if-none-match": answer.headers.get("etag", "") or
                                   page.get(url).headers["etag"]})  # fmt: skip
    assert again.status_code == 304 and not again.content
    assert page.get(url, headers={"if-none-match": '"other"'}).status_code == 200
    head = page.client.head(url)
    assert head.status_code == 200 and not head.content
    assert head.headers["content-length"] == "200"


def test_files_are_called_after_the_film(page: Page) -> None:
    film = page.film(quote('Höhe \u202e"x".mp4'))
    take = page.compose(film)[0]
    answer = page.get(f"/api/takes/{take}/files/score.mid")
    assert answer.content == b"MThd"
    called = answer.headers["content-disposition"].removeprefix("attachment; filename*=UTF-8''")
    assert unquote(called) == 'Höhe  "x".1.score.mid' and '"' not in called
    for name in ("analysis.json", "plan.json"):
        answer = page.get(f"/api/films/{film}/files/{name}")
        assert answer.json() == page.document(film)[name.partition(".")[0]]
        assert answer.headers["content-disposition"].startswith("attachment; ")
    for name in ("project.json", "seen.json", "film.mp4"):
        page.ask("GET", f"/api/films/{film}/files/{name}", status=404)
    for name in ("take.json", "film.mp4", "recipe.json", ".hidden"):
        error = page.ask("GET", f"/api/takes/{take}/files/{name}", status=404)["error"]
        assert error == f"'{name}' is not made yet"
    page.ask("GET", f"/api/takes/{take}/stems/piano", status=404)


def test_what_is_mixed_with_the_film_goes_when_another_mix_is_wished(page: Page) -> None:
    film = page.film()
    _, folder = page.studio.take_folder(page.compose(film)[0])
    (folder / "files").mkdir()

    def made() -> set[str]:
        for name in ("film.webm", "bundle.zip", "mix.wav"):
            (folder / "files" / name).write_bytes(b"x")
        return {path.name for path in (folder / "files").iterdir()}

    assert made() == {"film.webm", "bundle.zip", "mix.wav"}
    page.edit(film, wishes={"tempo": 60})
    assert len(list((folder / "files").iterdir())) == 3
    document = page.edit(film, wishes={"tempo": 60, "keep_audio": "duck"})["document"]
    assert [path.name for path in (folder / "files").iterdir()] == ["mix.wav"]
    made()
    page.ask("POST", f"/api/films/{film}/undo", {"version": document["version"]})
    assert [path.name for path in (folder / "files").iterdir()] == ["mix.wav"]


# --- the document ---------------------------------------------------------------------------------


def test_edits_make_versions_which_are_undone_and_redone(page: Page, home: Path) -> None:
    film = page.film()
    first = page.document(film)
    slow = page.edit(film, what="slower", wishes={"tempo": 60})["document"]
    fast = page.edit(film, what="faster", wishes={"tempo": 150})["document"]
    assert [v["what"] for v in fast["versions"]] == ["as seen", "slower", "faster"]
    assert (fast["plan"]["tempo"], fast["can_undo"], fast["can_redo"]) == (150, True, False)
    back = page.ask("POST", f"/api/films/{film}/undo", {"version": 3})["document"]
    assert back["plan"] == slow["plan"] and back["can_redo"]
    assert Plan.load(home / film / "plan.json").tempo == 60
    assert page.ask("POST", f"/api/films/{film}/redo", {"version": 2})["document"] == fast
    assert page.ask("POST", f"/api/films/{film}/redo", {"version": 3}, 422)["error"]
    there = page.ask("POST", f"/api/films/{film}/versions/1", {"version": 3})["document"]
    assert there["plan"] == first["plan"] and not there["can_undo"]
    assert page.ask("POST", f"/api/films/{film}/undo", {"version": 1}, 422)["error"]
    page.ask("POST", f"/api/films/{film}/versions/9", {"version": 1}, 404)
    # an edit of an earlier version takes the place of the later ones
    new = page.edit(film, wishes={"tempo": 100})["document"]
    assert [v["number"] for v in new["versions"]] == [1, 4]
    assert sorted(p.name for p in (home / film / "versions").iterdir()) == ["1.json", "4.json"]


def test_an_edit_without_a_change_is_none(page: Page) -> None:
    film = page.film()
    document = page.document(film)
    edits: list[dict[str, Any]] = [
        {}, {"analysis": document["analysis"]}, {"plan": document["plan"]}, {"wishes": {}},
        {"wishes": {"tempo": None, "chords": "", "instruments": []}}, {"take": ""},
        {key: document[key] for key in ("analysis", "plan", "wishes", "take")},
    ]  # fmt: skip
    for parts in edits:
        assert page.edit(film, **parts)["document"] == document, parts
    assert page.ask("POST", f"/api/films/{film}/plan", {"version": 1})["document"] == document


def test_two_pages_do_not_overwrite_each_other(page: Page) -> None:
    film = page.film()
    page.edit(film, version=1, wishes={"tempo": 90})
    told = page.edit(film, version=1, status=409, wishes={"tempo": 120})
    assert told["error"].startswith("this film was changed in another window")
    assert told["document"] == page.document(film) and told["document"]["version"] == 2
    for path in ("undo", "redo", "plan", "versions/1"):
        page.ask("POST", f"/api/films/{film}/{path}", {"version": 1}, 409)


def test_of_many_edits_at_once_one_is_taken(page: Page) -> None:
    film, statuses = page.film(), []

    def edit(tempo: int) -> None:
        body = {"version": 1, "wishes": {"tempo": tempo}}
        url = f"/api/films/{film}/document"
        statuses.append(page.client.put(url, json=body, headers=page.headers).status_code)

    threads = [threading.Thread(target=edit, args=(60 + i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [409] * 7
    assert page.document(film)["version"] == 2


def test_notes_of_the_library_are_told_with_the_edit_that_caused_them(page: Page) -> None:
    film = page.film()
    plan = page.document(film)["plan"]
    sections = [{**section, "chords": " ".join(["C"] * 64)} for section in plan["sections"]]
    told = page.edit(film, plan={**plan, "sections": sections})
    assert len(told["notes"]) == 1 and "the last are left out" in told["notes"][0]
    assert page.edit(film, wishes={"humanize": 0.5})["notes"] == []


def test_a_take_is_kept_and_let_go(page: Page) -> None:
    film, other = page.film(), page.film()
    one, two = page.compose(film)[:2]
    assert page.edit(film, take=one)["document"]["take"] == one
    assert page.edit(film, take=two)["document"]["take"] == two
    page.ask("DELETE", f"/api/takes/{two}")
    assert page.document(film)["take"] is None
    page.ask("POST", f"/api/films/{film}/undo", {"version": 3})
    assert page.document(film)["take"] == one
    assert page.edit(film, take="")["document"]["take"] is None
    page.edit(other, status=404, take=one)


DEEP = "[" * 100_000 + "]" * 100_000
BODIES = [
    "", "null", "[]", "7", '"x"', "{", "nul", "NaN", DEEP, '{"version": NaN}', '{"version": 1e999}',
    '{"version": 1, "version": 1}', '{"version": 1, "odd": 1}', '{"version": true}',
    '{"version": "1"}', '{"version": 1.0}', '{"version": null}',
    '{"version": 1, "what": "\\ud800"}',
    '{"version": 1, "what": 7}', '{"version": 1, "take": 7}', '{"version": 1, "take": []}',
    '{"version": ' + "9" * 401 + "}", '{"version": 1, "wishes": []}', '{"version": 1, "plan": 7}',
    '{"version": 1, "wishes": {"palette": "/etc/passwd.toml"}}', '{"version": 1, "analysis": ""}',
    '{"version": 1, "wishes": {"palette": "../x.toml"}}', '{"version": 1, "wishes": {"odd": 1}}',
    '{"version": 1, "wishes": {"tempo": "fast"}}', '{"version": 1, "wishes": {"tempo": 1e300}}',
    '{"version": 1, "wishes": {"tempo": true}}', '{"version": 1, "wishes": {"candidates": 9}}',
    '{"version": 1, "wishes": {"candidates": 1e300}}', '{"version": 1, "wishes": {"seed": -1}}',
    '{"version": 1, "wishes": {"seed": 0.5}}', '{"version": 1, "wishes": {"instruments": [[]]}}',
    '{"version": 1, "wishes": {"chords": "' + "C " * 5000 + '"}}',
    '{"version": 1, "wishes": {"chords": "H##"}}', '{"version": 1, "wishes": {"lufs": 40}}',
    '{"version": 1, "wishes": {"keep_audio": "odd"}}', '{"version": 1, "wishes": {"mode": "odd"}}',
    "\x00", "\u00e9",
]  # fmt: skip


@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body[:40]))
def test_json_that_is_off_is_one_sentence_and_changes_nothing(body: str, kept: Page) -> None:
    (film,) = (one["id"] for one in kept.ask("GET", "/api/films"))
    for method, path in (("PUT", "document"), ("POST", "undo"), ("POST", "jobs")):
        answer = kept.client.request(
            method,
            f"/api/films/{film}/{path}",
            content=body.encode("latin-1"),
            headers=kept.headers,
        )
        assert answer.status_code in ({422, 404} if path == "jobs" else {422}), answer.text
        error = answer.json()["error"]
        assert error and "\n" not in error and len(error) < 500 and "fault" not in error
    assert kept.document(film)["version"] == 1


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A studio with one film, which no test changes."""
    with studio(tmp_path_factory.mktemp("kept") / "home", raises=False) as page:
        page.film()
        yield page


def test_a_request_that_is_too_long_is_refused(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emsync.studio.app.MOST_JSON", 1000)
    film = page.film()
    body = {"version": 1, "what": "x" * 1001}
    assert "more than 1000 bytes" in page.edit(film, status=413, **body)["error"]


# --- jobs -----------------------------------------------------------------------------------------


def test_pieces_are_composed_of_the_document_each_time_with_another_seed(page: Page) -> None:
    film = page.film()
    page.edit(film, wishes={"candidates": 2, "guidance": 1.5})
    answer = page.ask("POST", f"/api/films/{film}/jobs", {"kind": "compose"}, 202)["job"]
    end = page.follow(answer["id"])[-1][1]
    asked, document = end["result"]["asked"], page.document(film)
    assert asked["version"] == 2 and asked["run"] == answer["id"]
    recipe = asked["recipe"]
    assert {key: recipe[key] for key in ("analysis", "plan", "wishes")} == {
        key: document[key] for key in ("analysis", "plan", "wishes")
    }
    assert (recipe["candidates"], recipe["seed"]) == (2, 0)
    takes = page.ask("GET", f"/api/films/{film}")["takes"]
    assert len(takes) == 2 and all("columns" not in take for take in takes)
    whole = page.ask("GET", f"/api/takes/{takes[0]['id']}")
    assert whole["columns"] == {"start": [0.5]} and whole["film"] == film
    again = page.ask("POST", f"/api/films/{film}/jobs", {"kind": "compose"}, 202)["job"]
    assert page.follow(again["id"])[-1][1]["result"]["asked"]["recipe"]["seed"] == 1


def test_a_span_is_composed_anew(page: Page, home: Path) -> None:
    film = page.film()
    take = page.compose(film)[0]
    wanted = {"kind": "anew", "take": take, "from": 3, "to": 6.5, "drafts": 2}
    job = page.ask("POST", f"/api/films/{film}/jobs", wanted, 202)["job"]
    told = page.follow(job["id"])
    asked = told[-1][1]["result"]["asked"]
    assert asked["keep"] == str(home / film / "takes" / take / "score.mid")
    assert (asked["recipe"]["redo"], asked["recipe"]["candidates"]) == ([3.0, 6.5], 2)
    assert asked["parent"] == take and asked["recipe"]["seed"] == 1


@pytest.mark.parametrize(
    ("wanted", "status"),
    [({}, 422), ({"kind": "odd"}, 422), ({"kind": []}, 422), ({"kind": "anew"}, 404),
     ({"kind": "stems", "take": []}, 404), ({"kind": "anew", "take": "TAKE"}, 422),
     ({"kind": "anew", "take": "TAKE", "from": 3}, 422),
     ({"kind": "anew", "take": "TAKE", "from": True, "to": 4}, 422),
     ({"kind": "anew", "take": "TAKE", "from": 4, "to": 3}, 422),
     ({"kind": "anew", "take": "TAKE", "from": -1, "to": 3}, 422),
     ({"kind": "anew", "take": "TAKE", "from": 1, "to": 3, "drafts": 9}, 422),
     ({"kind": "anew", "take": "TAKE", "from": 1, "to": 3, "drafts": True}, 422),
     ({"kind": "file", "take": "TAKE"}, 422), ({"kind": "file", "take": "TAKE", "name": []}, 422),
     ({"kind": "file", "take": "TAKE", "name": "../x"}, 422), ({"kind": "watch"}, 422),
     ({"kind": "file", "take": "OTHER", "name": "mix.wav"}, 404)],
)  # fmt: skip
def test_work_that_cannot_be_is_refused(
    roomy: Page, pieces: dict[str, str], wanted: dict[str, Any], status: int
) -> None:
    take = wanted.get("take")
    body = {**wanted, "take": pieces[take]} if take in ("TAKE", "OTHER") else wanted
    error = roomy.ask("POST", f"/api/films/{pieces['FILM']}/jobs", body, status)["error"]
    assert error and "fault" not in error


@pytest.fixture(scope="module")
def pieces(roomy: Page) -> dict[str, str]:
    """A film with a piece, and a piece of another film."""
    film, other = roomy.film(), roomy.film()
    return {"FILM": film, "TAKE": roomy.compose(film)[0], "OTHER": roomy.compose(other)[0]}


def test_a_full_queue_is_busy_but_takes_films(page: Page) -> None:
    film = page.film()
    page.send(b"a film", "slow.mp4")
    while page.studio.jobs.of(film) == [] and len(page.studio.jobs._queue):
        time.sleep(0.01)
    for _ in range(8):
        page.ask("POST", f"/api/films/{film}/jobs", {"kind": "compose"}, 202)
    error = page.ask("POST", f"/api/films/{film}/jobs", {"kind": "compose"}, 503)["error"]
    assert error.startswith("8 jobs are waiting already")
    page.send(b"a film")
    assert page.edit(film, wishes={"tempo": 90})["document"]["version"] == 2


def test_events_go_on_where_a_page_has_stopped_listening(page: Page) -> None:
    film = page.film()
    job = page.ask("POST", f"/api/films/{film}/jobs", {"kind": "compose"}, 202)["job"]
    page.follow(job["id"])
    url = f"/api/jobs/{job['id']}/events"
    whole = page.get(url)
    assert whole.headers["content-type"].startswith("text/event-stream")
    numbers = [int(line[4:]) for line in whole.text.splitlines() if line.startswith("id: ")]
    rest = page.get(url, headers={"last-event-id": str(numbers[1])}).text
    assert [int(x[4:]) for x in rest.splitlines() if x.startswith("id: ")] == numbers[2:]
    for odd in ("", "x", "-1", "\u00b2", "9" * 30):
        answer = page.get(url, headers={b"last-event-id": odd.encode("latin-1")})
        assert answer.status_code in (200, 204)
    # nothing more will come: a browser that is told so does not ask again
    assert page.get(url, headers={"last-event-id": str(numbers[-1])}).status_code == 204


# --- again tomorrow -------------------------------------------------------------------------------


def test_all_is_there_again_and_what_was_being_watched_is_watched_again(home: Path) -> None:
    with studio(home) as page:
        film = page.film()
        take = page.compose(film)[0]
        page.edit(film, wishes={"tempo": 90}, take=take)
        page.ask("POST", f"/api/films/{film}/undo", {"version": 2})
        before = page.ask("GET", f"/api/films/{film}")
        slow = page.send(b"a film", "slow.mp4")["film"]["id"]
        while not list((home / slow).glob(".*.part")):
            time.sleep(0.01)
    assert list((home / slow).glob(".*.part"))  # as a kill leaves it
    (home / ".0123456789abcdef.part").mkdir()
    record = json.loads((home / slow / "project.json").read_text())
    assert record["state"] == "watching"
    (home / slow / "project.json").write_text(json.dumps({**record, "name": "fast.mp4"}))
    with studio(home) as page:
        assert page.ask("GET", f"/api/films/{film}") == before
        (job, *_) = [*page.studio.jobs.of(slow), None]
        if job:
            page.follow(job.id)
        told = page.ask("GET", f"/api/films/{slow}")
        assert told["film"]["state"] == "ready" and len(told["strip"]) == 2
        assert not list(home.glob(".*.part")) and not list((home / slow).glob(".*.part"))


def test_a_film_whose_folder_is_damaged_is_left_alone(home: Path) -> None:
    with studio(home) as page:
        films = [page.film() for _ in range(4)]
    record = json.loads((home / films[1] / "project.json").read_text())
    for film, text in zip(
        films[1:], ["{", json.dumps({**record, "film": "../x.mp4"}), '{"format": 99}'], strict=True
    ):
        (home / film / "project.json").write_text(text)
    (home / "notes.txt").write_text("mine")
    with pytest.warns(UserWarning, match="a film is left alone") as told, studio(home) as page:
        assert [one["id"] for one in page.ask("GET", "/api/films")] == films[:1]
    assert len(told) == 3
    assert all((home / film).is_dir() for film in films) and (home / "notes.txt").is_file()


def test_every_route_is_in_the_documentation(page: Page) -> None:
    text = (Path(__file__).parents[1] / "docs" / "studio.md").read_text()
    app: Any = page.client.app
    names = {"film": "F", "job": "J", "take": "T", "number": "N", "number:int": "N", "name": "NAME"}
    for route in app.app.routes:
        if isinstance(route, Route):
            path = route.path
            for name, short in names.items():
                path = path.replace("{" + name + "}", short)
            (method,) = set(route.methods or ()) - {"HEAD"}
            assert f"| {method} | `{path}` |" in text, (method, path)


def test_a_film_that_is_named_at_the_start_is_watched_once(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"a film")
    (tmp_path / "home").mkdir()

    async def start() -> list[str]:
        made = Studio(tmp_path / "home", ROOMY)
        film = await made.add_copy(tmp_path / "clip.mp4")
        await made.start()
        kinds = [job.kind for job in made.jobs.of(film)]
        await made.stop()
        return kinds

    assert asyncio.run(start()) == ["watch"]
