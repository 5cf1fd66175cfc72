"""Filters are those of SciPy to the bit, in one piece and in many."""

import subprocess
import sys

import numpy as np
import pytest

from emsync.sound import biquads
from emsync.sound.biquads import at_rest, filtered
from emsync.sound.listening import SYLLABLES
from emsync.sound.spectra import STEP_RATE


@pytest.mark.parametrize("loop", [biquads._loop(), biquads._public_loop])
def test_samples_are_filtered_as_by_scipy_to_the_bit_also_piece_by_piece(
    loop: biquads.Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scipy.signal import sosfilt

    monkeypatch.setattr(biquads, "_loop", lambda: loop)
    samples = np.random.default_rng(0).normal(size=(1000, 2)).astype(np.float32)
    state = at_rest(SYLLABLES, 2)
    parts = [filtered(SYLLABLES, part, state) for part in np.split(samples, [1, 300, 301])]
    assert np.array_equal(np.concatenate(parts), sosfilt(SYLLABLES, samples, axis=0))


def test_the_filter_of_syllables_is_butterworths() -> None:
    from scipy.signal import butter

    band = butter(2, (2.5, 6.0), "bandpass", fs=STEP_RATE, output="sos")
    np.testing.assert_allclose(SYLLABLES, band, rtol=1e-12)


def test_to_filter_imports_no_more_of_scipy_than_it_needs() -> None:
    code = (
        "import sys; from emsync.sound.loudness import Weighting; import numpy as np;"
        "Weighting(16000)(np.ones((9, 2), np.float32)); print('scipy.signal' in sys.modules);"
        "import scipy.signal"  # which then finds its loop loaded
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
