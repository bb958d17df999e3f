"""Path features of a layer: live units, numbers of paths before and after it, and the sources that its units reach back to.

``reach`` of a unit is the share of sources that some path connects to it. ``participation`` is the effective share if
sources are weighted by their paths: (Σp)² / Σp², divided by the number of sources.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from predictors.paths.flow import Flow
from predictors.paths.weight_flow import Array, Record
from predictors.reading.canonical_graph import Operator

FLOW_FEATURES: tuple[str, ...] = (
    "log_live",  # units on a path from an input to an output
    "live_share",
    "log_paths_in",  # mean over live units
    "log_paths_out",
    "log_paths_through",  # sum over units
    "cv_in",
    "cv_out",
    "cv_through",
    "reach_mean",  # over live units
    "reach_min",
    "participation",
)


def flow_features(layers: Sequence[Operator], flow: Flow) -> NDArray[np.float64]:
    """Features of operators with weights, float64 ``(networks, layers, len(FLOW_FEATURES))``; 0 for operators without a path."""
    networks = flow.networks
    table = np.zeros((len(layers), networks, len(FLOW_FEATURES)))
    known = [row for row, operator in enumerate(layers) if _has_units(flow.records.get(id(operator)))]
    if not known:
        return table.swapaxes(0, 1)
    keys = [id(layers[row]) for row in known]
    records = [flow.records[key] for key in keys]
    sizes = np.repeat([record.backward.shape[1] for record in records], networks)
    paths = np.concatenate([record.forward.reshape(-1, record.forward.shape[2]) for record in records])
    before, behind = paths.sum(axis=1), np.concatenate([record.backward.ravel() for record in records])
    live = np.concatenate([record.live.ravel() for record in records])
    counts = np.add.reduceat(live, np.concatenate(([0], np.cumsum(sizes)[:-1])), dtype=np.int64)
    some = counts > 0
    if not some.any():
        return table.swapaxes(0, 1)
    kept = counts[some]
    starts = np.concatenate(([0], np.cumsum(kept)[:-1]))
    before, behind = before[live], behind[live]
    moments = _moments(np.stack([before, behind, before * behind]), starts, kept)
    scales = np.array([(flow.forward_log.get(key, 0.0), flow.backward_log.get(key, 0.0)) for key in keys])
    logs = np.repeat(scales, networks, axis=0)[some].T
    reached, participation = reach(paths[live], flow.sources)
    rows = np.repeat(known, networks)[some], np.tile(np.arange(networks), len(known))[some]
    table[rows] = np.stack(
        [
            np.log1p(kept),
            kept / sizes[some],
            _bounded(np.log(moments[0, 0]) + logs[0]),
            _bounded(np.log(moments[0, 1]) + logs[1]),
            _bounded(np.log(moments[0, 2] * kept) + logs[0] + logs[1]),
            *moments[1],
            np.add.reduceat(reached, starts) / kept,
            np.minimum.reduceat(reached, starts),
            np.add.reduceat(participation, starts) / kept,
        ],
        axis=1,
    )
    return table.swapaxes(0, 1)


def _has_units(record: Record | None) -> bool:
    return record is not None and record.backward.shape[1] > 0


def _moments(values: Array, starts: NDArray[np.int64], counts: NDArray[np.int64]) -> Array:
    """Mean and coefficient of variation of positive numbers ``(lists, all)`` by segment, ``(2, lists, segments)``."""
    mean = np.add.reduceat(values, starts, axis=1) / counts
    scaled = values / np.repeat(mean, counts, axis=1) - 1.0
    return np.stack([mean, np.sqrt(np.add.reduceat(scaled * scaled, starts, axis=1) / counts)])


def reach(paths: Array, sources: int) -> tuple[Array, Array]:
    """Reach and participation of units with paths ``(units, columns)``, each ``(units,)``."""
    told = paths[:, :sources]
    count = max(told.shape[1], 1)
    reached = np.count_nonzero(told, axis=1) / count
    # Scaled by each unit's largest entry: squares of small numbers would vanish.
    largest = told.max(axis=1, initial=0.0)
    scaled = told / np.where(largest > 0, largest, 1.0)[:, None]
    squares = np.einsum("ij,ij->i", scaled, scaled)
    sums = scaled.sum(axis=1)
    return reached, sums * sums / np.where(squares > 0, squares, 1.0) / count


def _bounded(logarithms: Array) -> Array:
    """Logarithms of very large numbers, limited to a range from which models can learn."""
    return np.clip(logarithms, -1e4, 1e4)
