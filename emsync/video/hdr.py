"""Pictures of high dynamic range as an ordinary screen shows them.

PQ (HDR10) and HLG code light in other ways than an ordinary film: read as one, they look dull and
dark. Their light is brought back (ITU-R BT.2100), white stands at 203 nits (BT.2408), what is
brighter stays white, and it is coded again as an ordinary screen expects it (BT.1886). Colours of
BT.2020 become those of BT.709. Values are RGB.
"""

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emsync.arrays import Float32s, Picture

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

# FFmpeg's numbers, which are those of ITU-T H.273
PQ, HLG, BT709, BT2020 = 16, 18, 1, 9
UNSPECIFIED = 2
ORDINARY = {1, 6, 14, 15}  # transfer functions of BT.709, BT.601 and BT.2020
IPT = 15  # the colours of Dolby Vision's profile 5

WHITE = 203.0  # nits
PEAK = 1000.0  # nits of the screen that HLG is seen on
GAMMA = 2.4  # of an ordinary screen
LEVELS = 65280  # of white in FFmpeg's 16-bit RGB: 255 times 256
LUMA = np.array([0.2627, 0.6780, 0.0593], np.float32)  # of BT.2020
TO_709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
    np.float32,
)


def is_foreign(frame: "VideoFrame") -> bool:
    """Return whether the levels of ``frame`` do not mean what those of an ordinary film do."""
    wide = frame.color_primaries == BT2020 and frame.color_trc in ORDINARY
    return wide or frame.color_trc in (PQ, HLG)


def as_ordinary(deep: NDArray[np.uint16], trc: int, primaries: int) -> Picture:
    """Return (H, W, 3) RGB levels, white at LEVELS, as those of an ordinary film in 8 bits."""
    light = _light(trc)[deep]  # (H, W, 3), 1 is white
    if trc == HLG:
        luma = light @ LUMA
        light *= (PEAK / WHITE * luma**0.2)[..., None]
    if primaries in (BT2020, UNSPECIFIED):
        light = light @ TO_709.T
    levels: Any = np.clip(light, 0, 1) ** np.float32(1 / GAMMA)
    return np.asarray(levels * 255 + 0.5, np.uint8)


@cache
def _light(trc: int) -> Float32s:
    """Return the light of each of the 65,536 levels; of HLG before its system gamma."""
    level = np.minimum(np.arange(65536) / LEVELS, 1.0)
    if trc == PQ:
        root = level ** (32 / 2523)
        base = np.maximum(root - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * root)
        light = 10000 / WHITE * base ** (16384 / 2610)
    elif trc == HLG:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(level <= 0.5, level**2 / 3, (np.exp((level - c) / a) + b) / 12)
    else:
        light = level**GAMMA
    return light.astype(np.float32)
