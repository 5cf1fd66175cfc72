"""What the run of a lesson says of itself: a line while it trains, and where it is at its end."""

import shlex
from collections.abc import Mapping
from typing import Any

from emsync.progress import Progress, clock
from emsync.training.lesson import Task
from emsync.training.rounds import RunState


class Teller:
    """Tells how a run goes, step by step."""

    def __init__(self, task: Task, config: Any, show: Progress) -> None:
        self.task, self.config, self.show = task, config, show
        self.state, self.share = RunState(), 1.0
        self.loss = self.held = ""

    def tell(self, state: RunState, share: float, figures: Mapping[str, float]) -> None:
        """Show the step, its loss, and what was last measured on what is held out."""
        self.state, self.share = state, share
        self.loss = f", loss {figures['loss']:.3f}"
        if words := self.task.held(figures):
            self.held = f", {words}"
        self.show(f"Training, step {state.step}{self.loss}{self.held}", share)

    def closing(self, settings: str) -> str:
        """Return where the run is, how far it came and how to use it; ``settings`` is its file."""
        out, use = self.config.out, self.task.use(self.config)
        if not self.loss:
            return f"{out}: its budget is spent; raise it to go on\n{use}"
        done = f"{out}: {self.state.step:,} steps in {clock(self.state.seconds)}"
        done += f"{self.loss}{self.held}"
        if self.share < 1.0:
            return f"{done}\nit is saved and goes on with: emsync train {shlex.quote(settings)}"
        return f"{done}\n{use}"
