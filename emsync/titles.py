"""What the files of a score say in words: its title, its clock, and texts such as the emotion."""

from dataclasses import dataclass
from fractions import Fraction

from emsync.errors import UsageError
from emsync.timecode import Timecode


@dataclass(frozen=True)
class Text:
    """Words at a moment of the video."""

    time: float  # seconds
    text: str


@dataclass(frozen=True)
class Titles:
    """The words of one score; UsageError where ``start`` counts other frames than ``rate``."""

    title: str = "emsync"
    rate: Fraction | None = None  # the video's frames a second, if it has a rate
    start: Timecode | None = None  # of the video's first frame
    texts: tuple[Text, ...] = ()

    def __post_init__(self) -> None:
        if self.start is not None and self.rate is not None and self.start.rate != self.rate:
            raise UsageError(
                f"the start {self.start} counts {self.start.rate} frames a second, the video "
                f"{self.rate}"
            )

    def clock(self, time: float) -> str:
        """Return ``time`` as a timecode from ``start``, or as clock time where there is no rate.

        >>> Titles(rate=Fraction(25)).clock(2.04), Titles().clock(62.5)
        ('00:00:02:01', '00:01:02.500')
        """
        if self.rate is None:
            minutes, seconds = divmod(round(time * 1000), 60_000)
            return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds / 1000:06.3f}"
        at = Timecode.at(time, self.rate, None if self.start is None else self.start.drop)
        return str(at if self.start is None else self.start + at.frame)
