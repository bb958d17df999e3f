"""Fusing a product with the bias or batch normalisation after it: it is one layer, folded into the weights or not."""

from math import prod

from onnx_graph.operators import ACTIVATIONS, PRODUCTS
from predictors.reading.attributes import Shape
from predictors.reading.canonical_graph import CanonicalGraph, Operator


def join_layers(graph: CanonicalGraph) -> None:
    """Join biases and batch normalisations with the product before them, in place."""
    consumers: dict[int, int] = {}
    for operator in graph.operators:
        for value in operator.inputs:
            consumers[value] = consumers.get(value, 0) + 1
    producer: dict[int, Operator] = {}
    renamed: dict[int, int] = {}
    kept = []
    for operator in graph.operators:
        operator.inputs = [renamed.get(value, value) for value in operator.inputs]
        source = producer.get(operator.inputs[0]) if len(operator.inputs) == 1 else None
        if source is not None and consumers.get(source.outputs[0]) == 1 and _absorb(source, operator, graph.shapes):
            # The product now produces the output of the bias.
            renamed[operator.outputs[0]] = source.outputs[0]
            consumers[source.outputs[0]] = consumers.get(operator.outputs[0], 0)
            continue
        if operator.blocks:
            operator.bias = bool(operator.constants)
        if operator.outputs:
            producer[operator.outputs[0]] = operator
        kept.append(operator)
    graph.operators = kept


def _absorb(source: Operator, operator: Operator, shapes: list[Shape | None]) -> bool:
    """Fuse a following bias or batch normalisation into a product; for an activation, only store that there is one."""
    if source.kind not in PRODUCTS and source.kind != "batch_norm":
        return False
    if operator.kind in ACTIVATIONS:
        source.activated = True
        return False
    if source.kind not in PRODUCTS:
        return False
    if operator.kind == "batch_norm":
        source.normalised = source.bias = True
        # After folding, scale, shift, mean and variance form one bias.
        source.params = max(source.params, operator.params // 4)
        return True
    if operator.kind == "affine" and _adds(operator) and not source.bias:
        if not _is_bias(source, operator.constants, shapes):
            return False
        source.bias = True
        source.params += operator.params
        return True
    return False


def _adds(operator: Operator) -> bool:
    """Whether an operator adds or subtracts a constant."""
    return operator.variant == 0.0 and (operator.facts.sums or operator.name == "Sub")


def _is_bias(source: Operator, constants: list[Shape], shapes: list[Shape | None]) -> bool:
    """Whether a constant has one number per unit of the product."""
    if len(constants) != 1 or not source.blocks:
        return False
    units = source.blocks[0].shape[0]
    shape, made = constants[0], shapes[source.outputs[0]]
    if prod(shape) == 1:
        return units == 1
    if prod(shape) != units or made is None or len(shape) > len(made):
        return False
    axis = source.unit_axis if source.kind == "dense" else 1
    return shape[axis % len(made) - len(made)] == units if len(shape) >= len(made) - axis % len(made) else False
