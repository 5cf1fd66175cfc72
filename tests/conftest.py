"""What several tests share: real material where there is any, and a small piece."""

import os
import socket
import subprocess
import sys
from pathlib import Path

if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    # Before Numba is imported: processes that write one cache at once can break what they load.
    caches = Path(os.environ.get("NUMBA_CACHE_DIR", Path(__file__).parents[1] / ".pytest_cache"))
    os.environ["NUMBA_CACHE_DIR"] = str(caches / f"numba-{worker}")
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import settings
from numpy.typing import NDArray

from emsync.data.prepare import prepare
from emsync.model.composer import Composer
from emsync.model.transformer import EventTransformer, ModelConfig
from emsync.music.piece import PIANO, Piece, to_score
from emsync_conditioners.boundaries import Boundaries
from emsync_conditioners.onset_density import OnsetDensity
from emsync_conditioners.valence_arousal import ValenceArousal
from emsync_tokenizers import vocabulary as v
from emsync_tokenizers.events import Events

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # before Triton is imported: its kernels run on the CPU
settings.register_profile("calm", deadline=None)  # a busy machine breaks no law
settings.register_profile("fast", deadline=None, max_examples=12)
settings.load_profile("calm")
torch.set_num_threads(1)  # small sums are faster so, and added in one order: equal to the last bit


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    """Count what drives a browser among the slow tests: setting one up takes seconds."""
    for item in items:
        if "browser" in item.keywords:
            item.add_marker("slow")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real clips and songs; the test is skipped where EMSYNC_SHARED names none."""
    folder = os.environ.get("EMSYNC_SHARED")
    if not folder:
        pytest.skip("EMSYNC_SHARED names no folder of real clips and songs")
    return Path(folder)


@pytest.fixture(scope="session")
def write_tunes(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """A function that prepares a store of so many tunes, and returns its folder."""

    def write(count: int) -> Path:
        folder, out = (tmp_path_factory.mktemp(name) for name in ("corpus", "store"))
        for i in range(count):
            notes = [(PIANO, 50 + (i * n) % 30, n * 0.25, n * 0.25 + 0.2) for n in range(80)]
            to_score(Piece.of(np.array(notes))).dump_midi(folder / f"{i}.mid")
        prepare([folder], out, Events(), workers=1)
        return out

    return write


@pytest.fixture(scope="session")
def in_two_processes() -> Callable[..., None]:
    """A function that runs a script, with its arguments, in two processes of Accelerate."""

    def run(script: Path, *values: Path) -> None:
        with socket.socket() as free:
            free.bind(("localhost", 0))
            port = free.getsockname()[1]
        subprocess.run(
            [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2",
             "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no",
             "--num_cpu_threads_per_process", "1", "--main_process_port", str(port),
             script, *values],
            check=True, capture_output=True,
        )  # fmt: skip

    return run


@pytest.fixture(scope="session")
def write_film() -> Callable[..., Path]:
    """A function that writes RGB pictures as a silent film and returns its path."""

    def write(
        path: Path,
        pictures: Iterable[NDArray[np.uint8]],
        rate: Fraction | int = 25,
        codec: str = "libx264",
    ) -> Path:
        import av

        with av.open(path, "w") as film:
            stream: Any = film.add_stream(codec, rate=rate)
            frames = list(pictures)
            stream.height, stream.width = frames[0].shape[:2]
            stream.pix_fmt = "yuv420p"
            for picture in frames:
                film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
            film.mux(stream.encode(None))
        return path

    return write


@pytest.fixture(scope="session")
def draw_cut(write_film: Callable[..., Path]) -> Callable[..., Path]:
    """A function that writes a film with one hard cut in its middle and returns its path."""

    def draw(
        path: Path,
        frames: int = 60,
        rate: int = 25,
        size: tuple[int, int] = (64, 48),
        codec: str = "libx264",
    ) -> Path:
        width, height = size
        pictures = []
        for i in range(frames):
            picture = np.full((height, width, 3), 30 if i < frames // 2 else 220, np.uint8)
            picture[:, (i * 2) % width] = (200, 40, 90)
            pictures.append(picture)
        return write_film(path, pictures, rate, codec)

    return draw


@pytest.fixture(scope="session")
def write_numbered() -> Callable[..., Path]:
    """A function that writes a film of grey frames, each a little brighter than the one before.

    Their left half is dark, so that one sees which way they are turned. ``times`` are milliseconds.
    """

    def write(
        path: Path,
        times: Iterable[int],
        codec: str = "libx264",
        pixels: str = "yuv420p",
        size: tuple[int, int] = (128, 72),
        turn: int = 0,
        options: dict[str, str] | None = None,
    ) -> Path:
        import av

        with _as_urgent_as_before(), av.open(path, "w") as film:
            stream: Any = film.add_stream(codec, rate=25, options=options or {})
            stream.width, stream.height, stream.pix_fmt = *size, pixels
            stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
            if turn:
                stream.set_display_rotation(turn)
            shown = list(times)
            for number, time in enumerate(shown):
                picture = np.full((size[1], size[0], 3), 40 + 180 * number // len(shown), np.uint8)
                picture[:, : size[0] // 2] = 16
                frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format=pixels)
                frame.pts, frame.time_base = time, Fraction(1, 1000)
                film.mux(stream.encode(frame))
            film.mux(stream.encode(None))
        return path

    return write


@contextmanager
def _as_urgent_as_before() -> Iterator[None]:
    """Keep the scheduling of this thread, which all that it starts inherits.

    SVT-AV1 lets root's run in real time, before all else: a browser that does can stop the machine.
    """
    if sys.platform != "linux":
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


@pytest.fixture
def piece() -> Piece:
    """Eight bars of piano at 120 BPM: a walking line, and a held triad every second bar."""
    line = [(PIANO, 72 + beat % 7, beat * 0.5, beat * 0.5 + 0.25) for beat in range(32)]
    triads = [(PIANO, p, at, at + 1.0) for at in (0.0, 4.0, 8.0, 12.0) for p in (48, 52, 55)]
    return Piece.of(
        np.array(line + triads),
        downbeats=np.arange(0, 16, 2.0),
        chords=np.array([0.0, 4.0, 8.0, 12.0]),
    )


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of an untrained network."""
    torch.manual_seed(0)
    config = ModelConfig(v.SIZE, width=32, depth=1, heads=2, context=64, position_channels=16)
    model = EventTransformer(config, (ValenceArousal(), Boundaries(), OnsetDensity()))
    with torch.no_grad():
        model.head.bias[v.SHIFT : v.NOTE] += 2.0
    folder = tmp_path_factory.mktemp("checkpoint")
    Composer(model, Events()).save_pretrained(folder)
    return folder


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("-m") == "not slow":
        settings.load_profile("fast")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write tests/golden anew, and look at the diff"
    )
