"""The skeleton of a network: weights, pools and joins; activations and operators that only pass values on are contracted.

Pre- and post-activation networks have the same skeleton, and so have a chain of two-way sums and one sum of many terms.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from predictors.reading.operators import CLASSES

_POINTWISE = ("rectifier", "sigmoid", "tanh", "smooth", "clip", "pointwise", "affine", "quantise")
_NORMALISED = ("batch_norm", "layer_norm", "lrn")
PASSED_ON = frozenset((*_POINTWISE, *_NORMALISED, "slice", "pad", "transpose"))
LABELS = ("window", "point", "pool", "join", "rest")
"""Layers that mix several positions or steps (convolution with a kernel, recurrence), layers that mix only units, pools."""
OPERATIONS = 3
_LABEL = {
    **dict.fromkeys(("dense", "conv", "conv_transpose"), 1),
    **dict.fromkeys(("rnn", "gru", "lstm"), 0),
    **dict.fromkeys(("max_pool", "average_pool"), 2),
    **dict.fromkeys(("add", "concat", "mul"), 3),
}


@dataclass(frozen=True, eq=False)
class Skeleton:
    """A contracted graph; its nodes are in topological order, and every path ends in the last one.

    Attributes:
        labels: label of every node, an index into `LABELS`.
        before: nodes that each node reads, with repetition if several paths were contracted to one.
        behind: nodes that read each node.
    """

    labels: list[int]
    before: list[list[int]]
    behind: list[list[int]]


def skeleton(kinds: Sequence[int], windows: Sequence[bool], edges: Sequence[Sequence[int]]) -> Skeleton:
    """Contract a graph; linear in its links.

    Args:
        kinds: class of every node, in topological order.
        windows: for every node, whether its kernel is larger than one position.
        edges: sources and targets of the edges.
    """
    names = [CLASSES[kind] for kind in kinds]
    reads: list[list[int]] = [[] for _ in names]
    readers: list[list[int]] = [[] for _ in names]
    for source, target in zip(*edges, strict=True):
        reads[target].append(source)
        readers[source].append(target)
    # A sum whose only reader is another sum is part of that sum.
    inner = [
        name == "add" and [names[reader] for reader in readers[node]] == ["add"] for node, name in enumerate(names)
    ]
    stands: list[int] = []  # the skeleton node of each node
    for node, sources in enumerate(reads):
        passed = names[node] in PASSED_ON and len(sources) == 1
        stands.append(stands[sources[0]] if passed else node)
    kept = [node for node, one in enumerate(stands) if one == node and not inner[node]]
    place = {node: row for row, node in enumerate(kept)}
    before = [[place[stands[source]] for source in _summands(node, reads, inner)] for node in kept]
    labels = [_label(names[node], windows[node]) for node in kept]
    ends = [place[node] for node in kept if names[node] == "output"]
    if ends and ends != [len(kept) - 1]:  # several outputs end in one node
        labels.append(len(LABELS) - 1)
        before.append(ends)
    return Skeleton(labels, before, _turned(before))


def _summands(node: int, reads: Sequence[Sequence[int]], inner: Sequence[bool]) -> list[int]:
    """The nodes that a node reads, with inner sums replaced by their summands."""
    found: list[int] = []
    waiting = list(reversed(reads[node]))
    while waiting:
        source = waiting.pop()
        if inner[source]:
            waiting += reversed(reads[source])
        else:
            found.append(source)
    return found


def _label(kind: str, window: bool) -> int:
    label = _LABEL.get(kind, len(LABELS) - 1)
    return 0 if label == 1 and window else label


def _turned(before: Sequence[Sequence[int]]) -> list[list[int]]:
    behind: list[list[int]] = [[] for _ in before]
    for node, sources in enumerate(before):
        for source in sources:
            behind[source].append(node)
    return behind
