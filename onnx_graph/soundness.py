"""Soundness of a protobuf model: names defined once and before use, no cycles, outputs that exist."""

from collections import Counter
from collections.abc import Iterable

import onnx

from onnx_graph.errors import InvalidModelError


def check(model: onnx.ModelProto) -> None:
    """Raise `InvalidModelError` for a model without graph, outputs or operator set, or with unsound names."""
    if not model.HasField("graph") or not (model.graph.output or model.graph.node):
        raise InvalidModelError("it holds no graph")
    if not model.graph.output:
        raise InvalidModelError("its graph has no outputs")
    if not model.opset_import and model.ir_version >= 3:
        raise InvalidModelError("it states no operator set (opset_import), so its operators have no meaning")
    _check_graph(model.graph, frozenset())


def _check_graph(graph: onnx.GraphProto, outer: frozenset[str]) -> None:
    held = {tensor.name for tensor in graph.initializer} | {sparse.values.name for sparse in graph.sparse_initializer}
    _unique("input", (value.name for value in graph.input))
    _unique(
        "initializer",
        (*(tensor.name for tensor in graph.initializer), *(sparse.values.name for sparse in graph.sparse_initializer)),
    )
    produced = [name for node in graph.node for name in node.output if name]
    _unique("value", (*held.union(value.name for value in graph.input), *produced))
    defined = outer | held | {value.name for value in graph.input} | set(produced)
    for node in graph.node:
        for name in node.input:
            if name and name not in defined:
                raise InvalidModelError(f"node {_name(node)!r} reads {name!r}, which nothing defines")
    for value in graph.output:
        if value.name not in defined:
            raise InvalidModelError(f"graph output {value.name!r} is computed by no node")
    _check_order(graph, frozenset(defined.difference(produced)))
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs) if attribute.HasField("g") else attribute.graphs:
                _check_graph(inner, defined)


def _unique(kind: str, names: Iterable[str]) -> None:
    double = [name for name, times in Counter(names).items() if times > 1]
    if double:
        raise InvalidModelError(f"{kind} {double[0]!r} is defined more than once")


def _check_order(graph: onnx.GraphProto, given: frozenset[str]) -> None:
    """Nodes may come in any order that can be sorted; what cannot is a cycle."""
    ready = set(given)
    waiting = list(graph.node)
    needs = [_needs(node, graph) for node in waiting]
    while waiting:
        late = [index for index, wanted in enumerate(needs) if not _settle(waiting[index], wanted, ready)]
        if len(late) == len(waiting):
            raise InvalidModelError(f"node {_name(waiting[0])!r} is part of, or behind, a cycle")
        waiting, needs = [waiting[index] for index in late], [needs[index] for index in late]


def _settle(node: onnx.NodeProto, wanted: set[str], ready: set[str]) -> bool:
    if not wanted <= ready:
        return False
    ready.update(node.output)
    return True


def _needs(node: onnx.NodeProto, graph: onnx.GraphProto) -> set[str]:
    wanted = {name for name in node.input if name}
    pending = [attribute for attribute in node.attribute if attribute.HasField("g") or attribute.graphs]
    if not pending:
        return wanted
    own = {name for other in graph.node for name in other.output if name}
    while pending:
        attribute = pending.pop()
        for inner in (attribute.g, *attribute.graphs):
            wanted |= own.intersection(name for each in inner.node for name in each.input)
            wanted |= own.intersection(value.name for value in inner.output)
            pending.extend(a for each in inner.node for a in each.attribute if a.HasField("g") or a.graphs)
    return wanted


def _name(node: onnx.NodeProto) -> str:
    return str(node.name or (node.output[0] if node.output else node.op_type))
