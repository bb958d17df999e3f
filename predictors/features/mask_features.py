"""Topology of one mask: degrees, dead rows and columns, block and N:M regularity, overlap, leading singular values.

A mask is read as the bipartite graph of a layer: units above, inputs below, one edge per non-zero (kernel positions are
parallel edges). σ₂ is divided by √(d_in − 1) + √(d_out − 1), the bound that a Ramanujan graph meets
(Hoang et al. 2023, "Revisiting pruning at initialization through the lens of Ramanujan graph"). Features that need the graph
of the units are in `predictors.features.mask_topology`.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from predictors.features.mask_topology import MERGED, TOPOLOGY_FEATURES, full_topology, merge_twins, topology_features
from predictors.paths.connections import connections, connections_of_fours, fours

Array: TypeAlias = NDArray[np.float64]

_DEGREES = ("mean", "cv", "min", "max", "dead", "gini")
_SHAPE_FEATURES: tuple[str, ...] = (
    "two_of_four",  # share of groups of four inputs with at most two non-zeros, minus the share in a random mask of this density
    "one_of_four",
    "blocks",  # log(1 + variance of the density of 4×4 blocks / its value in a random mask)
    "overlap",  # mean cosine between the rows of two units
    "neighbours",  # mean cosine between the rows of a unit and the next unit
    "locality",  # mean distance of non-zeros from the diagonal, both axes scaled to [0, 1]
    "sigma1",  # σ₁ / √(mean fan-in · mean fan-out): 1 for a biregular mask
    "sigma2",
    "ramanujan",  # σ₂ / (√(mean fan-in − 1) + √(mean fan-out − 1))
    "stable_rank",  # ‖A‖² / σ₁², divided by the smaller side
    "spectral_radius",  # spectral radius of a recurrent mask, divided by its mean fan-in; else 0
)
MASK_FEATURES: tuple[str, ...] = (
    "density",
    *(f"fan_in_{name}" for name in _DEGREES),
    *(f"fan_out_{name}" for name in _DEGREES),
    *_SHAPE_FEATURES,
    *TOPOLOGY_FEATURES,
)
_SHAPES = slice(1 + 2 * len(_DEGREES), len(MASK_FEATURES) - len(TOPOLOGY_FEATURES) - 1)
_RADIUS = _SHAPES.stop
_TOPOLOGY = slice(_RADIUS + 1, len(MASK_FEATURES))
_NOTHING = 1e-13  # relative size below which a value is only rounding error
_EXACT = 64  # largest side of a Gram matrix whose eigenvalues are all computed
_ROWS = 256  # maximal number of rows compared with one another, evenly spaced
_POWER = 16
_LARGEST = 1 << 22  # entries of a mask above which only evenly spaced rows are read


def mask_features(masks: Sequence[NDArray[np.bool_]], recurrent: Sequence[int] | None = None) -> Array:
    """Features of several masks at once.

    Args:
        masks: canonical masks, each bool ``(out, in, *kernel)`` with at least one entry.
        recurrent: number of directions stacked along ``out`` for each hidden-to-hidden mask, 0 for the others.

    Returns:
        float64 ``(masks, len(MASK_FEATURES))``, finite; ``fan_…_mean``, ``min`` and ``max`` are logarithms ``log(1 + x)``.
    """
    table = np.zeros((len(masks), len(MASK_FEATURES)))
    edges = [edge_counts(mask) for mask in masks]
    fans: list[Array] = [np.zeros(0)] * (2 * len(masks))
    for rows in _batches(edges):
        padded = _padded([edges[row] for row in rows])
        for row, fan_in, fan_out in zip(rows, padded.sum(axis=2), padded.sum(axis=1), strict=True):
            count, width = edges[row].shape
            fans[2 * row : 2 * row + 2] = fan_in[:count], fan_out[:width]
        kernels = np.array([masks[row].size / (masks[row].shape[0] * masks[row].shape[1]) for row in rows])
        table[rows, _SHAPES] = mask_shapes([edges[row] for row in rows], padded, kernels)
    for row, mask in enumerate(masks):
        if len(edges[row]) < len(mask):
            fans[2 * row : 2 * row + 2] = _exact_fan(mask, 0), _exact_fan(mask, 1)
    table[:, 1:13] = degree_statistics(fans).reshape(len(masks), 12)
    table[:, 0] = [fan_in.sum() / mask.size for fan_in, mask in zip(fans[::2], masks, strict=True)]
    for row, mask in enumerate(masks):
        if mask.ndim > 2:
            table[row, 13:15] = _groups_of_four(mask)
        if recurrent and recurrent[row]:
            table[row, _RADIUS] = _spectral_radius(edges[row], recurrent[row])
    table[:, _TOPOLOGY] = topology_features(edges)
    return table


def _batches(edges: Sequence[Array]) -> list[list[int]]:
    """Groups of masks of similar size: each group is padded to the size of its largest mask."""
    found: dict[int, list[int]] = {}
    for row, counts in enumerate(edges):
        found.setdefault(max(max(counts.shape) - 1, 63).bit_length(), []).append(row)
    return list(found.values())


@lru_cache(maxsize=1024)
def full_mask_features(shape: tuple[int, ...], recurrent: int = 0) -> Array:
    """`mask_features` of a mask of that shape without a zero, float64 ``(len(MASK_FEATURES),)``, in constant time."""
    out, inner, kernel = shape[0], shape[1], int(np.prod(shape[2:], dtype=np.int64))
    row = np.zeros(len(MASK_FEATURES))
    row[0] = 1.0
    row[[1, 3, 4]] = np.log1p(inner * kernel)
    row[[7, 9, 10]] = np.log1p(out * kernel)
    row[_SHAPES.start : _RADIUS + 1] = _full_shape(out, inner, recurrent)
    row[_TOPOLOGY] = full_topology(out, inner)
    row.flags.writeable = False  # it is shared
    return row


def edge_counts(mask: NDArray[np.bool_]) -> Array:
    """Non-zeros between every unit and every input, float64 ``(out, in)``; only evenly spaced rows if the mask is huge."""
    if mask.size > _LARGEST:
        mask = mask[:: -(-mask.size // _LARGEST)]
    return connections(mask)


def _exact_fan(mask: NDArray[np.bool_], axis: int) -> Array:
    others = tuple(other for other in range(mask.ndim) if other != axis)
    found: Array = np.count_nonzero(mask, axis=others).astype(np.float64)
    return found


def degree_statistics(degrees: Sequence[Array]) -> Array:
    """Log mean, coefficient of variation, log min, log max, share of zeros and Gini coefficient of each list of degrees.

    Returns:
        float64 ``(lists, 6)``.
    """
    sizes = np.array([len(values) for values in degrees])
    owner = np.repeat(np.arange(len(sizes)), sizes)
    flat = np.concatenate(degrees)
    flat = flat[np.lexsort((flat, owner))]
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    sums = np.add.reduceat(flat, starts)
    mean = sums / sizes
    variance = np.add.reduceat(flat * flat, starts) / sizes - mean * mean
    rank = np.arange(len(flat)) - starts[owner] + 1.0
    safe = np.where(sums > 0, sums, 1.0)
    gini = np.where(sums > 0, 2 * np.add.reduceat(flat * rank, starts) / (sizes * safe) - (sizes + 1) / sizes, 0.0)
    cv = np.where(sums > 0, np.sqrt(np.maximum(variance, 0.0)) * sizes / safe, 0.0)
    dead = np.add.reduceat(flat == 0, starts) / sizes
    low, high = flat[starts], flat[starts + sizes - 1]
    return np.stack([np.log1p(mean), cv, np.log1p(low), np.log1p(high), dead, gini], axis=1)


def leading_singular_values(edges: Array) -> tuple[Array, Array]:
    """σ₁ and σ₂, each ``(matrices,)``, of matrices ``(matrices, rows, columns)`` without negative entries.

    Exact for small matrices; for large ones by power iteration, which may give a σ₂ that is a few percent too low.
    """
    flipped = edges.swapaxes(1, 2)
    gram = np.matmul(edges, flipped) if edges.shape[1] <= edges.shape[2] else np.matmul(flipped, edges)
    size = gram.shape[-1]
    if size > _EXACT:
        return _power_iteration(gram)
    values = np.sqrt(np.maximum(np.linalg.eigvalsh(gram), 0.0))
    return values[:, -1], values[:, -2] if size > 1 else np.zeros(len(values))


def _power_iteration(gram: Array) -> tuple[Array, Array]:
    """Roots of the two largest eigenvalues of symmetric matrices ``(matrices, n, n)``."""
    largest = gram.max(axis=(1, 2))
    scaled = gram / np.where(largest > 0, largest, 1.0)[:, None, None]
    # The start vectors do not depend on the size, so that padding changes nothing.
    first = _orthonormal(_powers(scaled, np.ones((len(gram), gram.shape[-1], 1))))
    value = np.matmul(first.swapaxes(1, 2), np.matmul(scaled, first))
    # Remove the part of the first eigenvector.
    rest = scaled - value * np.matmul(first, first.swapaxes(1, 2))
    start = _start(1 << (gram.shape[-1] - 1).bit_length())[: gram.shape[-1]]
    block = _orthonormal(_powers(rest, np.broadcast_to(start, (len(gram), *start.shape))))
    second = np.linalg.eigvalsh(np.matmul(block.swapaxes(1, 2), np.matmul(rest, block)))[:, -1]
    # For a matrix of rank one only rounding errors remain.
    second = np.where(second > _NOTHING * value[:, 0, 0], second, 0.0)
    return np.sqrt(np.maximum(value[:, 0, 0], 0.0) * largest), np.sqrt(second * largest)


def _powers(matrix: Array, block: Array) -> Array:
    """A power of symmetric matrices times columns ``(matrices, n, columns)``, scaled."""
    for step in range(_POWER):
        block = np.matmul(matrix, block)
        if step % 4 == 3:
            size = np.abs(block).max(axis=(1, 2), keepdims=True)
            block = block / np.where(size > 0, size, 1.0)
    return block


def _orthonormal(block: Array) -> Array:
    """Columns made orthonormal one after the other; columns that nearly vanish become zero."""
    columns: list[Array] = []
    for index in range(block.shape[2]):
        column = block[:, :, index]
        before = np.einsum("ln,ln->l", column, column)
        for other in columns:
            column = column - np.einsum("ln,ln->l", other, column)[:, None] * other
        left = np.einsum("ln,ln->l", column, column)
        some = left > _NOTHING * before
        columns.append(column * (some / np.sqrt(np.where(some, left, 1.0)))[:, None])
    return np.stack(columns, axis=2)


@lru_cache(maxsize=32)
def _start(size: int) -> Array:
    """Fixed start vectors ``(size, 2)``; the start vectors of a smaller size are their first entries."""
    return np.random.default_rng(0).random((size, 2)) - 0.5


def mask_shapes(edges: Sequence[Array], padded: Array, kernels: NDArray[np.float64]) -> Array:
    """`_SHAPE_FEATURES` except the spectral radius, float64 ``(masks, …)``; `padded`: the edges padded to one size."""
    rows, columns = np.array([counts.shape for counts in edges], dtype=np.float64).T
    squares = np.einsum("lij,lij->li", padded, padded)
    total = padded.sum(axis=(1, 2))
    safe = np.where(total > 0, total, 1.0)
    sigma1, sigma2 = leading_singular_values(padded if padded[0].size <= MERGED**2 else _cores(edges))
    mean_in, mean_out = total / rows, total / columns
    bound = np.sqrt(np.maximum(mean_in - 1, 0.0)) + np.sqrt(np.maximum(mean_out - 1, 0.0))
    scale = np.sqrt(safe / rows * safe / columns)
    energy = np.where(sigma1 > 0, sigma1 * sigma1, 1.0) * np.minimum(rows, columns)
    features = [
        *_regularity(padded, edges, total / (rows * columns * kernels), kernels),
        *_overlaps(padded, squares),
        _locality(padded, [counts.shape for counts in edges]) / safe,
        sigma1 / scale,
        sigma2 / scale,
        sigma2 / np.where(bound > 0, bound, 1.0),
        squares.sum(axis=1) / energy,
    ]
    found: Array = np.stack(features, axis=1) * (total > 0)[:, None]
    return found


def _padded(edges: Sequence[Array]) -> Array:
    """All matrices in one array, padded with zeros to sizes that are multiples of four."""
    rows = max(counts.shape[0] for counts in edges)
    columns = max(counts.shape[1] for counts in edges)
    padded = np.zeros((len(edges), rows + -rows % 4, columns + -columns % 4))
    for place, counts in zip(padded, edges, strict=True):
        place[: counts.shape[0], : counts.shape[1]] = counts
    return padded


def _cores(edges: Sequence[Array]) -> Array:
    """Large masks with equal rows and columns merged, scaled so that their singular values do not change; padded to one size."""
    merged = [merge_twins(counts) for counts in edges]
    return _padded([np.sqrt(rows)[:, None] * core * np.sqrt(columns) for core, rows, columns in merged])


def _regularity(padded: Array, edges: Sequence[Array], density: Array, kernels: Array) -> list[Array]:
    """N:M shares minus their value by chance, and variance of 4×4 blocks relative to chance; incomplete groups of four are not read."""
    whole = np.array([(counts.shape[0] // 4, counts.shape[1] // 4) for counts in edges])
    quads = fours(padded)
    for place, (_, quad_columns) in zip(quads, whole, strict=True):
        place[:, quad_columns:] = 0.0
    heights = np.array([len(counts) for counts in edges])
    groups = heights * whole[:, 1]
    # Padding counts as groups without a connection, so subtract it.
    spare = quads.shape[1] * quads.shape[2] - groups
    shares = [((quads <= most).sum(axis=(1, 2)) - spare) / np.maximum(groups, 1) for most in (2, 1)]
    expected = _chance(density)
    for place, (block_rows, _) in zip(quads, whole, strict=True):
        place[4 * block_rows :] = 0.0
    blocks = quads.reshape(len(quads), -1, 4, quads.shape[2]).sum(axis=2)
    count = whole[:, 0] * whole[:, 1]
    mean = blocks.sum(axis=(1, 2)) / np.maximum(count, 1)
    variance = np.maximum((blocks * blocks).sum(axis=(1, 2)) / np.maximum(count, 1) - mean * mean, 0.0)
    chance = mean * (1 - mean / (16 * kernels))
    spread = np.where((count > 1) & (chance > 1e-9), np.log1p(variance / np.maximum(chance, 1e-9)), 0.0)
    return [*((share - chance_) * (groups > 0) for share, chance_ in zip(shares, expected, strict=True)), spread]


def _chance(density: Array) -> tuple[Array, Array]:
    """Shares of groups of four with at most two and at most one non-zero, for independent draws."""
    q = 1.0 - density
    one = q**4 + 4 * density * q**3
    return one + 6 * density * density * q * q, one


def _overlaps(padded: Array, squares: Array) -> tuple[Array, Array]:
    """Mean cosine between two rows, over all pairs and over neighbours; only evenly spaced rows are used if there are many."""
    step = -(-padded.shape[1] // _ROWS)
    rows, norms = padded[:, ::step], np.sqrt(squares[:, ::step])
    count = np.count_nonzero(norms, axis=1)
    unit = rows / np.where(norms > 0, norms, 1.0)[:, :, None]
    centre = unit.sum(axis=1)
    pairs = (np.einsum("li,li->l", centre, centre) - count) / np.maximum(count * (count - 1), 1)
    neighbours = np.einsum("lij,lij->l", unit[:, :-1], unit[:, 1:]) / np.maximum(count - 1, 1)
    return pairs, neighbours


def _locality(padded: Array, shapes: Sequence[tuple[int, ...]]) -> Array:
    """Sum over the non-zeros of their distance from the diagonal, both axes scaled to [0, 1]."""
    flat, found = padded.reshape(len(padded), -1), np.empty(len(padded))
    places: dict[tuple[int, ...], list[int]] = {}
    for place, shape in enumerate(shapes):
        places.setdefault(shape, []).append(place)
    for (rows, columns), equal in places.items():
        down, across = (
            np.arange(length) / max(size - 1, 1) for length, size in zip(padded.shape[1:], (rows, columns), strict=True)
        )
        found[equal] = flat[equal] @ np.abs(down[:, None] - across).ravel()
    return found


def _groups_of_four(mask: NDArray[np.bool_]) -> tuple[float, float]:
    """The N:M shares, minus their value by chance, of a mask with a kernel: groups are four inputs at one kernel position."""
    if mask.shape[1] < 4:
        return 0.0, 0.0
    rows = mask[:: -(-mask.size // _LARGEST)] if mask.size > _LARGEST else mask
    counts = connections_of_fours(rows)
    at_most_two, at_most_one = (np.count_nonzero(counts <= most) / counts.size for most in (2, 1))
    two, one = _chance(np.array(np.count_nonzero(rows) / rows.size))
    return float(at_most_two - two), float(at_most_one - one)


def _full_shape(out: int, inner: int, recurrent: int) -> list[float]:
    """`_SHAPE_FEATURES` of a mask without a zero; the kernel cancels out."""
    overlap = 1.0 if out > 1 else 0.0
    locality = _mean_distance(min(out, 256), min(inner, 256))
    return [0.0, 0.0, 0.0, overlap, overlap, locality, 1.0, 0.0, 0.0, 1.0 / min(out, inner), 1.0 if recurrent else 0.0]


@lru_cache(maxsize=1024)
def _mean_distance(out: int, inner: int) -> float:
    """Mean distance from the diagonal over all places, by sums of the places before and after each row."""
    down, across = (np.arange(size) / max(size - 1, 1) for size in (out, inner))
    before = np.searchsorted(across, down)
    sums = np.concatenate([[0.0], np.cumsum(across)])
    distance = down * (2 * before - inner) + sums[-1] - 2 * sums[before]
    return float(distance.sum()) / (out * inner)


def _spectral_radius(edges: Array, directions: int, steps: int = 15) -> float:
    """Largest eigenvalue of the hidden-to-hidden connections with all gates summed, over their mean degree.

    Computed from powers of the matrix; the growth is measured over the last half of the steps, so that cycles average out. Mean
    over directions.
    """
    hidden = edges.shape[1]
    if edges.shape[0] % (hidden * directions):
        return 0.0
    matrices = edges.reshape(directions, -1, hidden, hidden).sum(axis=1)
    sizes = np.ones((directions, 1))
    vector = np.full((directions, hidden, 1), 1.0 / hidden)
    for _ in range(2):
        # Fifteen steps may lengthen the vector by 1e60, which a float still holds.
        vectors = [vector := matrices @ vector for _ in range(steps)]
        sizes = np.array(vectors).sum(axis=(2, 3))
        if not sizes[-1].any():
            return 0.0
        vector = vector / np.where(sizes[-1] > 0, sizes[-1], 1.0)[:, None, None]
    grown = np.count_nonzero(sizes, axis=0)  # steps until nothing is left
    last = np.where(grown > 0, sizes[np.maximum(grown - 1, 0), np.arange(directions)], 1.0)
    radius = np.exp((np.log(last) - 50.0 * (steps - grown)) / steps)
    return float(radius.sum() * hidden / edges.sum())
