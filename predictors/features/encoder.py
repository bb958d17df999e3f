"""The encoder: computes the structure graph, which predictors read, from an ONNX graph.

The encoding is a function of the graph and of its non-zero patterns. It does not depend on the values of non-zeros, on names,
on the order of nodes or on how an exporter writes an operation; any change of an attribute or a mask changes it.
"""

from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir

import onnx_graph
from onnx_graph.internals import is_idle, typed
from onnx_graph.operators import operator_of
from predictors.errors import ModelTypeError, PredictorError
from predictors.features.context import balance
from predictors.features.graph_features import GRAPH_FEATURES, graph_features
from predictors.features.node_features import NODE_FEATURES, NodeTable, node_table
from predictors.paths.flow import propagate
from predictors.paths.input_use import InputUse
from predictors.paths.live_weights import cut_dead_connections
from predictors.paths.unit_graph import unit_graph
from predictors.reading.canonical import canonical_graph
from predictors.reading.canonical_graph import CanonicalGraph
from predictors.reading.node_order import canonical_order
from predictors.structure_graph import StructureGraph

if TYPE_CHECKING:
    import onnx

__all__ = ["GRAPH_FEATURES", "NODE_FEATURES", "encode"]

ENCODING = 3
"""Version of the encoding. Increase it with every change of the features, or of the networks that `search_spaces` builds: a predictor
fitted on another encoding is then refused, and benchmarks encode again."""
READABLE = (2, ENCODING)
"""Encodings whose predictors can be used: encoding 3 cuts dead connections and adds the context at the end, the rest is that of 2."""


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
    table = _ordered(node_table(graph, flow))
    summary = graph_features(table, flow, _shapes(graph, "input"), _shapes(graph, "output"))
    return StructureGraph(
        operators=table.kinds,
        features=table.features.astype(np.float32),
        edges=table.edges,
        summary=summary.astype(np.float32),
        unknown=graph.unknown,
        units=unit_graph(graph, {id(operator): row for row, operator in enumerate(table.operators)}),
        balance=balance(graph, flow),
        inputs=InputUse.of(flow),
    )


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


def _ordered(table: NodeTable) -> NodeTable:
    """The same nodes in canonical order, edges sorted."""
    order = canonical_order(table.kinds, table.features, table.edges, table.depth)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    edges = place[table.edges]
    return replace(
        table,
        operators=[table.operators[row] for row in order.tolist()],
        kinds=table.kinds[order],
        features=table.features[order],
        edges=edges[:, np.lexsort((edges[0], edges[1]))],
        depth=table.depth[order],
        effective=table.effective[order],
    )


def _shapes(graph: CanonicalGraph, kind: str) -> list[tuple[int, ...]]:
    """Shapes of the graph's inputs or outputs, smallest first: their order must not matter."""
    ends = [operator for operator in graph.operators if operator.kind == kind]
    found = [graph.shapes[value] for operator in ends for value in (*operator.outputs, *operator.inputs)]
    return sorted(shape for shape in found if shape is not None)
