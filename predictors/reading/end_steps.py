"""Steps at the ends of a network that a predictor need not see: a scaling of the inputs, a softmax of the answer.

Exports of one network differ in them: one file normalises its inputs, the other expects normalised inputs. Neither step changes a
connection or a shape. The first layer could do the scaling with other weights, and the largest answer is the same without softmax.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from onnx_graph.operators import LAYERS, TABLE
from predictors.reading.attributes import Shape, integer
from predictors.reading.canonical_graph import CanonicalGraph, Operator
from predictors.reading.links import Links


def drop_end_steps(graph: CanonicalGraph) -> None:
    """Remove constant elementwise steps between inputs and first layers, and softmax over the classes at the outputs, in place."""
    _drop(graph, [*_input_steps(graph.operators, graph.shapes), *_last_softmaxes(graph)])


def _drop(graph: CanonicalGraph, steps: Sequence[Operator]) -> None:
    """Remove operators; who read their output reads their input."""
    if not steps:
        return
    gone = {id(step) for step in steps}
    source: dict[int, int] = {}
    for operator in graph.operators:
        operator.inputs = [source.get(value, value) for value in operator.inputs]
        if id(operator) in gone:
            source[operator.outputs[0]] = operator.inputs[0]
    graph.operators = [operator for operator in graph.operators if id(operator) not in gone]


def _input_steps(operators: Sequence[Operator], shapes: Sequence[Shape | None]) -> list[Operator]:
    """The steps that only read inputs and that only layers read; numbers may be moved before and between."""
    raw: set[int] = set()
    steps = []
    for operator in operators:
        if operator.kind == "input":
            raw.update(operator.outputs)
        elif len(operator.inputs) == 1 and operator.inputs[0] in raw:
            step = _scales(operator, shapes)
            if step:
                steps.append(operator)
            if step or operator.facts.moves:
                raw.update(operator.outputs)
    if not steps:
        return []
    linear = _read_by_layers(operators, {id(step) for step in steps})
    return [step for step in steps if linear.get(step.outputs[0], False)]


def _read_by_layers(operators: Sequence[Operator], steps: set[int]) -> Mapping[int, bool]:
    """Whether every reader of a value is a layer, or a step or move whose result only layers read, for values that are read."""
    read: dict[int, bool] = {}
    for operator in reversed(operators):
        alone = len(operator.inputs) == 1
        ends = alone and operator.kind in LAYERS and bool(operator.blocks)
        passes = alone and (operator.facts.moves or id(operator) in steps)
        here = ends or (passes and all(read.get(value, False) for value in operator.outputs))
        for value in operator.inputs:
            read[value] = read.get(value, True) and here
    return read


def _scales(operator: Operator, shapes: Sequence[Shape | None]) -> bool:
    """Whether an operator only adds a constant to each number, or multiplies it by a constant that is not zero."""
    made = shapes[operator.outputs[0]] if operator.outputs else None
    if made is None or made != shapes[operator.inputs[0]] or not operator.constants:
        return False
    if operator.kind == "matmul":
        return all(factor is not None and _is_diagonal(factor) for factor in _constants(operator))
    if operator.kind != "affine" or (operator.name == "Div" and operator.positions[0] == 1):
        return False
    return operator.facts.kind == "add" or all(
        factor is not None and _is_regular(factor) for factor in _constants(operator)
    )


def _constants(operator: Operator) -> list[NDArray[np.generic] | None]:
    """The data of the constant inputs; None where it is not in the file."""
    inputs: Sequence[ir.Value | None] = () if operator.node is None else operator.node.inputs
    values = [value for place, value in enumerate(inputs) if value is not None and place not in operator.positions]
    return [None if value.const_value is None else value.const_value.numpy() for value in values]


def _is_regular(factor: NDArray[np.generic]) -> bool:
    """Whether no number is zero or infinite: a factor of zero cuts a connection."""
    return bool(np.isfinite(factor).all() and np.count_nonzero(factor) == factor.size)


def _is_diagonal(factor: NDArray[np.generic]) -> bool:
    """Whether the last two axes are diagonal matrices without zeros on the diagonal."""
    if factor.ndim < 2 or factor.shape[-1] != factor.shape[-2]:
        return False
    diagonal = np.diagonal(factor, axis1=-2, axis2=-1)
    return _is_regular(diagonal) and np.count_nonzero(factor) == diagonal.size


def _last_softmaxes(graph: CanonicalGraph) -> list[Operator]:
    """The softmaxes over the classes whose result is an output and nothing else; a graph without weights has no classes."""
    operators = graph.operators
    if not any(_rises(one) for one in operators) or not any(one.blocks for one in operators):
        return []
    links = Links(operators)
    makers = [_maker(links, value) for one in operators if one.kind == "output" for value in one.inputs]
    return [one for one in makers if one is not None and _rises(one) and _over_classes(one, graph.shapes, graph.opset)]


def _rises(operator: Operator) -> bool:
    """Whether an operator keeps the order of the numbers that it normalises together: every softmax but the hard one."""
    return operator.name != "Hardmax" and operator.name in TABLE and TABLE[operator.name].kind == "softmax"


def _maker(links: Links, value: int) -> Operator | None:
    """The operator that makes an output, before it is reshaped; None if others read it too."""
    maker = links.maker.get(value)
    while maker is not None and len(links.readers[value]) == 1 and maker.kind == "reshape":
        value = maker.inputs[0]
        maker = links.maker.get(value)
    return maker if len(links.readers[value]) == 1 else None


def _over_classes(operator: Operator, shapes: Sequence[Shape | None], opset: int) -> bool:
    """Whether a softmax normalises over the classes: axis 1 of images, else the last axis, or the only one that is longer than 1.

    Before operator set 13 it normalises over all axes from its own on.
    """
    shape = shapes[operator.inputs[0]] or ()
    wide = [axis for axis in range(1, len(shape)) if shape[axis] > 1]
    if not wide:
        return False
    classes = wide[0] if len(wide) == 1 else 1 if len(shape) > 3 else len(shape) - 1
    axis = integer(operator.settings, "axis", -1)
    first = axis + len(shape) if axis < 0 else axis
    return first == classes or (opset < 13 and 0 <= first <= classes)
