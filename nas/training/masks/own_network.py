"""One network taken out of a stack: a graph at its own shapes, and the mapping of its tensors back into the stack."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir
import torch
from torch import Tensor

from nas.importer.node import tensor_of
from nas.importer.program import Program
from nas.importer.roles import Roles, roles
from nas.training.stack.weight_layer import Layer, layers
from nas.training.trained import with_weights
from onnx_graph.internals import array_of

if TYPE_CHECKING:
    from nas.training.loop.session import Session


class OwnNetwork:
    """A graph and its values.

    Attributes:
        model: the graph; its initializers hold the values.
        layers: the maskable weights, under the graph's own names.
    """

    def __init__(self, model: ir.Model, *, device: str = "cpu") -> None:
        """`model` is read, never changed."""
        self.model, self.device = model, device
        self.layers: tuple[Layer, ...] = layers(model)
        self._roles: Roles = roles(model)
        self._programs: dict[tuple[str, ...], Program] = {}
        self._parameters = self._tensors(self._roles.parameters)
        self._buffers = self._tensors(self._roles.buffers)

    @classmethod
    def of(cls, session: "Session", row: int) -> "OwnNetwork":
        """A network of the session as it is now."""
        model = with_weights(session.stack.members[row].model, session.stack.arrays(row))
        return cls(model, device=str(session.device))

    def weight(self, layer: Layer) -> Tensor:
        """Canonical ``(out, in, *kernel)``."""
        array = layer.weight.canonical(array_of(self.model.graph.initializers[layer.name]))
        return tensor_of(array).to(self.device)

    def tensor(self, name: str) -> Tensor:
        """A parameter, as stored."""
        return self._parameters[name]

    def replaced(self, layer: Layer, weight: Tensor) -> "OwnNetwork":
        """A copy with another canonical weight."""
        stored = np.ascontiguousarray(layer.weight.stored(weight.cpu().numpy()), np.float32)
        return OwnNetwork(with_weights(self.model, {layer.name: stored}), device=self.device)

    @torch.no_grad()
    def values(self, names: Sequence[str], x: Tensor) -> dict[str, Tensor]:
        """Values of the graph for the examples `x` ``(N, …)``, statistics of normalisations as stored."""
        wanted = tuple(dict.fromkeys(names))
        if wanted not in self._programs:
            self._programs[wanted] = Program(self.model, self._roles, wanted, device=self.device)
        found, _ = self._programs[wanted](self._parameters, self._buffers, (x,))
        return dict(zip(wanted, found, strict=True))

    def behind(self, name: str) -> "Behind":
        """What the network computes from the value of that name on."""
        return Behind(name, self.model, self._parameters, self._buffers, self.device)

    def _tensors(self, names: frozenset[str]) -> dict[str, Tensor]:
        initializers = self.model.graph.initializers
        return {name: tensor_of(array_of(initializers[name])).to(self.device) for name in sorted(names)}


class Behind:
    """The part of a network that comes after a value, as a function of it and of the input (which it may read too)."""

    def __init__(
        self,
        name: str,
        model: ir.Model,
        parameters: Mapping[str, Tensor],
        buffers: Mapping[str, Tensor],
        device: str,
    ) -> None:
        """Cut the graph at the value."""
        self._parameters, self._buffers = parameters, buffers
        output = model.graph.outputs[0].name or ""
        self._program: Program | None = None
        if output != name:
            cut = _cut(model, name)
            self._program = Program(cut, roles(model), [output], device=device)
            self._reads_input = _is_needed(cut.graph.inputs[0], cut.graph)

    def __call__(self, x: Tensor, value: Tensor) -> Tensor:
        """Logits for examples `x` whose value is `value`, which may come several times over ``(k · N, …)``."""
        if self._program is None:
            return value
        if self._reads_input:
            x = x.repeat(len(value) // len(x), *[1] * (x.dim() - 1))
        return self._program(self._parameters, self._buffers, (x, value))[0][0]


def own(session: "Session", tensors: Mapping[str, Tensor], row: int) -> dict[str, Tensor]:
    """The part of canonical tensors ``(P, …)`` of a stack that belongs to one network, by its own names, at its own shapes."""
    found = {}
    for mine, layer in zip(layers(session.stack.members[row].model), session.layers, strict=True):
        exists = session.exists[layer.name][row]
        # Padding lies after or between the network's own rows and columns and does not change their order.
        found[mine.name] = tensors[layer.name][row][exists].reshape(mine.weight.shape)
    return found


def place(session: "Session", found: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Inverse of `own` for all networks, each with its weights in node order; zero at padding."""
    placed = {}
    for position, layer in enumerate(session.layers):
        exists = session.exists[layer.name]
        each = [list(of_one.values())[position] for of_one in found]
        placed[layer.name] = torch.zeros(exists.shape, dtype=each[0].dtype, device=exists.device)
        for row, tensor in enumerate(each):
            placed[layer.name][row][exists[row]] = tensor.to(exists.device).flatten()
    return placed


def finite(tensor: Tensor) -> Tensor:
    """Replace NaN and infinity by zero: a network that diverged has them, and its training is reported as failed anyway."""
    return tensor.detach().nan_to_num(0.0, 0.0, 0.0)


def some_examples(session: "Session", count: int) -> tuple[Tensor, Tensor]:
    """At most `count` training examples and their targets, evenly spaced, because files may be sorted by class."""
    data = session.train
    chosen = torch.linspace(0, len(data) - 1, max(1, min(count, len(data)))).long().to(session.device)
    return data.x[chosen], data.y[chosen]


@torch.no_grad()
def set_bias(session: "Session", name: str, row: int, bias: Tensor) -> None:
    """Give one network of the session this bias ``(out,)``, at its own shape; `name` is that of the stack."""
    parameter = session.stack.parameters[name]
    target = (parameter[row] if session.stack.lead else parameter).view(-1)
    target[: len(bias)] = bias.to(parameter)


def _cut(model: ir.Model, name: str) -> ir.Model:
    """A copy whose graph takes the value of that name as a second input."""
    copy = model.clone()
    value = next(value for node in copy.graph for value in node.outputs if value.name == name)
    given = ir.Value(name=f"{name}.given", shape=value.shape, type=value.type)
    copy.graph.inputs.append(given)
    value.replace_all_uses_with(given)
    return copy


def _is_needed(value: ir.Value, graph: ir.Graph) -> bool:
    """Whether the graph's first output depends on the value."""
    pending, seen = [graph.outputs[0].producer()], set[ir.Node]()
    while pending:
        node = pending.pop()
        if node is None or node in seen:
            continue
        if value in node.inputs:
            return True
        seen.add(node)
        pending += [read.producer() for read in node.inputs if read is not None]
    return False
