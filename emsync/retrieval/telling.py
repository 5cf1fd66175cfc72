"""What a run that learns to find music says of itself: a line while it trains, and at its end."""

import shlex
from collections.abc import Mapping

from emsync.progress import Progress, clock
from emsync.retrieval.config import RetrievalConfig
from emsync.retrieval.training import RunState


class Teller:
    """Tells how a run goes, step by step."""

    def __init__(self, config: RetrievalConfig, show: Progress) -> None:
        self.config, self.show = config, show
        self.state, self.share = RunState(), 1.0
        self.loss = self.held = ""

    def tell(self, state: RunState, share: float, figures: Mapping[str, float]) -> None:
        """Show the step, its loss, and what was last measured on held-out songs."""
        self.state, self.share = state, share
        self.loss = f", loss {figures['loss']:.3f}"
        if "recall" in figures:
            self.held = f", own music in the first ten {figures['recall']:.0%}"
        self.show(f"Training, step {state.step}{self.loss}{self.held}", share)

    def closing(self, settings: str) -> str:
        """Return where the run is, how far it came and how to use it; ``settings`` is its file."""
        out, store = self.config.out, self.config.store
        use = (
            f"measure it: emsync evaluate retrieval {shlex.quote(store)} "
            f"--checkpoint {shlex.quote(out)}\nfind music with it: emsync match clip.mp4 music/ "
            f"--metric {shlex.quote(f'{self.config.system}:{out}')}"
        )
        if not self.loss:
            return f"{out}: its budget is spent; raise it to go on\n{use}"
        done = f"{out}: {self.state.step:,} steps in {clock(self.state.seconds)}"
        done += f"{self.loss}{self.held}"
        if self.share < 1.0:
            return f"{done}\nit is saved and goes on with: emsync train {shlex.quote(settings)}"
        return f"{done}\n{use}"
