"""Simplification of graphs: constants are folded, and nodes without effect at inference are removed."""

import logging
import math
from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from onnx_graph.boundary import typed
from onnx_graph.files.inference_bounds import is_bounded
from onnx_graph.node_call import NodeCall, integers_of
from onnx_graph.operators import facts_of, operator_of
from onnx_graph.operators.moving import slices
from onnx_graph.rewriting.folding_budget import MOST_BYTES, FoldingBudget
from onnx_graph.rewriting.inlining import write_out
from onnx_graph.weight import initializer_of

MAX_FILLED = 2**28  # numbers: a mask of one byte for each must fit into memory a few times
_ENDLESS = 2**31 - 1  # as the end of a Slice: no axis is that long


@typed("simplified")
def simplify(model: ir.Model) -> ir.Model:
    """A simpler model, or the model itself if there is nothing to simplify.

    Functions are inlined; constant subgraphs (``Mul(weight, mask)``, ``Transpose(weight)``, shape arithmetic) are folded
    up to 512 MiB in all, of which 64 MiB for results that are larger than what they are computed from; ConstantOfShape,
    which takes no memory, up to 2^28 numbers; Constant nodes become initializers; Identity, inference Dropout, a Slice
    that takes everything, a Transpose that moves nothing, unused nodes and initializers are removed. Inputs and outputs
    keep their names and shapes. Nodes that cannot be evaluated are not changed.
    """
    if is_simple(model):
        return model
    result = model.clone()
    for step in (_inline, _drop_dropout, _drop_identity, _fill, _fold, _lift, _drop_idle, _drop_identity, _drop_unused):
        step(result)
    return result


def is_simple(model: ir.Model) -> bool:
    """Whether there is nothing for `simplify` to do."""
    graph = model.graph
    if model.functions:
        return False
    for node in graph:
        if node.op_type == "Constant" or _is_simpler(node) or is_idle(node):
            return False
        if all(value is None or value.is_initializer() for value in node.inputs):
            return False
        if not any(value.uses() or value.is_graph_output() for value in node.outputs):
            return False
    return all(value.uses() or value.is_graph_output() for value in graph.initializers.values())


def _is_simpler(node: ir.Node) -> bool:
    """Whether a node may be removed because it does nothing, or folded because it reads only a shape."""
    found = operator_of(node)
    return (found.passes and not found.casts) or found.shape_only


def is_idle(node: ir.Node) -> bool:
    """Whether a node is a Slice that takes everything or a Transpose that moves nothing."""
    facts = operator_of(node)
    if not facts.moves or not node.inputs:
        return False
    call = NodeCall(node, 0, ())
    if facts.name == "Transpose":
        order = call.integers("perm")
        return order is not None and order == tuple(range(len(order)))
    return facts.name == "Slice" and _takes_everything(call)


def _takes_everything(call: NodeCall) -> bool:
    shape = call.inputs[0]
    try:
        found = slices(call, len(shape)) if shape else None
    except ValueError:  # axes or lengths that do not fit
        return False
    return found is not None and shape is not None and all(_is_whole(one, shape[axis]) for axis, one in found.items())


def _is_whole(taken: slice, length: int | str | None) -> bool:
    if not isinstance(length, int):
        return bool(taken.start == 0 and taken.step == 1 and taken.stop is not None and taken.stop >= _ENDLESS)
    return taken.indices(length) == (0, length, 1)


def _inline(model: ir.Model) -> None:
    if model.functions:
        _attempt(lambda: write_out(model))


def _drop_dropout(model: ir.Model) -> None:
    for node in list(model.graph):
        if node.op_type != "Dropout" or node.domain not in ("", "ai.onnx") or not node.inputs or node.inputs[0] is None:
            continue
        mode = node.inputs[2] if len(node.inputs) > 2 else None
        training = initializer_of(mode) or (mode.producer() if mode is not None else None)
        if training is not None and not _is_false(mode):
            continue
        if mode is not None and training is None:
            continue
        if any(value.uses() or value.is_graph_output() for value in node.outputs[1:]):
            continue
        _make_identity(model, node)


def _drop_idle(model: ir.Model) -> None:
    for node in list(model.graph):
        if is_idle(node):
            _make_identity(model, node)


def _make_identity(model: ir.Model, node: ir.Node) -> None:
    """Turn a node without effect into an Identity; one rule then removes it, or keeps it between an input and an output."""
    identity = ir.Node("", "Identity", [node.inputs[0]], name=node.name)
    identity.outputs[0].shape, identity.outputs[0].type = node.outputs[0].shape, node.outputs[0].type
    name = node.outputs[0].name
    ir.convenience.replace_nodes_and_values(model.graph, node, [node], [identity], [node.outputs[0]], identity.outputs)
    identity.outputs[0].name = name


def _is_false(value: ir.Value | None) -> bool:
    source = initializer_of(value)
    tensor = source.const_value if source is not None else None
    node = value.producer() if value is not None else None
    if tensor is None and node is not None and node.op_type == "Constant" and "value" in node.attributes:
        tensor = node.attributes["value"].as_tensor()
    return tensor is not None and not tensor.numpy().any()


def _fill(model: ir.Model) -> None:
    """Turn ConstantOfShape nodes into initializers that hold one number in memory, however large they are."""
    graph, total = model.graph, 0
    for node in list(graph):
        shape = integers_of(node.inputs[0]) if node.op_type == "ConstantOfShape" and node.inputs else None
        if shape is None or shape.ndim != 1 or (shape < 0).any() or node.outputs[0].is_graph_output():
            continue
        fill = (
            node.attributes["value"].as_tensor().numpy().ravel()[:1]
            if "value" in node.attributes
            else np.zeros(1, np.float32)
        )
        total += math.prod(shape.tolist())
        if fill.size != 1 or total > MAX_FILLED:
            return
        old, name = node.outputs[0], node.outputs[0].name
        tensor = ir.Tensor(np.broadcast_to(fill, shape), name=name)
        new = ir.Value(name=name, shape=ir.Shape(tensor.shape), type=ir.TensorType(tensor.dtype), const_value=tensor)
        old.replace_all_uses_with(new)
        graph.remove(node, safe=True)
        graph.register_initializer(new)


def _fold(model: ir.Model) -> None:
    if not is_bounded(model):  # the library also infers shapes, and expands lists of sizes and sequences
        return
    from onnxscript.optimizer import FOLDED_FROM_KEY, fold_constants_ir

    budget = FoldingBudget()
    _attempt(
        lambda: fold_constants_ir(
            model,
            onnx_shape_inference=True,
            output_size_limit=MOST_BYTES,
            should_fold=lambda node: _may_compute(node, budget),
        )
    )
    for value in [*model.graph.initializers.values(), *(value for node in model.graph for value in node.outputs)]:
        value.meta.pop(FOLDED_FROM_KEY, None)
        value.metadata_props.pop(FOLDED_FROM_KEY, None)


def _may_compute(node: ir.Node, budget: FoldingBudget) -> bool:
    if not facts_of(node.domain, node.op_type).folds or len(node.outputs) != 1:
        return False
    return budget.takes(
        node,
        [None if value is None or value.const_value is None else value.const_value.numpy() for value in node.inputs],
    )


def _lift(model: ir.Model) -> None:
    from onnx_ir.passes.common import LiftConstantsToInitializersPass

    _attempt(lambda: LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model))


def _drop_identity(model: ir.Model) -> None:
    from onnx_ir.passes.common import IdentityEliminationPass

    _attempt(lambda: IdentityEliminationPass()(model))


def _drop_unused(model: ir.Model) -> None:
    from onnx_ir.passes.common import RemoveUnusedNodesPass

    _attempt(lambda: RemoveUnusedNodesPass()(model))


def _attempt(step: Callable[[], object]) -> None:
    """Run a library's pass over an untrusted model; if the pass fails, the model is not changed."""
    try:
        step()
    except (RuntimeError, ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError):
        logging.getLogger(__name__).debug("a simplification was left out", exc_info=True)
