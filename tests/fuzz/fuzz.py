"""One fuzz target a reader: a damaged file is read, or refused by an EmsyncError; nothing else.

    python tests/fuzz/fuzz.py [--seconds 60] [--seed 0] [TARGET ...]    # all, if none is named
    python tests/fuzz/fuzz.py --file CASE TARGET

A target makes a sound file by the product's own writer. All cases that broke its reader once are
read, then what a small seeded mutator damages. Each case has SECONDS and MEMORY. Whatever breaks
the law ends this process; the case is then FOLDER/case and the last line of stdout says of which
target. ``test_fuzz.py`` runs this, and keeps cases.
"""

import argparse
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from emsync.errors import EmsyncError

REGRESSIONS = Path(__file__).parent / "regressions"
SECONDS = 5  # for one case
MEMORY = 2**30  # bytes more than the readers themselves take
NUMBERS = (
    b"-1", b"0", b"1e999", b"nan", b"NaN", b"1e-999999999", b"1e999999999", b"9" * 5000, b"0.5",
    b"99999999999", b"2147483648", b"null", b'"x"', b"[]", b"{}", b"true",
)  # fmt: skip
PIECES = (
    b"[" * 3000, b'{"a":' * 3000, b"\0", b"\n", b"\xff\xfe", b"\xef\xbb\xbf", b'"', b",", b"\r",
    b"a" * 70000, b"\x1b[31m", "é\u2028😀".encode(), b"../../x",
)  # fmt: skip


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """Return ``data`` with one to four damages."""
    for _ in range(int(rng.integers(1, 5))):
        data = DAMAGES[int(rng.integers(len(DAMAGES)))](bytearray(data), rng)
    return data


def _place(data: bytearray, rng: np.random.Generator) -> int:
    """Return a place in ``data``; every other time near its beginning, where headers are."""
    return int(rng.integers(0, (min(len(data), 200) if rng.random() < 0.5 else len(data)) + 1))


def _flip(data: bytearray, rng: np.random.Generator) -> bytes:
    if data:
        data[min(_place(data, rng), len(data) - 1)] ^= 1 << int(rng.integers(8))
    return bytes(data)


def _set(data: bytearray, rng: np.random.Generator) -> bytes:
    at, width = _place(data, rng), int(rng.choice([1, 2, 4, 8]))
    data[at : at + width] = rng.choice([b"\0", b"\xff", b"\x7f", b"\x80"]) * width
    return bytes(data)


def _cut(data: bytearray, rng: np.random.Generator) -> bytes:
    at = _place(data, rng)
    return bytes(data[:at] + data[at + int(rng.integers(1, 64)) :])


def _end(data: bytearray, rng: np.random.Generator) -> bytes:
    return bytes(data[: _place(data, rng)])


def _insert(data: bytearray, rng: np.random.Generator) -> bytes:
    at = _place(data, rng)
    return bytes(data[:at] + PIECES[int(rng.integers(len(PIECES)))] + data[at:])


def _repeat(data: bytearray, rng: np.random.Generator) -> bytes:
    at = _place(data, rng)
    part = data[at : at + int(rng.integers(1, 200))]
    return bytes(data[:at] + part * int(rng.integers(2, 20)) + data[at:])


def _number(data: bytearray, rng: np.random.Generator) -> bytes:
    found = list(re.finditer(rb"-?\d+(\.\d+)?|\"[^\"]*\"|true|false|null", bytes(data)))
    if not found:
        return _set(data, rng)
    hit = found[int(rng.integers(len(found)))]
    number = NUMBERS[int(rng.integers(len(NUMBERS)))]
    return bytes(data[: hit.start()] + number + data[hit.end() :])


DAMAGES = (_flip, _set, _cut, _end, _insert, _repeat, _number, _number)


class Target(NamedTuple):
    """A reader, and how to make what it reads."""

    make: Callable[[Path], Path]  # a sound file in a folder; other files may lie beside it
    read: Callable[[Path], object]


def _analysis(folder: Path) -> Path:
    from emsync.analysis import Analysis, Curve, Cut
    from emsync.emotion.arc import State

    path = folder / "a.json"
    Analysis(
        8.0, "25", (Cut(1.2, 0.5, frame=30), Cut(4.0, kept=False, reason="near", kind="fade")),
        Curve(0.5, (0.0, 1.5)), valence=0.5, arousal=-0.25, tempo=120.0,
        arc=(State(0.0, 4.0, 0.5, 0.2), State(4.0, 8.0, -0.5, 0.2)), source="film.mp4",
    ).save(path)  # fmt: skip
    return path


def _read_analysis(path: Path) -> object:
    from emsync.analysis import Analysis

    return Analysis.load(path).to_json()


def _plan(folder: Path) -> Path:
    from emsync.planning.plan import Plan, Section

    path = folder / "p.json"
    Plan(
        8.0, 120.0, "A", "fade", (1.2, 4.0),
        (
            Section(0.0, 4.0, 0.5, 0.2, "minor", 2.5, ("piano", "bass"), "Am F/2 G/2", "A", 80.0),
            Section(4.0, 8.0, chords="C | Bdim/2 N/2", theme="B"),
        ),
        "film.mp4",
    ).save(path)  # fmt: skip
    return path


def _read_plan(path: Path) -> object:
    from emsync.analysis import Analysis
    from emsync.options import Options
    from emsync.planning.plan import Plan
    from emsync.planning.planner import plan_of

    plan = Plan.load(path)
    if plan.duration > 1000:  # of which a part has as many bars as there are in days
        return plan.summary()
    return plan_of(Analysis(plan.duration, "25"), Options(plan=plan)).summary()


def _arc(folder: Path) -> Path:
    (folder / "a.csv").write_text("time,valence,arousal\n0,0.5,-0.2\n10,0.25,0\n20.5,-1,1\n")
    return folder / "a.csv"


def _read_arc(path: Path) -> object:
    from emsync.emotion.arc import read_arc

    return read_arc(path, 60.0)


def _cuts(suffix: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        from emsync.analysis import Analysis
        from emsync.formats.cut_lists import write_cuts

        path = folder / f"cuts{suffix}"
        write_cuts(path, Analysis.load(_analysis(folder)))
        return path

    return make


def _texts(folder: Path) -> Path:
    (folder / "cuts.txt").write_text("1.5\n00:00:04:05\n0:07.25\n# a comment\n8.5\n")
    return folder / "cuts.txt"


def _read_cuts(path: Path) -> object:
    from emsync.formats.cut_lists import read_cuts

    return read_cuts(path, Fraction(25), 60.0)


def _toml(folder: Path) -> Path:
    from emsync.training.example import write

    return write(folder / "train.toml")


def _read_toml(path: Path) -> object:
    from emsync.training.config import TrainConfig

    return TrainConfig.load(path)


def _checkpoint(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        from emsync.model.composer import Composer
        from emsync.model.transformer import EventTransformer, ModelConfig
        from emsync_conditioners.boundaries import Boundaries
        from emsync_conditioners.valence_arousal import ValenceArousal
        from emsync_tokenizers import vocabulary
        from emsync_tokenizers.events import Events

        shape = ModelConfig(vocabulary.SIZE, width=8, depth=1, heads=2, context=16)
        model = EventTransformer(shape, (ValenceArousal(), Boundaries()))
        Composer(model, Events()).save_pretrained(folder)
        return folder / name

    return make


def _read_checkpoint(path: Path) -> object:
    from emsync.model.composer import Composer

    return Composer.from_pretrained(path.parent)


@cache
def _prepared() -> dict[str, bytes]:
    """Return the files of a store; it takes a process of its own, once."""
    from emsync.data.prepare import FILES, prepare
    from emsync_tokenizers.events import Events

    with tempfile.TemporaryDirectory() as place:
        songs, out = Path(place) / "songs", Path(place) / "store"
        songs.mkdir()
        _midi(songs)
        prepare([songs], out, Events(), workers=1)
        return {name: (out / name).read_bytes() for name in FILES}


def _store(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        for other, data in _prepared().items():
            (folder / other).write_bytes(data)
        return folder / name

    return make


def _read_store(path: Path) -> object:
    from emsync.data.store import Store

    store = Store.open(path.parent)
    return [store.ids(song) for song in store.songs]


def _pieces(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        from emsync.data.pack import pack

        (folder / "in").mkdir()
        (folder / "in" / "tokens.bin").write_bytes(bytes(range(256)) * 16)
        pack(folder / "in", folder / "packed", 1)
        return folder / "packed" / name

    return make


def _read_pieces(path: Path) -> object:
    from emsync.data.pack import unpack

    return unpack(path.parent, path.parent.parent / "out")


def _index(folder: Path) -> Path:
    from emsync.matching.index import Track, write_index
    from emsync.matching.rhythm import STAMP

    columns: dict[str, Any] = {
        "onsets": np.linspace(0, 1, 9).astype(np.float16),
        "beats": np.array([1, 5], np.int32),
    }
    tracks = [Track(name, 3, 4, 0.2, columns) for name in ("a.mp3", "é.wav")]
    write_index(folder / "i.safetensors", STAMP, tracks)
    return folder / "i.safetensors"


def _read_index(path: Path) -> object:
    from emsync.matching.index import read_index
    from emsync.matching.rhythm import STAMP, Cm

    shelf = read_index(path, STAMP).shelf
    try:
        Cm().verify(shelf)
    except (LookupError, ValueError):
        return None
    return Cm().rank({"impact": np.ones(5)}, shelf, 2)


def _former(folder: Path) -> Path:
    """Write an index of the first version."""
    np.savez(
        folder / "i.npz",
        emsync_rhythm=np.array(1),
        names=np.array(["a.mp3", "é.wav"]),
        sizes=np.array([3, 3]),
        changed=np.array([4, 4]),
        lengths=np.array([9, 9]),
        signals=np.linspace(0, 1, 18).astype(np.float16),
        counts=np.array([2, 1]),
        beats=np.array([1, 5, 3], np.int32),
    )
    return folder / "i.npz"


def _read_former(path: Path) -> object:
    from emsync.matching.former import read_former

    return read_former(path)


def _keys(folder: Path) -> Path:
    np.save(folder / "trained.npy", np.array([1, 5, 9], np.uint32))
    return folder / "trained.npy"


def _read_keys(path: Path) -> object:
    from emsync.data.split import read_keys

    return read_keys(path.parent)


def _labels(folder: Path) -> Path:
    rows = [f"{i}.mid,{i / 40},-0.5,{i // 2}" for i in range(20)]
    (folder / "labels.csv").write_text("\n".join(["path,valence,arousal,group", *rows]) + "\n")
    return folder / "labels.csv"


def _facts(folder: Path) -> Path:
    head = "path,dup_group,dup_rank,deezer_valence,lastfm_moods"
    rows = [f"{i}.npz,g{i // 2},{i % 2},{i / 9},happy;sad{i % 3}" for i in range(40)]
    (folder / "index.csv").write_text("\n".join([head, *rows]) + "\n")
    return folder / "index.csv"


def _read_labels(path: Path) -> object:
    from emsync.data.labels import read_labels

    return read_labels(path)


def _lakh(folder: Path) -> Path:
    from json import dumps
    from zipfile import ZipFile

    arrays: dict[str, Any] = {
        "tempo": np.full(96, 120.0), "downbeat": np.arange(96) % 48 == 0,
        "pianoroll_0_csc_data": np.full(24, 100, np.uint8),
        "pianoroll_0_csc_indices": np.arange(24, dtype=np.int32),
        "pianoroll_0_csc_indptr": np.repeat([0, 24], [61, 68]).astype(np.int32),
        "pianoroll_0_csc_shape": np.array([96, 128]),
    }  # fmt: skip
    np.savez(folder / "song.npz", **arrays)
    facts = {"beat_resolution": 12, "0": {"program": 0, "is_drum": False, "name": ""}}
    with ZipFile(folder / "song.npz", "a") as archive:
        archive.writestr("info.json", dumps(facts))
    return folder / "song.npz"


def _read_lakh(path: Path) -> object:
    from emsync.data.lakh import read_lakh

    return read_lakh(path)


def _midi(folder: Path) -> Path:
    from emsync.music.piece import PIANO, Piece, to_score

    notes = [(PIANO, 50 + i % 30, i * 0.25, i * 0.25 + 0.2) for i in range(40)]
    to_score(Piece.of(np.array(notes))).dump_midi(folder / "song.mid")
    return folder / "song.mid"


def _read_midi(path: Path) -> object:
    from emsync.formats.smf import read_midi

    return read_midi(path)


def _palette(folder: Path) -> Path:
    from emsync.performance.palette import FOLDER

    return Path(shutil.copy(FOLDER / "orchestra.toml", folder / "p.toml"))


def _play_palette(path: Path) -> object:
    """Play a piece by a palette that was read; the score keeps the contract whoever plays."""
    from emsync.fit.hits import fit
    from emsync.formats.midi import write_midi
    from emsync.formats.midi_check import check
    from emsync.music.piece import Piece
    from emsync.performance.palette import Palette
    from emsync.performance.performance import perform

    players = Palette.named(str(path)).players
    notes = [(i % 5, 30 + i, i * 0.1, i * 0.1 + (0.1, 0.9)[i % 2]) for i in range(60)]
    fitted = fit(Piece.of(np.array(notes), np.arange(0, 8, 2.0)), (), 8.0, "off", 0.0, None)
    score = path.with_suffix(".mid")
    write_midi(score, perform(fitted, casting=[(0.0, players)], humanize=1.0))
    report = check(score)
    assert report.ok, report.errors
    return report


def _kept(folder: Path) -> Path:
    from emsync.fit.hits import fit
    from emsync.formats.midi import write_midi
    from emsync.music.piece import Piece
    from emsync.performance.palette import Palette
    from emsync.performance.performance import perform

    notes = [(i % 5, 30 + i, i * 0.1, i * 0.1 + 0.3) for i in range(40)]
    fitted = fit(Piece.of(np.array(notes), np.arange(0, 8, 2.0)), (), 8.0, "off", 0.0, None)
    players = Palette.named("piano").players
    write_midi(folder / "score.mid", perform(fitted, casting=[(0.0, players)]))
    return folder / "score.mid"


def _read_kept(path: Path) -> object:
    """Read a score to keep as those who play it: what a redo begins with."""
    from emsync.formats.played import parts
    from emsync.formats.splice import KeptScore, piece_of

    score = KeptScore.read(path)
    return parts(score.raw), piece_of(score.raw, score.raw.seconds)


def _check_midi(path: Path) -> object:
    from emsync.formats.midi_check import check

    return check(path).to_json()


def _font(folder: Path) -> Path:
    from emsync.sound.synthesis import default_soundfont

    return Path(shutil.copy(default_soundfont(), folder / "font.sf2"))


def _check_font(path: Path) -> object:
    from emsync.sound.synthesis import check_soundfont

    return check_soundfont(path)


def _film(folder: Path) -> Path:
    import av

    with av.open(folder / "film.mp4", "w") as film:
        stream: Any = film.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for i in range(20):
            picture = np.full((48, 64, 3), 30 if i < 10 else 220, np.uint8)
            film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        film.mux(stream.encode(None))
    return folder / "film.mp4"


def _read_film(path: Path) -> object:
    from emsync.video.film import open_film
    from emsync.video.watch import watch

    return watch(open_film(path))


def _sound(folder: Path) -> Path:
    import wave

    with wave.open(str(folder / "sound.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(22050)
        file.writeframes(np.zeros((5000, 2), "<i2").tobytes())
    return folder / "sound.wav"


def _read_sound(path: Path) -> object:
    from emsync.sound.decode import read_mono

    return read_mono(path)


TARGETS: dict[str, Target] = {
    "analysis": Target(_analysis, _read_analysis),
    "plan": Target(_plan, _read_plan),
    "arc": Target(_arc, _read_arc),
    "cuts-txt": Target(_texts, _read_cuts),
    "cuts-csv": Target(_cuts(".csv"), _read_cuts),
    "cuts-edl": Target(_cuts(".edl"), _read_cuts),
    "cuts-json": Target(_cuts(".json"), _read_cuts),
    "cuts-otio": Target(_cuts(".otio"), _read_cuts),
    "train-toml": Target(_toml, _read_toml),
    "config-json": Target(_checkpoint("config.json"), _read_checkpoint),
    "weights": Target(_checkpoint("model.safetensors"), _read_checkpoint),
    "store-json": Target(_store("store.json"), _read_store),
    "store-songs": Target(_store("songs.jsonl"), _read_store),
    "store-tokens": Target(_store("tokens.bin"), _read_store),
    "pieces-json": Target(_pieces("pieces.json"), _read_pieces),
    "pieces-xz": Target(_pieces("000.xz"), _read_pieces),
    "index": Target(_index, _read_index),
    "index-former": Target(_former, _read_former),
    "trained-keys": Target(_keys, _read_keys),
    "labels": Target(_labels, _read_labels),
    "labels-lakh": Target(_facts, _read_labels),
    "lakh": Target(_lakh, _read_lakh),
    "midi": Target(_midi, _read_midi),
    "midi-check": Target(_midi, _check_midi),
    "midi-kept": Target(_kept, _read_kept),
    "palette": Target(_palette, _play_palette),
    "soundfont": Target(_font, _check_font),
    "film": Target(_film, _read_film),
    "sound": Target(_sound, _read_sound),
}


def main() -> None:
    """Fuzz the targets of the command line; the exit code is not 0 where one breaks the law."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("targets", nargs="*", default=list(TARGETS), metavar="TARGET")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where the case is that breaks the law")
    parser.add_argument("--file", type=Path, action="append", default=[], help="read this case")
    asked = parser.parse_args()
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="fuzz-"))
    warnings.simplefilter("ignore")  # repairs are told, as they should be
    for name in asked.targets:
        print(name, flush=True)
        fuzz(name, folder, asked)
    print("done", flush=True)


def fuzz(name: str, folder: Path, asked: argparse.Namespace) -> None:
    """Damage the file of one target and read it, until its seconds are over."""
    place = folder / name
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    target = TARGETS[name]
    path = target.make(place)
    sound = path.read_bytes()
    target.read(path)  # is read, and loads what it needs
    rng, began, cases = np.random.default_rng(asked.seed), time.monotonic(), 0
    broke = sorted((REGRESSIONS / name).glob("*"))  # and no longer may
    kept = [case.read_bytes() for case in asked.file or broke]
    with _limited():
        while kept or (not asked.file and time.monotonic() - began < asked.seconds):
            data = kept.pop() if kept else mutated(sound, rng)
            path.write_bytes(data)
            (folder / "case").write_bytes(data)
            signal.alarm(SECONDS)  # ends the process, also within native code
            try:
                target.read(path)
            except EmsyncError as error:
                if any(c in str(error) for c in "\n\r\x1b") or len(str(error)) > 2000:
                    sys.exit(f"{name}: a sentence of many lines, or too long: {str(error)[:500]!r}")
            except BaseException:
                traceback.print_exc()
                sys.exit(f"{name}: no EmsyncError")
            signal.alarm(0)
            cases += 1
    print(f"  {cases} cases", flush=True)


class _limited:  # noqa: N801 - it is used as a context
    """MEMORY more than now, for a block."""

    def __enter__(self) -> None:
        if sys.platform != "linux":
            return
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        self.before = resource.getrlimit(resource.RLIMIT_AS)
        most = pages * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, self.before[1]))

    def __exit__(self, *_: object) -> None:
        if sys.platform == "linux":
            import resource

            resource.setrlimit(resource.RLIMIT_AS, self.before)


if __name__ == "__main__":
    main()
