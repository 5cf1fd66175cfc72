"""Many films: each is composed for once, as it would be alone, whatever becomes of the others."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import pytest
from packages import install

from emsync import cluster
from emsync.batch import batch as batches
from emsync.batch import job
from emsync.batch.films import films_of
from emsync.checkpoints import digest_of
from emsync.cli import main
from emsync.errors import EmsyncError, InputError, UsageError
from emsync.options import Options, Outputs
from emsync.plugins import versions
from emsync.processes import Died
from emsync.sound.synthesis import default_soundfont

Run = Callable[..., tuple[int, dict[str, Any]]]

QUICKLY = ("--device", "cpu", "--estimator", "fixed:0/0")


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory, draw_cut: Callable[..., Path]) -> Path:
    return draw_cut(tmp_path_factory.mktemp("film") / "clip.mp4", 40, 10)


@pytest.fixture
def films(tmp_path: Path, film: Path) -> Path:
    """Three films: one in a folder of its own, and one that is broken."""
    folder = tmp_path / "films"
    (folder / "day 2").mkdir(parents=True)
    shutil.copy(film, folder / "a.mp4")
    shutil.copy(film, folder / "day 2" / "b.mp4")
    (folder / "day 2" / "c.mov").write_bytes(b"no film")
    return folder


@pytest.fixture
def run(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch) -> Run:  # fmt: skip
    """A function that runs a batch into ``out``, in this process."""

    def in_turn(
        function: Callable[..., Any], items: Sequence[Any], workers: int, **_: object
    ) -> Generator[tuple[int, Any]]:
        yield from reversed([(place, function(item)) for place, item in enumerate(items)])

    monkeypatch.setattr(batches, "spread", in_turn)

    def call(*arguments: object) -> tuple[int, dict[str, Any]]:
        wanted = (*arguments, "--out", tmp_path / "out", "--checkpoint", small, "--json", *QUICKLY)
        code = main(["batch", *map(str, wanted)])
        out = capsys.readouterr().out
        return code, json.loads(out) if out else {}

    return call


def statuses(report: dict[str, Any]) -> list[str]:
    return [row["status"] for row in report["films"]]


def test_films_are_composed_for_as_alone_and_one_that_fails_costs_no_other(
    films: Path, tmp_path: Path, small: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    code, report = run(films, "--seed", 3)
    assert code == 5 and statuses(report) == ["composed", "composed", "failed"]
    assert (report["composed"], report["kept"], report["failed"]) == (2, 0, 1)
    last = report["films"][2]
    assert last["code"] == 3 and "c.mov" in last["error"]
    assert json.loads((tmp_path / "out" / "batch.json").read_text()) == report
    alone = ("generate", films / "a.mp4", "--seed", 3, "--checkpoint", small, *QUICKLY)
    assert main([*map(str, alone), "--out", str(tmp_path / "alone.mid")]) == 0
    capsys.readouterr()
    made = (tmp_path / "out" / "a.mid").read_bytes()
    assert made == (tmp_path / "alone.mid").read_bytes()
    assert {path.name for path in (tmp_path / "out" / "day 2").iterdir()} == {
        "b.mid", "b.film.json",
    }  # fmt: skip


def test_what_is_there_is_kept_and_what_is_missing_changed_or_wished_otherwise_is_made(
    films: Path, tmp_path: Path, run: Run
) -> None:
    (films / "day 2" / "c.mov").unlink()
    assert statuses(run(films)[1]) == ["composed", "composed"]
    code, report = run(films)
    assert code == 0 and statuses(report) == ["kept", "kept"]
    (tmp_path / "out" / "a.mid").unlink()
    assert statuses(run(films)[1]) == ["composed", "kept"]
    with (films / "day 2" / "b.mp4").open("ab") as file:
        file.write(b"\0")
    assert statuses(run(films)[1]) == ["kept", "composed"]
    assert statuses(run(films, "--candidates", 1)[1]) == ["composed", "composed"]


def test_no_record_vouches_for_outputs_that_were_about_to_be_replaced(
    films: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(films / "day 2")
    assert statuses(run(films)[1]) == ["composed"]

    def halfway(*_: object) -> None:
        (tmp_path / "out" / "a.mid").write_bytes(b"of seed 1")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(job, "write_outputs", halfway)
        assert "No space left" in run(films, "--seed", 1)[1]["films"][0]["error"]
    assert statuses(run(films)[1]) == ["composed"]


def test_a_checkpoint_of_any_kind_is_told_from_others_and_none_takes_its_place(
    film: Path, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text('{"kind": "sines", "pitch": 220.0}')
    digest = digest_of(tmp_path, whole=True)
    (tmp_path / "config.json").write_text('{"kind": "sines", "pitch": 110.0}')
    assert digest_of(tmp_path, whole=True) != digest
    other = digest_of(tmp_path, whole=True)
    (tmp_path / "weights").write_bytes(b"1")
    named = digest_of(tmp_path, whole=True)
    (tmp_path / "weights").rename(tmp_path / "w")
    assert len({digest, other, named, digest_of(tmp_path, whole=True)}) == 4
    record = tmp_path / "clip.film.json"
    asked = job.Job(film, Options(), Outputs(), record, str(tmp_path), digest, "cpu", versions())
    row = job.do(asked)
    assert row["code"] == 4 and "is another here" in row["error"]


def test_another_version_of_a_plug_in_or_another_file_of_an_estimator_makes_it_anew(
    films: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, arc, table = tmp_path / "site", tmp_path / "arc.csv", films / "films.csv"
    site.mkdir()
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    install(Path(__file__).parent / "third_party" / "emsync-ending", site)
    arc.write_text("time,emotion\n0,joy\n")
    table.write_text(f"film,estimator\na.mp4,file:{arc}\n")
    assert [statuses(run(table)[1]) for _ in range(2)] == [["composed"], ["kept"]]
    said = site / "emsync_ending-1.0.dist-info" / "METADATA"
    said.write_text("Name: emsync-ending\nVersion: 2.0\n")
    assert [statuses(run(table)[1]) for _ in range(2)] == [["composed"], ["kept"]]
    arc.write_text("time,emotion\n0,anger\n")
    assert statuses(run(table)[1]) == ["composed"]


def test_a_table_wishes_film_by_film(films: Path, tmp_path: Path, run: Run) -> None:
    table = films / "films.csv"
    table.write_text('film,seed,tempo,chords\na.mp4,5,90,\nday 2/b.mp4,,,"Am F"\n')
    code, report = run(table, "--seed", 2)
    assert code == 0 and [row["seed"] for row in report["films"]] == [5, 2]
    table.write_text("film,tempo\na.mp4,9000\n")
    assert run(table)[0] == 2  # before anything is composed
    table.write_text("film,plan,estimator\na.mp4,,none\n")
    assert run(table)[0] == 4


def test_a_film_whose_processes_died_is_told_of(
    films: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> Generator[tuple[int, Died]]:
        yield from ((place, Died()) for place in range(3))

    monkeypatch.setattr(batches, "spread", die)
    code, report = run(films)
    assert code == 5 and report["failed"] == 3
    assert "process after process" in report["films"][0]["error"]


def test_who_interrupts_it_is_told_how_to_go_on(
    films: Path, small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def interrupted(
        function: Callable[..., Any], items: Sequence[Any], *_: object, **__: object
    ) -> Generator[tuple[int, Any]]:
        yield 2, function(items[2])
        raise KeyboardInterrupt

    monkeypatch.setattr(batches, "spread", interrupted)
    wanted = ("batch", films, "--out", tmp_path / "out", "--checkpoint", small, *QUICKLY)
    assert main([*map(str, wanted)]) == 130
    err = capsys.readouterr().err
    assert "film 1 of 3: " in err and "the same command goes on" in err


@pytest.mark.slow
def test_processes_compose_for_films(films: Path, tmp_path: Path, small: Path) -> None:
    wanted = ("batch", films, "--out", tmp_path / "out", "--checkpoint", small, "--workers", 2)
    assert main([*map(str, wanted), "--device", "cpu"]) == 5
    assert {path.name for path in (tmp_path / "out").rglob("*.mid")} == {"a.mid", "b.mid"}


@pytest.mark.parametrize(
    ("wishes", "code", "words"),
    [
        ("empty", 3, "there is no film in"),
        ("films --workers 2 --cluster tcp://127.0.0.1:1", 2, "leave one out"),
        ("films --cluster=", 2, "--cluster has no address"),
        ("films/a.mp4", 2, "is no list; name its folder"),
        ("films --theme none.mid", 3, "none.mid"),
        ("films --save mid,doc", 2, "cannot save 'doc'"),
        ("films --save wav,mp3", 2, "each film has one audio"),
        ("films --tempo 9", 2, "a tempo of 9"),
        ("films --checkpoint nowhere", 4, "no checkpoint 'nowhere'"),
        ("films --out films/a.mp4", 2, "is no folder"),
        ("films --out films --save mkv", 2, "would be taken for its films"),
        ("films/list.txt --save mp4 --out films", 2, "is a film itself"),
        ("films --estimator none", 4, "no plug-in 'none'"),
        ("films --start-timecode 25:00:00:00", 2, "there are no 25 hours"),
        ("films --start-timecode noon", 2, "'noon' is not a timecode"),
        ("films --device gpu", 2, "device 'gpu' cannot be used"),
        ("films --palette films/list.txt", 3, "list.txt' is not TOML"),
        ("films --palette piano --instruments drums", 2, "the instruments name drums"),
        ("films --theme films/list.txt", 3, "list.txt"),
        ("films --cuts films/a.mp4", 3, "a.mp4"),
        ("films --checkpoint muvi-small --soundfont {font}", 2, "no sound font plays"),
        ("films/plan.csv", 3, "a.mp4': '"),
    ],
)
def test_what_no_film_could_have_is_refused_before_any_work(
    films: Path, small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, wishes: str, code: int, words: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "films" / "list.txt").write_text("a.mp4\n")
    (tmp_path / "films" / "plan.csv").write_text("film,plan\na.mp4,list.txt\n")
    before = sorted(films.rglob("*"))
    common = ["--out", "out", "--checkpoint", str(small)]
    asked = [word.format(font=default_soundfont()) for word in wishes.split()]
    assert main(["batch", *common, *asked]) == code
    out, err = capsys.readouterr()
    assert words in err and not out
    assert sorted(films.rglob("*")) == before and not (tmp_path / "out").exists()


def test_a_report_that_cannot_be_written_is_told_of_first(films: Path, run: Run) -> None:
    (films.parent / "out" / "batch.json").mkdir(parents=True)
    assert run(films)[0] == 2
    assert not list((films.parent / "out").rglob("*.mid"))


def test_a_failed_film_has_one_of_the_last_lines_whatever_its_name(
    tmp_path: Path, small: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "b\nc.mp4").touch()
    wanted = ("batch", tmp_path, "--out", tmp_path / "out", "--checkpoint", small, *QUICKLY)
    assert main([*map(str, wanted)]) == 5
    _, line = capsys.readouterr().out.splitlines()
    assert "b c.mp4: cannot read" in line


def test_films_are_found_and_named(tmp_path: Path) -> None:
    names = (
        "a.mp4",
        "a.MOV",
        "a.mp4.mkv",
        "b/a.webm",
        "b/.a.1234.part.mp4",
        "b/a.txt",
        "out/c.mp4",
    )
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = films_of(tmp_path, tmp_path / "out")
    assert [one.name for one in found] == ["a.MOV", "a.mp4", "a.mp4.mkv", "b/a"]
    listed = tmp_path / "b" / "list.txt"
    listed.write_text("# two films\n\na.webm\n  ../a.mp4\n")
    found = films_of(listed, tmp_path / "out")
    assert [one.film for one in found] == [tmp_path / "b" / "a.webm", tmp_path / "a.mp4"]
    assert found[0].name == "a"
    assert found[1].name == (tmp_path / "a").relative_to(tmp_path.anchor).as_posix()
    listed.write_text("a.webm\n../b/a.webm\n")
    with pytest.raises(UsageError, match="twice"):
        films_of(listed, tmp_path / "out")
    with pytest.raises(InputError, match="there is no file"):
        films_of(tmp_path / "nowhere.txt", tmp_path / "out")
    listed.write_text("a.webm\n", "utf-16")
    with pytest.raises(InputError, match="is not a text"):
        films_of(listed, tmp_path / "out")


def test_names_have_any_letters_and_columns_the_names_of_options(tmp_path: Path) -> None:
    names = ["a\u2028b.mp4", "c\fd.mp4", "e\x85f.mp4"]
    (tmp_path / "films.txt").write_bytes("\r\n".join(["\ufeff", *names]).encode())
    found = films_of(tmp_path / "films.txt", tmp_path / "out")
    assert [one.film.name for one in found] == names
    (tmp_path / "films.csv").write_text('film, max-va\n"a\nb.mp4",0.5\n')
    (one,) = films_of(tmp_path / "films.csv", tmp_path / "out")
    assert (one.film.name, one.wishes) == ("a\nb.mp4", {"max_va": 0.5})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("film,speed\na.mp4,3\n", "'speed' is no column"),
        ("seed\n3\n", "no column 'film'"),
        ("film,seed\na.mp4,many\n", "line 2: seed is 'many'"),
        ("film,seed\na.mp4\n", "line 2: it has not as many fields"),
        ("film,seed,seed\na.mp4,1,2\n", "two columns 'seed'"),
        ("film,seed\n,2\n", "a folder; list its films"),
        ('film,chords\na.mp4,"Am\n', "unexpected end of data"),
    ],
)
def test_a_table_that_cannot_be_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "films.csv").write_text(text)
    with pytest.raises(UsageError, match=words):
        films_of(tmp_path / "films.csv", tmp_path / "out")


def doubled(item: int) -> int:
    if item == 3:
        raise InputError("3 is odd")
    return 2 * item


def test_machines_make_all_of_it() -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, processes=False, threads_per_worker=1, dashboard_address="127.0.0.1:0"
    ) as lent:
        found = dict(cluster.spread(doubled, [1, 2, 2], lent.scheduler_address))
        assert found == {0: 2, 1: 4, 2: 4}
        with pytest.raises(InputError, match="3 is odd"):
            list(cluster.spread(doubled, [3], lent.scheduler_address))


def test_a_scheduler_that_does_not_answer_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(cluster, "PATIENCE", 0.2)
    assert not list(cluster.spread(doubled, [], "tcp://127.0.0.1:9"))  # it is not asked
    with pytest.raises(EmsyncError, match="no Dask scheduler answers at"):
        list(cluster.spread(doubled, [1], "tcp://127.0.0.1:9"))


def test_a_scheduler_that_dies_is_told_of_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    pytest.importorskip("distributed")
    place = tmp_path / "scheduler.json"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard"]
    command += ["--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(place)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as scheduler:
        try:
            while not (place.exists() and place.read_text()):
                assert scheduler.poll() is None
                time.sleep(0.05)
            address = json.loads(place.read_text())["address"]
            monkeypatch.setattr(cluster, "warn", lambda _: scheduler.kill())  # it has no worker
            with pytest.raises(EmsyncError, match="is gone; run the same command again"):
                list(cluster.spread(doubled, [1], address))
        finally:
            scheduler.kill()
    assert not [record for record in caplog.records if record.name == "distributed.client"]
