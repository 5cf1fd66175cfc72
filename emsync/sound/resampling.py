"""Sound at another rate, block by block."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from emsync.arrays import Float32s
from emsync.sound.blocks import Made, Sound

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame


def at_rate(sound: Sound, rate: int) -> Sound:
    """Return ``sound`` at ``rate`` samples a second, as long as before to the nearest sample."""
    if sound.rate == rate:
        return sound

    def resampled() -> Iterator[Float32s]:
        import av

        resampler = av.AudioResampler("fltp", "stereo", rate)
        for block in sound.blocks():
            rows = np.ascontiguousarray(block.T, np.float32)
            frame = av.AudioFrame.from_ndarray(rows, format="fltp", layout="stereo")
            frame.sample_rate = sound.rate
            yield from map(_samples, resampler.resample(frame))
        yield from map(_samples, resampler.resample(None))

    return Made(rate, round(sound.length * rate / sound.rate), resampled)


def _samples(frame: "AudioFrame") -> Float32s:
    return frame.to_ndarray().T.astype(np.float32, copy=False)
