"""Outputs appear whole or not at all, where they were asked for, and nothing else changes."""

import builtins
import errno
import io
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emsync.analysis import Analysis
from emsync.data.pack import pack, unpack
from emsync.errors import EmsyncError, UsageError
from emsync.files import atomic_write, check_target, together
from emsync.fit.hits import fit
from emsync.formats.cut_lists import WRITERS, write_cuts
from emsync.formats.midi import write_midi
from emsync.formats.musicxml import write_musicxml
from emsync.matching.index import Track, write_index
from emsync.model.composer import Composer
from emsync.music.piece import Piece
from emsync.performance.performance import perform
from emsync.report.plots import plot_analysis
from emsync.sound.audio import Audio
from emsync.sound.encode import KINDS, write_audio
from emsync.sound.mux import mux
from emsync.targets import check_apart, make_folder
from emsync.video.cuts import Cut
from emsync.video.film import open_film

OLD = b"of yesterday"
TONE = Audio(np.full((4410, 2), 0.25, np.float32), 44100)
LINE = Analysis(4.0, "25", (Cut(2.0),), source="clip.mp4")

Write = Callable[[Path], Any]  # writes something into the folder that it is given


def put(path: Path, text: str = "new") -> None:
    with atomic_write(path) as partial:
        partial.write_text(text)


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder and what is in them; b"" for a folder."""
    inside = folder.rglob("*")
    return {
        path.relative_to(folder).as_posix(): b"" if path.is_dir() else path.read_bytes()
        for path in inside
    }


# --- links, modes, devices and pipes --------------------------------------------------------------


def test_a_link_is_followed_and_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real.mid").write_bytes(OLD)
    (tmp_path / "sub").mkdir()
    for name, to in (("a", "real.mid"), ("b", "a"), ("new", "sub/made.mid"), ("dir", "sub")):
        (tmp_path / name).symlink_to(to)
    put(tmp_path / "b", "through two links")
    put(tmp_path / "new", "through a link to nothing")
    put(tmp_path / "dir" / "c.mid", "through a folder")
    assert (tmp_path / "real.mid").read_text() == "through two links"
    assert (tmp_path / "sub" / "made.mid").read_text() == "through a link to nothing"
    assert (tmp_path / "sub" / "c.mid").read_text() == "through a folder"
    assert all((tmp_path / name).is_symlink() for name in ("a", "b", "new", "dir"))
    assert set(contents(tmp_path)) == {
        *("real.mid", "sub", "sub/made.mid", "sub/c.mid", "a", "b", "new", "dir"),
        *(name for name in contents(tmp_path) if name.startswith("dir/")),
    }


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    for path in (tmp_path / "a", tmp_path / "a" / "x.mid"):
        with pytest.raises(UsageError, match=r"circle|too many|loop|no folder"):
            check_target(path)


def test_where_the_working_folder_is_gone_nothing_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    check_apart([Path("a.mid")], {"the video": Path("b.mp4")})
    with pytest.raises(UsageError, match="No such file"):
        check_target(Path("a.mid"))


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "a.mid")
    (tmp_path / "loop").symlink_to("loop")
    for name in ("a.mid", "a.mid/in", "loop", "loop/in"):
        with pytest.raises(UsageError, match=r"is no folder|cannot make the folder"):
            make_folder(tmp_path / name)
    make_folder(tmp_path / "deep" / "er")
    assert (tmp_path / "deep" / "er").is_dir()


def test_a_mode_stays_and_a_new_file_has_that_of_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "a.mid"
    before = os.umask(0o027)
    try:
        put(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        for mode in (0o600, 0o666, 0o644):
            path.chmod(mode)
            put(path)
            assert stat.S_IMODE(path.stat().st_mode) == mode
            path.chmod(mode)
            with atomic_write(path) as partial:  # nobody else reads it before it is there
                assert stat.S_IMODE(partial.stat().st_mode) == mode
    finally:
        os.umask(before)


def test_of_hard_links_only_the_name_that_is_written_changes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(OLD)
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    put(tmp_path / "a")
    assert ((tmp_path / "a").read_text(), (tmp_path / "b").read_bytes()) == ("new", OLD)


def test_a_pipe_gets_what_is_written_and_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.wav"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write_audio(TONE, pipe)
    reader.join(10)
    write_audio(TONE, tmp_path / "a.wav")
    assert got == [(tmp_path / "a.wav").read_bytes()]
    assert pipe.is_fifo() and len(list(tmp_path.iterdir())) == 2


def test_a_pipe_that_nothing_reads_is_not_waited_for_forever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emsync.files.PATIENCE", 0.1)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a.mid").write_bytes(OLD)

    def write() -> None:
        with together() as outputs:
            for name in ("a.mid", "pipe"):
                outputs.file(tmp_path / name).write_text("new")

    with pytest.raises(EmsyncError, match="nothing reads from the pipe; start its reader"):
        write()
    assert (tmp_path / "a.mid").read_bytes() == OLD


def test_a_device_stays_one_and_says_what_is_wrong() -> None:
    put(Path("/dev/null"))
    assert Path("/dev/null").is_char_device()
    with pytest.raises(EmsyncError, match=r"cannot write '/dev/full': No space left"):
        put(Path("/dev/full"))


@pytest.mark.parametrize("name", ["/dev/fd/{}", "/proc/self/fd/{}", "link"])
def test_an_open_file_is_written_from_where_it_stands(name: str, tmp_path: Path) -> None:
    with (tmp_path / "log").open("w+b") as file:
        file.write(b"before ")
        file.flush()
        target = Path(name.format(file.fileno()))
        if name == "link":
            target = tmp_path / "link"
            target.symlink_to(f"/dev/fd/{file.fileno()}")
        put(target, "new")
        file.seek(0, io.SEEK_END)
        file.write(b" after")
    assert (tmp_path / "log").read_bytes() == b"before new after"


def test_what_cannot_be_written_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (tmp_path / "file").open("rb") as reading:
        for path, words in (
            (tmp_path, "it is a folder"),
            (tmp_path / "no" / "a.mid", "no folder .*no'; make it first"),
            (tmp_path / "file" / "a.mid", "no folder .*file'; make it first"),
            (tmp_path / ("x" * 252 + ".mid"), "File name too long"),
            (tmp_path / ("\N{MOVIE CAMERA}" * 63 + ".mid"), "File name too long"),
            (tmp_path / "a\0b", "null byte"),
            (Path(f"/dev/fd/{reading.fileno()}"), "open for reading only"),
            (Path("/dev/fd/987654"), "no file is open as number 987654"),
        ):
            with pytest.raises(UsageError, match=words):
                check_target(path)
    longest = tmp_path / ("\N{MOVIE CAMERA}" * 62 + "abc.mid")
    assert len(os.fsencode(longest.name)) == 255
    put(longest)
    raw = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mid"))
    put(raw)
    assert set(tmp_path.iterdir()) == {longest, raw, tmp_path / "file"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_what_may_only_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mid").write_bytes(OLD)
    (tmp_path / "a.mid").chmod(0o444)
    with pytest.raises(UsageError, match="may only be read"):
        check_target(tmp_path / "a.mid")


def test_no_output_is_an_input_or_another_output(tmp_path: Path) -> None:
    film, sub = tmp_path / "film.mp4", tmp_path / "sub"
    film.write_bytes(OLD)
    sub.mkdir()
    (tmp_path / "soft").symlink_to("film.mp4")
    (tmp_path / "hard").hardlink_to(film)
    (tmp_path / "way").symlink_to(sub, target_is_directory=True)
    for name in ("film.mp4", "sub/../film.mp4", "soft", "hard"):
        for given in (film, [sub, film]):
            with pytest.raises(UsageError, match="is the video itself; choose another name"):
                check_apart([tmp_path / name], {"the video": given})
    for one, two in (("a", "sub/../a"), ("sub/a", "way/a"), ("soft", "hard"), ("a", "a")):
        with pytest.raises(UsageError, match="two outputs have the same name or file"):
            check_apart([tmp_path / one, tmp_path / two], {})
    check_apart([Path("/dev/null")] * 2, {"the list of cuts": Path("/dev/null")})
    check_apart([tmp_path / "a", tmp_path / "b"], {"the video": film, "a font": tmp_path / "no"})


# --- what a kill leaves ---------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from pathlib import Path
from emsync.files import together
with together() as outputs:
    for name in sys.argv[2:]:
        outputs.file(Path(name)).write_text("half of it")
    (outputs.folder(Path(sys.argv[1])) / "x").write_text("half of it")
    print("ready", flush=True)
    signal.pause()
"""


def test_a_later_run_removes_what_a_kill_has_left_and_nothing_that_is_in_use(
    tmp_path: Path,
) -> None:
    names = [tmp_path / "a.mid", tmp_path / ("\N{MOVIE CAMERA}" * 62 + ".mid")]
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, tmp_path / "bundle", *names], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout and process.stdout.readline() == b"ready\n"
        partial = set(tmp_path.iterdir())
        assert len(partial) == 3
        for path in names:
            put(path)
        with together() as outputs:
            outputs.folder(tmp_path / "bundle")
        written = {*names, tmp_path / "bundle"}
        assert set(tmp_path.iterdir()) == partial | written  # the process lives
        process.send_signal(signal.SIGKILL)
    mine = tmp_path / ".a.0123abcd.part.txt"
    mine.touch()
    for path in names:
        put(path)
    (tmp_path / "bundle").rmdir()
    with together() as outputs:
        outputs.folder(tmp_path / "bundle")
    assert set(tmp_path.iterdir()) == written | {mine}


HUNG_UP = f"""
import signal, sys
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # also where the tests were started by nohup
from emsync.cli import main
from emsync.sound import synthesis
def wait(*given, **more):
    exec({KILLED!r}, {{}})
synthesis.render = wait
sys.exit(main(["render", "x.mid", "--out", "x.wav"]))
"""


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_closed_terminal_leaves_nothing_behind(number: signal.Signals, tmp_path: Path) -> None:
    names = [tmp_path / "bundle", tmp_path / "a.mid"]
    with subprocess.Popen([sys.executable, "-c", HUNG_UP, *names], stdout=subprocess.PIPE) as run:
        assert run.stdout and run.stdout.readline() == b"ready\n"
        run.send_signal(number)
        try:
            assert run.wait(20) == 130
        finally:
            run.kill()
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_comes_before_or_after_names_change_never_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("a", "b", "c")
    for name in names:
        (tmp_path / name).write_bytes(OLD)
    replace = os.replace

    def interrupted(*of: Any) -> None:
        replace(*of)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(os, "replace", interrupted)

    def write() -> None:
        with together() as outputs:
            for name in names:
                outputs.file(tmp_path / name).write_text("new")

    with pytest.raises(KeyboardInterrupt):
        write()
    assert contents(tmp_path) == dict.fromkeys(names, b"new")


# --- the n-th thing fails -------------------------------------------------------------------------


@contextmanager
def failing(number: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Let the call ``number`` of the system fail; yield the names of those that were made."""
    made: list[str] = []

    def watched(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def do(*of: Any, **more: Any) -> Any:
            if name == "open" and not {"w", "a", "x", "+"} & set(str(of[1:] or more.get("mode"))):
                return call(*of, **more)
            made.append(name)
            if len(made) - 1 == number:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return call(*of, **more)

        return do

    with monkeypatch.context() as patch:
        for name in ("replace", "rename", "link", "fsync", "mkdir"):
            patch.setattr(os, name, watched(name, getattr(os, name)))
        opened = watched("open", io.open)
        patch.setattr(io, "open", opened)
        patch.setattr(builtins, "open", opened)
        yield made


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Let no file grow beyond ``size`` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def several(folder: Path) -> None:
    with together() as outputs:
        for name in ("old", "new", "older"):
            outputs.file(folder / name).write_text("new")


def filled(folder: Path) -> None:
    with together() as outputs:
        partial = outputs.folder(folder / "bundle", ("gone", "stems/gone.wav"))
        (partial / "stems").mkdir()
        for name in ("score.mid", "fresh", "stems/piano.wav"):
            put(partial / name)
        outputs.file(folder / "beside").write_text("new")


@pytest.fixture(scope="module")
def kinds(
    small: Path, draw_cut: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Write]:
    """What writes each kind of output into a folder."""
    place = tmp_path_factory.mktemp("made")
    film = open_film(draw_cut(place / "film.mp4", 10))
    (place / "in").mkdir()
    (place / "in" / "a").write_bytes(np.random.default_rng(0).bytes(3000))
    pack(place / "in", place / "pieces", piece=1)
    music = fit(Piece.of(np.array([(3, 60, 0.0, 1.0)]), downbeats=np.array([0.0, 2.0])), [], 2.0)
    composer = Composer.from_pretrained(small)
    track = Track("a.wav", 1, 1, 0.2, {"onsets": np.ones(8, np.float16)})
    encoders: dict[str, Write] = {
        kind: lambda folder, kind=kind: write_audio(TONE, folder / f"old{kind}")  # type: ignore[misc]
        for kind in KINDS
    }
    lists: dict[str, Write] = {
        f"cuts{kind}": lambda folder, kind=kind: write_cuts(folder / f"old{kind}", LINE)  # type: ignore[misc]
        for kind in WRITERS
        if kind != ".otio"
    }
    return {
        "text": lambda folder: put(folder / "old"),
        "new text": lambda folder: put(folder / "new"),
        "several": several,
        "bundle": filled,
        **encoders,
        **lists,
        "midi": lambda folder: write_midi(folder / "old.mid", perform(music)),
        "musicxml": lambda folder: write_musicxml(folder / "old.musicxml", perform(music)),
        "analysis": lambda folder: LINE.save(folder / "old.json"),
        "picture": lambda folder: plot_analysis(LINE, (), folder / "old.png"),
        "film": lambda folder: mux(film, TONE, folder / "old.mp4"),
        "matroska": lambda folder: mux(film, TONE, folder / "old.mkv"),
        "index": lambda folder: write_index(folder / "old.safetensors", "a", [track]),
        "checkpoint": lambda folder: composer.save_pretrained(folder / "checkpoint"),
        "pieces": lambda folder: pack(place / "in", folder / "pieces", piece=1),
        "unpacked": lambda folder: unpack(place / "pieces", folder / "old"),
    }


KIND_NAMES = [
    *("text", "new text", "several", "bundle", *KINDS, "cuts.csv", "cuts.edl", "cuts.json"),
    *("midi", "musicxml", "analysis", "picture", "film", "matroska", "index", "pieces", "unpacked"),
    "checkpoint",
]
EACH_KIND = [
    pytest.param("picture", marks=pytest.mark.slow),
    *(k for k in KIND_NAMES if k != "picture"),
]


def yesterday(folder: Path) -> dict[str, bytes]:
    """Fill a folder with what each kind of output replaces, and what none of them may touch."""
    folder.mkdir()
    suffixes = ("", *KINDS, *WRITERS, ".mid", ".musicxml", ".png", ".mp4", ".mkv", ".safetensors")
    for name in (*(f"old{s}" for s in suffixes if s), "older", "beside", "bundle/score.mid",
                 "bundle/gone", "bundle/stems/gone.wav", "bundle/stems/mine.wav",
                 "checkpoint/config.json", "pieces/mine.txt"):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(OLD)
    return contents(folder)


@pytest.mark.parametrize("kind", EACH_KIND)
def test_a_failure_of_any_call_leaves_all_as_it_was(
    kind: str, kinds: dict[str, Write], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever open, write to disk or rename fails: no half file, no partial, nothing lost."""
    failures = 0
    for number in range(200):
        folder = tmp_path / str(number)
        before = yesterday(folder)
        if kind != "unpacked":
            (folder / "old").write_bytes(OLD)
            before = contents(folder)
        with failing(number, monkeypatch) as made:
            try:
                kinds[kind](folder)
            except EmsyncError:
                assert contents(folder) == before, made
                failures += 1
                continue
        after = contents(folder)
        assert not [name for name in after if ".part" in name]
        if len(made) <= number:
            break
    assert failures and number == len(made)
    assert after != before


SMALL = ("text", "new text", "several", "bundle")  # these are smaller than 100 bytes


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        *((kind, 0) for kind in KIND_NAMES if kind != "unpacked"),
        *((kind, 100) for kind in KIND_NAMES if kind not in ("unpacked", *SMALL)),
    ],
)
def test_a_full_disk_leaves_all_as_it_was(
    kind: str, size: int, kinds: dict[str, Write], tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    yesterday(folder)
    (folder / "old").write_bytes(OLD)
    before = contents(folder)
    with full_disk(size), pytest.raises(EmsyncError, match=r"cannot write|cannot pack"):
        kinds[kind](folder)
    assert contents(folder) == before


@pytest.mark.parametrize("kind", EACH_KIND)
def test_the_same_is_written_to_the_same_bytes(
    kind: str, kinds: dict[str, Write], tmp_path: Path
) -> None:
    found = []
    for name in ("one", "two"):
        yesterday(tmp_path / name)
        kinds[kind](tmp_path / name)
        kinds[kind](tmp_path / name)  # over itself, too
        found.append(contents(tmp_path / name))
    assert found[0] == found[1]
