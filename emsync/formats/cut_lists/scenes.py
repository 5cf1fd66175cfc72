"""The scenes between the kept cuts, in frames: what the lists that we write hold."""

from fractions import Fraction

from emsync.analysis import Analysis
from emsync.errors import UsageError
from emsync.video.timecode import Timecode


def scenes(analysis: Analysis) -> tuple[Fraction, list[tuple[int, int]]]:
    """Return the frame rate, and the first frame of each scene and of the next."""
    rate = Fraction(analysis.fps)
    if rate <= 0:
        raise UsageError("the video has no known frame rate; save its cuts as .json")
    end = max(1, round(Fraction(analysis.duration) * rate))
    frames = {Timecode.at(cut.time, rate).frame for cut in analysis.kept}
    starts = sorted({0} | {frame for frame in frames if frame < end})
    return rate, list(zip(starts, [*starts[1:], end], strict=True))
