"""The arrays that modules pass to each other, by what they hold."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Float32s: TypeAlias = NDArray[np.float32]
Float64s: TypeAlias = NDArray[np.float64]
Int64s: TypeAlias = NDArray[np.int64]
Seconds: TypeAlias = NDArray[np.float64]
Ticks: TypeAlias = NDArray[np.int64]  # of a MIDI file, or of a video stream
Picture: TypeAlias = NDArray[np.uint8]  # (height, width, 3), or (height, width) in grey
