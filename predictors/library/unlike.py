"""In words: how a network differs from those that a predictor was fitted on."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

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


def _share(value: float) -> str:
    return f"{round(value, 3):g}"


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
}


CLASS_WORDS: dict[str, str] = {
    "smooth": "smooth activation",
    "affine": "arithmetic with constants",
    "add": "addition",
    "mul": "multiplication",
    "matmul": "product of two inputs",
    "dense": "dense layer",
    "conv": "convolution",
    "conv_transpose": "transposed convolution",
    "lrn": "local response normalisation",
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
    the farthest first. Where only other features lie beyond, the groups of these are named.
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
    """Features that lie beyond the range of the fit."""
    width = len(support.centre)
    row = structure_matrix([graph])[0, :width].astype(np.float64)
    low, high = support.range()
    beyond = np.maximum(low - row, row - high) / support.spread
    places = {name: place for name, place in _places(width).items() if beyond[place] > LEAST}
    named = sorted(places.items(), key=lambda one: -beyond[one[1]])[:MOST]
    if named:
        return "; ".join(
            f"{WORDS[name].text} {WORDS[name].shown(row[place])} (fit: {WORDS[name].shown(low[place])} to {WORDS[name].shown(high[place])})"
            for name, place in named
        )
    return _groups(beyond)


def _groups(beyond: NDArray[np.float64]) -> str:
    """The groups of the features that lie farthest beyond the range of the fit."""
    far = np.argsort(-beyond)[: 10 * MOST]
    names = dict.fromkeys(column_groups()[place] for place in far.tolist() if beyond[place] > LEAST)
    return f"its {', '.join(list(names)[:MOST])} lie beyond those of the fit" if names else ""


def _places(width: int) -> dict[str, int]:
    """Columns of the features that have words, among the first `width` columns."""
    places = {name: summary_place(name) for name in WORDS}
    return {name: place for name, place in places.items() if place < width}
