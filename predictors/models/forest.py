"""Extremely randomised trees (Geurts et al. 2006) on whole-graph and pooled node features.

After the fit the trees are flat arrays: saving needs no pickle, predicting needs no scikit-learn, and the prediction is the same before
and after saving.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from predictors.calibration.conformal import FOLDS
from predictors.errors import InvalidPredictorError
from predictors.features.architecture import folds
from predictors.features.matrix import matrix, matrix_width
from predictors.models.target_predictor import Scores, TargetPredictor
from predictors.state import array, number, require_fitted
from predictors.structure_graph import StructureGraph

ENOUGH = 2000  # from this number of networks on, one fold is enough to measure the errors
CHUNK = 4096  # graphs traversed at once: bounds the memory, not the result


@dataclass(frozen=True, kw_only=True)
class ForestOptions:
    """Options of the forest.

    Attributes:
        trees: number of trees, ≥ 1.
        max_features: share of the features tried at a split, in (0, 1].
        min_leaf: networks in a leaf, ≥ 1.
    """

    trees: int = 200
    max_features: float = 0.3
    min_leaf: int = 1

    def __post_init__(self) -> None:
        """Refuse values that no forest can have."""
        if self.trees < 1 or self.min_leaf < 1 or not 0 < self.max_features <= 1:
            raise ValueError(f"need trees ≥ 1, min_leaf ≥ 1 and max_features in (0, 1], got {self}")


NUMBERS = "numbers"
"""Name of the array of thresholds and values."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Trees:
    """All trees of a forest as flat arrays.

    Attributes:
        roots: first node of every tree, int32 ``(trees,)``, increasing from 0.
        feature: column that a node splits on, int32 ``(nodes,)``; −1 marks a leaf.
        threshold: a row goes left where its value is ≤ this, float64 ``(nodes,)``.
        left: the left child, int32 ``(nodes,)``; the right child follows it. Of a leaf: the leaf itself.
        value: mean target in a leaf, float64 ``(nodes,)``.
    """

    roots: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    left: NDArray[np.int32]
    value: NDArray[np.float64]

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """``roots``, ``feature`` and `NUMBERS`: the threshold of an inner node or the value of a leaf, float32 ``(nodes,)``.

        Children need not be saved, as they follow from the order of the nodes. Trees of an older version whose numbers need double
        precision are saved as they are.
        """
        leaf = self.feature < 0
        numbers = np.where(leaf, self.value, self.threshold)
        single = numbers.astype(np.float32)
        if not np.array_equal(single, numbers):
            return dict(vars(self))
        return {"roots": self.roots, "feature": self.feature.astype(np.int16), NUMBERS: single}

    def __call__(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """The prediction of every tree for every row, ``(rows, trees)``."""
        count, width = rows.shape
        values = np.ascontiguousarray(rows).ravel()
        node = np.tile(self.roots, count)
        offset = np.repeat(np.arange(count, dtype=np.int64) * width, len(self.roots))
        active = np.flatnonzero(self.feature[node] >= 0)
        while len(active):
            here = node[active]
            right = values[offset[active] + self.feature[here]] > self.threshold[here]
            here = self.left[here] + right
            node[active] = here
            active = active[self.feature[here] >= 0]
        return np.asarray(self.value[node].reshape(count, len(self.roots)))


class ForestPredictor(TargetPredictor):
    """Extra trees on `predictors.features.matrix.matrix`; the std is the standard deviation over the trees."""

    name = "forest"

    def __init__(self, options: ForestOptions = ForestOptions()) -> None:
        """Not fitted yet."""
        self.options = options
        self._trees: Trees | None = None
        self._training_graphs = 0

    def _learn(self, graphs: Sequence[StructureGraph], targets: NDArray[np.float64], seed: int) -> None:
        self._trees = _grown(matrix(graphs), targets, self.options, seed)
        self._training_graphs = len(targets)

    def _learn_left_out(self, graphs: Sequence[StructureGraph], targets: NDArray[np.float64], seed: int) -> Scores:
        """Left-out predictions by smaller forests, which together take about as long as the forest; for many networks, of one fold only."""
        self._learn(graphs, targets, seed)
        rows, said = matrix(graphs), Scores(*np.full((2, len(targets)), np.nan))
        options = replace(self.options, trees=-(-self.options.trees // FOLDS))
        fold_of = folds(graphs, FOLDS, np.random.default_rng(seed))
        for fold in np.unique(fold_of)[: 1 if len(targets) >= ENOUGH else None]:
            held = fold_of == fold
            trees = _said(_grown(rows[~held], targets[~held], options, seed), rows[held])
            said.mean[held], said.std[held] = trees.mean(axis=1), trees.std(axis=1)
        return said

    def predict_targets(self, graphs: Sequence[StructureGraph]) -> Scores:
        """Mean and standard deviation of the trees."""
        said = _said(require_fitted(self._trees, self.name), matrix(graphs))
        return Scores(said.mean(axis=1), said.std(axis=1))

    def _state(self) -> dict[str, NDArray[np.generic]]:
        """`Trees.arrays`, and ``training_graphs`` ``()``."""
        trees = require_fitted(self._trees, self.name)
        return trees.arrays() | {"training_graphs": np.asarray(self._training_graphs)}

    @classmethod
    def _from_state(cls, arrays: dict[str, NDArray[np.generic]]) -> Self:
        """The predictor that `arrays` came from."""
        trees = trees_from(arrays, matrix_width())
        predictor = cls(ForestOptions(trees=len(trees.roots)))
        predictor._trees = trees
        predictor._training_graphs = int(number(arrays, "training_graphs", low=2))
        return predictor


def _grown(rows: NDArray[np.float32], targets: NDArray[np.float64], options: ForestOptions, seed: int) -> Trees:
    """The trees of `sklearn.ensemble.ExtraTreesRegressor`, grown one by one: on few networks its own work takes as long as the trees."""
    from sklearn import config_context
    from sklearn.tree import ExtraTreeRegressor

    draw = np.random.RandomState(seed)
    grown = []
    with config_context(skip_parameter_validation=True):
        for _ in range(options.trees):
            tree = ExtraTreeRegressor(
                max_features=options.max_features,
                min_samples_leaf=options.min_leaf,
                random_state=draw.randint(np.iinfo(np.int32).max),
            )
            grown.append(tree.fit(rows, targets, check_input=False).tree_)
    return flatten(grown)


def _said(trees: Trees, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """The target that every tree predicts for every row, ``(rows, trees)``."""
    return np.concatenate([trees(rows[start : start + CHUNK]) for start in range(0, max(len(rows), 1), CHUNK)])


def trees_from(arrays: dict[str, NDArray[np.generic]], width: int) -> Trees:
    """Saved trees over a number of columns, checked."""
    roots, feature = (array(arrays, name, "i", (None,)).astype(np.int32) for name in ("roots", "feature"))
    nodes = feature.shape
    if NUMBERS in arrays:
        numbers, leaf = array(arrays, NUMBERS, "f", nodes).astype(np.float64), feature < 0
        trees = Trees(
            roots=roots,
            feature=feature,
            threshold=np.where(leaf, 0.0, numbers),
            left=_children(roots, leaf),
            value=np.where(leaf, numbers, 0.0),
        )
        _require_sound(trees, width)
        return trees
    trees = Trees(
        roots=roots,
        feature=feature,
        threshold=array(arrays, "threshold", "f", nodes).astype(np.float64),
        left=array(arrays, "left", "i", nodes).astype(np.int32),
        value=array(arrays, "value", "f", nodes).astype(np.float64),
    )
    _require_sound(trees, width)
    return trees


def _require_sound(trees: Trees, width: int) -> None:
    """Refuse arrays whose traversal would leave the arrays or never end: children come after their parent."""
    count = len(trees.feature)
    inner = np.flatnonzero(trees.feature >= 0)
    sound = (
        len(trees.roots) > 0
        and bool(np.all((trees.roots >= 0) & (trees.roots < count)))
        and bool(np.all((trees.feature >= -1) & (trees.feature < width)))
        and bool(np.all((trees.left[inner] > inner) & (trees.left[inner] + 1 < count)))
    )
    if not sound:
        raise InvalidPredictorError("saved forest is damaged: a split points outside the features or the trees")


def flatten(grown: Sequence[object]) -> Trees:
    """Trees of scikit-learn (their ``tree_``) one after the other."""
    parts: list[dict[str, NDArray[np.generic]]] = []
    start = 0
    for tree in grown:
        parts.append(_flatten_tree(tree, start))
        start += len(parts[-1]["feature"])
    roots = np.cumsum([0] + [len(part["feature"]) for part in parts[:-1]]).astype(np.int32)
    return Trees(roots=roots, **{name: np.concatenate([part[name] for part in parts]) for name in parts[0]})  # type: ignore[arg-type]


def _flatten_tree(tree: object, start: int) -> dict[str, NDArray[np.generic]]:
    """One scikit-learn tree with its nodes renumbered level by level from `start`, siblings side by side."""
    left, right = tree.children_left, tree.children_right  # type: ignore[attr-defined]
    levels = [np.zeros(1, np.int64)]
    while len(levels[-1]):
        inner = levels[-1][left[levels[-1]] >= 0]
        levels.append(np.stack([left[inner], right[inner]], axis=1).ravel())
    order = np.concatenate(levels)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    leaf = left[order] < 0
    return {
        "feature": np.where(leaf, -1, tree.feature[order]).astype(np.int32),  # type: ignore[attr-defined]
        "threshold": np.where(leaf, 0.0, _rounded_down(tree.threshold[order])),  # type: ignore[attr-defined]
        "left": (start + np.where(leaf, place[order], place[left[order]])).astype(np.int32),
        "value": np.where(leaf, tree.value[order, 0, 0], 0.0).astype(np.float32).astype(np.float64),  # type: ignore[attr-defined]
    }


def _rounded_down(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The largest number of single precision below each: features have single precision, so that no row changes its side."""
    near = values.astype(np.float32)
    return np.where(near > values, np.nextafter(near, np.float32(-np.inf)), near).astype(np.float64)


def _children(roots: NDArray[np.int32], leaf: NDArray[np.bool_]) -> NDArray[np.int32]:
    """The left child of every node, as `flatten` numbers them: the children of a tree's inner nodes follow its root in their order."""
    count = len(leaf)
    if not len(roots) or roots[0] != 0 or (np.diff(roots) <= 0).any() or roots[-1] >= count:
        raise InvalidPredictorError("saved forest is damaged: its trees do not follow each other")
    tree = np.repeat(np.arange(len(roots)), np.diff(np.append(roots, count)))
    inner = np.cumsum(~leaf) - 1  # number of an inner node among all
    before = np.concatenate([[0], np.cumsum(~leaf)])[roots]
    left = roots[tree] + 1 + 2 * (inner - before[tree])
    return np.where(leaf, np.arange(count), left).astype(np.int32)
