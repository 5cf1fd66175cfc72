"""The benchmark's own figures."""

import numpy as np
import pytest
import torch
from scripts_loaded import load_script
from test_transformer import network

SCRIPT = load_script("benchmark")


@pytest.mark.slow
def test_peak_memory_is_the_command_s_own_and_not_that_of_who_measures() -> None:
    ours = np.ones(10**8)  # 800 MB
    run = SCRIPT.films.emsync("plugins")
    assert 10 < run.peak < ours.nbytes / 1e6
    assert "emsync-small" in run.said["checkpoints"]
    assert run.seconds > 0


def test_a_draft_is_what_followed_the_longest_match_last() -> None:
    steps = list(SCRIPT.drafts.foretold([1, 2, 3, 1, 2, 3, 1, 2, 9, 2], 4))
    assert steps == [(0, 0), (0, 0), (0, 0), (4, 4), (0, 0)]
    assert list(SCRIPT.drafts.foretold([1, 2, 1, 3, 2], 1))[2:] == [(1, 0), (0, 0)]
    assert SCRIPT.drafts.gained([[5] * 9], 2, {1: 1.0, 2: 1.0}) == 9 / 5


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning")  # of transformers, whose names change
def test_what_is_measured_on_a_gpu_runs_without_one_in_small() -> None:
    pytest.importorskip("transformers")
    figures = SCRIPT.decoding.decoding_at_once(network(200), 3)
    assert figures["context"] == 160
    assert min(value for name, value in figures.items() if name.startswith("ratio")) > 0
    if not torch.cuda.is_available():
        assert SCRIPT.decoding.on_gpu(network()) == {"skipped": "PyTorch finds no CUDA GPU here"}


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["SMALL", "BASE"])
def test_added_conditions_and_a_norm_cost_little_time_and_memory(shape: str) -> None:
    figures = SCRIPT.conditions.told_and_not(getattr(SCRIPT.networks, shape), 1)
    assert 0 < figures["ratio"] < 1.25  # measured: 1.0 to 1.1, and a busy machine's share
    assert 1 < figures["ratio of memory"] < 1.1
