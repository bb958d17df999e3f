"""Stacks of perceptrons without `vmap`: one batched product per layer.

`torch.func.vmap` costs about half a millisecond per step, more than the arithmetic of a stack of narrow perceptrons. Their few
operators are easily written for tensors with a leading axis of networks; every other graph goes through `vmap`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import onnx_ir as ir
import torch
from torch import Tensor

from nas.importer.node import Node
from nas.importer.operators import OPERATORS
from onnx_graph.internals import weight_uses
from onnx_graph.operators import ACTIVATIONS, operator_of

Function = Callable[..., Tensor]

_BINARY: Mapping[str, Function] = {"Add": torch.add, "Mul": torch.mul, "Sub": torch.sub}


@dataclass(frozen=True)
class PerceptronStack:
    """Runs P perceptrons: parameters ``(P, …)``, weights ``(P, in, out)``; inputs ``(P, N, …)``; logits ``(P, N, K)``."""

    input: str
    output: str
    steps: tuple[tuple[Function, tuple[str, ...], str], ...]

    def __call__(self, parameters: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """The logits of each network for its own inputs."""
        values = {**parameters, self.input: x}
        for function, inputs, output in self.steps:
            values[output] = function(*[values[name] for name in inputs])
        return values[self.output]


def perceptron_stack(model: ir.Model, learned: frozenset[str]) -> PerceptronStack | None:
    """The program of a perceptron, None for a graph with other operators or with constants that are not in `learned`."""
    orientations: dict[str, bool] = {}
    turned = set()
    for use in weight_uses(model):
        # If a weight is read in two orientations, the stack holds the orientation of the first.
        if orientations.setdefault(use.weight.name, use.weight.transposed) != use.weight.transposed:
            turned.add(use.node)
    steps = []
    for node in model.graph:
        function = _function(node, learned, turned=node in turned)
        names = tuple(value.name or "" for value in node.inputs if value is not None)
        if function is None or len(names) != len(node.inputs) or len(node.outputs) != 1:
            return None
        steps.append((function, names, node.outputs[0].name or ""))
    return PerceptronStack(model.graph.inputs[0].name or "", model.graph.outputs[0].name or "", tuple(steps))


def _function(node: ir.Node, learned: frozenset[str], *, turned: bool) -> Function | None:
    """The node's function for stacked inputs, None for an unknown operator; `turned`: the stack holds its weight transposed."""
    fixed = [value is not None and value.is_initializer() for value in node.inputs]
    if any(
        constant and value is not None and value.name not in learned
        for constant, value in zip(fixed, node.inputs, strict=True)
    ):
        return None
    operator, rank = node.op_type, _rank(node.outputs[0])
    if operator == "Flatten" and node.attributes.get_int("axis", 1) == 1:
        return lambda x: x.flatten(2)
    if rank != 2 or node.domain not in ("", "ai.onnx"):
        return None
    if operator == "Gemm" and fixed in ([False, True], [False, True, True]) and _is_plain(node):
        return _affine(node.attributes.get_float("alpha", 1.0), turned=turned)
    if operator == "MatMul" and fixed == [False, True] and _rank(node.inputs[1]) == 2:
        return _affine(1.0, turned=turned)
    if operator in _BINARY and fixed[0] is False:
        return _joined(_BINARY[operator], node) if fixed[1] else _BINARY[operator]
    if operator_of(node).kind in ACTIVATIONS and len(node.inputs) == 1 and operator in OPERATORS:
        kernel = OPERATORS[operator](Node(node, 17, [None]))
        return kernel if callable(kernel) else None
    return None


def _affine(alpha: float, *, turned: bool) -> Function:
    """alpha·x·W + b; if `turned`, the weight is held as its transpose."""

    def run(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        weight = weight.transpose(1, 2) if turned else weight
        if bias is not None:
            return torch.baddbmm(bias.unsqueeze(1), x, weight, alpha=alpha)
        product = torch.bmm(x, weight)
        return product if alpha == 1 else product * alpha

    return run


def _is_plain(node: ir.Node) -> bool:
    """Whether a Gemm is alpha·x·W + b with a vector b."""
    vector = len(node.inputs) < 3 or _rank(node.inputs[2]) == 1
    return node.attributes.get_float("beta", 1.0) == 1 and not node.attributes.get_int("transA", 0) and vector


def _joined(function: Function, node: ir.Node) -> Function | None:
    """The operator applied to a value and a vector of parameters."""
    return (lambda x, vector: function(x, vector.unsqueeze(1))) if _rank(node.inputs[1]) == 1 else None


def _rank(value: ir.Value | None) -> int:
    return -1 if value is None or value.shape is None else len(value.shape)
