"""The skeleton of a network: weights, pools and joins; activations and what only passes on are contracted.

Pre- and post-activation networks, one export's chain of two-way sums and another's one sum of many, have the same skeleton.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from predictors.operators import CLASSES

_POINTWISE = ("rectifier", "sigmoid", "tanh", "smooth", "clip", "pointwise", "affine", "quantise")
_NORMALISED = ("batch_norm", "layer_norm", "lrn")
PASSED_ON = frozenset((*_POINTWISE, *_NORMALISED, "slice", "pad", "transpose"))
LABELS = ("window", "point", "pool", "join", "rest")
"""Layers that mix several places or steps (convolution with a kernel, recurrence), layers that mix units only, pools."""
OPERATIONS = 3
_LABEL = {
    **dict.fromkeys(("dense", "conv", "conv_transpose"), 1),
    **dict.fromkeys(("rnn", "gru", "lstm"), 0),
    **dict.fromkeys(("max_pool", "average_pool"), 2),
    **dict.fromkeys(("add", "concat", "mul"), 3),
}


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Nodes in topological order.

    Attributes:
        labels: of every node, an index into `LABELS`.
        before: the nodes that each one reads, with repetition where several ways were contracted to one.
        behind: the nodes that read it.
    """

    labels: list[int]
    before: list[list[int]]
    behind: list[list[int]]


def skeleton(kinds: Sequence[int], windows: Sequence[bool], edges: Sequence[Sequence[int]]) -> Skeleton:
    """Contract a graph; linear in its links.

    Args:
        kinds: class of every node, in topological order.
        windows: whether its kernel is larger than one place.
        edges: sources, then targets.
    """
    names = [CLASSES[kind] for kind in kinds]
    reads: list[list[int]] = [[] for _ in names]
    readers: list[list[int]] = [[] for _ in names]
    for source, target in zip(*edges, strict=True):
        reads[target].append(source)
        readers[source].append(target)
    origin: list[list[int]] = []  # the nodes that stand for each one
    for node, sources in enumerate(reads):
        found = [source for one in sources for source in origin[one]]
        passed = names[node] in PASSED_ON and len(sources) == 1
        # A sum that only another sum reads is part of it.
        inner = names[node] == "add" and [names[reader] for reader in readers[node]] == ["add"]
        origin.append(found if passed or inner else [node])
    kept = [node for node, sources in enumerate(origin) if sources == [node]]
    place = {node: row for row, node in enumerate(kept)}
    before = [[place[source] for one in reads[node] for source in origin[one]] for node in kept]
    return Skeleton([_label(names[node], windows[node]) for node in kept], before, _turned(before))


def _label(kind: str, window: bool) -> int:
    label = _LABEL.get(kind, len(LABELS) - 1)
    return 0 if label == 1 and window else label


def _turned(before: Sequence[Sequence[int]]) -> list[list[int]]:
    behind: list[list[int]] = [[] for _ in before]
    for node, sources in enumerate(before):
        for source in sources:
            behind[source].append(node)
    return behind
