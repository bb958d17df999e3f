"""In words: how a network differs from those that a predictor was fitted on."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from predictors.calibration.single_features import SINGLE_FEATURES
from predictors.calibration.support import Support
from predictors.features.matrix import CLASSES, column_groups, structure_matrix, summary_place
from predictors.structure_graph import StructureGraph

LEAST = 0.5
"""Least distance beyond the range of the fit, in spreads, that is worth a word."""
UNKNOWN = "unknown_"
"""Start of the names of the classes that operators without a class of their own are hashed to."""
MOST = 3
"""Most features that are named."""
MOST_OPERATORS = 6
"""Most operators that are named."""


class Word(NamedTuple):
    """A feature that a reader knows: its name in words, and how its value is written."""

    text: str
    shown: Callable[[float], str]


def _count(value: float) -> str:
    return f"{max(np.expm1(min(value, 50.0)), 0.0):,.0f}"


def _told(value: float) -> str:
    """A number of a task, whose logarithm is the feature."""
    return f"{np.exp(min(value, 50.0)):,.0f}"


def _share(value: float) -> str:
    return f"{round(value, 3):g}"


def _error(value: float) -> str:
    return _share(float(np.exp(min(value, 0.0))))


WORDS: dict[str, Word] = {
    "log_weights": Word("weights", _count),
    "log_effective_nnz": Word("live connections", _count),
    "log_macs": Word("multiplications of the dense network", _count),
    "density": Word("density", _share),
    "log_layers": Word("layers with weights", _count),
    "log_width_min": Word("units of the narrowest layer", _count),
    "log_width_max": Word("units of the widest layer", _count),
    "log_inputs": Word("inputs", _count),
    "log_outputs": Word("outputs", _count),
    "log_nodes": Word("operators", _count),
    "longest_path_layers": Word("layers in a row", _count),
    "input_coverage": Word("share of the inputs that are read", _share),
    "relevance_edges": Word("relevance of the inputs that are read", _share),
    "gates_hidden_spread": Word("imbalance of the gates", _share),
    "task_log_samples": Word("training examples", _told),
    "task_log_classes": Word("classes", _told),
    "task_log_inputs": Word("inputs of the task", _told),
    "task_one_nn_error": Word("error of the nearest neighbour", _error),
    "task_linear_probe_error": Word("error of a linear classifier", _error),
}
GROUP_WORDS: dict[str, str] = {
    "size and paths": "size and number of live paths",
    "densities": "densities of the layers",
    "layers": "size and density of the first layers",
    "operator paths": "number of operators from input to output",
    "operator counts": "number of operators of each kind",
    "operators": "number of operators of each kind",
    "masks": "pattern of the connections",
    "recurrent masks": "pattern of the recurrent connections",
    "flow": "number of paths through the units",
    "ways": "number of paths from input to output",
    "ways, without size": "share of each kind of operator on the paths from input to output",
    "links": "links between the operators",
    "sequences": "order of the operators",
    "task": "task",
    "nodes mean": "average sizes and settings of the operators",
    "nodes spread": "variety of the operators",
    "nodes least": "smallest sizes and settings of the operators",
    "nodes most": "largest sizes and settings of the operators",
    "balance": "number of live units and balance of the gates",
    "inputs": "use of the inputs",
    "weights": "weights (own or fresh)",
    "family": "time at which the mask was found",
    "method": "method that found the mask",
    "plan": "number of weights to keep",
}
"""Groups of features in words: what a network differs in."""
REPEATED = {"task_log_inputs": "log_inputs", "task_log_classes": "log_outputs"}
"""Features of the task that are not named beside the feature of the network that says the same."""


CLASS_WORDS: dict[str, str] = {
    "batch_norm": "batch normalisation",
    "layer_norm": "layer normalisation",
    "lrn": "local response normalisation",
    "smooth": "smooth activation",
    "affine": "arithmetic with constants",
    "add": "addition",
    "mul": "multiplication",
    "matmul": "product of two inputs",
    "dense": "dense layer",
    "conv": "convolution",
    "conv_transpose": "transposed convolution",
    "concat": "concatenation",
    "pad": "padding",
    "resize": "resizing",
    "sort": "sorting",
    "reduce": "reduction",
    "compare": "comparison",
    "pointwise": "function of one number",
    "quantise": "quantisation",
    "random": "random numbers",
    "control": "control flow",
    "rnn": "RNN",
    "gru": "GRU",
    "lstm": "LSTM",
}
"""Classes of operators in words, where these are not the name of the class."""


def unlike(support: Support, graph: StructureGraph) -> str:
    """How a network differs from all networks of the fit; empty if none of its known features lies beyond theirs.

    As in ``has operators that the fit does not: sigmoid; units of the widest layer 2,048 (fit: 9 to 128)``; at most `MOST` features,
    the farthest first. Where only other features lie beyond, what these describe is named, as in ``differs from the fit in: order of
    the operators``.
    """
    said = (_new_operators(support, graph), _beyond(support, graph))
    return "; ".join(text for text in said if text)


def _new_operators(support: Support, graph: StructureGraph) -> str:
    """Operators that no network of the fit has; those without a class of their own by their full names."""
    found = [CLASSES[place] for place in np.flatnonzero(support.new_operators(structure_matrix([graph]))[0])]
    words = [CLASS_WORDS.get(name, name.replace("_", " ")) for name in found if not name.startswith(UNKNOWN)]
    names = [*words, *(graph.unknown if len(words) < len(found) else ())]
    more = f" and {len(names) - MOST_OPERATORS} more" if len(names) > MOST_OPERATORS else ""
    return f"has operators that the fit does not: {', '.join(names[:MOST_OPERATORS])}{more}" if names else ""


def _beyond(support: Support, graph: StructureGraph) -> str:
    """Features that lie beyond the range of the fit; those that put the network outside alone come first."""
    width = len(support.centre)
    table = structure_matrix([graph])[:, :width].astype(np.float64)
    row, (low, high) = table[0], support.range()
    beyond = np.maximum(low - row, row - high) / support.spread
    alone = {
        name for name, far in zip(SINGLE_FEATURES, support.single_distances(table)[0].tolist(), strict=False) if far > 1
    }
    tasks = graph.task is not None and bool(low[summary_place("task_log_samples")] > 0)
    places = {
        name: place for name, place in _places(width, tasks=tasks).items() if beyond[place] > LEAST or name in alone
    }
    places = {name: place for name, place in places.items() if REPEATED.get(name) not in places}
    named = sorted(places.items(), key=lambda one: (one[0] not in alone, -beyond[one[1]]))[:MOST]
    if named:
        return "; ".join(_compared(WORDS[name], row[place], low[place], high[place]) for name, place in named)
    return _groups(beyond)


def _compared(word: Word, value: float, low: float, high: float) -> str:
    """As in ``inputs 3,072 (fit: 64 to 784)``."""
    ends = dict.fromkeys((word.shown(low), word.shown(high)))
    return f"{word.text} {word.shown(value)} (fit: {' to '.join(ends)})"


def _groups(beyond: NDArray[np.float64]) -> str:
    """The groups of the features that lie farthest beyond the range of the fit."""
    far = np.argsort(-beyond)[: 10 * MOST]
    words = dict.fromkeys(GROUP_WORDS[column_groups()[place]] for place in far.tolist() if beyond[place] > LEAST)
    named = list(words)[:MOST]
    return f"differs from the fit in: {'; '.join(named)}" if named else ""


def _places(width: int, *, tasks: bool) -> dict[str, int]:
    """Columns of the features that have words, among the first `width` columns; those of the task only if `tasks`."""
    places = {name: summary_place(name) for name in WORDS if tasks or not name.startswith("task_")}
    return {name: place for name, place in places.items() if place < width}
