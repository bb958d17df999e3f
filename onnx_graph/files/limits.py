"""Limits of a model: number of nodes, before and after inlining its functions, number of axes, and length of dimension names.

A file of a few hundred bytes can describe endless work: functions that call one another twice, forty levels deep, or a function
that calls itself. Counting is quick, and is done before any library reads the model.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from graphlib import CycleError, TopologicalSorter

import onnx

from onnx_graph.errors import InvalidModelError
from onnx_graph.files.model_parts import graphs_of

MOST_NODES = 100_000
"""Nodes of all graphs and functions of a file together."""
MOST_WRITTEN_OUT = 20_000
"""Nodes after every call of a function is replaced by the function's nodes; a file that itself has more nodes may keep that number."""
MOST_AXES = 64
"""Axes of a tensor; numpy supports no more."""
LONGEST_SIZE_NAME = 1_000
"""Letters in the name of an open dimension. Shape inference copies the name to every value."""

_Identity = tuple[str, str, str]


def check(model: onnx.ModelProto, graphs: Sequence[onnx.GraphProto]) -> None:
    """Raise `InvalidModelError` for a model that exceeds a limit, or for a function that calls itself.

    Args:
        model: the model.
        graphs: the main graph and all graphs in attributes, also in attributes of functions' nodes.
    """
    count = sum(len(graph.node) for graph in graphs) + sum(len(function.node) for function in model.functions)
    if count > MOST_NODES:
        raise InvalidModelError(f"it has {count:,} nodes; at most {MOST_NODES:,} are read")
    if model.functions:
        _check_calls(model, count)
    for graph in graphs:
        for value in (*graph.input, *graph.output, *graph.value_info):
            _check_shape(value)


def _nodes(nodes: Iterable[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """The nodes, and the nodes of graphs in their attributes at any depth."""
    found = list(nodes)
    for node in found:  # grows meanwhile
        found.extend(inner for attribute in node.attribute for graph in graphs_of(attribute) for inner in graph.node)
    return found


def _check_shape(value: onnx.ValueInfoProto) -> None:
    dims = value.type.tensor_type.shape.dim
    if len(dims) > MOST_AXES:
        raise InvalidModelError(f"value {value.name!r} has {len(dims)} axes; at most {MOST_AXES} are read")
    if any(len(dim.dim_param) > LONGEST_SIZE_NAME for dim in dims):
        raise InvalidModelError(f"value {value.name!r} has a size with a name of over {LONGEST_SIZE_NAME} letters")


def _identity(one: "onnx.FunctionProto | onnx.NodeProto") -> _Identity:
    name = one.op_type if isinstance(one, onnx.NodeProto) else one.name
    return one.domain, name, one.overload


def _check_calls(model: onnx.ModelProto, count: int) -> None:
    """Raise unless function calls are free of cycles and inlining them makes no more nodes than allowed."""
    bodies = {_identity(function): _nodes(function.node) for function in model.functions}
    calls = {name: Counter(map(_identity, nodes)) for name, nodes in bodies.items()}
    graph = {name: [called for called in found if called in bodies] for name, found in calls.items()}
    try:
        order = tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise InvalidModelError(f"function {error.args[1][0][1]!r} calls itself, directly or through others") from error
    sizes: dict[_Identity, int] = {}
    for name in order:
        sizes[name] = len(bodies[name]) + sum(calls[name][called] * sizes[called] for called in graph[name])
    main = _nodes(model.graph.node)
    total = len(main) + sum(sizes.get(_identity(node), 0) for node in main)
    if total > max(MOST_WRITTEN_OUT, count):
        shown = f"{total:,}" if total < 10**15 else "more than 10^15"
        raise InvalidModelError(f"its functions stand for {shown} nodes; at most {MOST_WRITTEN_OUT:,} are read")
