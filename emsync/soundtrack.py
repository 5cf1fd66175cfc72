"""A sound that was made for a film, how it was arrived at, and ways to keep it."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emsync.errors import UsageError
from emsync.fit.time_map import rows_of
from emsync.plain import plain
from emsync.result import Result
from emsync.sounding import SoundCandidate

if TYPE_CHECKING:
    from emsync.sound.blocks import Sound


@dataclass(frozen=True, eq=False)
class Soundtrack(Result[SoundCandidate]):
    """Sound made for a film. Nothing of it is written until ``save`` or ``write``."""

    makes = "sound"

    def heard(self, soundfont: Path | None = None) -> "Sound":
        """Return the sound, exactly as long as its film; it is not yet levelled."""
        if soundfont is not None:
            raise UsageError(
                f"{str(soundfont)!r} would play notes, and {self.checkpoint!r} makes sound; leave "
                "the sound font out"
            )
        return self.best.sound

    def to_json(self) -> dict[str, Any]:
        """Return plain values for ``json.dumps``: the same for the same seed."""
        return plain({
            "checkpoint": self.checkpoint,
            "makes": self.makes,
            "sampling": dict(self.sampling),
            "settings": self.options.to_json(),
            "cuts": rows_of(self.best.cuts, self.rate, self.labels.start),
            "ending": self.ending.to_json(),
            "duration": self.analysis.duration,
            "valence": self.analysis.valence,
            "arousal": self.analysis.arousal,
            "emotion": dict(self.analysis.emotion),
            "plan": self.plan.to_json(),
            "arc": [asdict(state) for state in self.analysis.arc],
            "seed": self.options.seed,
            "score_parts": self.best.parts,
            "candidates": [candidate.to_json() for candidate in self.candidates],
        })  # fmt: skip

    def summary(self) -> str:
        """Return the facts that a person asks for first, in a few lines."""
        parts = ", ".join(f"{name} {value:.2f}" for name, value in self.best.parts.items())
        return "\n".join([
            f"{self.analysis.duration:.2f} s of sound; seed {self.options.seed}",
            f"score {self.best.score:.2f}: {parts}",
            *self.cut_lines(),
        ])  # fmt: skip

    def _repr_html_(self) -> str:
        from html import escape

        return f"{self.audio()._repr_html_()}<pre>{escape(self.summary())}</pre>"
