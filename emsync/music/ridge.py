"""Linear regression that is held back where there is little to learn from."""

from dataclasses import dataclass

import numpy as np

from emsync.arrays import Float64s


@dataclass(frozen=True, eq=False)
class Ridge:
    """A linear map from K values to one."""

    weights: Float64s  # (K,)
    intercept: float

    @classmethod
    def fit(cls, x: Float64s, y: Float64s, penalty: float) -> "Ridge":
        """Fit (N, K) rows to (N,) values; ``penalty`` is on the weights, not on the intercept."""
        if not len(x):
            return cls(np.zeros(x.shape[1]), 0.0)
        means, mean = x.mean(axis=0), float(y.mean())
        z = x - means
        weights = np.linalg.solve(z.T @ z + penalty * np.eye(x.shape[1]), z.T @ (y - mean))
        return cls(weights, mean - float(means @ weights))

    def predict(self, x: Float64s) -> Float64s:
        """Return the (N,) values of (N, K) rows."""
        return x @ self.weights + self.intercept
