"""The benchmark's own figures."""

import runpy
from pathlib import Path

import numpy as np
import pytest

SCRIPT = runpy.run_path(str(Path(__file__).parents[1] / "scripts" / "benchmark.py"))


@pytest.mark.slow
def test_peak_memory_is_the_command_s_own_and_not_that_of_who_measures() -> None:
    ours = np.ones(10**8)  # 800 MB
    run = SCRIPT["emsync"]("plugins")
    assert 10 < run.peak < ours.nbytes / 1e6
    assert "emsync-small" in run.said["checkpoints"]
    assert run.seconds > 0
