"""Gradient boosted trees (Friedman 2001) on the features of paths, sizes and densities: few columns, so that few labels suffice.

The forest reads every column. Boosting on every column gains nothing over it, and on architectures without a mask it is worse.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from predictors.features.architecture import folds
from predictors.features.context import CONTEXT_GROUPS
from predictors.features.matrix import column_groups, matrix
from predictors.models.forest import CHUNK, Trees, flatten, trees_from
from predictors.models.target_predictor import Scores, TargetPredictor
from predictors.state import number, require_fitted
from predictors.structure_graph import StructureGraph

READ = frozenset(
    (
        "ways",
        "links",
        "sequences",
        "ways, without size",
        "size and paths",
        "densities",
        "layers",
        "flow",
        "task",
        *CONTEXT_GROUPS,
    )
)
"""Groups of columns that are read."""


@dataclass(frozen=True, kw_only=True)
class BoostedOptions:
    """Options of the boosted trees.

    Attributes:
        trees: number of trees, ≥ 1.
        depth: splits from the root to a leaf, ≥ 1.
        learning_rate: share of a tree that is added, in (0, 1].
        max_features: share of the features tried at a split, in (0, 1].
        subsample: share of the networks that a tree sees, in (0, 1].
        min_leaf: networks in a leaf, ≥ 1.
        states_noise: True: the std is the error on a left-out fifth, which takes a second fit; False: the spread of the targets.
    """

    trees: int = 300
    depth: int = 4
    learning_rate: float = 0.05
    max_features: float = 0.2
    subsample: float = 0.7
    min_leaf: int = 3
    states_noise: bool = True

    def __post_init__(self) -> None:
        """Refuse values that no trees can have."""
        if min(self.trees, self.depth, self.min_leaf) < 1:
            raise ValueError(f"trees, depth and min_leaf must be ≥ 1, got {self}")
        if not all(0 < share <= 1 for share in (self.learning_rate, self.max_features, self.subsample)):
            raise ValueError(f"learning_rate, max_features and subsample must be in (0, 1], got {self}")


@dataclass(frozen=True, eq=False)
class Boosted:
    """Trees whose values, already multiplied by the learning rate, are added up; and their error on left-out networks."""

    trees: Trees
    offset: float
    noise: float
    training_graphs: int


class BoostedPredictor(TargetPredictor):
    """Boosted trees on some groups of `predictors.features.matrix.matrix`."""

    name = "boosted"

    def __init__(self, options: BoostedOptions = BoostedOptions()) -> None:
        """Not fitted yet."""
        self.options = options
        self._boosted: Boosted | None = None

    def _learn(self, graphs: Sequence[StructureGraph], targets: NDArray[np.float64], seed: int) -> None:
        """Grow the trees; same seed, same predictor. The noise is the error on a left-out fifth of the networks."""
        rows = matrix(graphs)[:, COLUMNS]
        noise = float(targets.std())
        if self.options.states_noise and len(targets) >= FEWEST:
            held = folds(graphs, 5, np.random.default_rng(seed)) == 0
            trees, offset = _grown(rows[~held], targets[~held], self.options, seed)
            noise = float(np.sqrt(np.mean((trees(rows[held]).sum(axis=1) + offset - targets[held]) ** 2)))
        trees, offset = _grown(rows, targets, self.options, seed)
        self._boosted = Boosted(trees, offset, noise, len(targets))

    def predict_targets(self, graphs: Sequence[StructureGraph]) -> Scores:
        """Sum of the trees; one std for all networks."""
        boosted = require_fitted(self._boosted, self.name)
        rows = matrix(graphs)[:, COLUMNS]
        starts = range(0, max(len(rows), 1), CHUNK)
        mean = np.concatenate([boosted.trees(rows[start : start + CHUNK]).sum(axis=1) for start in starts])
        return Scores(mean + boosted.offset, np.full(len(rows), boosted.noise))

    def _state(self) -> dict[str, NDArray[np.generic]]:
        """`Trees.arrays`, and ``offset``, ``noise``, ``training_graphs`` ``()``."""
        boosted = require_fitted(self._boosted, self.name)
        own = {name: np.asarray(getattr(boosted, name)) for name in ("offset", "noise", "training_graphs")}
        return {**boosted.trees.arrays(), **own}

    @classmethod
    def _from_state(cls, arrays: dict[str, NDArray[np.generic]]) -> Self:
        """The predictor that `arrays` came from."""
        predictor = cls()
        predictor._boosted = Boosted(
            trees_from(arrays, len(COLUMNS)),
            number(arrays, "offset"),
            number(arrays, "noise", low=0.0),
            int(number(arrays, "training_graphs", low=2)),
        )
        return predictor


def _grown(
    rows: NDArray[np.float32], targets: NDArray[np.float64], options: BoostedOptions, seed: int
) -> tuple[Trees, float]:
    """The trees, and the constant that they are added to."""
    from sklearn.ensemble import GradientBoostingRegressor

    model = GradientBoostingRegressor(
        n_estimators=options.trees,
        max_depth=options.depth,
        learning_rate=options.learning_rate,
        max_features=options.max_features,
        subsample=options.subsample,
        min_samples_leaf=min(options.min_leaf, max(len(targets) // 10, 1)),
        random_state=seed,
    ).fit(rows, targets)
    trees = flatten([tree.tree_ for tree in model.estimators_[:, 0]])
    value = (trees.value * options.learning_rate).astype(np.float32).astype(np.float64)
    scaled = Trees(**{**vars(trees), "value": value})
    return scaled, float(np.ravel(model.init_.constant_)[0])


FEWEST = 10
COLUMNS = np.flatnonzero([group in READ for group in column_groups()])
