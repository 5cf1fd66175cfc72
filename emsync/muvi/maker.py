"""The maker of sound: a film's brief as conditions, latents drawn from noise, and their sound."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from emsync.analysis import Analysis
from emsync.arrays import Float32s
from emsync.commission import Commission
from emsync.fit.spotting import Spotting
from emsync.fit.tempo import tempo_of
from emsync.makers import Drawn, SoundMaker
from emsync.options import Options
from emsync.planning.placing import lead_sheet
from emsync.sound.audio import Audio
from emsync.video.film import Film
from emsync.video.observers import Observer

if TYPE_CHECKING:
    from torch import Tensor

    from emsync.muvi.checkpoint import System
    from emsync.muvi.drawing import Asked, Solving

# by conditioner, the wishes that the network is told of through it
TOLD = {
    "metre": ("tempo",),
    "chords": ("chords", "plan"),
    "chroma": ("tonic", "mode"),
    "instruments": ("instruments",),
}


class Muvi(SoundMaker):
    """Sound by flow matching, after MuVi (Li et al. 2024)."""

    kind = "muvi"
    summary = "sound by flow matching, told what the film asks"
    rate = 24_000
    follows = frozenset({"guidance", "like"})  # by every checkpoint

    def __init__(self, system: "System") -> None:
        self.system = system
        told = (TOLD.get(name, ()) for name in system.conditions.names)
        self.follows = Muvi.follows.union(*told)

    @classmethod
    def open(cls, folder: Path, device: str) -> Self:
        from emsync.model.devices import moved
        from emsync.muvi.checkpoint import System

        return cls(moved(System.load(folder), device))

    def observers(self, film: Film) -> Sequence[Observer]:
        from emsync.synchrony import seen

        sight = self.system.sight
        return () if sight is None else seen.observers(sight.sees)

    def settings(self, options: Options) -> Mapping[str, Any]:
        return asdict(self._solving(options))

    def draw(self, asked: Commission, progress: Callable[[float], None]) -> Iterator[Drawn]:
        from emsync.encoders.threads import one_thread_each

        wanted, solving = self._asked(asked), self._solving(asked.options)
        shares = [0.0] * len(asked.seeds)

        def draw(number: int) -> Float32s:
            def tell(share: float) -> None:
                shares[number] = share
                progress(sum(shares) / len(shares))

            return self.sound(wanted, asked.seeds[number], solving, tell)

        with one_thread_each() as workers:
            drawn = [workers.submit(draw, number) for number in range(len(shares))]
            try:
                for sound in drawn:
                    yield Drawn(Audio(np.repeat(sound.result()[:, None], 2, axis=1), self.rate))
            finally:
                for sound in drawn:  # nobody waits for the others any more
                    sound.cancel()

    def sound(
        self, asked: "Asked", seed: int, solving: "Solving", progress: Callable[[float], None]
    ) -> Float32s:
        """Return the (N,) samples that a seed draws."""
        import torch

        from emsync.muvi.drawing import draw_latents
        from emsync.muvi.voice import voiced

        with torch.inference_mode():
            latents = draw_latents(self.system, asked, seed, solving, progress)
            return voiced(self.system.codec.decode(latents))

    def _solving(self, options: Options) -> "Solving":
        solving = self.system.shape.solving
        return solving if options.guidance is None else replace(solving, guidance=options.guidance)

    def _asked(self, asked: Commission) -> "Asked":
        """Return what the music is to be like, latent by latent."""
        from emsync.muvi.conditions import RATE, rows_of
        from emsync.muvi.drawing import Asked
        from emsync.synchrony.seen import row_count

        brief = in_time(asked)
        count = row_count(brief.duration)
        conditioners = self.system.conditions.conditioners
        targets = {c.name: c.from_video(brief) for c in conditioners}
        return Asked(
            rows_of(conditioners, targets, count),
            self._film(asked, count),
            [round(cut.time * RATE) for cut in brief.kept],
            None if asked.like is None else self.prompt(asked.like),
        )

    def _film(self, asked: Commission, count: int) -> Float32s:
        """Return the (count, d) rows of the film, NaN after its last picture; d may be 0."""
        sight, width = self.system.sight, self.system.film_width
        rows = np.full((count, width), np.nan, np.float32)
        if sight is not None and asked.footage is not None:
            from emsync.synchrony import seen

            film = sight.embed_film(seen.see(asked.footage, asked.seen))[:count]
            rows[: len(film)] = film
        return rows

    def prompt(self, like: Audio) -> "Tensor":
        """Return the (K, c) latents of the middle of a sound, as many as may be given."""
        import torch

        from emsync.muvi.codec import STRIDE
        from emsync.muvi.voice import heard
        from emsync.muvi.windows import most_given
        from emsync.sound.mel import HOP, log_mel

        length = most_given(self.system.longest) * STRIDE * HOP
        mono = like.samples.mean(axis=1)
        first = max(0, (len(mono) - length) // 2)
        samples = heard(mono[first : first + length]).to(self.system.device)
        with torch.inference_mode():
            mel = log_mel(samples)
            return self.system.codec.encode(mel[: max(1, len(mel) // STRIDE) * STRIDE])


def in_time(asked: Commission) -> Analysis:
    """Return what is asked, with its tempo and the plan's lead sheet in the film's own seconds."""
    tempo = tempo_of(asked.brief)
    sheet = lead_sheet(asked.plan, Spotting.plain(tempo), asked.ending.chord)
    return replace(asked.brief, tempo=tempo, sheet=sheet)
