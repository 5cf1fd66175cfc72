"""Columns of a film or a track as tokens: each column scaled, wide ones by principal components.

What is scaled by is fitted to the songs that are trained on, and is saved with the weights. It is
fitted on one thread: a sum depends in its last digits on how many there are.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from emsync.encoders.threads import one_thread
from emsync.matching.matcher import Columns

MOST = 128  # numbers of a column that are kept: of a wider one its first principal components
LEAST = 1e-6  # SD below which a number never changes, and is left out


class Reader(nn.Module):
    """Makes (n, width) tokens of the columns ``names``, side by side."""

    def __init__(self, widths: Mapping[str, int]) -> None:
        super().__init__()
        self.widths = dict(widths)
        self.names = tuple(widths)
        self.width = sum(min(width, MOST) for width in widths.values())
        for name, width in widths.items():
            self.register_buffer(f"mean_{name}", torch.zeros(width))
            self.register_buffer(f"basis_{name}", torch.eye(width)[:, :MOST])

    def fit(self, samples: Mapping[str, Sequence[NDArray[np.floating]]]) -> None:
        """Fit the scales to the (n, width) rows of many films or tracks, by column."""
        for name in self.names:
            rows = torch.from_numpy(np.concatenate(samples[name]).astype(np.float64))
            with one_thread():
                mean = rows.mean(0)
                basis = (_spread if rows.shape[1] <= MOST else _principal)(rows - mean)
            self.get_buffer(f"mean_{name}").copy_(mean)
            self.get_buffer(f"basis_{name}").copy_(basis)

    def forward(self, columns: Columns) -> Tensor:
        """Return the (n, width) tokens; n is that of the shortest column."""
        length = min(len(columns[name]) for name in self.names)
        parts = []
        for name in self.names:
            mean, basis = self.get_buffer(f"mean_{name}"), self.get_buffer(f"basis_{name}")
            rows = torch.from_numpy(np.asarray(columns[name][:length], np.float32))
            parts.append((rows.to(mean.device) - mean) @ basis)
        return torch.cat(parts, 1)


def _spread(rows: Tensor) -> Tensor:
    """Return the (width, width) basis that brings each number of centred rows to the SD 1."""
    spread = rows.square().mean(0).sqrt()
    return torch.where(spread > LEAST, 1 / spread, 0.0).diag()


def _principal(rows: Tensor) -> Tensor:
    """Return the (width, MOST) principal components of centred rows; all of one common scale."""
    values, vectors = torch.linalg.eigh(rows.T @ rows / len(rows))  # ascending
    most = vectors.flip(1)[:, :MOST]
    largest = most.gather(0, most.abs().argmax(0, keepdim=True))
    signs = largest.sign()  # not the machine's choice
    return most * signs / values[-MOST:].mean().clamp(min=LEAST).sqrt()
