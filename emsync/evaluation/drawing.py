"""Draw the pieces that are measured, in batches."""

from collections.abc import Callable, Sequence

from emsync.conditioning import Targets
from emsync.model.composer import Composer
from emsync.music.lead_sheet import LeadSheet
from emsync.music.piece import Piece
from emsync.progress import Progress

BATCH = 16  # pieces drawn side by side

Counter = Callable[[int], None]  # called after each batch with the pieces drawn


def uncounted(pieces: int) -> None:
    """Count nothing."""


def counted(total: int, progress: Progress) -> Counter:
    """Return what reports the share of ``total`` pieces that is drawn."""
    drawn = 0

    def count(pieces: int) -> None:
        nonlocal drawn
        drawn += pieces
        progress("Composing", drawn / total)

    return count


def draw_all(
    composer: Composer,
    targets: Sequence[Targets],
    seconds: float,
    count: Counter = uncounted,
    sheets: Sequence[LeadSheet] | None = None,
) -> list[Piece]:
    """Return a piece of ``seconds`` for each of ``targets``, of seeds from 0 on.

    Each follows its lead sheet of ``sheets``, in the checkpoint's tempo, if there are any.
    """
    pieces: list[Piece] = []
    for at in range(0, len(targets), BATCH):
        batch = targets[at : at + BATCH]
        seeds = range(at, at + len(batch))
        held = None if sheets is None else sheets[at : at + BATCH]
        drawn = composer.sample(batch, [seconds] * len(batch), seeds, sheets=held)
        pieces += [sample.piece.until(seconds) for sample in drawn]
        count(len(batch))
    return pieces
