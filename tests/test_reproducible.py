"""The same seed gives the same bytes in every process: the one that compiles, and those after."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from emsync.demo import draw_clip

CODE = """
import sys
import torch
from emsync.analysis import Cut
from emsync.model.composer import Composer
from emsync.model.sampling import sample

torch.set_num_threads(int(sys.argv[1]))
composer = Composer.from_pretrained("emsync-small")
film = composer.partial_analysis(4.0, valence=0.5, arousal=0.3, cuts=(Cut(2.0),))
drawn = sample(
    composer.model, composer.tokenizer, [composer.targets(film)] * 2, [4.0, 4.0], [0, 1],
    composer.sampling,
)
sys.stdout.buffer.write(b"".join(ids.tobytes() for ids in drawn))
"""


SEEN = """
import sys
import json
from emsync.video.film import open_film
from emsync.video.impact import Impact
from emsync.video.watch import watch
from emsync.analysis import Analysis
from emsync.emotion.estimator import choose
import cv2
import torch

torch.set_num_threads(int(sys.argv[2]))
cv2.setNumThreads(int(sys.argv[2]))
impact = Impact()
estimator = choose()
footage = watch(open_film(sys.argv[1]), observers=[impact], needs=estimator.needs)
print(json.dumps(Analysis.of(footage, estimator).to_json()), impact.signal(2.0).tolist())
"""


@pytest.mark.slow
def test_every_process_sees_the_same_in_a_film(tmp_path: Path) -> None:
    """To the last bit: no measure depends on threads, or on where a picture lies in memory."""
    draw_clip(tmp_path / "clip.mp4", 6.0)
    seen = {
        subprocess.run(
            [sys.executable, "-c", SEEN, str(tmp_path / "clip.mp4"), str(run + 1)],
            capture_output=True,
            check=True,
            env={**os.environ, "PADDING": "x" * 97 * run},  # moves what is allocated
        ).stdout
        for run in range(3)
    }
    assert len(seen) == 1


def drawn(threads: int, cache: Path) -> str:
    """Return the digest of the tokens that a new process draws, with its own Numba cache."""
    made = subprocess.run(
        [sys.executable, "-c", CODE, str(threads)],
        capture_output=True,
        check=True,
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache)},
    ).stdout
    assert len(made) > 1000
    return hashlib.sha256(made).hexdigest()


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What a process draws that compiles everything, and where it keeps what it compiled."""
    cache = tmp_path_factory.mktemp("numba")
    digest = drawn(2, cache)
    assert any(cache.rglob("*.nbc"))
    return digest, cache


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
def test_a_process_that_loads_what_was_compiled_draws_the_same(
    threads: int, first: tuple[str, Path]
) -> None:
    digest, cache = first
    assert drawn(threads, cache) == digest


@pytest.mark.slow
def test_what_was_compiled_in_another_order_draws_the_same(
    first: tuple[str, Path], tmp_path: Path
) -> None:
    """Some functions compiled alone before those that contain them, as a test may do."""
    alone = (
        "from emsync.model.int8 import kernels as k; import numpy as np; "
        "k.layer_norm(np.ones((1, 64), np.float32)); k.largest(np.ones(64, np.float32))"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", alone], check=True, env=environment)
    assert drawn(1, tmp_path) == first[0]
