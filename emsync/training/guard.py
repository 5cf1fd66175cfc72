"""A run that runs away goes back to where it was well, and goes on at half its rates.

Where the rate is too high for a network, loss and gradients grow within a few steps, and its
weights do not recover. So a snapshot is kept of a step at which all was well.
"""

import math
from collections.abc import Sequence
from statistics import median

import torch

from emsync.model.transformer import EventTransformer
from emsync.training.resume import RunState
from emsync.training.snapshot import Snapshot

EVERY = 150  # steps between two snapshots, and at first until loss and norm are judged
WELL = 5.0  # norm of the gradient below which a snapshot is made
WILD_NORM = 30.0  # norm above which a step is wild
WILD_LOSS = 1.0  # nats above the usual loss
USUAL = 60  # steps whose median loss is the usual one
PATIENCE = 4  # wild steps in a row
MOST = 3  # times that a run may run away


class Guard:
    """Watches the steps of a run, and keeps what it goes back to."""

    def __init__(
        self,
        model: EventTransformer,
        optims: Sequence[torch.optim.Optimizer],
        state: RunState,
        snapshot: Snapshot | None = None,
    ) -> None:
        self.model, self.optims, self.state = model, optims, state
        if snapshot is None:  # of a run that begins, or that was saved without one
            snapshot, state.good = Snapshot.of(model, optims), state.step
        self.snapshot = snapshot
        self.strikes = 0  # wild steps in a row, up to now

    @property
    def factor(self) -> float:
        """What is left of the rates, from 1 down."""
        return float(0.5**self.state.backs)

    def is_wild(self, loss: float, norm: float) -> bool:
        """Return whether the figures of the step now done are those of a run that runs away."""
        if not (math.isfinite(loss) and math.isfinite(norm)):
            return True
        if self.state.step <= EVERY or not self.state.usual:  # a beginning has high ones
            return False
        return norm > WILD_NORM or loss > median(self.state.usual) + WILD_LOSS

    def ran_away(self, loss: float, norm: float, wild: bool) -> bool:
        """Take note of the step now done; return whether so many were wild that it must go back."""
        if wild:
            self.strikes += 1
            return self.strikes >= PATIENCE
        self.strikes = 0
        self.state.usual = (*self.state.usual, loss)[-USUAL:]
        if self.state.step % EVERY == 0 and norm < WELL:
            self.snapshot, self.state.good = Snapshot.of(self.model, self.optims), self.state.step
        return False

    def go_back(self) -> None:
        """Put the snapshot back, and halve the rates."""
        self.put_back()
        self.state.backs += 1

    def put_back(self) -> None:
        """Let weights and optimizers be what they were in the snapshot."""
        self.snapshot.put_back(self.model, self.optims)
        self.strikes = 0
