"""Validity of a protobuf model: names are defined once, nodes form no cycle, outputs exist."""

from collections import Counter
from collections.abc import Iterable, Set
from graphlib import CycleError, TopologicalSorter

import onnx

from onnx_graph.errors import InvalidModelError
from onnx_graph.files.model_parts import graphs_of


def check(model: onnx.ModelProto) -> bool:
    """Raise `InvalidModelError` for a model without graph, outputs or operator set, or with invalid names.

    Returns:
        Whether the nodes are sorted (`is_sorted`).
    """
    if not model.HasField("graph") or not (model.graph.output or model.graph.node):
        raise InvalidModelError("it holds no graph")
    if not model.graph.output:
        raise InvalidModelError("its graph has no outputs")
    if not model.opset_import and model.ir_version >= 3:
        raise InvalidModelError("it states no operator set (opset_import), so its operators have no meaning")
    return _check_graph(model.graph, ())


def _check_graph(graph: onnx.GraphProto, outer: tuple[Set[str], ...]) -> bool:
    """Whether its nodes are sorted.

    `outer`: names that the graphs around it define, one set per graph, so that deeply nested graphs need no copies.
    """
    held = {tensor.name for tensor in graph.initializer} | {sparse.values.name for sparse in graph.sparse_initializer}
    _unique("input", (value.name for value in graph.input))
    _unique(
        "initializer",
        (*(tensor.name for tensor in graph.initializer), *(sparse.values.name for sparse in graph.sparse_initializer)),
    )
    produced = [name for node in graph.node for name in node.output if name]
    _unique("value", (*held.union(value.name for value in graph.input), *produced))
    own = held | {value.name for value in graph.input} | set(produced)
    for node in graph.node:
        for name in node.input:
            if name and name not in own and not any(name in names for names in outer):
                raise InvalidModelError(f"node {_name(node)!r} reads {name!r}, which nothing defines")
    for value in graph.output:
        if value.name not in own and not any(value.name in names for names in outer):
            raise InvalidModelError(f"graph output {value.name!r} is computed by no node")
    in_order = is_sorted(graph)
    if not in_order:
        _require_no_cycle(graph)
    for node in graph.node:
        for attribute in node.attribute:
            for inner in graphs_of(attribute):
                _check_graph(inner, (own, *outer))
    return in_order


def _unique(kind: str, names: Iterable[str]) -> None:
    double = [name for name, times in Counter(names).items() if times > 1]
    if double:
        raise InvalidModelError(f"{kind} {double[0]!r} is defined more than once")


def is_sorted(graph: onnx.GraphProto) -> bool:
    """Whether every node comes after the nodes whose values it reads; also False if subgraphs would have to be examined."""
    later = {name for node in graph.node for name in node.output}
    for node in graph.node:
        if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            return False
        if not later.isdisjoint(filter(None, node.input)):
            return False
        later.difference_update(node.output)
    return True


def _require_no_cycle(graph: onnx.GraphProto) -> None:
    """Raise for a cycle; nodes without a cycle may come in any order, as they can be sorted."""
    producers = {name: index for index, node in enumerate(graph.node) for name in node.output if name}
    needs = _needs(graph, frozenset(producers))
    try:
        TopologicalSorter({index: {producers[name] for name in wanted} for index, wanted in enumerate(needs)}).prepare()
    except CycleError as error:
        first = graph.node[error.args[1][0]]
        raise InvalidModelError(f"node {_name(first)!r} is part of a cycle") from error


def _needs(graph: onnx.GraphProto, own: frozenset[str]) -> list[frozenset[str]]:
    """Values of the graph's own nodes that each node reads, itself or in its subgraphs."""
    result = []
    for node in graph.node:
        names, pending = list(node.input), list(node.attribute)
        while pending:
            attribute = pending.pop()
            for inner in graphs_of(attribute):
                names.extend(name for each in inner.node for name in each.input)
                names.extend(value.name for value in inner.output)
                pending.extend(each for deeper in inner.node for each in deeper.attribute)
        result.append(own.intersection(names))
    return result


def _name(node: onnx.NodeProto) -> str:
    return str(node.name or (node.output[0] if node.output else node.op_type))
