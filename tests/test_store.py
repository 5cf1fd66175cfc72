"""The store: what a kill, a full disk or a bad song leave behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from emsync.data.prepare import prepare
from emsync.data.songs import find_songs, read_song
from emsync.data.store import Store
from emsync.errors import AssetError, EmsyncError, InputError, UsageError
from emsync.music.piece import PIANO, Piece, to_score
from emsync_tokenizers.events import Events

SONGS = 24
SLOW = pytest.mark.slow
CODE = """
import resource, signal, sys, time
from pathlib import Path
from emsync.data.prepare import prepare
from emsync_tokenizers.events import Events
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
    def progress(stage, share):
        done = round(share * 25)  # songs and refusals
        print(done, flush=True)
        if sys.argv[3:] == [str(done)]:
            time.sleep(60)  # until the signal comes
    prepare([Path(sys.argv[1])], Path(sys.argv[2]), Events(), workers=1, progress=progress)
"""


def song(number: int, notes: int = 40) -> Piece:
    """Return a scale that no other song has."""
    rows = [(PIANO, 50 + (i * number) % 40, i * 0.25, i * 0.25 + 0.2) for i in range(notes)]
    return Piece.of(np.array(rows), downbeats=np.arange(0, notes / 4, 2.0))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of MIDI files, and one that is none."""
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "deep").mkdir()
    for i in range(1, SONGS + 1):
        to_score(song(i)).dump_midi(folder / "deep" / f"{i:02}.mid")
    (folder / "deep" / "07b.mid").write_bytes(b"MThd no more")
    (folder / "notes.txt").write_text("not music")
    return folder


@pytest.fixture(scope="module")
def whole(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of an uninterrupted run."""
    out = tmp_path_factory.mktemp("whole") / "store"
    outcome = prepare([corpus], out, Events(), workers=1)
    assert outcome.songs == SONGS
    assert [name for name, _ in outcome.skipped] == ["deep/07b.mid"]
    return out


def content(out: Path) -> tuple[bytes, ...]:
    names = ("tokens.bin", "songs.jsonl", "skipped.jsonl", "store.json")
    return tuple((out / name).read_bytes() for name in names)


def copy(whole: Path, out: Path) -> Path:
    out.mkdir()
    for path in whole.iterdir():
        (out / path.name).write_bytes(path.read_bytes())
    return out


def test_a_store_gives_every_song_back(whole: Path, corpus: Path) -> None:
    store = Store.open(whole)
    assert [s.path for s in store.songs] == [f"deep/{i:02}.mid" for i in range(1, SONGS + 1)]
    for entry in store.songs:
        assert np.array_equal(store.ids(entry), Events().encode(read_song(corpus / entry.path)))
    assert isinstance(store.tokens, np.memmap)
    assert store.songs[0].group == "deep/01.mid" and store.songs[0].classes == 1 << PIANO


@pytest.mark.slow
def test_the_number_of_workers_changes_nothing(whole: Path, corpus: Path, tmp_path: Path) -> None:
    seen: list[tuple[str, float]] = []
    prepare([corpus], tmp_path / "s", Events(), workers=3, progress=lambda *n: seen.append(n))
    assert content(tmp_path / "s") == content(whole)
    assert seen == [("Preparing", i / (SONGS + 1)) for i in range(1, SONGS + 2)]


def test_a_second_run_does_nothing_twice(whole: Path, corpus: Path, tmp_path: Path) -> None:
    out = copy(whole, tmp_path / "s")
    outcome = prepare([corpus], out, Events(), workers=1)
    assert outcome.songs == SONGS and content(out) == content(whole)


@pytest.mark.parametrize("tokens", [-1, *(pytest.param(n, marks=SLOW) for n in (-7, 0, 13)), None])
@pytest.mark.parametrize("lines", [-1, *(pytest.param(n, marks=SLOW) for n in (-40, 0)), None])
def test_a_store_cut_anywhere_is_mended(
    tokens: int | None, lines: int | None, whole: Path, corpus: Path, tmp_path: Path
) -> None:
    """``tokens`` and ``lines`` say how many bytes of the files a kill left; less from the end."""
    out = copy(whole, tmp_path / "s")
    for name, left in (("tokens.bin", tokens), ("songs.jsonl", lines)):
        data = (out / name).read_bytes()
        (out / name).write_bytes(data[:left])
    head = json.loads((out / "store.json").read_text())
    (out / "store.json").write_text(
        json.dumps({k: head[k] for k in ("tokenizer", "labels", "tempo")})
    )
    prepare([corpus], out, Events(), workers=1)
    assert content(out) == content(whole)


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_stopped(whole: Path, corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "run.py").write_text(CODE)
    out = tmp_path / "s"
    for kill, at in ((signal.SIGKILL, 9), (signal.SIGINT, 17)):
        run = subprocess.Popen(
            [sys.executable, tmp_path / "run.py", corpus, out, str(at)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert run.stdout is not None
        for line in run.stdout:
            if int(line) == at:
                run.send_signal(kill)
                break
        run.communicate()
        assert run.returncode != 0
        with pytest.raises(InputError, match="half done"):
            Store.open(out)
    before = len((out / "songs.jsonl").read_text().splitlines())
    assert before >= 15
    outcome = prepare([corpus], out, Events(), workers=1)
    assert outcome.songs == SONGS and content(out) == content(whole)


@pytest.mark.slow
def test_workers_end_with_a_killed_parent(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "run.py").write_text(CODE)
    run = subprocess.Popen(
        [sys.executable, tmp_path / "run.py", corpus, tmp_path / "s"],
        stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert run.stdout is not None
    run.stdout.readline()
    run.kill()
    run.communicate()
    for _ in range(100):
        try:
            os.killpg(run.pid, 0)  # asks only whether any process of the session is left
        except ProcessLookupError:
            return
        time.sleep(0.1)
    os.killpg(run.pid, signal.SIGKILL)
    pytest.fail("workers outlived their parent")


@pytest.mark.slow
def test_a_script_without_a_main_of_its_own_is_told_and_skips_no_song(
    corpus: Path, tmp_path: Path
) -> None:
    script = tmp_path / "mine.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\nfrom emsync.data.prepare import prepare\n"
        "from emsync_tokenizers.events import Events\n"
        "prepare([Path(sys.argv[1])], Path(sys.argv[2]), Events(), workers=1)\n"
    )
    run = subprocess.run([sys.executable, script, corpus, tmp_path / "s"], capture_output=True)
    assert run.returncode and b'below `if __name__ == "__main__":`' in run.stderr
    assert (tmp_path / "s" / "skipped.jsonl").read_bytes() == b""


@pytest.mark.slow
def test_a_song_that_kills_its_reader_is_skipped(corpus: Path, tmp_path: Path) -> None:
    code = CODE.replace(
        "from emsync_tokenizers.events import Events",
        "import os\n"
        "from emsync_tokenizers.events import Events as Real\n"
        "class Events(Real):\n"
        "    def encode(self, piece):\n"
        "        if piece.pitches[1] == 50 + 5: os._exit(1)\n"
        "        return super().encode(piece)",
    )
    (tmp_path / "run.py").write_text(code)
    subprocess.run([sys.executable, tmp_path / "run.py", corpus, tmp_path / "s"], check=True)
    store = Store.open(tmp_path / "s")
    assert len(store.songs) == SONGS - 1
    lines = (tmp_path / "s" / "skipped.jsonl").read_text().splitlines()
    skipped = [json.loads(line) for line in lines]
    assert [name for name, _ in skipped] == ["deep/05.mid", "deep/07b.mid"]
    assert "crashes its reader" in skipped[0][1]


@pytest.mark.slow
def test_no_room_is_said_and_what_is_written_stays_good(
    whole: Path, corpus: Path, tmp_path: Path
) -> None:
    code = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))" + CODE
    (tmp_path / "run.py").write_text(code)
    run = subprocess.run(
        [sys.executable, tmp_path / "run.py", corpus, tmp_path / "s"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert "EmsyncError: cannot write the store" in run.stderr
    assert "File too large" in run.stderr
    prepare([corpus], tmp_path / "s", Events(), workers=1)
    assert content(tmp_path / "s") == content(whole)


def test_a_store_made_otherwise_is_refused(whole: Path, corpus: Path, tmp_path: Path) -> None:
    out = copy(whole, tmp_path / "s")
    labels = tmp_path / "labels.csv"
    labels.write_text("path,valence,arousal\ndeep/01.mid,0.5,-0.25\n")
    with pytest.raises(UsageError, match="has other labels"):
        prepare([corpus], out, Events(), labels)
    head = json.loads((out / "store.json").read_text())
    head["tokenizer"]["name"] = "tsd"
    (out / "store.json").write_text(json.dumps(head))
    with pytest.raises(UsageError, match="has another tokenizer"):
        prepare([corpus], out, Events())


def test_a_file_of_a_persons_own_is_never_taken_for_a_store_s(corpus: Path, tmp_path: Path) -> None:
    for name in ("tokens.bin", "songs.jsonl", "skipped.jsonl"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_bytes(b"mine")
        with pytest.raises(UsageError, match="is of no store; prepare into a new folder"):
            prepare([corpus], tmp_path / name, Events(), workers=1)
        assert [p.read_bytes() for p in (tmp_path / name).iterdir()] == [b"mine"]


def test_labels_of_one_s_own_reach_the_songs_with_their_origin(
    corpus: Path, tmp_path: Path
) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("path,valence,arousal,group\ndeep/01.mid,0.5,-0.25,a\ndeep/02.mid,,0.75,a\n")
    prepare([corpus], tmp_path / "s", Events(), labels, workers=1)
    first, second, third = Store.open(tmp_path / "s").songs[:3]
    assert (first.valence, first.arousal, first.origin, first.group) == (0.5, -0.25, "csv", "a")
    assert (second.valence, second.arousal, second.origin) == (None, 0.75, "csv")
    assert (third.valence, third.arousal, third.origin) == (None, None, "")


def test_labels_may_begin_with_the_name_of_the_folder(corpus: Path, tmp_path: Path) -> None:
    index, name = tmp_path / "index.csv", corpus.name
    rows = [f"{name}/deep/01.mid,a,0,0.4,", f"{name}/deep/02.mid,a,1,-0.4,"]
    index.write_text("path,dup_group,dup_rank,deezer_valence,lastfm_moods\n" + "\n".join(rows))
    prepare([corpus], tmp_path / "s", Events(), index, workers=1)
    first, second, third = Store.open(tmp_path / "s").songs[:3]
    assert (first.path, first.group, first.rank, first.origin) == ("deep/01.mid", "a", 0, "deezer")
    assert (second.group, second.rank) == ("a", 1)
    assert (third.group, third.origin) == ("deep/03.mid", "")


def test_labels_of_other_songs_are_refused(corpus: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("path,valence,arousal\nelsewhere/01.mid,0.5,-0.25\n")
    reason = r"its paths look like 'elsewhere/01\.mid', theirs like 'de"
    with pytest.raises(InputError, match=reason):
        prepare([corpus], tmp_path / "s", Events(), labels, workers=1)
    assert not (tmp_path / "s").exists()


def test_a_store_that_is_none_is_refused_with_the_reason(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a store"):
        Store.open(tmp_path)
    out = copy(whole, tmp_path / "s")
    os.truncate(out / "tokens.bin", 100)
    with pytest.raises(InputError, match="has 50 tokens of"):
        Store.open(out)
    (out / "songs.jsonl").write_text('{"path": 1}\n')
    with pytest.raises(InputError, match="is not sound"):
        Store.open(out)
    (out / "songs.jsonl").write_text("")
    with pytest.raises(InputError, match="has no songs"):
        Store.open(out)


def test_sources_without_songs_or_with_two_of_a_name_are_refused(
    corpus: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="no such file"):
        find_songs([tmp_path / "none"])
    with pytest.raises(InputError, match=r"no \.npz, \.mid or \.midi"):
        prepare([tmp_path], tmp_path / "s", Events())
    (tmp_path / "01.mid").write_bytes((corpus / "deep" / "01.mid").read_bytes())
    with pytest.raises(UsageError, match=r"two songs are called '01\.mid'"):
        find_songs([corpus / "deep", tmp_path / "01.mid"])


def test_two_runs_cannot_fill_one_store_and_a_killed_one_does_not_block(
    corpus: Path, tmp_path: Path
) -> None:
    out = tmp_path / "s"
    out.mkdir()
    holder = subprocess.Popen(
        [sys.executable, "-c",
         "import sys, time; from pathlib import Path; from emsync.locks import locked\n"
         "with locked(Path(sys.argv[1]), 'preparing the store'): print(1, flush=True); "
         "time.sleep(60)", out],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdout is not None
    holder.stdout.readline()
    with pytest.raises(EmsyncError, match="another process is preparing the store"):
        prepare([corpus], out, Events(), workers=1)
    assert sorted(path.name for path in out.iterdir()) == [".lock"]
    holder.kill()
    holder.communicate()
    assert prepare([corpus], out, Events(), workers=1).songs == SONGS
    assert not (out / ".lock").exists()


@pytest.mark.slow
def test_damage_in_any_byte_of_a_stores_facts_is_told(whole: Path, tmp_path: Path) -> None:
    out = copy(whole, tmp_path / "s")
    rng = np.random.default_rng(0)
    for name in ("songs.jsonl", "tokens.bin", "store.json"):
        data = (whole / name).read_bytes()
        for at in rng.integers(0, len(data), 60 if name != "tokens.bin" else 4):
            for damaged in (
                data[:at],
                data[:at] + data[at + 1 :],
                data[:at] + bytes([data[at] ^ int(rng.integers(1, 256))]) + data[at + 1 :],
            ):
                if name == "tokens.bin" and len(damaged) == len(data):
                    continue
                (out / name).write_bytes(damaged)
                try:
                    Store.open(out)
                except (InputError, AssetError):
                    continue
                assert name == "store.json", (at, damaged)
        (out / name).write_bytes(data)
    Store.open(out)


def test_a_token_that_is_none_is_told_when_its_song_is_read(whole: Path, tmp_path: Path) -> None:
    out = copy(whole, tmp_path / "s")
    data = bytearray((out / "tokens.bin").read_bytes())
    data[10:12] = b"\xff\xff"
    (out / "tokens.bin").write_bytes(data)
    store = Store.open(out)
    with pytest.raises(InputError, match=r"'deep/01\.mid' has the token 65535"):
        store.ids(store.songs[0])
    store.ids(store.songs[1])


@pytest.mark.slow
def test_memory_does_not_grow_with_the_corpus(corpus: Path, tmp_path: Path) -> None:
    code = CODE.replace("share * 25", "share * 600").replace(
        "print(done, flush=True)",
        "print(*[resource.getrusage(resource.RUSAGE_SELF).ru_maxrss] * (done in (99, 600)))",
    )
    (tmp_path / "run.py").write_text(code)
    many = tmp_path / "many"
    many.mkdir()
    data = (corpus / "deep" / "11.mid").read_bytes()
    for i in range(600):
        (many / f"{i}.mid").write_bytes(data)
    run = subprocess.run(
        [sys.executable, tmp_path / "run.py", many, tmp_path / "s"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    early, late = map(int, run.stdout.split())
    assert late - early < 8 * 1024  # KiB
