"""Frames counted as hours, minutes, seconds and frames, with drop-frame.

A timecode numbers the frames of a day. At 29.97 and 59.94 frames a second the numbers run slower
than the clock; drop-frame (written ``00:01:00;02``) skips two or four numbers at each minute but
the tenth, so that they agree again (SMPTE ST 12-1). Rates are exact fractions.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

from emsync.errors import UsageError
from emsync.limits import shown

NTSC = Fraction(1000, 1001)  # the slow-down that colour television brought
RATES = tuple(Fraction(n) * k for n in (24, 25, 30, 48, 50, 60, 100, 120) for k in (NTSC, 1))

# Premiere writes each of the marks of a drop-frame timecode as ';'
_PATTERN = re.compile(r"(\d\d)[:;](\d\d)[:;](\d\d)([:;])(\d{2,3})", re.ASCII)


def exact_rate(rate: float | Fraction, tolerance: float = 2e-4) -> Fraction:
    """Return the standard frame rate within a relative ``tolerance`` of ``rate``, or ``rate``.

    >>> exact_rate(29.97), exact_rate(Fraction(15))
    (Fraction(30000, 1001), Fraction(15, 1))
    """
    value = Fraction(rate).limit_denominator(100_000)
    nearest = min(RATES, key=lambda standard: abs(standard - value))
    return nearest if abs(nearest - value) <= tolerance * value else value


def can_drop(rate: Fraction) -> bool:
    """Return whether drop-frame exists at ``rate``: 29.97, 59.94 and 119.88 frames a second."""
    nominal = _nominal(rate)
    return nominal % 30 == 0 and exact_rate(rate) == nominal * NTSC


def clock_text(seconds: float | Fraction, hours: bool = True) -> str:
    """Return a time as HH:MM:SS.mmm, or without ``hours`` as M:SS.mmm in the first hour.

    The first is how PySceneDetect writes it, the second how REAPER's ruler does.

    >>> clock_text(83.0416), clock_text(83.0416, hours=False), clock_text(3600, hours=False)
    ('00:01:23.042', '1:23.042', '1:00:00.000')
    """
    minutes, rest = divmod(round(seconds * 1000), 60_000)
    before = f"{minutes // 60:02d}:{minutes % 60:02d}"
    if not hours:
        before = str(minutes) if minutes < 60 else before.lstrip("0")
    return f"{before}:{rest // 1000:02d}.{rest % 1000:03d}"


@dataclass(frozen=True)
class Timecode:
    """The number of a frame, and its name."""

    frame: int  # frames since 00:00:00:00
    rate: Fraction  # frames a second
    drop: bool = False

    def __post_init__(self) -> None:
        if self.rate <= 0:
            raise UsageError(f"a frame rate of {self.rate} has no timecode; it must be above 0")
        if self.drop and not can_drop(self.rate):
            raise UsageError(
                f"drop-frame timecode exists at 29.97 and 59.94 frames a second, not at "
                f"{float(self.rate):g}; write it with ':' before the frames"
            )

    @classmethod
    def at(cls, seconds: float | Fraction, rate: Fraction, drop: bool | None = None) -> Self:
        """Return the timecode of the frame nearest to ``seconds``; drop-frame where it exists."""
        frame = int(Fraction(seconds) * rate + Fraction(1, 2))
        return cls(frame, rate, can_drop(rate) if drop is None else drop)

    @classmethod
    def parse(cls, text: str, rate: Fraction, drop: bool = False) -> Self:
        """Read ``HH:MM:SS:FF``; a ';' before the frames, or ``drop``, makes it drop-frame.

        UsageError says what is wrong with it.
        """
        match = _PATTERN.fullmatch(text.strip())
        if match is None:
            raise UsageError(f"{shown(text.strip())} is not a timecode; write it as 01:00:00:00")
        hours, minutes, seconds, frames = (int(match[i]) for i in (1, 2, 3, 5))
        drop = drop or match[4] == ";"
        nominal = _nominal(rate)
        for value, limit, unit in (
            (hours, 24, "hours"),
            (minutes, 60, "minutes"),
            (seconds, 60, "seconds"),
            (frames, nominal, f"frames at {float(rate):g} frames a second"),
        ):
            if value >= limit:
                raise UsageError(
                    f"{match[0]!r} is not a timecode: there are no {value} {unit}, at most "
                    f"{limit - 1}; is it of another frame rate?"
                )
        whole_minutes = hours * 60 + minutes
        frame = (whole_minutes * 60 + seconds) * nominal + frames
        if drop:
            skipped = nominal // 15
            if minutes % 10 and seconds == 0 and frames < skipped:
                raise UsageError(
                    f"{match[0]!r} is one of the numbers that drop-frame skips; "
                    f"the next frame is {skipped:02d}"
                )
            frame -= skipped * (whole_minutes - whole_minutes // 10)
        return cls(frame, rate, drop)

    def __add__(self, frames: int) -> "Timecode":
        return Timecode(self.frame + frames, self.rate, self.drop)

    def __sub__(self, start: "Timecode") -> int:
        """Return the frames from ``start``; through midnight, if that is less than half a day."""
        day = 144 * self._ten_minutes
        frames = (self.frame - start.frame) % day
        return frames if 2 * frames < day else frames - day

    @property
    def seconds(self) -> Fraction:
        """The time of the frame since 00:00:00:00, exactly."""
        return self.frame / self.rate

    @property
    def fields(self) -> tuple[int, int, int, int]:
        """Hours, minutes, seconds and frames; after 24 hours the count begins again."""
        nominal = _nominal(self.rate)
        skipped = nominal // 15 if self.drop else 0
        tens, rest = divmod(self.frame % (144 * self._ten_minutes), self._ten_minutes)
        # the first minute of ten is whole, each of the other nine is short of the skipped numbers
        short = max(0, rest - nominal * 60) // (nominal * 60 - skipped) + (rest >= nominal * 60)
        number = tens * nominal * 600 + rest + skipped * short
        seconds, frames = divmod(number, nominal)
        return seconds // 3600, seconds // 60 % 60, seconds % 60, frames

    @property
    def _ten_minutes(self) -> int:
        """Frames in ten minutes, of which all have as many."""
        nominal = _nominal(self.rate)
        return nominal * 600 - 9 * (nominal // 15 if self.drop else 0)

    def __str__(self) -> str:
        hours, minutes, seconds, frames = self.fields
        mark = ";" if self.drop else ":"
        width = 2 if _nominal(self.rate) <= 100 else 3
        return f"{hours:02d}:{minutes:02d}:{seconds:02d}{mark}{frames:0{width}d}"


def _nominal(rate: Fraction) -> int:
    """Return the frames that a second of timecode counts."""
    return max(1, int(rate + Fraction(1, 2)))
