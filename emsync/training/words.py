"""What a run says of itself: a line while it trains, and where it is at its end."""

import shlex
import time
from collections.abc import Mapping

from emsync.progress import Progress, clock
from emsync.training.config import TrainConfig
from emsync.training.resume import RunState


class Teller:
    """Tells how a run goes, step by step."""

    def __init__(self, config: TrainConfig, show: Progress) -> None:
        self.config, self.show = config, show
        self.begun = time.monotonic()
        self.before: int | None = None  # tokens that were read before the first step here
        self.state = RunState()
        self.loss = self.held = ""

    def tell(self, state: RunState, figures: Mapping[str, float]) -> None:
        """Show the step, the losses and the tokens a second, in 60 letters."""
        if self.before is None:  # the first step loads and compiles
            self.before, self.begun = state.tokens, time.monotonic()
        self.state, self.loss = state, f", loss {figures['loss']:.3f}"
        if "validation" in figures:
            self.held = f", held out {figures['validation']:.3f}"
        speed, passed = "", time.monotonic() - self.begun
        if read := state.tokens - self.before:
            speed = f", {read / passed:.0f} tok/s"
        self.show(
            f"Training, step {state.step}{self.loss}{self.held}{speed}", state.share(self.config)
        )

    def closing(self, settings: str) -> str:
        """Return where the run is, how far it came and how to use it; ``settings`` is its file."""
        out, again = self.config.out, f"emsync train {shlex.quote(settings)}"
        use = f"emsync generate clip.mp4 --out score.mid --checkpoint {shlex.quote(out)}"
        if self.before is None:
            return f"{out}: its budget is spent; raise it to go on\ncompose with it: {use}"
        done = (
            f"{out}: {self.state.step:,} steps, {self.state.tokens:,} tokens in "
            f"{clock(self.state.seconds)}{self.loss}{self.held}"
        )
        if self.state.share(self.config) < 1.0:
            return f"{done}\nit is saved and goes on with: {again}\ncompose with it: {use}"
        return f"{done}\ncompose with it: {use}"
