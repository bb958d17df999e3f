"""Inlining: every call of a function is replaced by the function's nodes.

Like `onnx_ir.passes.common.InlinePass`, but faster: that pass finds a new name by counting from one for every value, so that its
time grows with the square of the number of calls. Here the count continues from the last name.
"""

from collections.abc import Mapping

import onnx_ir as ir

from onnx_graph.errors import InvalidModelError
from onnx_graph.files.limits import MOST_WRITTEN_OUT


def write_out(model: ir.Model) -> None:
    """Replace every call by the nodes of the function, in place; functions are gone afterwards.

    Raises:
        InvalidModelError: a function needs another version of an operator set than the model, is called with too many inputs, or
            takes a graph as an attribute; or inlining makes too many nodes, for example because a function calls itself.
    """
    names = _Names(model.graph)
    count = 0
    pending = list(model.graph.all_nodes())[::-1]
    while pending:
        call = pending.pop()
        function = model.functions.get(call.op_identifier())
        if function is None:
            continue
        _check_call(model, function, call)
        nodes = _written_out(function, call, names)
        count += len(nodes)
        if count > MOST_WRITTEN_OUT:
            raise InvalidModelError(f"its functions stand for more than {MOST_WRITTEN_OUT:,} nodes")
        pending.extend(reversed(nodes))
    model.functions.clear()


class _Names:
    """The names of values and nodes that are in use."""

    def __init__(self, graph: ir.Graph) -> None:
        nodes = list(graph.all_nodes())
        self._taken = {value.name for node in nodes for value in (*node.inputs, *node.outputs) if value is not None}
        self._taken |= (
            {node.name for node in nodes} | {value.name for value in graph.inputs} | graph.initializers.keys()
        )
        self._last: dict[str, int] = {}

    def new(self, name: str) -> str:
        """The name, or the name with a number that makes it new."""
        candidate = name
        while candidate in self._taken:
            self._last[name] = self._last.get(name, 1) + 1
            candidate = f"{name}_{self._last[name]}"
        self._taken.add(candidate)
        return candidate


def _check_call(model: ir.Model, function: ir.Function, call: ir.Node) -> None:
    for domain, version in function.opset_imports.items():
        if model.opset_imports.setdefault(domain, version) != version:
            raise InvalidModelError(
                f"function {function.name!r} imports version {version} of operator set {domain!r}, the model {model.opset_imports[domain]}"
            )
    if len(call.inputs) > len(function.inputs) or len(call.outputs) > len(function.outputs):
        raise InvalidModelError(
            f"node {call.name!r} gives function {function.name!r} {len(call.inputs)} inputs for {len(call.outputs)} outputs; "
            f"it has {len(function.inputs)} and {len(function.outputs)}"
        )
    if any(
        attribute.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS) for attribute in call.attributes.values()
    ):
        raise InvalidModelError(f"function {function.name!r} is given a graph, which is not supported")


def _written_out(function: ir.Function, call: ir.Node, names: _Names) -> list[ir.Node]:
    """Replace a call by the nodes of the function; returns these and the nodes of graphs in their attributes."""
    body = function.graph.clone()
    given = {name: attribute for name, attribute in function.attributes.items() if attribute.value is not None} | dict(
        call.attributes
    )
    every = list(body.all_nodes())
    for node in every:
        _give_attributes(node, given)
        node.name = names.new(node.name or "node")
        node.metadata_props.update({**call.metadata_props, **node.metadata_props})
        for value in node.outputs:
            if value.name != "":
                value.name = names.new(value.name or "val")
    inputs = [*call.inputs, *[None] * (len(body.inputs) - len(call.inputs))]
    results = [inputs[body.inputs.index(value)] if value in body.inputs else value for value in body.outputs]
    for value, outer in zip(body.inputs, inputs, strict=True):
        for use in list(value.uses()):
            use.node.replace_input_with(use.idx, outer)
    nodes = list(body)
    body.outputs.clear()
    body.remove(nodes)
    new = results[: len(call.outputs)]
    assert call.graph is not None
    ir.convenience.replace_nodes_and_values(call.graph, call, [call], nodes, call.outputs, new)  # type: ignore[arg-type]
    return every


def _give_attributes(node: ir.Node, given: Mapping[str, ir.Attr]) -> None:
    """Replace references to the function's attributes by the call's values; remove those without a value."""
    for name, attribute in list(node.attributes.items()):
        if attribute.is_ref():
            del node.attributes[name]
            source = given.get(attribute.ref_attr_name or "")
            if source is not None:
                node.attributes[name] = ir.Attr(name, source.type, source.value, doc_string=attribute.doc_string)
