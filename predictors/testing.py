"""Conformance tests of a predictor. The project runs `PredictorContract` on every registered predictor; run it on your own:

@pytest.mark.parametrize("check", PredictorContract.checks())
def test_my_predictor(check):
    PredictorContract(MyPredictor).run(check)
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from predictors.calibration.ranking import rmse
from predictors.errors import NotFittedError, PredictorError
from predictors.features.matrix import CLASSES, GRAPH_FEATURES, NODE_FEATURES
from predictors.library.persistence import shipped_predictor
from predictors.paths.unit_graph import UNIT_FEATURES, UnitGraph
from predictors.predictor import Prediction, Predictor, WarmStarted
from predictors.structure_graph import StructureGraph
from predictors.task_description import TaskDescription


def synthetic_graphs(count: int, seed: int = 0) -> tuple[list[StructureGraph], NDArray[np.float64]]:
    """Random chains and DAGs of 2 to 7 nodes with an accuracy that grows with their non-zeros: 0.2 to 0.95 without noise.

    ``log_nnz`` is their logarithm; every other feature is half the same signal and half noise.
    """
    rng = np.random.default_rng(seed)
    place = tuple(GRAPH_FEATURES).index("log_nnz")
    graphs, accuracies = [], []
    for _ in range(count):
        nodes, size = int(rng.integers(2, 8)), float(rng.uniform(2, 8))
        summary = (size / 2 + rng.normal(size=len(GRAPH_FEATURES))).astype(np.float32)
        summary[place] = size
        target = np.arange(1, nodes)
        graphs.append(
            StructureGraph(
                operators=rng.integers(len(CLASSES), size=nodes),
                features=(size / 2 + rng.normal(size=(nodes, len(NODE_FEATURES)))).astype(np.float32),
                edges=np.stack([rng.integers(target), target]).astype(np.int64),
                summary=summary,
                units=None if nodes == 2 else _units(nodes, size, rng),
            )
        )
        accuracies.append(0.95 - 0.75 * np.exp(-0.6 * (size - 2)))
    return graphs, np.array(accuracies)


def _units(nodes: int, size: float, rng: np.random.Generator) -> UnitGraph:
    """Three units for each node and a few without one, connected at random; their features contain the same signal as node features."""
    count = 3 * nodes
    owner = np.repeat(np.arange(nodes), 3).astype(np.int32)
    owner[-1] = -1
    features = size / 2 + rng.normal(size=(count, len(UNIT_FEATURES)))
    edges = np.unique(rng.integers(count, size=(2, 4 * nodes)), axis=1)
    return UnitGraph(owner, features.astype(np.float32), edges.astype(np.int32))


class PredictorContract:
    """The checks, each a method ``check_*`` that fails by AssertionError."""

    def __init__(
        self, create: Callable[[], Predictor], *, learns: bool = True, task: TaskDescription | None = None
    ) -> None:
        """`create` makes an unfitted predictor; `learns` is False for one that ignores the graphs; `task` is the task of the graphs."""
        self.create = create
        self.learns = learns
        graphs, self.accuracies = synthetic_graphs(48)
        self.graphs = [graph.on(task) for graph in graphs]
        self._fitted: Predictor | None = None

    @classmethod
    def checks(cls) -> tuple[str, ...]:
        """Names of all checks."""
        return tuple(name for name in vars(cls) if name.startswith("check_"))

    def run(self, check: str) -> Self:
        """Run one check by name."""
        getattr(self, check)()
        return self

    @property
    def fitted(self) -> Predictor:
        """A predictor fitted on the first 40 graphs with seed 7, once."""
        if self._fitted is None:
            self._fitted = self.create().fit(self.graphs[:40], self.accuracies[:40], seed=7)
        return self._fitted

    def check_shapes(self) -> None:
        """One finite mean and one finite std ≥ 0 for every graph, float64; empty arrays for no graphs."""
        for count in (0, 1, 8):
            _require_sound(self.fitted.predict(self.graphs[40 : 40 + count]), count)

    def check_not_fitted(self) -> None:
        """Predicting or saving before the fit raises a `NotFittedError`."""
        for act in (lambda: self.create().predict(self.graphs[:1]), lambda: self.create().arrays()):
            assert _raises(act, NotFittedError), "an unfitted predictor must raise NotFittedError"

    def check_training_set(self) -> None:
        """One network only, accuracies outside [0, 1], NaN, or a wrong number of accuracies raise a `PredictorError`."""
        bad: Sequence[tuple[int, list[float]]] = (
            (1, [0.5]),
            (2, [0.5, 1.5]),
            (2, [0.5, float("nan")]),
            (2, [0.5, 0.6, 0.7]),
        )
        for count, values in bad:
            act = lambda count=count, values=values: self.create().fit(self.graphs[:count], np.array(values))  # noqa: E731
            assert _raises(act, PredictorError), f"fitting {count} graphs on {values} must raise a PredictorError"

    def check_same_seed(self) -> None:
        """The same data and seed give the same predictions bit for bit, independent of the state of numpy's global generator."""
        before = np.random.get_state()
        np.random.seed(0)
        try:
            again = self.create().fit(self.graphs[:40], self.accuracies[:40], seed=7)
        finally:
            np.random.set_state(before)
        _require_equal(self.fitted.predict(self.graphs), again.predict(self.graphs))

    def check_arrays(self) -> None:
        """The arrays restore the same predictor bit for bit and hold no Python objects."""
        arrays = self.fitted.arrays()
        assert all(value.dtype.kind in "fiub" for value in arrays.values()), "arrays must be numbers"
        restored = self._restored({name: value.copy() for name, value in arrays.items()})
        _require_equal(self.fitted.predict(self.graphs), restored.predict(self.graphs))
        assert restored.arrays().keys() == arrays.keys(), "a restored predictor must save the same arrays"

    def _restored(self, arrays: dict[str, NDArray[np.generic]]) -> Predictor:
        restored = type(self.fitted).from_arrays(arrays)
        if isinstance(restored, WarmStarted) and restored.source_digest is not None:
            restored.attach_source(shipped_predictor())
        return restored

    def check_damaged_arrays(self) -> None:
        """If any array is emptied, zeroed or made huge, restoring raises a `PredictorError`, or predicting does not crash."""
        arrays = self.fitted.arrays()
        for name, value in arrays.items():
            for damage in (
                value[:0] if value.ndim else value,
                np.zeros_like(value),
                np.full_like(value, 1e30 if value.dtype.kind == "f" and value.dtype.itemsize > 2 else 7),
            ):
                try:
                    restored = self._restored({**arrays, name: damage})
                except PredictorError:
                    continue
                with np.errstate(all="ignore"):
                    said = restored.predict(self.graphs[:2])
                assert said.mean.shape == (2,), f"damaged array {name!r} gives predictions of shape {said.mean.shape}"

    def check_learns(self) -> None:
        """An obvious signal is learnt: on unseen graphs, the error is below 60 % of the error of predicting the mean."""
        graphs, accuracies = synthetic_graphs(100, seed=1)
        error = rmse(accuracies, self.fitted.predict(graphs).mean)
        constant = rmse(accuracies, np.full(100, self.accuracies[:40].mean()))
        assert not self.learns or error < 0.6 * constant, f"error {error:.4f} of a signal whose mean has {constant:.4f}"

    def check_order(self) -> None:
        """A prediction depends neither on its neighbours in the call nor on the order of the nodes."""
        together = self.fitted.predict(self.graphs).mean
        alone = [float(self.fitted.predict([graph]).mean[0]) for graph in self.graphs[:4]]
        np.testing.assert_allclose(alone, together[:4], atol=1e-5)
        turned = self.fitted.predict([_reversed(graph) for graph in self.graphs]).mean
        np.testing.assert_allclose(turned, together, atol=1e-5)

    def check_duplicates(self) -> None:
        """Equal graphs with different accuracies, and a set of only two graphs, can be fitted and give valid predictions."""
        twice = [self.graphs[0]] * 4
        _require_sound(self.create().fit(twice, np.array([0.4, 0.5, 0.6, 0.5])).predict(self.graphs[:3]), 3)
        _require_sound(self.create().fit(self.graphs[:2], self.accuracies[:2]).predict(self.graphs[:3]), 3)

    def check_constant_targets(self) -> None:
        """If all accuracies are equal, that accuracy is predicted, also at 0 and 1."""
        for value in (0.0, 0.7, 1.0):
            prediction = self.create().fit(self.graphs[:12], np.full(12, value)).predict(self.graphs[12:15])
            _require_sound(prediction, 3)
            np.testing.assert_allclose(prediction.mean, value, atol=0.02)


def _require_sound(prediction: Prediction, count: int) -> None:
    for name, values in vars(prediction).items():
        dtype = np.bool_ if name == "unseen" else np.float64
        assert values.shape == (count,), f"{name} has shape {values.shape}, expected ({count},)"
        assert values.dtype == dtype, f"{name} is {values.dtype}, expected {np.dtype(dtype)}"
        assert name == "distance" or np.isfinite(values).all(), f"{name} is not finite: {values}"
    assert (prediction.std >= 0).all(), f"std is negative: {prediction.std}"
    inside = (prediction.low <= prediction.mean) & (prediction.mean <= prediction.high)
    assert inside.all(), f"the mean is not in the interval: {prediction.low} {prediction.mean} {prediction.high}"


def _require_equal(first: Prediction, second: Prediction) -> None:
    np.testing.assert_array_equal(first.mean, second.mean)
    np.testing.assert_array_equal(first.std, second.std)


def _raises(act: Callable[[], object], kind: type[Exception]) -> bool:
    try:
        act()
    except kind:
        return True
    return False


def _reversed(graph: StructureGraph) -> StructureGraph:
    """The same graph with its nodes numbered backwards."""
    return replace(
        graph,
        operators=graph.operators[::-1].copy(),
        features=graph.features[::-1].copy(),
        edges=len(graph.operators) - 1 - graph.edges[:, ::-1],
        units=None if graph.units is None else _reversed_units(graph.units, len(graph.operators)),
    )


def _reversed_units(units: UnitGraph, nodes: int) -> UnitGraph:
    owner = np.where(units.owner >= 0, nodes - 1 - units.owner, -1)[::-1]
    edges = len(units.owner) - 1 - units.edges[:, ::-1]
    return UnitGraph(owner.astype(np.int32), units.features[::-1].copy(), edges.astype(np.int32))
