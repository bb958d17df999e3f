"""A cheap first look at many masks of one network: live connections, densities of the layers, and what the inputs in use tell.

It takes a tenth to a fiftieth of the time of the whole encoding. A search of tens of thousands of masks looks at all of them in this way,
and encodes the best tenth.
"""

from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnx_graph.internals import typed
from predictors.errors import PredictorError
from predictors.features.context import READING_FEATURES, readings
from predictors.features.encoder import network_stacks
from predictors.paths.flow import Flow, propagate
from predictors.paths.input_use import InputUse
from predictors.task_description import TaskDescription

if TYPE_CHECKING:
    import onnx

SCREEN_FEATURES: tuple[str, ...] = ("log_live", "live_share", "log_live_least", *READING_FEATURES)
"""Names of the first columns of a screen: live connections of all layers, their share of the kept ones, the layer with fewest; use of
the inputs. One column for the live density of every weight follows."""


@typed("screened", passes=(PredictorError,))
def screen(
    model: "str | PathLike[str] | ir.Model | onnx.ModelProto",
    masks: Mapping[str, NDArray[np.bool_]],
    task: TaskDescription | None = None,
) -> NDArray[np.float64]:
    """Few features of one network with many masks, float64 ``(networks, len(SCREEN_FEATURES) + weights)``.

    Args:
        model: the network.
        masks: masks of the weights that vary, as for `encode_masks`, which also names the errors.
        task: the task, whose relevance weighs the inputs; without it these columns are 0.
    """
    networks = len(next(iter(masks.values()), ()))
    found: NDArray[np.float64] = np.zeros((networks, 0))
    for numbers, graph in network_stacks(model, masks):
        flow = propagate(graph, distinct_sources=False)
        blocks = [block for operator in graph.operators for block in operator.blocks]
        zeros = [np.zeros(flow.networks, np.int64)] * 2
        alive = [
            count
            for operator in graph.operators
            if operator.blocks
            for count in (flow.records[id(operator)].effective if id(operator) in flow.records else zeros)[
                : len(operator.blocks)
            ]
        ]
        live, kept = np.stack(alive, axis=1), np.stack([block.counts for block in blocks], axis=1)
        sizes = np.array([np.prod(block.shape) for block in blocks])
        total = live.sum(axis=1)
        parts = [
            np.log1p(total)[:, None],
            (total / np.maximum(kept.sum(axis=1), 1))[:, None],
            np.log1p(live.min(axis=1))[:, None],
        ]
        table = np.concatenate([*parts, _use_of_inputs(flow, task), live / sizes], axis=1)
        if not found.shape[1]:
            found = np.zeros((networks, table.shape[1]))
        found[numbers] = table
    return found


def _use_of_inputs(flow: Flow, task: TaskDescription | None) -> NDArray[np.float64]:
    """`READING_FEATURES` of every network, ``(networks, len(READING_FEATURES))``."""
    uses = [use for use in InputUse.of(flow) if use is not None]
    if not uses:
        return np.zeros((flow.networks, len(READING_FEATURES)))
    relevance = None if task is None else uses[0].relevance(task.relevance)
    return readings(np.stack([use.edges for use in uses]), np.stack([use.paths for use in uses]), relevance)
