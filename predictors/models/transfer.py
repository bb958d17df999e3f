"""A warm start for few labels: the score of a predictor of other networks, adjusted to the new ones by a straight line.

Networks of another task or space are not pooled with the user's own. The other predictor's score is one member of an ensemble, and
left-out networks decide its weight.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from predictors.calibration.target import to_target
from predictors.errors import InvalidPredictorError, NotFittedError
from predictors.features.architecture import left_out_together, members_of
from predictors.models.target_predictor import Scores, TargetPredictor
from predictors.predictor import Predictor
from predictors.state import array, digest, number, require_fitted
from predictors.structure_graph import StructureGraph

Floats = NDArray[np.float64]

PRIOR = 1.0
"""Prior belief that the source ranks correctly, as a number of networks."""
LEAST = 0.05
"""If the source's scores spread less than this, differences between networks count as chance."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A straight line from the source's score to the target; its slope is never negative."""

    offset: float
    slope: float
    noise: float
    training_graphs: int

    @classmethod
    def of(cls, scores: Floats, targets: Floats) -> "Line":
        """The line of least squares, with a pull towards slope 1 in units of the standard deviations."""
        unit, spread = max(float(scores.std()), LEAST), float(targets.std())
        correlation = float(np.mean((scores - scores.mean()) * (targets - targets.mean()))) / unit
        count = len(targets)
        slope = max((count * correlation + PRIOR * spread) / (count + PRIOR), 0.0) / unit
        offset = float(targets.mean()) - slope * float(scores.mean())
        rest = targets - slope * scores - offset
        return cls(offset=offset, slope=slope, noise=float(np.sqrt(np.mean(rest**2))), training_graphs=count)


class TransferPredictor(TargetPredictor):
    """The scores of a fitted predictor, the source, scaled and shifted. A saved predictor identifies its source only by a digest."""

    name = "transfer"

    def __init__(self, source: Predictor | None = None) -> None:
        """`source`: a fitted predictor; None if `attach_source` provides it later."""
        self._source = source
        self._saved_digest: bytes | None = None
        self._line: Line | None = None

    def _learn(self, graphs: Sequence[StructureGraph], targets: Floats, seed: int) -> None:
        """Fit the line; `seed` changes nothing."""
        self._line = Line.of(self._scores(graphs), targets)

    def _learn_left_out(self, graphs: Sequence[StructureGraph], targets: Floats, seed: int) -> Scores:
        """The same, with the prediction for every network by a line without the networks of its architecture."""
        scores, group = self._scores(graphs), left_out_together(graphs)
        self._line = Line.of(scores, targets)
        said = Scores(*np.full((2, len(targets)), np.nan))
        for rows in members_of(group):
            rest = np.setdiff1d(np.arange(len(targets)), rows)
            if len(rest) > 1:
                line = Line.of(scores[rest], targets[rest])
                said.mean[rows], said.std[rows] = line.offset + line.slope * scores[rows], line.noise
        return said

    def predict_targets(self, graphs: Sequence[StructureGraph]) -> Scores:
        """The scores on the line; one std for all networks."""
        line = require_fitted(self._line, self.name)
        return Scores(line.offset + line.slope * self._scores(graphs), np.full(len(graphs), line.noise))

    def _scores(self, graphs: Sequence[StructureGraph]) -> Floats:
        """The source's predictions on the scale of targets.

        Nothing is cached: the last bits of a score depend on the other networks of the call, so a cache would make results depend on
        earlier calls.
        """
        return to_target(self.source.predict(graphs).mean)

    @property
    def source(self) -> Predictor:
        """The source; raises `NotFittedError` if this predictor was loaded and its source is not attached yet."""
        if self._source is None:
            raise NotFittedError(
                "the predictor that this one starts from is not attached; load it with `predictors.load`"
            )
        return self._source

    @property
    def training_graphs(self) -> int:
        """Number of networks of the fit."""
        return require_fitted(self._line, self.name).training_graphs

    @property
    def source_digest(self) -> bytes:
        """Digest of the source, known also before the source of a loaded predictor is attached."""
        return self._saved_digest if self._source is None and self._saved_digest is not None else digest(self.source)

    def attach_source(self, source: Predictor) -> None:
        """Give a loaded predictor its source; `InvalidPredictorError` if it was fitted with another one."""
        if digest(source) != self.source_digest:
            raise InvalidPredictorError(
                "saved predictor was started from another version of the shipped one: fit it again"
            )
        self._source = source

    def _state(self) -> dict[str, NDArray[np.generic]]:
        """The fields of `Line`, and ``source`` uint8 ``(32,)``: the digest of the source."""
        own: dict[str, NDArray[np.generic]] = {
            name: np.asarray(value) for name, value in vars(require_fitted(self._line, self.name)).items()
        }
        return own | {"source": np.frombuffer(self.source_digest, np.uint8)}

    @classmethod
    def _from_state(cls, arrays: dict[str, NDArray[np.generic]]) -> Self:
        """The predictor that `arrays` came from; its source must be attached."""
        predictor = cls()
        predictor._saved_digest = array(arrays, "source", "u", (32,)).astype(np.uint8).tobytes()
        predictor._line = Line(
            offset=number(arrays, "offset"),
            slope=number(arrays, "slope", low=0.0),
            noise=number(arrays, "noise", low=0.0),
            training_graphs=int(number(arrays, "training_graphs", low=2)),
        )
        return predictor
