"""Recovering a sparse two-layer ReLU network by iterative hard thresholding (Fridovich-Keil & Pilanci 2025, arXiv:2509.20323).

y = Σ_j v_j·max(x·u_j, 0) is linear in the fused weights w_j = v_j·u_j if it is known for which x each unit is active: with gates
D_j = 1[x·h_j ≥ 0], y = A·w for A = [D_1 X, …, D_p X]. The search starts with gates of random h_j. Every step is

    w ← H_k(w − η·g),   g = Aᵀ(A·w − y),   η = ‖g_S‖² / ‖A·g_S‖²  on the support S of w,

and then the gates are computed again from w: h_j = ± w_j, with the sign of unit j's output; a unit without weights keeps its gate.

Where we differ from the paper: k starts at all weights and falls to `keep` at a constant ratio over the middle of the steps. With
k = `keep` from the start, the first supports are final although they were chosen under wrong gates. More gates than units help
too, and so do several starts: a network that was found has no residual. Weights much smaller than the others are mostly missed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.training.methods.method import MethodError

Array = NDArray[np.float64]
START, STOP = 0.2, 0.8
"""Shares of the steps between which k falls."""
FOUND = 1e-10
"""Error below which the search stops."""


@dataclass(frozen=True, eq=False)
class Recovered:
    """A recovered two-layer ReLU network.

    Attributes:
        weights: fused weights, ``(units, d)``; units that are not needed are zero.
        signs: sign of each unit's output, 1 or −1, ``(units,)``.
        error: mean squared residual divided by the variance of y; about 0 if the network was found.
    """

    weights: Array
    signs: Array
    error: float

    def predict(self, x: Array) -> Array:
        """Outputs ``(n,)`` of inputs ``(n, d)``."""
        return _output(x, self.signs[:, None] * self.weights, self.weights)


def recover(
    x: Array, y: Array, *, keep: int, units: int, rng: np.random.Generator, steps: int = 600, starts: int = 5
) -> Recovered:
    """The two-layer ReLU network with `keep` non-zero fused weights that gave `y`; whether it was found, see its `error`.

    Args:
        x: inputs ``(n, d)``.
        y: outputs ``(n,)``.
        keep: number of non-zeros to find.
        units: number of hidden units in the search, every second one with negative outputs; about twice the expected number.
        rng: generator that draws the first gates.
        steps: number of gradient steps on all n examples.
        starts: largest number of random starts; the best result is returned.

    Raises:
        MethodError: `keep` is larger than the number of weights, or there are no steps, units or starts.
    """
    size = units * x.shape[1]
    if not 0 < keep <= size or steps < 1 or starts < 1:
        raise MethodError(
            f"keep {keep} must lie between 1 and the {size} weights of {units} units, steps {steps} and starts {starts} be "
            "at least 1"
        )
    best = _recover(x, y, keep, rng.standard_normal((units, x.shape[1])), steps)
    for _ in range(starts - 1):
        if best.error < FOUND:
            break
        found = _recover(x, y, keep, rng.standard_normal((units, x.shape[1])), steps)
        best = min(best, found, key=lambda result: result.error)
    return best


def _recover(x: Array, y: Array, keep: int, gates: Array, steps: int) -> Recovered:
    """The network found from the first gates ``(units, d)``."""
    signs = np.where(np.arange(len(gates)) % 2, -1.0, 1.0)
    w = np.zeros_like(gates)
    for step in range(steps):
        residual = _output(x, gates, w) - y
        w = threshold(w - _step(x, gates, w, residual, keep), _count(step / steps, w.size, keep))
        gates = np.where(w.any(1, keepdims=True), signs[:, None] * w, gates)
    residual = _output(x, gates, w) - y
    return Recovered(w, signs, float(np.mean(residual**2) / np.var(y)))


def threshold(w: Array, count: int) -> Array:
    """H_k: the `count` weights of largest magnitude, zero elsewhere; ties go to the earlier weight."""
    kept = np.argsort(-np.abs(w), axis=None, kind="stable")[:count]
    result = np.zeros_like(w)
    result.flat[kept] = w.flat[kept]
    return result


def _step(x: Array, gates: Array, w: Array, residual: Array, keep: int) -> Array:
    """η·g."""
    gradient = (((x @ gates.T) >= 0) * residual[:, None]).T @ x
    support = w != 0 if w.any() else threshold(gradient, keep) != 0
    restricted = np.where(support, gradient, 0)
    moved = _output(x, gates, restricted)
    curvature = float(moved @ moved)
    return gradient * (float(np.sum(restricted**2)) / curvature) if curvature else np.zeros_like(gradient)


def _output(x: Array, gates: Array, w: Array) -> Array:
    """A·w: ``(n,)``."""
    total: Array = np.where(x @ gates.T >= 0, x @ w.T, 0).sum(1)
    return total


def _count(progress: float, start: int, end: int) -> int:
    """k: it falls from all weights to `end`, by the same ratio at every step between START and STOP."""
    share = min(max((progress - START) / (STOP - START), 0.0), 1.0)
    return max(end, round(start * float((end / start) ** share)))
