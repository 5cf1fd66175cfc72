"""What a video asks of its music: the facts that every conditioner reads, as editable JSON.

``emsync analyze clip.mp4 --out analysis.json`` writes it, a person may edit it, and
``emsync generate clip.mp4 --analysis analysis.json`` reads it back.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from emsync.errors import InputError

FORMAT = 1  # raised when a field changes its meaning


@dataclass(frozen=True)
class Cut:
    """A place where the picture changes to another scene."""

    time: float  # seconds: the presentation time of the first frame of the new scene
    strength: float = 1.0  # in [0, 1]; how much the picture changes
    kept: bool = True  # whether the music is asked to answer it
    reason: str = ""  # why it was dropped, or where it comes from
    frame: int | None = None  # index of that first frame, where the video was read


@dataclass(frozen=True)
class Curve:
    """A value over time, in even steps."""

    step: float  # seconds between two values; value i holds from i * step on
    values: tuple[float, ...]


@dataclass(frozen=True)
class Analysis:
    """A video as its music sees it. Times in seconds from the first frame."""

    duration: float
    fps: str  # frames a second as an exact fraction, such as "30000/1001"; "0" if unknown
    cuts: tuple[Cut, ...] = ()
    motion: Curve | None = None  # mean optical flow, in picture heights a second
    valence: float = math.nan  # in [-1, 1]; NaN when not known
    arousal: float = math.nan  # in [-1, 1]
    emotion: Mapping[str, float] = field(default_factory=dict)  # probabilities, summing to 1
    valence_curve: Curve | None = None  # the estimator's view over time, for the picture
    arousal_curve: Curve | None = None
    source: str = ""  # the name of the video file
    estimator: str = ""  # the plug-in that felt the emotion

    @property
    def kept(self) -> list[Cut]:
        """The cuts that the music is asked to answer."""
        return [cut for cut in self.cuts if cut.kept]

    def to_json(self) -> dict[str, Any]:
        """Return plain values for ``json.dumps``; NaN becomes null."""
        return {"format": FORMAT, **_nulls(asdict(self))}

    @classmethod
    def from_json(cls, data: Mapping[str, Any], name: str = "analysis") -> Self:
        """Build an analysis from what ``to_json`` returned; InputError says which value is off."""
        try:
            if data.get("format", FORMAT) != FORMAT:
                raise ValueError(f"its format is {data['format']}, this emsync reads {FORMAT}")
            curves = {
                key: Curve(float(data[key]["step"]), tuple(map(float, data[key]["values"])))
                for key in ("motion", "valence_curve", "arousal_curve")
                if data.get(key) is not None
            }
            cuts = tuple(
                sorted((Cut(**cut) for cut in data.get("cuts", ())), key=lambda c: c.time)
            )
            analysis = cls(
                duration=float(data["duration"]),
                fps=str(data.get("fps", "0")),
                cuts=cuts,
                valence=_number(data.get("valence")),
                arousal=_number(data.get("arousal")),
                emotion={str(k): float(v) for k, v in (data.get("emotion") or {}).items()},
                source=str(data.get("source", "")),
                estimator=str(data.get("estimator", "")),
                **curves,
            )
            analysis._check()
        except KeyError as error:
            raise InputError(f"{name}: the key {error} is missing") from error
        except (AttributeError, TypeError, ValueError) as error:
            raise InputError(f"{name}: {error}") from error
        return analysis

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the JSON file at ``path``."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"cannot read {str(path)!r}: {error.strerror}") from error
        except ValueError as error:
            raise InputError(f"{str(path)!r} is not JSON: {error}") from error
        if not isinstance(data, dict):
            raise InputError(f"{str(path)!r} is not an analysis: it holds no JSON object")
        return cls.from_json(data, str(path))

    def _check(self) -> None:
        if not (math.isfinite(self.duration) and self.duration > 0):
            raise ValueError(f"duration is {self.duration}, not a positive number of seconds")
        for name in ("valence", "arousal"):
            value = getattr(self, name)
            if not (math.isnan(value) or -1 <= value <= 1):
                raise ValueError(f"{name} is {value}, outside -1 to 1")
        for cut in self.cuts:
            if not 0 <= cut.time <= self.duration:
                raise ValueError(f"a cut at {cut.time} s is outside the {self.duration} s of video")


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)


def _nulls(value: Any) -> Any:
    """Return ``value`` with NaN as None, since JSON has no NaN."""
    if isinstance(value, dict):
        return {k: _nulls(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_nulls(v) for v in value]
    return None if isinstance(value, float) and math.isnan(value) else value
