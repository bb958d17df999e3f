"""Paths through a network as features: how many there are, and how many layers and pools lie on them.

Every path from an input to an output passes some operations (`predictors.paths.skeleton.LABELS`). Paths are drawn with weight
exp(tilt · counts); the logarithm of their number, the means and the covariances of the counts follow from one pass over the graph,
for any number of paths. All three add up over blocks in series. Fewest and most operations of every group are the limits of
large tilts (GRAF, Kadlecová et al. 2024, arXiv:2404.16551). The features ``share_…`` describe the same independent of the
network's size, so that models carry over to other spaces.
"""

from collections.abc import Sequence
from itertools import combinations
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from predictors.paths.skeleton import LABELS, OPERATIONS, Skeleton

Array = NDArray[np.float64]

GROUPS = [group for size in (1, 2, 3) for group in combinations(range(OPERATIONS), size)]
TILTS = np.array(
    [[0, 0, 0], [1, 1, 0], [-1, -1, 0], [0, 0, 1.5], [0, 0, -1.5], [1.5, -1.5, 0], [-1.5, 1.5, 0]], np.float64
)
_UPPER = np.triu_indices(OPERATIONS)
_PAIRS = np.triu_indices(len(LABELS))
_MEMBERS = np.array([[label in group for group in GROUPS] + [True] for label in range(OPERATIONS)], np.float64)
_NODE = np.array([0.0] * len(GROUPS) + [1.0])
_START = [1.0] + [0.0] * OPERATIONS
_MOST_PATHS, _MOST_SHARE = 1e280, 1e3


def _named(indices: tuple[int, ...]) -> str:
    return "_".join(LABELS[index] for index in indices)


_TILTED = [(tilt, label) for tilt in range(len(TILTS)) for label in LABELS[:OPERATIONS]]
_ENDS = [(end, _named(group)) for end in ("least", "most") for group in GROUPS]
PATH_FEATURES: tuple[str, ...] = (
    *(f"way_{end}_{name}" for end in ("least", "most") for name in (*map(_named, GROUPS), "nodes")),
    *(f"way_log_number_{tilt}" for tilt in range(len(TILTS))),
    *(f"way_mean_{label}_{tilt}" for tilt, label in _TILTED),
    *(f"way_spread_{LABELS[a]}_{LABELS[b]}_{tilt}" for tilt in range(len(TILTS)) for a, b in zip(*_UPPER, strict=True)),
    *(f"link_{a}_{b}" for a in LABELS for b in LABELS),
    *(f"{kind}_{LABELS[a]}_{LABELS[b]}" for kind in ("joined", "forked") for a, b in zip(*_PAIRS, strict=True)),
    *(f"row_{a}_{b}" for a in ("start", *LABELS[:OPERATIONS]) for b in LABELS[:OPERATIONS]),
    *(f"passed_{label}_{pool}" for label in LABELS[:OPERATIONS] for pool in ("mean", "std", "min", "max")),
    *(f"skeleton_log_{label}" for label in LABELS),
    "skeleton_log_links",
    *(f"readers_{pool}_{label}" for label in LABELS[:-1] for pool in ("mean", "max")),
    *(f"reads_{pool}" for pool in ("mean", "max", "std")),
    *(f"share_{end}_{name}" for end, name in _ENDS),
    "share_least_nodes",
    *(f"share_log_number_{tilt}" for tilt in range(len(TILTS))),
    *(f"share_mean_{label}_{tilt}" for tilt, label in _TILTED),
    *(f"share_spread_{label}_{tilt}" for tilt, label in _TILTED),
    *(f"share_of_{label}" for label in LABELS),
    *(f"share_link_{a}_{b}" for a in LABELS for b in LABELS),
)


def path_features(graph: Skeleton) -> Array:
    """`PATH_FEATURES`, float64; counts are log(1 + x), covariances signed roots, on the scale of the counts."""
    if not graph.labels:
        return np.zeros(len(PATH_FEATURES))
    least, most = _extremes(graph)
    number, mean, covariance = _moments(graph)
    spread = covariance[:, _UPPER[0], _UPPER[1]]
    links, pairs = _links(graph)
    counts = np.bincount(graph.labels, minlength=len(LABELS))
    longest = max(float(most[-1]), 1.0)
    deviation = np.sqrt(np.maximum(np.diagonal(covariance, axis1=1, axis2=2), 0.0))
    parts = [
        *(np.log1p(least), np.log1p(most), number, mean.ravel(), (np.sign(spread) * np.sqrt(np.abs(spread))).ravel()),
        *(np.log1p(links.ravel()), np.log1p(pairs), *_sequences(graph)),
        *(np.log1p(counts), [np.log1p(links.sum())], *_degrees(graph)),
        *(least[:-1] / longest, most[:-1] / longest, least[-1:] / longest),
        *(number / longest, mean.ravel() / longest, deviation.ravel() / np.sqrt(longest)),
        *(counts / counts.sum(), links.ravel() / max(links.sum(), 1.0)),
    ]
    return np.concatenate(parts)


def _links(graph: Skeleton) -> tuple[Array, Array]:
    """Numbers of links by the labels of their ends ``(labels, labels)``; numbers of pairs that a node joins, and that read one node."""
    size = len(LABELS)
    links, joined, forked = np.zeros((3, size, size))
    for node, sources in enumerate(graph.before):
        for source in sources:
            links[graph.labels[source], graph.labels[node]] += 1
        _add_pairs(joined, [graph.labels[source] for source in sources])
        _add_pairs(forked, [graph.labels[target] for target in graph.behind[node]])
    return links, np.concatenate([joined[_PAIRS], forked[_PAIRS]])


def _add_pairs(table: Array, labels: list[int]) -> None:
    if len(labels) > 1:
        counts = np.bincount(labels, minlength=len(table))
        table += np.outer(counts, counts) - np.diag(counts)


def _sequences(graph: Skeleton) -> tuple[Array, Array]:
    """Pairs of consecutive operations on a random path (log(1 + x)), and the share of paths that pass an operation, by label."""
    ahead = _ways_ahead(graph)
    back = _ways_back(graph)
    paths = sum(one for one, sources in zip(back, graph.before, strict=True) if not sources)
    rows = np.zeros((1 + OPERATIONS, OPERATIONS))
    shares: list[list[float]] = [[] for _ in range(OPERATIONS)]
    for label, sources, here, behind in zip(graph.labels, graph.before, ahead, back, strict=True):
        if label < OPERATIONS and sources:
            share = behind / paths
            for last in range(1 + OPERATIONS):
                rows[last, label] += sum(ahead[source][last] for source in sources) * share
            shares[label].append(min(sum(here) * share, _MOST_SHARE))  # squares of larger numbers would overflow
    return np.log1p(rows.ravel()), np.ravel([_spread(found) for found in shares])


def _ways_ahead(graph: Skeleton) -> list[list[float]]:
    """Number of paths to every node by the last operation on them; the first entry counts paths without an operation."""
    ahead: list[list[float]] = []
    for label, sources in zip(graph.labels, graph.before, strict=True):
        if len(sources) == 1:
            came = ahead[sources[0]]
        else:
            came = [sum(column) for column in zip(*(ahead[source] for source in sources), strict=True)] or _START
        if label < OPERATIONS:
            came = [sum(came) if last == label + 1 else 0.0 for last in range(1 + OPERATIONS)]
        ahead.append([min(one, _MOST_PATHS) for one in came])
    return ahead


def _ways_back(graph: Skeleton) -> list[float]:
    """Number of paths from every node to the last one."""
    back = [1.0] * len(graph.labels)
    for node in reversed(range(len(back))):
        if graph.behind[node]:
            back[node] = min(sum(back[reader] for reader in graph.behind[node]), _MOST_PATHS)
    return back


def _spread(values: Sequence[float]) -> list[float]:
    """Mean, standard deviation, minimum and maximum; zeros for no values."""
    if not values:
        return [0.0] * 4
    mean = sum(values) / len(values)
    variance = sum((value - mean) ** 2 for value in values) / len(values)
    return [mean, sqrt(variance), min(values), max(values)]


def _degrees(graph: Skeleton) -> tuple[Array, Array]:
    """Readers of the nodes of each label (mean, maximum), and inputs of the joins (mean, maximum, standard deviation)."""
    readers: list[list[float]] = [[] for _ in LABELS]
    for label, targets in zip(graph.labels, graph.behind, strict=True):
        readers[label].append(len(targets))
    degrees = [_spread(found) for found in readers[:-1]]
    join = LABELS.index("join")
    mean, deviation, _, most = _spread(
        [len(sources) for label, sources in zip(graph.labels, graph.before, strict=True) if label == join]
    )
    return np.array([(one[0], one[3]) for one in degrees]).ravel(), np.array([mean, most, deviation])


def _extremes(graph: Skeleton) -> tuple[Array, Array]:
    """Fewest and most operations of every group, and fewest and most nodes, on a path to the last node."""
    least, most = np.zeros((2, len(graph.labels), len(_NODE)))
    for node, sources in enumerate(graph.before):
        if not sources:
            continue
        own = _MEMBERS[graph.labels[node]] if graph.labels[node] < OPERATIONS else _NODE
        if len(sources) == 1:
            least[node], most[node] = least[sources[0]] + own, most[sources[0]] + own
        else:
            least[node], most[node] = least[sources].min(axis=0) + own, most[sources].max(axis=0) + own
    return least[-1], most[-1]


def _moments(graph: Skeleton) -> tuple[Array, Array, Array]:
    """Log number of paths to the last node ``(tilts,)``, means ``(tilts, operations)``, covariances ``(tilts, operations, operations)``."""
    count, tilts = len(graph.labels), len(TILTS)
    number, mean = np.zeros((count, tilts)), np.zeros((count, tilts, OPERATIONS))
    covariance = np.zeros((count, tilts, OPERATIONS, OPERATIONS))
    for node, sources in enumerate(graph.before):
        if len(sources) == 1:
            source = sources[0]
            number[node], mean[node], covariance[node] = number[source], mean[source], covariance[source]
        elif sources:
            top = number[sources].max(axis=0)
            weight = np.exp(number[sources] - top)
            total = weight.sum(axis=0)
            weight /= total
            number[node] = top + np.log(total)
            mean[node] = (weight[:, :, None] * mean[sources]).sum(axis=0)
            apart = mean[sources] - mean[node]
            outer = apart[:, :, :, None] * apart[:, :, None, :]
            covariance[node] = (weight[:, :, None, None] * (covariance[sources] + outer)).sum(axis=0)
        label = graph.labels[node]
        if label < OPERATIONS and sources:
            number[node] += TILTS[:, label]
            mean[node, :, label] += 1
    return number[-1], mean[-1], covariance[-1]
