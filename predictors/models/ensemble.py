"""The ensemble: forest, Gaussian process, boosted trees and two-level graph network, judged on networks that they did not see.

All members are fitted with the same folds left out in turn. Their predictions for the left-out networks decide

- the weights of the members: least squares on the simplex, with a pull towards equal weights where labels are few;
- a line that calibrates the weighted mean, and an isotonic curve from score to mean accuracy;
- the interval: the conformal quantile of the errors, each divided by the spread that the members predict there
  (Lei et al. 2018, arXiv:1604.04173). About nine in ten new networks fall inside it if they come from the same source. For a task
  that was not in the fit, or a kind of network that was not seen for its task, the interval is at least as wide as the intervals
  that left-out tasks needed (`predictors.models.known_tasks`).

The support distance tells whether a network comes from the same source.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from predictors.calibration.conformal import Curve, conformal
from predictors.calibration.questions import Questions, kinds
from predictors.calibration.scale import Scale, accuracies_at, of_several_tasks, scores_at
from predictors.calibration.support import Support
from predictors.calibration.target import to_target
from predictors.errors import InvalidPredictorError
from predictors.features.architecture import folds, left_out_together
from predictors.features.matrix import matrix, structure_matrix
from predictors.models.boosted import BoostedOptions, BoostedPredictor
from predictors.models.forest import ForestOptions, ForestPredictor
from predictors.models.gaussian_process import GaussianProcessOptions, GaussianProcessPredictor
from predictors.models.gnn.gnn import GNNOptions, GNNPredictor
from predictors.models.known_tasks import KnownTasks
from predictors.models.target_predictor import Scores, TargetPredictor
from predictors.models.transfer import TransferPredictor
from predictors.predictor import NORMAL_90, Prediction, Predictor
from predictors.state import array, check_training, divided, joined, number, require_fitted
from predictors.structure_graph import StructureGraph

Floats = NDArray[np.float64]

SHRINKAGE = 0.05
"""Pull of the weights towards equal ones, in units of the targets' variance."""
FEWEST = 10
"""With fewer networks nothing is left out: the members are averaged, and the interval is that of a normal distribution."""
OWN = "ensemble"
LEAST_WIDTH, MOST_WIDTH = 0.25, 8.0
"""Range of the widths of the intervals of one kind of question, in predicted spreads."""


@dataclass(frozen=True, kw_only=True)
class EnsembleOptions:
    """Options of the ensemble: its members, and how they are judged.

    Attributes:
        folds: number of folds, ≥ 2; each is left out once, and the graph network has one member for each.
        forest, process, boosted, network: options of the members.
    """

    folds: int = 5
    forest: ForestOptions = field(default_factory=ForestOptions)
    process: GaussianProcessOptions = field(default_factory=GaussianProcessOptions)
    boosted: BoostedOptions = field(default_factory=BoostedOptions)
    network: GNNOptions = field(default_factory=GNNOptions)

    def __post_init__(self) -> None:
        """Refuse values that are not possible."""
        if self.folds < 2 or self.folds != self.network.members:
            raise ValueError(f"need at least 2 folds and one member of the graph network for each, got {self}")


@dataclass(frozen=True, eq=False, kw_only=True)
class Stack:
    """The combination of the members, learnt from left-out networks.

    Attributes:
        weights: weights of the members in order, with sum 1.
        offset, slope: parameters of the line from the weighted mean to the calibrated mean.
        width: number of predicted spreads to either side that contain nine tenths of the errors.
    """

    weights: Floats
    offset: float
    slope: float
    width: float


class EnsemblePredictor:
    """A stack of several `TargetPredictor` members."""

    name = "ensemble"

    def __init__(self, options: EnsembleOptions = EnsembleOptions(), *, source: Predictor | None = None) -> None:
        """Not fitted yet; `source`, a fitted predictor, is one more member (`predictors.models.transfer`)."""
        self.options, self._source = options, source
        self._members: tuple[TargetPredictor, ...] = self._fresh()
        self._stack: Stack | None = None
        self._scale: Scale | None = None
        self._curve: Curve | None = None
        self._questions: Questions | None = None
        self._support: Support | None = None
        self._tasks: KnownTasks | None = None
        self._training_graphs = 0

    def fit(self, graphs: Sequence[StructureGraph], accuracies: NDArray[np.float64], *, seed: int = 0) -> Self:
        """Fit members, weights, calibration and interval; the same seed gives the same ensemble.

        Networks of one task are learnt on the scale of ranks. Ranks of several tasks mean different things, so their networks are
        learnt on the scale of targets.
        """
        targets = to_target(check_training(graphs, accuracies))
        scale = None if of_several_tasks(graphs) else Scale.of_ranks(targets)
        scores = scores_at(targets, scale)
        rng = np.random.default_rng(seed)
        members, curve, questions = self._fresh(), None, None
        if len(graphs) < FEWEST:
            for member in members:
                member.fit_targets(graphs, scores, seed=seed)
            stack = Stack(weights=np.full(len(members), 1 / len(members)), offset=0.0, slope=1.0, width=NORMAL_90)
        else:
            fold_of = folds(graphs, self.options.folds, rng)
            left_out = [_left_out(member, graphs, scores, fold_of, seed) for member in members]
            stack = _stacked(left_out, scores)
            mean, spread = _combined(left_out, stack)
            asked = kinds(graphs)
            questions = Questions.of(asked, mean, spread, scores, LEAST_WIDTH, MOST_WIDTH)
            shift = 0.0 if questions is None else questions(asked, 0.0, stack.width)[0]
            curve = Curve.of(mean - shift, np.asarray(accuracies, np.float64))
        self._members, self._stack, self._scale, self._curve = members, stack, scale, curve
        self._questions = questions
        self._support = Support.of(structure_matrix(graphs), rng, left_out_together(graphs))
        self._tasks = KnownTasks.of(graphs, scores, _judges, seed)
        self._training_graphs = len(graphs)
        return self

    def predict(self, graphs: Sequence[StructureGraph]) -> Prediction:
        """Calibrated mean, interval, and distance to the networks of the fit."""
        stack, support = require_fitted(self._stack, self.name), require_fitted(self._support, self.name)
        if not graphs:
            return Prediction(np.zeros(0), np.zeros(0))
        mean, spread = _combined([member.predict_targets(graphs) for member in self._members], stack)
        if self._questions is None:
            half = stack.width * spread
        else:
            shift, missed, width = self._questions(kinds(graphs), 0.0, stack.width)
            mean, half = mean - shift, width * np.hypot(spread, missed)
        unseen = None
        if self._tasks is not None:
            unseen = self._tasks.unseen(graphs)
            half = np.where(unseen, np.maximum(half, self._tasks.error), half)
        low, high = (self._accuracies(mean + side * half) for side in (-1, 1))
        middle = self._accuracies(mean)
        if self._curve is not None:
            middle = np.clip(self._curve(mean, self._accuracies), low, high)
        return Prediction(
            mean=middle,
            std=(high - low) / (2 * NORMAL_90),
            low=low,
            high=high,
            distance=support.distances(matrix(graphs)),
            unseen=unseen,  # type: ignore[arg-type]
        )

    def _accuracies(self, scores: Floats) -> Floats:
        return accuracies_at(scores, self._scale)

    @property
    def weights(self) -> dict[str, float]:
        """The weight of every member, by name; they sum to 1."""
        stack = require_fitted(self._stack, self.name)
        return {member.name: float(weight) for member, weight in zip(self._members, stack.weights, strict=True)}

    @property
    def support(self) -> Support:
        """The region of features in which the predictor was fitted."""
        return require_fitted(self._support, self.name)

    @property
    def typical_features(self) -> NDArray[np.float32]:
        """Mean over the networks of the fit of the first columns of `predictors.features.matrix.matrix`."""
        return require_fitted(self._support, self.name).centre

    @property
    def members(self) -> tuple[TargetPredictor, ...]:
        """The fitted members; their targets are on the ensemble's own scale."""
        require_fitted(self._stack, self.name)
        return self._members

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The members' arrays under ``member/array``; the arrays of stack, scale and support under ``ensemble/``."""
        stack, support = require_fitted(self._stack, self.name), require_fitted(self._support, self.name)
        own: dict[str, NDArray[np.generic]] = {name: np.asarray(value) for name, value in vars(stack).items()}
        own |= support.arrays()
        for part in (self._scale, self._curve, self._questions, self._tasks):
            own |= part.arrays() if part is not None else {}
        members = {member.name: member.arrays() for member in self._members}
        return joined({OWN: own} | members) | {"training_graphs": np.asarray(self._training_graphs)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> Self:
        """The predictor that `arrays` came from."""
        predictor = cls()
        kinds: list[type[TargetPredictor]] = [type(member) for member in predictor._members]
        if TransferPredictor not in kinds and any(key.startswith(TransferPredictor.name) for key in arrays):
            kinds.append(TransferPredictor)
        names = [kind.name for kind in kinds]
        parts = divided({key: value for key, value in arrays.items() if key != "training_graphs"}, [OWN, *names])
        own = parts[OWN]
        predictor._members = tuple(kind.from_arrays(parts[kind.name]) for kind in kinds)
        predictor._stack = Stack(
            weights=array(own, "weights", "f", (len(names),)).astype(np.float64),
            offset=number(own, "offset"),
            slope=number(own, "slope"),
            width=number(own, "width", low=0.0),
        )
        weights = predictor._stack.weights
        if weights.min() < 0 or abs(weights.sum() - 1) > 1e-6:
            raise InvalidPredictorError("saved ensemble is damaged: its weights must be ≥ 0 and sum to 1")
        predictor._scale = Scale.from_arrays(own)
        predictor._curve = Curve.from_arrays(own)
        predictor._questions = Questions.from_arrays(own)
        predictor._support = Support.from_arrays(own)
        predictor._tasks = KnownTasks.from_arrays(own)
        if predictor._scale is not None and predictor._tasks is not None and predictor._tasks.error:
            raise InvalidPredictorError("saved ensemble is damaged: ranks of several tasks cannot be on one scale")
        predictor._training_graphs = int(number(arrays, "training_graphs", low=2))
        return predictor

    @property
    def source_digest(self) -> bytes | None:
        """Digest of the predictor that it starts from; None without one."""
        return next((one.source_digest for one in self._members if isinstance(one, TransferPredictor)), None)

    def attach_source(self, source: Predictor) -> None:
        """Give a loaded ensemble the predictor that it starts from; `InvalidPredictorError` if it was fitted with another one."""
        for member in self._members:
            if isinstance(member, TransferPredictor):
                member.attach_source(source)
        self._source = source

    def _fresh(self) -> tuple[TargetPredictor, ...]:
        options = self.options
        return (
            ForestPredictor(options.forest),
            GaussianProcessPredictor(options.process),
            BoostedPredictor(replace(options.boosted, states_noise=False)),  # not needed here
            GNNPredictor(options.network),
            *([] if self._source is None else [TransferPredictor(self._source)]),
        )


def _left_out(
    member: TargetPredictor, graphs: Sequence[StructureGraph], scores: Floats, fold_of: NDArray[np.int64], seed: int
) -> Scores:
    """The member's prediction for every network when that network is left out; afterwards it is fitted on all of them.

    A graph network is not fitted again: each of its members leaves out one fold, and together they have seen all networks. It predicts
    no spread.
    """
    if isinstance(member, GNNPredictor):
        return Scores(member.fit_folds(graphs, scores, fold_of, seed), np.zeros(len(graphs)))
    mean, std = np.empty(len(graphs)), np.empty(len(graphs))
    for fold in np.unique(fold_of):
        inside, outside = np.flatnonzero(fold_of == fold).tolist(), np.flatnonzero(fold_of != fold).tolist()
        member.fit_targets([graphs[row] for row in outside], scores[outside], seed=seed)
        mean[inside], std[inside] = member.predict_targets([graphs[row] for row in inside])
    member.fit_targets(graphs, scores, seed=seed)
    return Scores(mean, std)


def _judges() -> tuple[TargetPredictor, ...]:
    """Small members with about the same errors on left-out tasks as the ensemble, in a tenth of its time."""
    return (
        ForestPredictor(ForestOptions(trees=100)),
        GaussianProcessPredictor(GaussianProcessOptions(scaled=300, inducing=600, iterations=40)),
    )


def _stacked(left_out: Sequence[Scores], scores: Floats) -> Stack:
    """Weights, calibration and width of the interval, from the predictions for left-out networks."""
    from scipy.optimize import nnls  # slow to import, and not needed to predict

    said = np.stack([one.mean for one in left_out], axis=1)
    count = said.shape[1]
    centre, unit = float(scores.mean()), max(float(scores.std()), 1e-9)
    pull = np.sqrt(SHRINKAGE * len(scores)) * np.eye(count)
    weights, _ = nnls(
        np.concatenate([(said - centre) / unit, pull]),
        np.concatenate([(scores - centre) / unit, pull.sum(axis=1) / count]),
    )
    weights = weights / weights.sum() if weights.sum() > 0 else np.full(count, 1 / count)
    mean, _ = _combined(left_out, Stack(weights=weights, offset=0.0, slope=1.0, width=1.0))
    variance = float(mean.var())
    slope = (
        float(np.clip(np.mean((mean - mean.mean()) * (scores - centre)) / variance, 0.5, 1.5)) if variance > 0 else 1.0
    )
    stack = Stack(weights=weights, offset=centre - slope * float(mean.mean()), slope=slope, width=1.0)
    mean, spread = _combined(left_out, stack)
    return Stack(weights=weights, offset=stack.offset, slope=slope, width=conformal(np.abs(scores - mean) / spread))


def _combined(said: Sequence[Scores], stack: Stack) -> tuple[Floats, Floats]:
    """Calibrated weighted mean, and the predicted spread: the spread of the members that predict one, combined with their disagreement."""
    means = np.stack([one.mean for one in said])
    mean = stack.offset + stack.slope * (stack.weights @ means)
    stated = np.mean([one.std**2 for one in said[:STATING]], axis=0)
    return mean, np.sqrt(stated + means.var(axis=0)) + 1e-6


STATING = 2
"""Forest and process, the first members, predict a separate spread for every network; the spread of the others is nearly constant."""
