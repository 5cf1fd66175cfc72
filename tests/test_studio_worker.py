"""The worker of the studio, the real one: what it answers, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from studio_server import Server, server, wait_for

from emsync.demo import draw_clip
from emsync.errors import EmsyncError, InputError, warn
from emsync.files import atomic_write
from emsync.sound.audio import OUTPUT_RATE, Audio, write_wav
from emsync.studio import tasks, worker
from emsync.studio.room import FULL, is_full

Answers = list[dict[str, Any]]


def answers(act: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Return what the worker answers to a task that ``act`` does."""
    monkeypatch.setattr(tasks, "do", lambda task, tell: act(tell))
    out = StringIO()
    worker._do({"kind": "test"}, out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def raising(error: BaseException) -> Callable[..., Any]:
    def act(tell: Any) -> None:
        raise error

    return act


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (InputError("the film is black"), "the film is black"),
        (MemoryError(), "there is not enough memory for this; close other programs"),
        (OSError(28, "No space left on device", "a.flac"), FULL),
        (OSError(5, "Input/output error", "a.flac"), "Input/output error: a.flac"),
        (OSError("odd"), "odd: a file"),
        (KeyError("x"), "a fault in emsync: KeyError: 'x'"),
    ],
)
def test_what_goes_wrong_is_a_sentence(
    error: Exception, reason: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    assert answers(raising(error), monkeypatch) == [{"event": "failed", "reason": reason}]
    assert ("Traceback" in capsys.readouterr().err) == reason.startswith("a fault")


def test_a_disk_without_room_is_known_whoever_meets_it(tmp_path: Path) -> None:
    with pytest.raises(EmsyncError) as raised, atomic_write(tmp_path / "a.flac") as part:
        raise OSError(28, "No space left on device", str(part))
    assert is_full(raised.value)
    assert not is_full(None) and not is_full(EmsyncError("odd")) and not is_full(OSError("odd"))


def test_events_notes_and_the_result_are_a_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    def act(tell: Any) -> dict[str, Any]:
        tell("progress", stage="Working", share=0.5)
        warn("its sound is silent")
        warn("line\nbreak")
        return {"takes": ["a"]}

    assert answers(act, monkeypatch) == [
        {"event": "progress", "stage": "Working", "share": 0.5},
        {"event": "note", "text": "its sound is silent"},
        {"event": "note", "text": "line\nbreak"},
        {"event": "done", "result": {"takes": ["a"]}},
    ]
    assert answers(lambda tell: None, monkeypatch) == [{"event": "done", "result": {}}]


def test_it_does_task_after_task_and_ends_with_its_input(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "emsync.studio.worker"]
    draw_clip(tmp_path / "film.mp4", seconds=2)
    task = {"kind": "watch", "folder": str(tmp_path), "film": "film.mp4", "name": "a.mp4",
            "seconds": 1.0, "draw": False}  # fmt: skip
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        for given, reason in (
            ({"kind": "odd"}, "the studio knows no work 'odd'"),
            ({**task, "film": "none.mp4"}, "none.mp4"),
            (task, "the film has 0:02, and 0:01 is the most here"),
        ):
            process.stdin.write(json.dumps(given).encode() + b"\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            assert answer["event"] == "failed" and reason in answer["reason"]
        process.stdin.close()
        assert process.wait(5) == 0


def test_what_is_no_film_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "film.txt").write_bytes(b"no film at all\n" * 100)
    (tmp_path / "film.mp4").touch()
    Image.new("RGB", (64, 64), "red").save(tmp_path / "film.png")
    tone = np.sin(np.arange(OUTPUT_RATE) / 20).astype(np.float32)
    write_wav(Audio(np.stack([tone, tone], axis=1), OUTPUT_RATE), tmp_path / "film.wav")
    for path in tmp_path.iterdir():
        with pytest.raises(InputError) as refused:
            tasks.watch({**_of(tmp_path), "film": path.name}, lambda event, **facts: None)
        assert path.name in str(refused.value) and "\n" not in str(refused.value)


def _of(folder: Path) -> dict[str, Any]:
    return {"folder": str(folder), "film": "film.mp4", "name": "a.mp4", "seconds": 60.0,
            "draw": False}  # fmt: skip


# --- killed, cancelled, started again -------------------------------------------------------------


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("worker") / "home"


@pytest.fixture(scope="module")
def studio(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A studio with a film of nine seconds that was watched, in which pieces are quickly drawn."""
    clip = tmp_path_factory.mktemp("clip") / "clip.mp4"
    draw_clip(clip, seconds=9)
    with server(home, str(clip)) as running:
        told = running.client.get(f"/api/films/{running.film}").json()
        for job in told["jobs"]:
            running.follow(job["id"])
        yield running


def compose(studio: Server, film: str) -> str:
    answer = studio.client.post(f"/api/films/{film}/jobs", json={"kind": "compose"})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["job"]["id"])


def until_composing(studio: Server, job: str) -> None:
    """Wait until the first notes are drawn."""
    with studio.client.stream("GET", f"/api/jobs/{job}/events") as answer:
        for line in answer.iter_lines():
            if line.startswith("data") and "Composing" in line:
                return


def left_over(home: Path) -> list[Path]:
    return [path for path in home.rglob("*") if ".part" in path.name]


@pytest.mark.slow
def test_a_cancel_and_a_kill_while_composing_leave_nothing(studio: Server, home: Path) -> None:
    film = studio.film
    first = compose(studio, film)
    takes = [data["id"] for name, data in studio.follow(first) if name == "candidate"]
    assert len(takes) == 4
    second = compose(studio, film)
    until_composing(studio, second)
    begun = time.monotonic()
    assert studio.client.delete(f"/api/jobs/{second}").json()["state"] == "cancelled"
    seconds = time.monotonic() - begun
    assert seconds < 5.0 and left_over(home) == []
    third, fourth = compose(studio, film), compose(studio, film)
    until_composing(studio, third)
    os.kill(studio.worker(), signal.SIGKILL)
    end = studio.follow(third)[-1][1]
    assert end["state"] == "failed"
    assert end["reason"].startswith("the worker ended by signal 9; there may be too little memory")
    assert studio.follow(fourth)[-1][1]["state"] == "done" and left_over(home) == []
    print(f"cancelled in {seconds:.2f} s")


@pytest.mark.slow
def test_a_server_that_is_killed_while_composing_loses_nothing(studio: Server, home: Path) -> None:
    film = studio.film
    before = studio.client.get(f"/api/films/{film}").json()
    job = compose(studio, film)
    until_composing(studio, job)
    worker = studio.worker()
    other = studio.client.post("/api/films/demo").json()["film"]["id"]
    studio.process.send_signal(signal.SIGKILL)
    begun = time.monotonic()
    wait_for(lambda: not _runs(worker))
    seconds = time.monotonic() - begun
    assert seconds < 5.0
    studio.process.communicate()
    (home / film / "takes" / ".0123.abcdef01.part").mkdir()  # as a kill may leave it
    with server(home) as again:
        after = again.client.get(f"/api/films/{film}").json()
        new = [take for take in after["takes"] if take not in before["takes"]]
        assert all(again.client.get(f"/api/takes/{take['id']}/sound").content for take in new)
        after["takes"] = [take for take in after["takes"] if take in before["takes"]]
        for told in (before, after):
            del told["film"]["bytes"]
        assert after == before
        assert left_over(home) == []
        whole = again.client.get(f"/api/films/{other}").json()
        assert whole["film"]["state"] == "watching"
        assert again.follow(whole["jobs"][0]["id"])[-1][1]["state"] == "done"
    print(f"the worker ended {seconds:.2f} s after the server")


def _runs(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
