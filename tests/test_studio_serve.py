"""The studio's server as a process: how it starts, whom it listens to, and how it ends."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from studio_server import Server, server, wait_for

from emsync.cli import main
from emsync.demo import draw_clip
from emsync.studio import serve as module

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "Ein Film.mp4"
    draw_clip(path, seconds=9)
    return path


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A studio without a film, which no test changes."""
    with server(tmp_path_factory.mktemp("serve") / "home") as running:
        yield running


def said(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Run a command line that is refused; return its exit code and its sentence."""
    code = main(words)
    out, error = capsys.readouterr()
    assert not out and error.startswith("emsync: ") and error.count("\n") == 1
    return code, error


def test_it_is_up_quickly_is_small_never_imports_torch_and_ends_at_once(tmp_path: Path) -> None:
    with server(tmp_path / "home", python=("-X", "importtime")) as studio:
        assert studio.client.get("/").status_code == 200
        health = studio.client.get("/api/health").json()
        assert health["limits"]["candidates"] == 8 and len(health["palettes"]) > 5
        assert health["home"] == str(tmp_path / "home")
        size = 0
        if sys.platform == "linux":
            status = Path(f"/proc/{studio.process.pid}/status").read_text()
            size = int(re.search(r"VmRSS:\s*(\d+) kB", status)[1]) // 1024  # type: ignore[index]
            assert size < 120, "MB"
        code, _, error, seconds = studio.end(signal.SIGINT)
        imported = {line.rpartition("|")[2].strip() for line in error.splitlines()}
        assert "starlette" in imported and not imported & {"torch", "librosa", "numba", "cv2"}
        assert code == 0 and "Traceback" not in error and seconds < 10
        print(f"up in {studio.seconds:.2f} s, {size} MB, ended in {seconds:.2f} s")


def test_it_ends_at_once_with_open_events_and_a_running_job(tmp_path: Path) -> None:
    with server(tmp_path / "home") as studio:
        told = studio.client.post("/api/films/demo").json()
        listening, heard = threading.Event(), []

        def listen() -> None:
            url = f"/api/jobs/{told['jobs'][0]['id']}/events"
            with studio.client.stream("GET", url) as answer:
                for line in answer.iter_lines():
                    heard.append(line)
                    listening.set()

        thread = threading.Thread(target=listen)
        thread.start()
        listening.wait(10)
        worker = studio.worker()
        code, out, error, seconds = studio.end(signal.SIGTERM)
        thread.join(10)
        assert code == 0 and not error.strip() and out.count("\n") == 1
        assert seconds < 10 and not Path(f"/proc/{worker}/stat").exists()
        assert heard and "event: end" not in heard
    record = json.loads((tmp_path / "home" / told["film"]["id"] / "project.json").read_text())
    assert record["state"] == "watching"  # and the next start watches it again


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_it_ends_quietly_in_the_midst_of_an_upload(tmp_path: Path, number: signal.Signals) -> None:
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("these tests were started so that they outlive their terminal, as by nohup")
    home = tmp_path / "home"
    with server(home) as studio:
        studio.client.post("/api/films/demo")
        worker = studio.worker()
        with socket.create_connection(("127.0.0.1", studio.port), 10) as line:
            line.sendall(upload(studio, 10**6).encode() + b"x" * 1000)
            wait_for(lambda: list(home.glob(".*.part")))
            studio.process.send_signal(number)
            studio.process.send_signal(number)  # a person who presses it again hurries nothing
            code, _, error, seconds = studio.end(number)
        assert code == 0 and not error.strip() and seconds < 10
        assert not list(home.glob(".*.part")) and not Path(f"/proc/{worker}/stat").exists()


def test_it_listens_to_this_machine_alone(studio: Server) -> None:
    own = socket.gethostbyname(socket.gethostname())
    for address in {"127.0.0.2", own} - {"127.0.0.1"}:
        with socket.socket() as other:
            other.settimeout(5)
            with pytest.raises(OSError):  # noqa: PT011
                other.connect((address, studio.port))


def raw(studio: Server, request: str) -> str:
    """Return the answer to a request as it is written."""
    with socket.create_connection(("127.0.0.1", studio.port), 10) as line:
        line.sendall(request.encode("latin-1"))
        answer = b""
        while piece := line.recv(65536):
            answer += piece
    return answer.decode("latin-1")


def test_requests_as_no_browser_writes_them(studio: Server) -> None:
    host = f"Host: 127.0.0.1:{studio.port}\r\nConnection: close\r\n"
    for path in (
        "/../../../../etc/passwd", "/..%2f..%2f..%2fetc/passwd", "//etc/passwd", "/%00",
        "/./../page/../../app.py", "/api/films/../../../../etc/passwd", "/%2e%2e/app.py",
        "/" + "a" * 20_000,
    ):  # fmt: skip
        answer = raw(studio, f"GET {path} HTTP/1.1\r\n{host}\r\n")
        assert re.match(r"HTTP/1\.1 (40[0-4]|414|431) ", answer), (path, answer[:200])
        assert "root:" not in answer and "import" not in answer
    assert raw(studio, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n").startswith("HTTP/1.1 400 ")
    assert raw(studio, "GET / HTTP/1.0\r\n\r\n").startswith("HTTP/1.1 400 ")
    assert raw(studio, f"GET / HTTP/1.1\r\n{host}Host: evil\r\n\r\n")[9:12] == "400"
    assert (
        "websocket"
        not in raw(studio, f"GET /api/x HTTP/1.1\r\n{host}Upgrade: websocket\r\n\r\n")
        .lower()
        .split("\r\n\r\n")[0]
    )
    assert studio.client.get("/api/films").json() == []  # none of it did any harm


def test_a_film_that_is_too_large_is_refused_before_it_comes(studio: Server) -> None:
    assert "the film has 3 GB" in raw(studio, upload(studio, 3 * 2**30))


def test_a_page_that_leaves_in_the_middle_of_an_upload_leaves_nothing(studio: Server) -> None:
    head = upload(studio, 1_000_000)
    home = Path(studio.client.get("/api/health").json()["home"])
    with socket.create_connection(("127.0.0.1", studio.port), 10) as line:
        line.sendall(head.encode() + b"x" * 1000)
        wait_for(lambda: list(home.glob(".*.part")))
    wait_for(lambda: not list(home.glob(".*.part")))
    assert studio.client.get("/api/films").json() == []


def upload(studio: Server, size: int) -> str:
    """Return the head of a request that sends a film of so many bytes."""
    cookie = "; ".join(f"{name}={value}" for name, value in studio.client.cookies.items())
    token = studio.client.headers["x-emsync"]
    return (
        f"POST /api/films HTTP/1.1\r\nHost: 127.0.0.1:{studio.port}\r\nCookie: {cookie}\r\n"
        f"X-Emsync: {token}\r\nX-Name: a.mp4\r\nConnection: close\r\n"
        f"Content-Length: {size}\r\n\r\n"
    )


@pytest.mark.slow
def test_the_key_is_printed_once_and_logged_nowhere(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with server(home) as studio:
        studio.client.get("/api/films", headers={"host": "evil.example"})
        studio.client.get(f"/{studio.key}")
        studio.client.post("/api/key", json={"key": "wrong"})
        token = studio.client.headers["x-emsync"]
        _, out, error, _ = studio.end()
    assert out.count(studio.key) == 1 and studio.key not in error and token not in out + error
    for path in home.rglob("*"):
        assert not path.is_file() or studio.key not in path.read_text()


@pytest.mark.slow
def test_a_clip_is_taken_in_once(tmp_path: Path, clip: Path) -> None:
    with server(tmp_path / "home", str(clip)) as studio:
        first, port = studio.film, studio.port
        assert studio.client.get(f"/api/films/{first}").json()["film"]["name"] == clip.name
        studio.end()
    with server(tmp_path / "home", str(clip), "--port", str(port)) as studio:
        assert (studio.film, studio.port) == (first, port)
        assert len(studio.client.get("/api/films").json()) == 1


def test_two_studios_do_not_share_a_home(studio: Server, capsys: Any) -> None:
    home = studio.client.get("/api/health").json()["home"]
    code, error = said(["studio", "--no-browser", "--home", home], capsys)
    assert code == 1 and "another process is showing the films of the studio in" in error


def test_what_cannot_be_is_said_before_anything_starts(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_serve", None)  # nothing is served
    (tmp_path / "text.mp4").write_text("no film")
    home = ["--no-browser", "--home", str(tmp_path / "home")]
    for name, exit_code in (("text.mp4", 3), ("none.mp4", 3)):
        code, error = said(["studio", str(tmp_path / name), *home], capsys)
        assert code == exit_code and name in error
    assert not (tmp_path / "home").exists()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, error = said(["studio", *home, "--port", port], capsys)
        assert code == 2 and f"port {port} cannot be used" in error
    for place in (tmp_path / "text.mp4", tmp_path / "text.mp4" / "home", Path("/proc/home")):
        code, error = said(["studio", "--no-browser", "--home", str(place)], capsys)
        assert code == 2 and "cannot keep its films in" in error and "--home" in error
    code, error = said(["studio", *home, "--host", "0.0.0.0"], capsys)  # which is not offered
    assert code == 2 and "there is no option --host" in error
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    code, error = said(["studio", *home], capsys)
    assert code == 4 and "pip install 'emsync[studio]'" in error


def test_a_browser_that_does_not_start_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def fail(address: str) -> bool:
        asked.append(address)
        raise webbrowser.Error("could not locate runnable browser")

    monkeypatch.setattr(webbrowser, "open", fail)
    module._show("http://127.0.0.1:1/#k=x")
    assert asked == ["http://127.0.0.1:1/#k=x"]


def test_films_lie_where_data_of_programs_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert module.default_home() == Path("/data/emsync/studio")
    monkeypatch.delenv("XDG_DATA_HOME")
    assert module.default_home() == Path.home() / ".local" / "share" / "emsync" / "studio"


@pytest.mark.slow
def test_a_wheel_carries_the_page(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    import zipfile

    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    page = ROOT / "emsync" / "studio" / "page"
    assert {f"emsync/studio/page/{path.name}" for path in page.iterdir()} <= names
    assert os.path.getsize(wheel) > 0  # noqa: PTH202
