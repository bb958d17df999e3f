"""Simplifies the graph from `torch.onnx.export`: folds constants, restores parameter names, states shapes."""

import numpy as np
import onnx_ir as ir
from onnx_ir.passes import common as passes

import onnx_graph
from onnx_graph.operators import RECURRENT, operator_of

BATCH = "N"
_NO_LIMIT = 1 << 40


def tidy(model: ir.Model) -> ir.Model:
    """Fold nodes that do not depend on the input, keep parameter names, state shapes, remove the exporter's metadata."""
    from onnxscript import optimizer

    passes.InlinePass()(model)
    passes.IdentityEliminationPass()(model)
    # This comes first: a weight that is transposed at each use must become one weight, not many.
    passes.CommonSubexpressionEliminationPass()(model)
    sources = _sources(model)
    optimizer.fold_constants(model, input_size_limit=_NO_LIMIT, output_size_limit=_NO_LIMIT)
    passes.ShapeInferencePass()(model)
    _name_batch(model)
    _fix_reshapes(model)
    _drop_zero_states(model)
    passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    passes.RemoveUnusedNodesPass()(model)
    passes.CommonSubexpressionEliminationPass()(model)
    _rename(model, sources)
    passes.NameFixPass()(model)
    onnx_graph.drop_notes(model)
    passes.RemoveUnusedOpsetsPass()(model)
    for value in model.graph.initializers.values():
        if value.const_value is not None:
            array = np.array(value.const_value.numpy())
            value.const_value = ir.Tensor(array, dtype=value.const_value.dtype, name=value.name)
    model.producer_name, model.producer_version, model.graph.name = "nas", None, "network"
    return model


def _sources(model: ir.Model) -> dict[str, str]:
    """For each value that depends on exactly one float initializer: the name of this initializer."""
    sources: dict[ir.Value, frozenset[str]] = {}
    for value in model.graph.initializers.values():
        if value.dtype is not None and value.dtype.is_floating_point():
            sources[value] = frozenset({value.name or ""})
    for node in model.graph:
        if node.op_type != "Shape":
            found = frozenset[str]().union(*(sources.get(value, ()) for value in node.inputs if value is not None))
            sources.update(dict.fromkeys(node.outputs, found))
    return {value.name or "": next(iter(names)) for value, names in sources.items() if len(names) == 1}


def _rename(model: ir.Model, sources: dict[str, str]) -> None:
    """Give a folded constant the name of its source initializer, if that initializer was removed."""
    initializers = model.graph.initializers
    for name in list(initializers):
        source = sources.get(name, name)
        if source != name and source not in initializers:
            value = initializers.pop(name)
            value.name = source
            initializers[source] = value


def _name_batch(model: ir.Model) -> None:
    """Name the batch axis N in all shapes; sizes computed from it stay unnamed."""
    batch = model.graph.inputs[0].shape[0] if model.graph.inputs[0].shape is not None else None
    values = [*model.graph.inputs, *(value for node in model.graph for value in node.outputs)]
    for value in values:
        if value.shape is None:
            continue
        sizes = [size if isinstance(size, int) else (BATCH if size == batch else None) for size in value.shape]
        value.shape = ir.Shape(sizes)
    model.graph.inputs[0].name = "x"


def _fix_reshapes(model: ir.Model) -> None:
    """Replace the computed target of a Reshape by a constant, if at most one size of the result is unknown."""
    for node in list(model.graph):
        target, shape = (node.inputs[1] if node.op_type == "Reshape" else None), node.outputs[0].shape
        if target is None or target.const_value is not None or shape is None:
            continue
        solved = _solved(node.inputs[0], shape)
        node.outputs[0].shape = ir.Shape(solved)
        sizes = [size if isinstance(size, int) else -1 for size in solved]
        if sizes.count(-1) <= 1 and 0 not in sizes:
            name = f"{node.outputs[0].name}_shape"
            value = ir.Value(name=name, const_value=ir.tensor(np.array(sizes, dtype=np.int64), name=name))
            value.type, value.shape = ir.TensorType(ir.DataType.INT64), ir.Shape([len(sizes)])
            model.graph.register_initializer(value)
            node.replace_input_with(1, value)


def _sizes(shape: ir.Shape | None) -> list[int | str | None]:
    return [size if isinstance(size, int) else size.value for size in shape or ()]


def _solved(source: ir.Value | None, shape: ir.Shape) -> list[int | str | None]:
    """The sizes of a reshaped value. If only N and one other size are unknown, the other one follows from the input sizes."""
    sizes, before = _sizes(shape), _sizes(source.shape if source is not None else None)
    known: list[int] = [s for s in sizes if isinstance(s, int)]
    given: list[int] = [s for s in before if isinstance(s, int)]
    open_sizes, open_before = sorted(map(str, set(sizes) - set(known))), [s for s in before if s not in given]
    if open_sizes == [BATCH, "None"] and open_before == [BATCH] and len(known) == len(sizes) - 2 and 0 not in known:
        sizes[sizes.index(None)] = int(np.prod(given)) // int(np.prod(known))
    return sizes


def _drop_zero_states(model: ir.Model) -> None:
    """Remove initial states of zeros, which PyTorch creates from the batch size: recurrent operators start from zeros by default."""
    for node in model.graph:
        if operator_of(node).kind in RECURRENT:
            for position in operator_of(node).ports_of("state"):
                if position < len(node.inputs) and _is_zero(node.inputs[position]):
                    node.replace_input_with(position, None)
            while node.inputs and node.inputs[-1] is None:
                node.resize_inputs(len(node.inputs) - 1)


def _is_zero(value: ir.Value | None) -> bool:
    """Whether a value is a constant of zeros, perhaps expanded, cut or rearranged."""
    while value is not None and value.const_value is None:
        node = value.producer()
        value = node.inputs[0] if node is not None and operator_of(node).moves else None
    return value is not None and value.const_value is not None and not np.any(value.const_value.numpy())
