"""The command line: what it prints, what it returns, and what it leaves alone when it fails."""

import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from emsync import __version__
from emsync.cli import main
from emsync.cli.common import print_report
from emsync.sound.synthesis import default_soundfont

OLD = b"the score of yesterday"


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory, draw_cut: Callable[..., Path]) -> Path:
    return draw_cut(tmp_path_factory.mktemp("clip") / "clip.mp4")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder with yesterday's score in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out.mid").write_bytes(OLD)
    return tmp_path


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: object) -> tuple[int, str, str]:
        code = main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def refused(
    result: tuple[int, str, str], here: Path, code: int, *words: str, left: set[str] | None = None
) -> None:
    """Check that a run failed in one sentence and left the folder as it was."""
    got, out, err = result
    assert got == code, err
    said = [line for line in err.splitlines() if line.startswith("emsync: ")]
    message = [line for line in said if not line.startswith("emsync: piece ")]
    assert len(message) == 1 and "Traceback" not in err, err
    for word in words:
        assert word in message[0]
    assert out == ""
    assert (here / "out.mid").read_bytes() == OLD
    assert {p.name for p in here.iterdir()} == {"out.mid"} | (left or set())


def test_tells_its_version(run: Run) -> None:
    assert run("--version") == (0, f"emsync {__version__}\n", "")


def test_help_imports_no_torch() -> None:
    code = (
        "import sys; from emsync.cli import main; main(['--help']); "
        "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_lists_every_plug_in_with_what_it_does(run: Run) -> None:
    code, out, _ = run("plugins", "--json")
    found = json.loads(out)
    assert code == 0
    assert {"boundaries", "onset_density", "valence_arousal"} <= set(found["conditioners"])
    assert {"events", "tsd"} <= set(found["tokenizers"])
    assert {"clip", "file", "fixed", "pictures"} <= set(found["estimators"])
    assert {"cm", "dm"} <= set(found["matchers"])
    assert all(summary for kind in found.values() for summary in kind.values())


def test_generate_writes_all_outputs_and_reports_them(
    run: Run, here: Path, clip: Path, small: Path
) -> None:
    code, out, err = run(
        "generate", clip, "--checkpoint", small, "--out", "out.mid", "--video", "film.mp4",
        "--audio", "music.wav", "--seed", 3, "--candidates", 2, "--keep-all", "--json",
    )  # fmt: skip
    assert code == 0, err
    report = json.loads(out)
    assert report["duration"] == pytest.approx(2.4, abs=1e-6)
    assert report["seed"] == 3 and report["tokens"] > 0
    best, other = report["candidates"]
    assert 3 in (best["seed"], other["seed"]) and best["seed"] != other["seed"]
    assert best["score"] >= other["score"]
    assert {p.name for p in here.iterdir()} == {
        "out.mid", "out.1.mid", "out.2.mid", "film.mp4", "music.wav",
    }  # fmt: skip
    assert (here / "out.mid").read_bytes() == (here / "out.1.mid").read_bytes()
    for cut in report["cuts"]:
        assert {"time", "kept", "reason", "hit"} <= set(cut)
    stages = {k: s for k, s in report["timings"].items() if k != "total"}
    assert sum(stages.values()) == pytest.approx(report["timings"]["total"], rel=0.05, abs=0.05)


def test_the_same_seed_gives_the_same_bytes(run: Run, here: Path, clip: Path, small: Path) -> None:
    for name in ("one.mid", "two.mid"):
        assert run("generate", clip, "--checkpoint", small, "--out", name)[0] == 0
    assert (here / "one.mid").read_bytes() == (here / "two.mid").read_bytes()


def test_an_analysis_can_be_edited_and_used_again(
    run: Run, here: Path, clip: Path, small: Path
) -> None:
    assert run("analyze", clip, "--out", "a.json", "--plot", "a.png", "--save", "csv,edl")[0] == 0
    assert {"a.json", "a.png", "a.cuts.csv", "a.cuts.edl"} <= {p.name for p in here.iterdir()}
    analysis = json.loads((here / "a.json").read_text())
    analysis["cuts"] = [{"time": 0.8}]
    (here / "a.json").write_text(json.dumps(analysis))
    code, out, _ = run(
        "generate", clip, "--checkpoint", small, "--analysis", "a.json", "--json", "--out", "o.mid"
    )
    assert code == 0
    assert [cut["time"] for cut in json.loads(out)["cuts"]] == [0.8]


def test_what_was_planned_is_composed_as_if_it_had_not_been(
    run: Run, here: Path, clip: Path, small: Path
) -> None:
    assert run("plan", clip, "--out", "p.json", "--plot", "p.png", "--seed", 5)[0] == 0
    assert (here / "p.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in here.iterdir()} == {"out.mid", "p.json", "p.png"}
    generate = ("generate", clip, "--checkpoint", small, "--seed", 5)
    assert run(*generate, "--out", "one.mid")[0] == 0
    assert run(*generate, "--out", "two.mid", "--plan", "p.json")[0] == 0
    assert (here / "one.mid").read_bytes() == (here / "two.mid").read_bytes()


@pytest.mark.parametrize(
    ("wish", "told"),
    [((), True), (("--valence", 0.5), False), (("--mode", "major"), False),
     (("--chords", "C"), False)],
)  # fmt: skip
def test_a_plan_whose_mode_is_a_guess_says_so(
    run: Run, clip: Path, wish: tuple[str, ...], told: bool
) -> None:
    code, words, err = run("plan", clip, "--estimator", "sound", *wish)
    assert code == 0, err
    last = words.splitlines()[-1]
    assert last.startswith("whether it is pleasant or unpleasant is a guess; ") == told


def test_a_plan_can_be_edited_and_followed(run: Run, here: Path, clip: Path, small: Path) -> None:
    wishes = ("--instruments", "piano,strings", "--chords", "C", "--seed", 2)
    code, words, err = run("plan", clip, "--out", "p.json", *wishes)
    assert code == 0, err
    assert words.splitlines()[0].startswith("2.40 s, C major, ")
    assert "C major, piano strings; valence " in words and words.splitlines()[-1] == "p.json"
    assert json.loads(run("plan", clip, "--json", *wishes)[1]) == json.loads(
        (here / "p.json").read_text()
    )
    plan = json.loads((here / "p.json").read_text())
    plan["hits"] = [0.8]
    plan["sections"][0]["chords"] = "F"
    (here / "p.json").write_text(json.dumps(plan))
    code, out, err = run(
        "generate", clip, "--checkpoint", small, "--plan", "p.json", "--ending", "fade",
        "--out", "o.mid", "--json",
    )  # fmt: skip
    assert code == 0, err
    report = json.loads(out)
    followed = report["plan"]
    assert followed == {**plan, "ending": "fade"}
    assert [cut["time"] for cut in report["cuts"] if cut["kept"]] == [0.8]


def test_a_plan_from_a_pipe_is_followed_and_of_another_film_refused(
    run: Run, here: Path, clip: Path, small: Path
) -> None:
    assert run("plan", clip, "--out", "p.json")[0] == 0
    text = (here / "p.json").read_text()
    other = text.replace('"duration": 2.4', '"duration": 60').replace('"end": 2.4', '"end": 60')
    for given, wanted in ((text, 0), (other, 2)):
        os.mkfifo(here / "pipe")
        writer = threading.Thread(target=(here / "pipe").write_text, args=(given,), daemon=True)
        writer.start()
        code, _, err = run("generate", clip, "--checkpoint", small, "--plan", "pipe", "-o", "o.mid")
        assert code == wanted, err
        writer.join(5)
        (here / "pipe").unlink()
    assert "the plan is of clip.mp4 and 60.00 s, the video has 2.40 s; plan this video" in err


def test_render_and_check_take_what_generate_wrote(
    run: Run, here: Path, clip: Path, small: Path
) -> None:
    assert run("generate", clip, "--checkpoint", small, "--out", "s.mid")[0] == 0
    code, out, _ = run("check", "s.mid", "--json")
    assert code == 0 and json.loads(out)["ok"] is True
    code, out, _ = run("render", "s.mid", "--out", "s.wav", "--duration", 2, "--json")
    assert code == 0 and json.loads(out)["duration"] == 2.0
    assert (here / "s.wav").stat().st_size == 44 + 4 * 2 * 44100


@pytest.mark.parametrize("kind", ["empty", "text", "truncated", "sound", "picture"])
def test_what_is_no_video_is_refused(
    kind: str, run: Run, here: Path, clip: Path, small: Path
) -> None:
    source = here / "in.mp4"
    if kind == "empty":
        source.touch()
    elif kind == "text":
        source.write_text("dear diary\n" * 50)
    elif kind == "truncated":
        source.write_bytes(clip.read_bytes()[:700])
    elif kind == "sound":
        from emsync.sound.audio import Audio, write_wav

        source = here / "in.wav"
        write_wav(Audio(np.zeros((4410, 2), np.float32), 44100), source)
    else:
        from matplotlib.image import imsave

        source = here / "in.png"
        imsave(source, np.zeros((8, 8, 3)))
    result = run("generate", source, "--checkpoint", small, "--out", "out.mid")
    refused(result, here, 3, source.name, left={source.name})


@pytest.mark.parametrize("name", ["missing.mp4", "concat:a|b.mp4", "http:x.mp4", 'it\'s "it".mp4'])
def test_a_missing_video_is_refused_and_a_name_is_never_a_protocol(
    name: str, run: Run, here: Path, small: Path
) -> None:
    refused(
        run("generate", name, "--checkpoint", small, "--out", "out.mid"),
        here,
        3,
        "there is no file",
    )


@pytest.mark.parametrize("name", ["-x.mp4", "concat:a.mp4", 'it\'s "it"; $(touch y).mp4'])
def test_an_odd_name_is_a_file_name_like_any_other(
    name: str, run: Run, here: Path, clip: Path, small: Path
) -> None:
    (here / name).write_bytes(clip.read_bytes())
    code, _, err = run(
        "generate", "--checkpoint", small, "--out", "o.mid", "--video", f"with {name}", "--", name
    )
    assert code == 0, err
    assert {p.name for p in here.iterdir()} == {"out.mid", "o.mid", name, f"with {name}"}


def test_a_folder_is_no_video_and_no_target(run: Run, here: Path, clip: Path, small: Path) -> None:
    (here / "folder").mkdir()
    result = run("generate", "folder", "--checkpoint", small, "--out", "out.mid")
    refused(result, here, 3, "folder", left={"folder"})
    result = run("generate", clip, "--checkpoint", small, "--out", "folder")
    refused(result, here, 2, "it is a folder", left={"folder"})
    result = run("generate", clip, "--checkpoint", small, "--out", "nowhere/out.mid")
    refused(result, here, 2, "there is no folder", left={"folder"})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_target_is_refused(run: Run, here: Path, clip: Path, small: Path) -> None:
    (here / "shut").mkdir(mode=0o500)
    result = run("generate", clip, "--checkpoint", small, "--out", "shut/out.mid")
    refused(result, here, 2, "not writable", left={"shut"})


@pytest.mark.slow
def test_a_full_disk_leaves_nothing_behind(here: Path, clip: Path, small: Path) -> None:
    code = "import sys, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); " \
        "from emsync.cli import main; sys.exit(main(sys.argv[1:]))"  # fmt: skip
    result = subprocess.run(
        [sys.executable, "-c", code, "generate", str(clip), "--checkpoint", str(small),
         "--out", "out.mid", "--audio", "music.wav"],
        capture_output=True, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (80_000, 80_000)),
    )  # fmt: skip
    refused((result.returncode, result.stdout, result.stderr), here, 1, "MB of sound")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--emotion", "bliss"], ["'bliss'", "joy"]),
        (["--emotion", ""], ["emotion"]),
        (["--emotion", "joy=-1"], ["-1"]),
        (["--valence", "nan"], ["valence", "nan"]),
        (["--arousal", "1.5"], ["arousal", "1.5"]),
        (["--temperature", "0"], ["temperature"]),
        (["--sync", "bar"], ["'bar'", "downbeat"]),
        (["--ending", "bang"], ["'bang'", "cadence"]),
        (["--candidates", "0"], ["0 candidates"]),
        (["--keep-audio", "louder", "--video", "f.mp4"], ["'louder'", "duck"]),
        (["--video", "film.avi"], [".avi", ".mp4"]),
        (["--instruments", "piano,many"], ["'many'", "drums, bass, guitar, piano, strings"]),
        (["--chords", "Am X"], ["chord 2", "'X'", "Cm7"]),
        (["--chords", "N N"], ["the chords are all N"]),
        (["--chords", "Am F C G"], ["last 4 bars", "longest section has 2", "name fewer"]),
        (["--chords", "Am", "--instruments", "drums"], ["drums alone"]),
        (["--mode", "dorian"], ["'dorian'", "minor"]),
        (["--device", "abacus"], ["'abacus'", "cpu"]),
        (["--rules-off", "joy"], ["'joy'", "order"]),
        (["--max-tempo-change", "2"], ["2"]),
        (["--humanize", "1.5"], ["humanize is 1.5", "0 (on the beat) to 1 (free)"]),
        (["--humanize", "nan"], ["humanize is nan"]),
        (["--tonic", "H"], ["tonic 'H'", "F#"]),
        (["--start-timecode", "noon"], ["noon"]),
        (["--audio", "out.mid"], ["same name"]),
        (["--out", "out.wav"], ["'out.wav'", ".mid or .midi"]),
        (["--audio", "music.aiff"], ["'music.aiff'", ".wav or .flac or .mp3"]),
        (["--valence", "3"], ["valence is 3"]),
        (["--seed", "9" * 30], ["the seed is 999", "9223372036854775807"]),
        (["--start-timecode", "abc"], ["abc"]),
    ],
)
def test_an_impossible_wish_is_a_usage_error(
    options: list[str], words: list[str], run: Run, here: Path, clip: Path, small: Path
) -> None:
    result = run("generate", clip, "--checkpoint", small, "--out", "out.mid", *options)
    refused(result, here, 2, *words)


def test_more_threads_than_cores_are_as_many_as_there_are(
    run: Run, here: Path, clip: Path, small: Path
) -> None:
    import torch

    before = torch.get_num_threads()
    try:
        many = ["--threads", 10**6, "--cuts", "none.txt"]  # which ends it early
        assert run("generate", clip, "--checkpoint", small, *many)[0] == 3
        assert torch.get_num_threads() <= (os.cpu_count() or 1)
    finally:
        torch.set_num_threads(before)


def test_a_bundle_in_a_circle_of_links_is_refused(
    run: Run, here: Path, clip: Path, small: Path
) -> None:
    (here / "a").symlink_to("b")
    (here / "b").symlink_to("a")
    for more in ([], ["--out", "x.mid"]):
        result = run("generate", clip, "--checkpoint", small, "--bundle", "a", *more)
        refused(result, here, 2, "cannot write 'a'", left={"a", "b"})


@pytest.mark.skipif(sys.platform == "win32", reason="descriptors are POSIX")
def test_a_closed_stream_gets_no_message_into_another(here: Path) -> None:
    code = "import os, sys; from emsync.cli import main; code = main(['check', 'none.mid']); "
    code += "os.write(1, b'%d' % os.open('new', os.O_CREAT | os.O_WRONLY)); sys.exit(code)"
    run = subprocess.run(
        ["/bin/sh", "-c", 'exec "$0" -c "$1" 2>&- <&-', sys.executable, code],
        stdout=subprocess.PIPE,
    )
    assert (run.returncode, run.stdout.isdigit()) == (3, True)  # nothing of the missing file
    assert int(run.stdout) > 2  # what native code says does not go into a file of ours


def test_the_video_itself_is_no_target(run: Run, here: Path, clip: Path, small: Path) -> None:
    film = here / "clip.mp4"
    film.write_bytes(clip.read_bytes())
    for option in ("--out", "--video"):
        result = run("generate", film, "--checkpoint", small, option, film)
        refused(result, here, 2, "itself", left={"clip.mp4"})
    assert film.read_bytes() == clip.read_bytes()


def test_no_command_replaces_what_it_reads(run: Run, here: Path, clip: Path, small: Path) -> None:
    """Whatever names and links lead to it."""
    (here / "film.mp4").write_bytes(clip.read_bytes())
    (here / "font.sf2").write_bytes(default_soundfont().read_bytes())
    (here / "cuts.mid").write_text("1.0\n")
    (here / "feeling.mid").write_text("time,valence,arousal\n0,0.1,0.2\n")
    assert run("analyze", "film.mp4", "--out", "seen.mid")[0] == 0
    assert run("plan", "film.mp4", "--out", "plan.mid")[0] == 0
    assert run("generate", "film.mp4", "--checkpoint", small, "--out", "s.mid")[0] == 0
    (here / "album").mkdir()
    assert run("render", "s.mid", "--out", "album/a.wav")[0] == 0
    for path in small.iterdir():
        (here / f"{path.name}.mid").symlink_to(path)
    (here / "hard.mid").hardlink_to(here / "cuts.mid")
    (here / "hard.wav").hardlink_to(here / "s.mid")
    (here / "font.wav").symlink_to("font.sf2")
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    generate = ("generate", "film.mp4", "--checkpoint", small)
    for words in (
        (*generate, "--cuts", "cuts.mid", "--out", "album/../cuts.mid"),
        (*generate, "--cuts", "cuts.mid", "--out", "hard.mid"),
        (*generate, "--emotion-file", "feeling.mid", "--out", "feeling.mid"),
        (*generate, "--analysis", "seen.mid", "--out", "seen.mid"),
        (*generate, "--plan", "plan.mid", "--out", "plan.mid"),
        (*generate, "--out", "config.json.mid"),
        (*generate, "--out", "model.safetensors.mid"),
        (*generate, "--audio", "font.wav", "--soundfont", "font.sf2"),
        (*generate, "--video", "album/../film.mp4"),
        ("plan", "film.mp4", "--plan", "plan.mid", "--out", "plan.mid"),
        ("plan", "film.mp4", "--analysis", "seen.mid", "--out", "seen.mid"),
        ("plan", "film.mp4", "--out", "film.mp4"),
        ("analyze", "film.mp4", "--out", "film.mp4"),
        ("analyze", "film.mp4", "--out", "a.json", "--plot", "film.mp4"),
        ("render", "s.mid", "--out", "hard.wav"),
        ("render", "s.mid", "--out", "font.wav", "--soundfont", "font.sf2"),
        ("match", "film.mp4", "album", "--index", "album/a.wav"),
        ("match", "film.mp4", "album", "--index", "film.mp4"),
        ("match", "film.mp4", "album", "--video", "film.mp4"),
        ("prepare", "s.mid", "--out", "store", "--labels", "store/songs.jsonl"),
    ):
        if words[0] == "prepare":
            (here / "store").mkdir()
            (here / "store" / "songs.jsonl").write_text("path,valence,arousal\ns.mid,0.1,0.2\n")
            before[here / "store" / "songs.jsonl"] = (here / "store/songs.jsonl").read_bytes()
        code, _, err = run(*words)
        assert code == 2 and "itself; choose another name" in err, (words, err)
        assert {path: path.read_bytes() for path in here.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    "what",
    [*(pytest.param(w, marks=pytest.mark.slow) for w in ("generate", "analyze", "plan")), "render"],
)
def test_a_dash_is_the_standard_output_and_nothing_else_is_on_it(
    what: str, here: Path, clip: Path, small: Path
) -> None:
    (here / "s.mid").write_bytes(b"")
    composed = ["generate", str(clip), "--checkpoint", str(small), "--out"]
    words = {"generate": composed, "analyze": ["analyze", str(clip), "--out"],
             "plan": ["plan", str(clip), "--out"],
             "render": ["render", "s.mid", "--out"]}[what]  # fmt: skip
    if what == "render":
        assert main([*composed, "s.mid"]) == 0

    def emsync(*words: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([sys.executable, "-m", "emsync", *words], capture_output=True)

    dashed = emsync(*words, "-")
    assert dashed.returncode == 0, dashed.stderr
    assert main([*words, "file" if what != "render" else "file.wav"]) == 0
    assert dashed.stdout == (here / ("file" if what != "render" else "file.wav")).read_bytes()
    if what != "render":
        refusal = emsync(*words, "-", "--json")
        assert refusal.returncode == 2 and b"leave out --json" in refusal.stderr
        assert refusal.stdout == b""


def test_a_folder_and_a_film_cannot_go_to_the_standard_output(
    run: Run, here: Path, clip: Path, small: Path
) -> None:
    generate = ("generate", clip, "--checkpoint", small)
    refused(run(*generate, "--bundle", "-"), here, 2, "a folder cannot go")
    refused(run(*generate, "--video", "-"), here, 2, ".mp4")
    refused(run(*generate, "--out", "-", "--audio", "-"), here, 2, "same name or file")
    refused(run("demo", "--out", "-"), here, 2, "a folder cannot go")


WINDOWS = {"PYTHONIOENCODING": "cp1252"}
PLAIN = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
NIGHT = "\N{CYRILLIC SMALL LETTER EN}\N{CYRILLIC SMALL LETTER O}"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        (b"caf\xe9", WINDOWS),
        (NIGHT.encode(), PLAIN),
        (("\N{MOVIE CAMERA}" * 60).encode(), {}),
    ],
)
def test_a_name_in_any_letters_and_bytes_is_a_name(
    name: bytes, settings: dict[str, str], here: Path, clip: Path, small: Path
) -> None:
    """Whatever the console can show, and the system's encoding says."""
    film = os.fsencode(here) + b"/" + name + b".mp4"
    with open(film, "wb") as file:  # noqa: PTH123 - the name may be no text
        file.write(clip.read_bytes())
    for words in (
        [b"generate", film, b"--checkpoint", os.fsencode(small), b"--bundle", b"bundle",
         b"--out", name + b".mid", b"--audio", name + b".flac", b"--video", b"w" + name + b".mp4"],
        [b"generate", film, b"--checkpoint", os.fsencode(small), b"--bundle", b"b2", b"--json"],
        [b"analyze", film, b"--save", b"csv,edl,json", b"--plot", b"p.png"],
        [b"render", name + b".mid", b"--out", name + b".wav"],
        [b"check", name + b".mid"],
    ):  # fmt: skip
        done = subprocess.run(
            [os.fsencode(sys.executable), b"-m", b"emsync", *words],
            capture_output=True, env={**os.environ, **settings},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert not [path for path in here.iterdir() if ".part" in path.name]


@pytest.mark.parametrize("fault", ["missing", "no weights", "wrong shape", "not weights", "config"])
def test_a_broken_checkpoint_is_refused(
    fault: str,
    run: Run,
    here: Path,
    clip: Path,
    small: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("broken")
    for path in small.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    weights = folder / "model.safetensors"
    if fault == "missing":
        folder = folder / "nowhere"
    elif fault == "no weights":
        weights.unlink()
    elif fault == "wrong shape":
        save_file({**load_file(weights), "head.bias": torch.zeros(7)}, weights)
    elif fault == "not weights":
        weights.write_bytes(b"\x00" * 64)
    else:
        (folder / "config.json").write_text('{"tokenizer": 3}')
    result = run("generate", clip, "--checkpoint", folder, "--out", "out.mid")
    refused(result, here, 4, folder.name)


def test_a_sound_font_that_is_none_is_refused(
    run: Run, here: Path, clip: Path, small: Path
) -> None:
    (here / "font.sf2").write_text("not a font")
    result = run(
        "generate", clip, "--checkpoint", small, "--out", "out.mid", "--audio", "a.wav",
        "--soundfont", "font.sf2",
    )  # fmt: skip
    refused(result, here, 4, "font.sf2", left={"font.sf2"})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["no cuts"]),
        ("2.0\n1.0\n", ["line 2"]),
        ("1.0\n99\n", ["line 2"]),
        ("soon\n", ["line 1"]),
    ],
)
def test_a_bad_list_of_cuts_names_its_line(
    text: str, words: list[str], run: Run, here: Path, clip: Path, small: Path
) -> None:
    (here / "cuts.txt").write_text(text)
    result = run("generate", clip, "--checkpoint", small, "--out", "out.mid", "--cuts", "cuts.txt")
    refused(result, here, 3, "cuts.txt", *words, left={"cuts.txt"})


def test_an_interrupt_leaves_nothing_behind(
    run: Run, here: Path, clip: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("emsync.sound.synthesis.played", interrupt)
    result = run(
        "generate", clip, "--checkpoint", small, "--out", "out.mid", "--audio", "music.wav"
    )
    refused(result, here, 130, "interrupted")


def test_progress_in_a_pipe_is_a_line_now_and_then(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while a stage says nothing, as one call into another library does."""
    from emsync.cli import common

    monkeypatch.setattr(common, "SILENCE", 0.05)
    with common.progress() as show:
        time.sleep(0.12)
        show("Training, loss 1.5", 0.4)
        time.sleep(0.3)
    out, err = capfd.readouterr()
    lines = err.splitlines()
    assert out == "" and lines[0] == "emsync: Starting, 0% after 0:00"
    assert lines.count("emsync: Training, loss 1.5, 40% after 0:00") >= 2
    with common.progress() as show:
        show("Quick", 0.5)
    assert capfd.readouterr() == ("", "")


def test_what_does_not_fit_the_film_is_refused_before_it_is_watched(
    run: Run, here: Path, clip: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from emsync import brief
    from emsync.analysis import Analysis
    from emsync.planning.plan import Plan

    def watched(*_: object, **__: object) -> None:
        raise AssertionError("the film was watched")

    monkeypatch.setattr(brief, "watch", watched)
    Analysis(60.0, "25", source="another.mp4").save(here / "other.json")
    Plan(60.0, 120.0, source="another.mp4").save(here / "plan.json")
    for options, code, words in (
        (["--plan", "plan.json"], 2, ["another.mp4", "60.00 s", "2.40 s; plan this video"]),
        (["--plan", "no.json"], 3, ["no.json"]),
        (["--plan", "other.json"], 3, ["other.json", "it is an analysis (--analysis)"]),
        (["--analysis", "plan.json"], 3, ["plan.json", "it is a plan (--plan)"]),
        (["--plan", "."], 3, ["it is a folder"]),
        (["--analysis", "other.json"], 2, ["another.mp4", "60.00 s", "2.40 s"]),
        (["--cuts", "no.edl"], 3, ["no.edl"]),
        (["--emotion-file", "no.csv"], 3, ["no.csv"]),
        (["--soundfont", "no.sf2", "--audio", "a.wav"], 4, ["no.sf2"]),
        (["--rules-off", "meter"], 2, ["'meter'", "sounding"]),
        (["--max-tempo-change", "2"], 2, ["2 is outside 0 to 0.25"]),
    ):
        result = run("generate", clip, "--checkpoint", small, "--out", "out.mid", *options)
        refused(result, here, code, *words, left={"other.json", "plan.json"})


def test_an_estimator_without_its_package_says_what_to_install(
    run: Run, here: Path, clip: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    result = run("generate", clip, "--checkpoint", small, "--out", "out.mid", "--estimator",
                 "clip:nowhere")  # fmt: skip
    refused(result, here, 4, "pip install 'emsync[clip]'")


def test_what_a_terminal_obeys_is_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    print_report({}, False, "a\x1b[31m\u202eb\nночь")
    assert capsys.readouterr().out == "a [31m b\nночь\n"
    assert main(["generate", "a\x1b[31m.mp4", "--cuts", "\x9b\u202e"]) == 3
    assert capsys.readouterr().err.rstrip("\n").isprintable()
