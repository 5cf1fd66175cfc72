"""What the sound of a stranger's file may be, so that its length in memory is bounded.

At 5 samples a second, which a header may say, a megabyte lasts a day.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from emsync.errors import InputError
from emsync.limits import quoted

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

RATES = 1000, 768_000  # samples a second
MOST_CHANNELS = 64
MOST_HOURS = 6


def checked(path: Path, frames: Iterable["AudioFrame"]) -> Iterator["AudioFrame"]:
    """Yield ``frames`` of a file; InputError at one that cannot be, or after MOST_HOURS."""
    name, seconds = quoted(path), 0.0
    for frame in frames:
        rate, channels = frame.sample_rate, len(frame.layout.channels)
        if not RATES[0] <= rate <= RATES[1]:
            raise InputError(
                f"the sound of {name} has {rate} samples a second; {RATES[0]} to {RATES[1]} are "
                "read"
            )
        if not 1 <= channels <= MOST_CHANNELS:
            raise InputError(f"the sound of {name} has {channels} channels; it is damaged")
        seconds += frame.samples / rate
        if seconds > MOST_HOURS * 3600:
            raise InputError(f"the sound of {name} lasts more than {MOST_HOURS} hours; cut it")
        yield frame
