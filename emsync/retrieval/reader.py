"""Columns of a film or a track as tokens: each column scaled, wide ones by principal components.

What is scaled by is fitted to the songs that are trained on, and is saved with the weights.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

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
            rows = np.concatenate([np.asarray(part, np.float64) for part in samples[name]])
            mean = rows.mean(axis=0)
            if rows.shape[1] <= MOST:
                spread = rows.std(axis=0)
                basis = np.diag(np.where(spread > LEAST, 1 / np.maximum(spread, LEAST), 0.0))
            else:
                basis = _principal(rows - mean)
            for kind, value in (("mean", mean), ("basis", basis)):
                self.get_buffer(f"{kind}_{name}").copy_(torch.from_numpy(value))

    def forward(self, columns: Columns) -> Tensor:
        """Return the (n, width) tokens; n is that of the shortest column."""
        length = min(len(columns[name]) for name in self.names)
        parts = []
        for name in self.names:
            mean, basis = self.get_buffer(f"mean_{name}"), self.get_buffer(f"basis_{name}")
            rows = torch.from_numpy(np.asarray(columns[name][:length], np.float32))
            parts.append((rows.to(mean.device) - mean) @ basis)
        return torch.cat(parts, 1)


def _principal(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (width, MOST) principal components of centred rows; all of one common scale."""
    values, vectors = np.linalg.eigh(rows.T @ rows / len(rows))  # ascending
    most = vectors[:, ::-1][:, :MOST]
    signs = np.sign(most[np.abs(most).argmax(axis=0), np.arange(MOST)])  # not the machine's choice
    scale: NDArray[np.float64] = most * signs / np.sqrt(max(values[-MOST:].mean(), LEAST))
    return scale
