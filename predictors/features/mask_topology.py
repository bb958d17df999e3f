"""Relations between the units of one mask: distances, clustering, return of random walks, effective rank.

A mask is read as the bipartite graph of its layer. In a large mask, units with the same connections are merged first and weighted by
their number; for a mask grown from a small graph, this gives the same features as the whole mask. With up to 48 output units, no
feature depends on their order. With more, distances are measured from evenly spaced units only, and a core above 256 × 256 is
represented by evenly spaced units.

For a relational graph grown into a mask (You et al. 2020, arXiv:2007.06559; every node is connected to itself), the mean distance
between units is the graph's average path length plus one half, and the clustering grows with that of the graph. Those two
predict its accuracy.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

TOPOLOGY_FEATURES: tuple[str, ...] = (
    "distance",  # mean number of steps between two linked units, from either side
    "eccentricity",  # mean over output units of the distance to the farthest unit that they reach
    "linked",  # share of pairs of units with a path between them
    "clustering",  # share of three-edge paths that close to a four-cycle (Robins and Alexander 2004)
    "clustering_excess",  # log(that share / density)
    "walk_return",  # log of the expected returns of a random walk after two steps: Σ σ² of the degree-normalised mask
    "walk_return4",  # the same after four steps: Σ σ⁴
    "effective_rank",  # (Σ σ²)² / Σ σ⁴ of the mask, divided by the smaller side
    "overlap_cv",  # coefficient of variation of the inputs that two units share
)
MERGED = (
    256  # side above which equal units are merged; if it is still longer afterwards, only evenly spaced units are read
)
_ENOUGH_EQUAL = 8  # masks of one shape that are stacked without padding them to the size of others
_SMALL = 64  # side up to which masks are padded to one size
_LARGEST_STACK = 1 << 20  # entries of cores that are read together
ROWS = 48  # output units, evenly spaced, from which distances are measured


@dataclass(frozen=True, eq=False)
class Core:
    """A mask whose equal units are merged.

    Attributes:
        edges: connections, bool ``(out, in)``.
        rows, columns: number of units that each row and each column stands for.
    """

    edges: NDArray[np.bool_]
    rows: Array
    columns: Array


@dataclass(frozen=True, eq=False)
class Stack:
    """Several cores in one array, padded to one size. Padding and dead units are rows and columns that stand for no unit.

    Attributes:
        edges: connections, 0 or 1, float64 ``(cores, out, in)``.
        rows: number of units per row, ``(cores, out)``.
        columns: number of units per column, ``(cores, in)``.
    """

    edges: Array
    rows: Array
    columns: Array

    @classmethod
    def of(cls, cores: Sequence[Core]) -> "Stack":
        """Stack cores of similar size."""
        out, inner = (max(core.edges.shape[side] for core in cores) for side in (0, 1))
        edges = np.zeros((len(cores), out, inner), np.bool_)
        rows, columns = np.zeros((len(cores), out)), np.zeros((len(cores), inner))
        for place, core in enumerate(cores):
            count, width = core.edges.shape
            edges[place, :count, :width] = core.edges
            rows[place, :count], columns[place, :width] = core.rows, core.columns
        return cls(edges.astype(np.float64), rows * edges.any(axis=2), columns * edges.any(axis=1))

    def fans(self) -> tuple[Array, Array]:
        """Number of inputs of every row and of outputs of every column, at least 1, so that a division gives 0 where there is no unit."""
        fan_in = (self.edges @ self.columns[:, :, None])[:, :, 0]
        fan_out = (self.rows[:, None, :] @ self.edges)[:, 0]
        return np.where(fan_in > 0, fan_in, 1.0), np.where(fan_out > 0, fan_out, 1.0)


class SharedInputs(NamedTuple):
    """How many inputs two output units share, summed over all ordered pairs of units, each ``(cores,)``.

    Attributes:
        squares: sum of the squared numbers.
        total: sum of the numbers.
        own, own_squares: the same two sums over the pairs of a unit with itself, which shares its fan-in: numbers, squared numbers.
    """

    squares: Array
    total: Array
    own: Array
    own_squares: Array


def topology_features(edges: Sequence[Array]) -> Array:
    """`TOPOLOGY_FEATURES` of masks, each as numbers of parallel edges ``(out, in)``.

    Returns:
        float64 ``(masks, len(TOPOLOGY_FEATURES))``, finite, zeros where there is no edge.
    """
    found = np.zeros((len(edges), len(TOPOLOGY_FEATURES)))
    cores = [_core(one) for one in edges]
    for places in _groups(cores):
        found[places] = _stacked(Stack.of([cores[place] for place in places]))
    return found


def _groups(cores: Sequence[Core]) -> Iterator[list[int]]:
    """Positions of the cores that are stacked: many of one shape, or several of similar size; cores without an edge are left out."""
    shapes: dict[tuple[int, ...], list[int]] = {}
    for place, core in enumerate(cores):
        if core.edges.any():
            shapes.setdefault(core.edges.shape, []).append(place)
    groups: dict[tuple[int, ...], list[int]] = {}
    for (out, inner), places in shapes.items():
        side = 1 << (max(out, inner, _SMALL) - 1).bit_length()
        groups.setdefault((out, inner) if len(places) >= _ENOUGH_EQUAL else (side, side), []).extend(places)
    for shape, places in groups.items():
        most = max(_LARGEST_STACK // prod(shape), 1)
        yield from (places[start : start + most] for start in range(0, len(places), most))


def _stacked(stack: Stack) -> Array:
    fans = stack.fans()
    linked = (stack.columns * (stack.rows[:, None] @ stack.edges)[:, 0] ** 2).sum(axis=1)
    pairs = SharedInputs(
        _squares(stack), linked, (stack.rows * fans[0]).sum(axis=1), (stack.rows * fans[0] ** 2).sum(axis=1)
    )
    parts = (*_distances(stack), *_clustering(stack, fans, pairs), *_walk(stack, fans), *_overlap(stack, pairs))
    return np.stack(parts, axis=1)


def full_topology(out: int, inner: int) -> Array:
    """`TOPOLOGY_FEATURES` of a mask without zeros, in constant time."""
    distance = (inner + 2.0 * (out - 1)) / (inner + out - 1)
    closed = 1.0 if min(out, inner) > 1 else 0.0
    excess = 0.0 if closed else float(np.log(1e-3 / 1.001))
    far = 2.0 if out > 1 else 1.0
    return np.array([distance, far, 1.0, closed, excess, 0.0, 0.0, 1.0 / min(out, inner), 0.0])


def _core(edges: Array) -> Core:
    some = edges > 0
    if max(some.shape) <= MERGED:
        return Core(some, np.ones(len(some)), np.ones(some.shape[1]))
    some, rows, columns = merge_twins(some)
    down, across = (slice(None, None, -(-size // MERGED)) for size in some.shape)
    return Core(some[down, across], rows[down], columns[across])


def merge_twins(edges: NDArray[Any]) -> tuple[NDArray[Any], Array, Array]:
    """A mask without repeated rows and columns, and the number of rows and columns that each one stands for.

    Args:
        edges: a mask, or counts (integers ≥ 0).
    """
    first, rows = _distinct(edges)
    second, columns = _distinct(edges[first].T)
    return edges[np.ix_(first, second)], rows, columns


def _distinct(rows: NDArray[Any]) -> tuple[NDArray[np.int64], Array]:
    """First position and number of every distinct row, ordered by position."""
    small = (
        np.packbits(rows, axis=1)
        if rows.dtype == np.bool_
        else rows.astype(np.min_scalar_type(int(rows.max(initial=0))))
    )
    packed = np.ascontiguousarray(small)
    # Bytes, not sums of random numbers: a product may round two equal rows differently.
    keys = packed.view(np.dtype((np.void, packed.itemsize * packed.shape[1]))).ravel()
    _, first, counts = np.unique(keys, return_index=True, return_counts=True)
    order = np.argsort(first)
    return first[order], counts[order].astype(np.float64)


def _distances(stack: Stack) -> tuple[Array, Array, Array]:
    """Mean and largest number of steps from an output unit to units of both sides, and the share of pairs that are linked."""
    start, weight = _starts(stack)
    cores, count = start.shape
    # Single precision is fast, and numbers of units are exact in it.
    edges, rows, columns = (one.astype(np.float32) for one in (stack.edges, stack.rows, stack.columns))
    new = np.zeros((cores, count, rows.shape[1]), np.float32)
    new[np.arange(cores)[:, None], np.arange(count), start] = 1.0
    sides = [
        (new == 0, edges.swapaxes(1, 2), rows),
        (np.ones((cores, count, columns.shape[1]), np.bool_), edges, columns),
    ]
    pairs = stack.rows.sum(axis=1) + stack.columns.sum(axis=1) - 1
    missing = count * pairs.sum()
    founds: list[Array] = []
    for step in range(1, sum(edges.shape[1:]) + 1):
        unseen, side, units = sides[step % 2]
        fresh = new @ side > 0
        fresh &= unseen
        unseen ^= fresh
        new = fresh.astype(np.float32)
        found = (new @ units[:, :, None])[:, :, 0].astype(np.float64)
        if step == 2:  # distance to an equal unit that was merged with it
            found += np.maximum(weight - 1, 0.0)
        founds.append(found)
        arrived = found.sum()
        missing -= arrived
        if missing <= 0 or (step > 2 and not arrived):
            break
    by_step, number = np.array(founds), np.arange(1, len(founds) + 1)[:, None, None]
    steps, reached, last = (number * by_step).sum(axis=0), by_step.sum(axis=0), (number * (by_step > 0)).max(axis=0)
    total = weight.sum(axis=1)
    return (
        (weight * steps).sum(axis=1) / np.maximum((weight * reached).sum(axis=1), 1.0),
        (weight * last).sum(axis=1) / total,
        (weight * reached).sum(axis=1) / (total * np.maximum(pairs, 1.0)),
    )


def _starts(stack: Stack) -> tuple[NDArray[np.int64], Array]:
    """Evenly spaced units of every core ``(cores, rows)``, and the number of units that each stands for; 0 for padding."""
    alive = np.argsort(stack.rows == 0, axis=1, kind="stable")
    counts = np.count_nonzero(stack.rows, axis=1)
    strides = -(-counts // ROWS)
    start = np.arange(int((-(-counts // strides)).max())) * strides[:, None]
    inside = start < counts[:, None]
    start = np.take_along_axis(alive, np.where(inside, start, 0), axis=1)
    return start, np.where(inside, np.take_along_axis(stack.rows, start, axis=1), 0.0)


def _clustering(stack: Stack, fans: tuple[Array, Array], pairs: SharedInputs) -> tuple[Array, Array]:
    """Share of three-edge paths that close: 4 · four-cycles / three-edge paths; and log(share / density)."""
    rows, columns = stack.rows, stack.columns
    fan_in, fan_out = fans
    # Ordered pairs of outputs and of inputs: four of each cycle.
    cycles = pairs.squares - pairs.total - (pairs.own_squares - pairs.own)
    paths = _form(rows * (fan_in - 1), stack.edges, columns * (fan_out - 1))
    density = pairs.own / (rows.sum(axis=1) * columns.sum(axis=1))
    share = np.where(paths > 0, cycles / np.where(paths > 0, paths, 1.0), 0.0)
    return share, np.log((share + 1e-3) / (density + 1e-3))


def _walk(stack: Stack, fans: tuple[Array, Array]) -> tuple[Array, Array]:
    """Log expected returns of the random walk between the sides; 0 for a full mask, where the walk forgets its start at once."""
    fan_in, fan_out = fans
    walk = np.sqrt(stack.rows / fan_in)[:, :, None] * stack.edges * np.sqrt(stack.columns / fan_out)[:, None]
    turned = walk.swapaxes(1, 2)
    gram = walk @ turned if walk.shape[1] <= walk.shape[2] else turned @ walk  # traces of either are the same
    return np.log(np.trace(gram, axis1=1, axis2=2)), np.log((gram * gram).sum(axis=(1, 2)))


def _overlap(stack: Stack, pairs: SharedInputs) -> tuple[Array, Array]:
    """Effective rank, and variation of the number of inputs that two units share: both follow from the squared numbers."""
    count = stack.rows.sum(axis=1)
    rank = pairs.own**2 / (pairs.squares * np.minimum(count, stack.columns.sum(axis=1)))
    mean = pairs.total / count**2
    return rank, np.sqrt(np.maximum(pairs.squares / count**2 - mean * mean, 0.0)) / mean


def _squares(stack: Stack) -> Array:
    """Sum of the squared numbers of inputs that two output units share; computed on the shorter side, which gives the same."""
    edges, weights, others = stack.edges, stack.rows, stack.columns
    if edges.shape[1] > edges.shape[2]:
        edges, weights, others = edges.swapaxes(1, 2), others, weights
    shared = (edges * others[:, None]) @ edges.swapaxes(1, 2)
    return _form(weights, shared * shared, weights)


def _form(first: Array, matrix: Array, second: Array) -> Array:
    """``first · matrix · second`` of every core."""
    return np.asarray((first[:, None] @ matrix @ second[:, :, None])[:, 0, 0])
