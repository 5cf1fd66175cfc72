"""What is seen of a film ten times a second: small grey pictures, upright, whatever their shape."""

import math

RATE = 10  # rows a second
HEIGHT, WIDTH = 27, 48  # pixels
HAIR = 1e-6  # rows by which a duration may be longer, as rounding makes it


def row_count(seconds: float) -> int:
    """Return the number of rows of a film, or of music, that lasts so long."""
    return max(1, math.ceil(RATE * seconds - HAIR))
