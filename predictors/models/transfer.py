"""What a predictor knows from other networks, brought to new ones by a line: a warm start for few labels.

Networks of another task or space are not pooled with one's own: the other predictor's score is one voice of an ensemble, and what
it is worth is judged on networks that were left out.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from predictors.calibration.target import to_target
from predictors.errors import InvalidPredictorError
from predictors.models.target_predictor import Scores, TargetPredictor
from predictors.predictor import Predictor
from predictors.state import array, number, require_fitted
from predictors.structure_graph import StructureGraph

Floats = NDArray[np.float64]

PRIOR = 1.0
"""Networks' worth of trust that the source ranks rightly."""
LEAST = 0.05
"""Spread of the source's scores below which it is taken to tell the networks of the fit apart by chance."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """From the source's score to the target; the slope is never negative."""

    offset: float
    slope: float
    noise: float
    training_graphs: int


class TransferPredictor(TargetPredictor):
    """A fitted predictor's scores, scaled and shifted. The source is saved as its digest alone: it is the shipped one."""

    name = "transfer"

    def __init__(self, source: Predictor | None = None) -> None:
        """`source`: a fitted predictor; None for the one that comes with this package, read when it is needed."""
        self._source = source
        self._line: Line | None = None

    def _learn(self, graphs: Sequence[StructureGraph], targets: Floats, seed: int) -> None:
        """The line of least squares, drawn towards slope 1 in units of the standard deviations; `seed` changes nothing."""
        scores = self._scores(graphs)
        unit, spread = max(float(scores.std()), LEAST), float(targets.std())
        correlation = float(np.mean((scores - scores.mean()) * (targets - targets.mean()))) / unit
        count = len(targets)
        slope = max((count * correlation + PRIOR * spread) / (count + PRIOR), 0.0) / unit
        offset = float(targets.mean()) - slope * float(scores.mean())
        rest = targets - slope * scores - offset
        self._line = Line(
            offset=offset, slope=slope, noise=float(np.sqrt(np.mean(rest**2))), training_graphs=len(targets)
        )

    def predict_targets(self, graphs: Sequence[StructureGraph]) -> Scores:
        """The scores on the line; one std for all networks."""
        line = require_fitted(self._line, self.name)
        return Scores(line.offset + line.slope * self._scores(graphs), np.full(len(graphs), line.noise))

    def _scores(self, graphs: Sequence[StructureGraph]) -> Floats:
        """What the source says on the scale of targets.

        Nothing is remembered: the last bits of a score depend on the others in the call, and so would they on earlier calls.
        """
        return to_target(self.source.predict(graphs).mean)

    @property
    def source(self) -> Predictor:
        """The predictor whose scores these are."""
        if self._source is None:
            self._source = _shipped()
        return self._source

    def _state(self) -> dict[str, NDArray[np.generic]]:
        """The fields of `Line`, and ``source`` uint8 ``(32,)``: the digest of the source's arrays.

        `InvalidPredictorError` for any other source than the shipped predictor: it could not be found again.
        """
        own: dict[str, NDArray[np.generic]] = {
            name: np.asarray(value) for name, value in vars(require_fitted(self._line, self.name)).items()
        }
        mark = digest(self.source)
        if mark != digest(_shipped()):
            raise InvalidPredictorError("a predictor that starts from another one than the shipped one cannot be saved")
        return own | {"source": np.frombuffer(mark, np.uint8)}

    @classmethod
    def _from_state(cls, arrays: dict[str, NDArray[np.generic]]) -> Self:
        """The predictor that `arrays` came from; `InvalidPredictorError` where its source was another shipped predictor."""
        predictor = cls()
        if array(arrays, "source", "u", (32,)).astype(np.uint8).tobytes() != digest(predictor.source):
            raise InvalidPredictorError(
                "saved predictor was started from another version of the shipped one: fit it again"
            )
        predictor._line = Line(
            offset=number(arrays, "offset"),
            slope=number(arrays, "slope", low=0.0),
            noise=number(arrays, "noise", low=0.0),
            training_graphs=int(number(arrays, "training_graphs", low=2)),
        )
        return predictor


def _shipped() -> Predictor:
    from predictors.library.persistence import shipped

    return shipped().predictor


def digest(predictor: Predictor) -> bytes:
    """Of the fitted state, 32 bytes."""
    found = hashlib.sha256()
    for name, value in sorted(predictor.arrays().items()):
        found.update(f"{name} {value.dtype} {value.shape}".encode() + np.ascontiguousarray(value).tobytes())
    return found.digest()
