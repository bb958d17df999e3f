"""How the units of one mask lie to one another: distances, clustering, return of random walks, effective rank.

A mask is read as the bipartite graph of its layer. Units of a large mask that it treats alike are merged first and weighted by
their number, so that the figures of a mask grown from a small graph are those of the whole. Up to 48 output units nothing depends on
their order; beyond, distances are measured from evenly spaced ones, and of a core above 256 × 256 evenly spaced units stand for all.

Of a relational graph grown into a mask (You et al. 2020, arXiv:2007.06559; every node joined to itself) the mean distance from
unit to unit is the graph's average path length plus one half, and the clustering grows with the graph's: the two that tell its
accuracy.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

TOPOLOGY_FEATURES: tuple[str, ...] = (
    "distance",  # mean steps between two units, of either side, that are linked at all
    "eccentricity",  # mean over output units of the farthest that they reach
    "linked",  # share of pairs of units with a path between them
    "clustering",  # share of three-edge paths that close to a four-cycle (Robins and Alexander 2004)
    "clustering_excess",  # log of the same over density
    "walk_return",  # log of the expected returns of a random walk after two steps: Σ σ² of the degree-normalised mask
    "walk_return4",  # after four: Σ σ⁴
    "effective_rank",  # (Σ σ²)² / Σ σ⁴ of the mask over the smaller side
    "overlap_cv",  # coefficient of variation of the inputs that two units share
)
MERGED = 256  # sides beyond which twins are merged; and if still longer, evenly spaced units stand for all
ROWS = 48  # output units, evenly spaced, from which distances are measured


@dataclass(frozen=True, eq=False)
class Core:
    """A mask without dead units.

    Attributes:
        edges: 0 or 1, float64 ``(out, in)``.
        rows, columns: how many units each row, each column stands for.
    """

    edges: Array
    rows: Array
    columns: Array


def topology_features(edges: Array) -> Array:
    """`TOPOLOGY_FEATURES` of numbers of parallel edges ``(out, in)``; float64, finite, zeros where there is no edge."""
    core = _core(edges)
    if not core.edges.size:
        return np.zeros(len(TOPOLOGY_FEATURES))
    shared = (core.edges * core.columns) @ core.edges.T
    found = (
        *_distances(core),
        *_clustering(core, shared),
        *_walk(core),
        _effective_rank(core),
        _overlap_cv(core, shared),
    )
    return np.array(found)


def full_topology(out: int, inner: int) -> Array:
    """The same of a mask without a zero, in constant time."""
    distance = (inner + 2.0 * (out - 1)) / (inner + out - 1)
    closed = 1.0 if min(out, inner) > 1 else 0.0
    excess = 0.0 if closed else float(np.log(1e-3 / 1.001))
    far = 2.0 if out > 1 else 1.0
    return np.array([distance, far, 1.0, closed, excess, 0.0, 0.0, 1.0 / min(out, inner), 0.0])


def _core(edges: Array) -> Core:
    some = edges > 0
    rows, columns = np.ones(len(some)), np.ones(some.shape[1])
    if max(some.shape) > MERGED:
        some, rows, columns = merge_twins(some)
        down, across = (slice(None, None, -(-size // MERGED)) for size in some.shape)
        some, rows, columns = some[down, across], rows[down], columns[across]
    alive, read = some.any(axis=1), some.any(axis=0)
    if not (alive.all() and read.all()):
        some, rows, columns = some[np.ix_(alive, read)], rows[alive], columns[read]
    return Core(some.astype(np.float64), rows, columns)


def merge_twins(edges: NDArray[Any]) -> tuple[NDArray[Any], Array, Array]:
    """A mask without repeated rows and columns, and how many rows, how many columns each one stands for."""
    first, rows = _distinct(edges)
    second, columns = _distinct(edges[first].T)
    return edges[np.ix_(first, second)], rows, columns


def _distinct(rows: NDArray[Any]) -> tuple[NDArray[np.int64], Array]:
    """First place and number of every distinct row, by place."""
    packed = np.ascontiguousarray(np.packbits(rows, axis=1) if rows.dtype == np.bool_ else rows)
    # Bytes, not sums of random numbers: a product may round two equal rows differently.
    keys = packed.view(np.dtype((np.void, packed.itemsize * packed.shape[1]))).ravel()
    _, first, counts = np.unique(keys, return_index=True, return_counts=True)
    order = np.argsort(first)
    return first[order], counts[order].astype(np.float64)


def _distances(core: Core) -> tuple[float, float, float]:
    """Mean and farthest steps from an output unit to units of both sides, and the share of pairs that are linked."""
    count, inner = core.edges.shape
    start = np.arange(0, count, -(-count // ROWS))
    weight = core.rows[start]
    near, far = np.zeros((len(start), count), np.bool_), np.zeros((len(start), inner), np.bool_)
    near[np.arange(len(start)), start] = True
    steps, reached, last = np.zeros((3, len(start)))
    edges = core.edges.astype(np.float32)
    new = near
    for step in range(1, count + inner + 1):
        seen, side, units = (far, edges, core.columns) if step % 2 else (near, edges.T, core.rows)
        new = (new.astype(np.float32) @ side > 0) & ~seen
        found = new @ units
        if step == 2:  # another unit of its own kind, which merging hid
            found = found + weight - 1
        steps, reached = steps + step * found, reached + found
        last = np.where(found > 0, step, last)
        seen |= new
        if step > 2 and not new.any():
            break
    pairs = core.rows.sum() + core.columns.sum() - 1
    return (
        float(weight @ steps / np.maximum(weight @ reached, 1.0)),
        float(weight @ last / weight.sum()),
        float(weight @ reached / (weight.sum() * np.maximum(pairs, 1.0))),
    )


def _clustering(core: Core, shared: Array) -> tuple[float, float]:
    """Four times the four-cycles over the paths of three edges, and its log over the density."""
    rows, columns = core.rows, core.columns
    fan_in, fan_out = core.edges @ columns, rows @ core.edges
    twice = shared * (shared - 1)
    cycles = rows @ twice @ rows - rows @ np.diag(twice)  # ordered pairs of outputs and of inputs: four of each cycle
    paths = (rows * (fan_in - 1)) @ core.edges @ (columns * (fan_out - 1))
    density = float(rows @ fan_in / (rows.sum() * columns.sum()))
    share = float(cycles / paths) if paths > 0 else 0.0
    return share, float(np.log((share + 1e-3) / (density + 1e-3)))


def _walk(core: Core) -> tuple[float, float]:
    """Log returns of the random walk from side to side; 0 for a full mask, which forgets at once where it began."""
    fan_in, fan_out = core.edges @ core.columns, core.rows @ core.edges
    walk = np.sqrt(core.rows / fan_in)[:, None] * core.edges * np.sqrt(core.columns / fan_out)
    gram = walk @ walk.T if walk.shape[0] <= walk.shape[1] else walk.T @ walk
    return float(np.log(np.trace(gram))), float(np.log((gram * gram).sum()))


def _effective_rank(core: Core) -> float:
    scaled = np.sqrt(core.rows)[:, None] * core.edges * np.sqrt(core.columns)
    gram = scaled @ scaled.T if scaled.shape[0] <= scaled.shape[1] else scaled.T @ scaled
    side = min(core.rows.sum(), core.columns.sum())
    return float(np.trace(gram) ** 2 / ((gram * gram).sum() * side))


def _overlap_cv(core: Core, shared: Array) -> float:
    count = core.rows.sum()
    mean = float(core.rows @ shared @ core.rows) / count**2
    square = float(core.rows @ (shared * shared) @ core.rows) / count**2
    return float(np.sqrt(max(square - mean * mean, 0.0)) / mean)
