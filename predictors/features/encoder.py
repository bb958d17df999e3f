"""The encoder: computes the structure graph, which predictors read, from an ONNX graph.

The encoding is a function of the graph and of its non-zero patterns. It does not depend on the values of non-zeros, on names,
on the order of nodes or on how an exporter writes an operation; any change of an attribute or of a live connection changes it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import prod
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

import onnx_graph
from onnx_graph.internals import is_idle, typed
from onnx_graph.operators import operator_of
from predictors.errors import InvalidMasksError, ModelTypeError, PredictorError
from predictors.features.context import balance
from predictors.features.graph_features import GRAPH_FEATURES, graph_features
from predictors.features.node_features import NODE_FEATURES, NodeTable, node_table
from predictors.paths.flow import MOST_SOURCES, Flow, propagate
from predictors.paths.input_use import InputUse
from predictors.paths.live_weights import cut_dead_connections
from predictors.paths.unit_graph import unit_graph
from predictors.reading.canonical import canonical_graph
from predictors.reading.canonical_graph import Block, CanonicalGraph
from predictors.reading.node_order import canonical_order, is_chain
from predictors.structure_graph import StructureGraph

if TYPE_CHECKING:
    import onnx

__all__ = ["GRAPH_FEATURES", "NODE_FEATURES", "encode", "encode_masks"]

ENCODING = 4
"""Version of the encoding. Increase it with every change of the features, or of the networks that `search_spaces` builds: benchmarks
then encode again, and a predictor fitted on an encoding that is not in `READABLE` is refused."""
MOST_NETWORKS, MOST_ENTRIES = 256, 1 << 25
"""Largest number of networks, and of the numbers that they take together, that are encoded at once."""
READABLE = (2, 3, ENCODING)
"""Encodings whose predictors can be used: encoding 3 cuts dead connections and adds the context at the end; encoding 4 omits a scaling of
the inputs and a last softmax. The rest is that of 2."""


@typed("encoded", passes=(PredictorError,))
def encode(model: "str | PathLike[str] | ir.Model | onnx.ModelProto") -> StructureGraph:
    """The structure graph of a network; the model is not changed.

    An operator without a class of its own is hashed to one of a few classes and listed in `StructureGraph.unknown`.

    Raises:
        onnx_graph.InvalidModelError: a path that is not a readable ONNX model, an unsound model, or one that makes
            larger weights than can be read.
        ModelTypeError: neither a path nor a model.
    """
    model = in_memory(model)
    if _needs_folding(model):
        model = onnx_graph.simplify(_one_example(model))
    return _encoded(model)


@typed("encoded", passes=(PredictorError,))
def encode_masks(
    model: "str | PathLike[str] | ir.Model | onnx.ModelProto",
    masks: Mapping[str, NDArray[np.bool_]],
    *,
    units: bool = True,
) -> list[StructureGraph]:
    """Structure graphs of one network with many masks: what only the architecture decides is computed once.

    The graphs are those that `encode` gives for each network, but for the last digits of some sums. In networks of fifty or more layers
    whose densities differ greatly within one call, numbers of paths of the sparsest may be less exact.

    Args:
        model: the network.
        masks: masks of the weights that vary, by name of the initializer, each bool ``(networks, out, in, *kernel)`` in the orientation
            of `onnx_graph.masks`. The other weights keep their own masks.
        units: whether the graphs hold their units, as graph networks need them. Without them the other predictors say the same, and
            encoding takes a quarter to half less time.

    Raises:
        InvalidMasksError: a weight that the network does not have, or masks of another shape or of unequal number.
        onnx_graph.InvalidModelError, ModelTypeError: as for `encode`.
    """
    found: dict[int, StructureGraph] = {}
    for numbers, graph in network_stacks(model, masks):
        flow = propagate(graph)
        cut_dead_connections(graph, flow)
        found.update(zip(numbers.tolist(), _structures(graph, flow, with_units=units), strict=True))
    return [found[number] for number in range(len(found))]


def network_stacks(
    model: "str | PathLike[str] | ir.Model | onnx.ModelProto", masks: Mapping[str, NDArray[np.bool_]]
) -> Iterator[tuple[NDArray[np.int64], CanonicalGraph]]:
    """Numbers of networks and one graph that stands for all of them, until each network was in one; errors as for `encode_masks`.

    It is always the same graph: its masks change with the next step.
    """
    model = in_memory(model)
    if _needs_folding(model):
        model = onnx_graph.simplify(_one_example(model))
    networks = _number_of(masks, model)
    graph = canonical_graph(model)
    own = {id(block): (block, block.masks) for operator in graph.operators for block in operator.blocks}
    _require_one_use([block for block, _ in own.values()], masks)
    for numbers in _parts(masks, networks, _entries(graph)):
        for block, alone in own.values():
            _put(block, masks.get(_name(block)), alone, numbers)
        yield numbers, graph


def _require_one_use(blocks: Sequence[Block], masks: Mapping[str, NDArray[np.bool_]]) -> None:
    """Refuse masks of a weight that several operators use in different orientations."""
    names = [_name(block) for block in blocks]
    twice = [name for name in masks if names.count(name) > 1]
    if twice:
        raise InvalidMasksError(f"weight {twice[0]!r} is used in two orientations: encode its networks one by one")


def _entries(graph: CanonicalGraph) -> int:
    """About how many numbers one network takes while paths are followed."""
    blocks = [block for operator in graph.operators for block in operator.blocks]
    ends = [operator.outputs[0] for operator in graph.operators if operator.kind == "input"]
    inputs = sum(prod((graph.shapes[value] or (1,))[1:]) for value in ends)
    units = inputs + sum(block.shape[0] for block in blocks)
    return sum(prod(block.shape) for block in blocks) + units * min(inputs, MOST_SOURCES)


def _parts(masks: Mapping[str, NDArray[np.bool_]], networks: int, entries: int) -> Iterator[NDArray[np.int64]]:
    """Numbers of networks to encode at once: the same weights are free of zeros in all of them."""
    if not networks:
        return
    full = np.array([mask.reshape(networks, -1).all(axis=1) for mask in masks.values()])
    _, kind = np.unique(full, axis=1, return_inverse=True)
    at_once = max(min(MOST_NETWORKS, MOST_ENTRIES // max(entries, 1)), 1)
    for one in range(int(kind.max(initial=-1)) + 1):
        numbers = np.flatnonzero(kind.ravel() == one)
        yield from (numbers[start : start + at_once] for start in range(0, len(numbers), at_once))


def _number_of(masks: Mapping[str, NDArray[np.bool_]], model: ir.Model) -> int:
    """Number of networks; raises the errors of `encode_masks`."""
    shapes = {weight.name: weight.shape for weight in onnx_graph.weights(model)}
    for name, mask in masks.items():
        if name not in shapes:
            raise InvalidMasksError(f"the network has no weight {name!r}; it has {', '.join(shapes)}")
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape[1:] != shapes[name]:
            found = f"{mask.dtype} {mask.shape}" if isinstance(mask, np.ndarray) else type(mask).__name__
            raise InvalidMasksError(
                f"masks of {name!r} must be a bool array (networks, {', '.join(map(str, shapes[name]))}), got {found}"
            )
    if not masks:
        raise InvalidMasksError("give the masks of at least one weight")
    numbers = {len(mask) for mask in masks.values()}
    if len(numbers) != 1:
        raise InvalidMasksError(f"every weight needs as many masks as the others, got {sorted(numbers)}")
    return numbers.pop()


def _name(block: Block) -> str:
    return block.owner.name or "" if isinstance(block.owner, ir.Value) else ""


def _put(
    block: Block, masks: NDArray[np.bool_] | None, alone: NDArray[np.bool_] | None, part: NDArray[np.int64]
) -> None:
    """Give a block some of its masks, or its own mask once for each network."""
    networks = len(part)
    if masks is None:
        chosen = None if alone is None else np.repeat(alone, networks, axis=0)
    else:
        chosen = masks[part].reshape(networks, *block.shape)
    if chosen is None or chosen.all():
        block.masks, block.counts = None, np.full(networks, prod(block.shape))
    else:
        block.masks, block.counts = chosen, np.count_nonzero(chosen.reshape(networks, -1), axis=1)


def in_memory(model: object) -> ir.Model:
    """The model at a path, the model of an `onnx.ModelProto`, or the given model; `ModelTypeError` for anything else."""
    if isinstance(model, ir.Model):
        return model
    if isinstance(model, str | PathLike):
        return onnx_graph.load(model)
    import onnx

    if isinstance(model, onnx.ModelProto):
        return onnx_graph.from_proto(model)
    raise ModelTypeError(
        f"a network must be the path of an ONNX file, an onnx_ir.Model, an onnx.ModelProto or a StructureGraph, "
        f"got {type(model).__name__}"
    )


def _encoded(model: ir.Model) -> StructureGraph:
    graph = canonical_graph(model)
    flow = propagate(graph)
    cut_dead_connections(graph, flow)
    (found,) = _structures(graph, flow, with_units=True)
    return found


def _structures(graph: CanonicalGraph, flow: Flow, *, with_units: bool) -> list[StructureGraph]:
    """The structure graph of every network that the graph stands for."""
    balances, uses = balance(graph, flow), InputUse.of(flow)
    inputs, outputs = _shapes(graph, "input"), _shapes(graph, "output")
    found: dict[int, StructureGraph] = {}
    for table in _ordered(node_table(graph, flow)):
        summaries = graph_features(table, flow.summary_of(table.numbers), inputs, outputs).astype(np.float32)
        features = table.features.astype(np.float32)
        rows = {id(operator): row for row, operator in enumerate(table.operators)}
        for place, number in enumerate(table.numbers.tolist()):
            found[number] = StructureGraph(
                operators=table.kinds,
                features=features[place],
                edges=table.edges,
                summary=summaries[place],
                unknown=graph.unknown,
                units=unit_graph(graph, rows, number) if with_units else None,
                balance=balances[number],
                inputs=uses[number],
            )
    return [found[number] for number in range(flow.networks)]


def _needs_folding(model: ir.Model) -> bool:
    """Whether some node depends only on constants or on shapes; graphs built by this project have no such node."""
    if model.functions:
        return True
    for node in model.graph:
        if node.op_type == "Constant" or operator_of(node).shape_only or is_idle(node):
            return True
        # ConstantOfShape is excluded: the weights that it makes are known without computing them.
        if node.op_type != "ConstantOfShape" and all(
            value is None or value.const_value is not None for value in node.inputs
        ):
            return True
    return False


def _one_example(model: ir.Model) -> ir.Model:
    """The model for a batch of one, if it reads shapes: only with a fixed batch size are these constants that can be folded."""
    if not any(operator_of(node).shape_only for node in model.graph):
        return model
    copy = model.clone()
    for value in copy.graph.inputs:
        if value.shape is not None and len(value.shape) > 1 and not isinstance(value.shape[0], int):
            value.shape = ir.Shape([1, *value.shape.dims[1:]])
    for value in [value for node in copy.graph for value in node.outputs]:
        if value.shape is not None and not value.shape.is_static():
            value.shape = None
    return copy


def _ordered(table: NodeTable) -> list[NodeTable]:
    """The same nodes in canonical order, edges sorted: one table for all networks whose nodes have the same order."""
    if is_chain(table.depth):
        return [_in_order(table, np.argsort(table.depth), table.numbers)]
    orders: dict[bytes, tuple[NDArray[np.int64], list[int]]] = {}
    for number, features in enumerate(table.features):
        order = canonical_order(table.kinds, features, table.edges, table.depth)
        orders.setdefault(order.tobytes(), (order, []))[1].append(number)
    return [_in_order(table, order, np.array(numbers)) for order, numbers in orders.values()]


def _in_order(table: NodeTable, order: NDArray[np.int64], numbers: NDArray[np.int64]) -> NodeTable:
    """Some networks of the table, with the nodes in that order."""
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    edges = place[table.edges]
    return replace(
        table,
        operators=[table.operators[row] for row in order.tolist()],
        kinds=table.kinds[order],
        features=table.features[numbers][:, order],
        edges=edges[:, np.lexsort((edges[0], edges[1]))],
        depth=table.depth[order],
        effective=table.effective[numbers][:, order],
        numbers=numbers,
    )


def _shapes(graph: CanonicalGraph, kind: str) -> list[tuple[int, ...]]:
    """Shapes of the graph's inputs or outputs, smallest first: their order must not matter."""
    ends = [operator for operator in graph.operators if operator.kind == kind]
    found = [graph.shapes[value] for operator in ends for value in (*operator.outputs, *operator.inputs)]
    return sorted(shape for shape in found if shape is not None)
