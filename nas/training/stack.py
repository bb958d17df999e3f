"""Networks of one graph shape as one function with stacked parameters; narrower ones are padded with units of zeros."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas.importer.network import Network, import_model
from nas.training.graph_shape import GraphShape, Slot, graph_shape, is_depthwise
from nas.training.initialisation import Arrays, initial_values
from nas.training.perceptron_stack import perceptron_stack
from onnx_graph.weight import GATES, array_of, weights


@dataclass(frozen=True, eq=False)
class Member:
    """One network of a stack.

    Attributes:
        model: its graph.
        seed: of its initial values and batch order.
        shape: its graph shape.
    """

    model: ir.Model
    seed: int
    shape: GraphShape

    @classmethod
    def of(cls, model: ir.Model, seed: int) -> "Member":
        """A network that is to be trained from `seed`."""
        return cls(model, seed, graph_shape(model))

    def values(self, *, fresh: bool) -> Arrays:
        """Own values of its float initializers; `fresh` draws new weights for them."""
        own = {slot.name: array_of(self.model.graph.initializers[slot.name]) for slot in self.shape.slots}
        floats = {name: np.asarray(array, np.float32) for name, array in own.items() if array.dtype.kind == "f"}
        return {**floats, **(initial_values(self.model, self.seed) if fresh else {})}


class Stack:
    """Networks that are trained together.

    Tensors have the network's axis first, if `lead` is 1. A single network is not stacked: `lead` is 0. Stacked matrices ``(out,
    in)`` lie in memory as ``(in, out)``, which is how their gradients come out of a batched product.

    Attributes:
        parameters: what is trained, by the name it has in the first member.
        buffers: normalisation statistics.
        masks: float 0/1, for the weights of which something is masked.
        weights: names of the maskable weights.
    """

    def __init__(self, members: Sequence[Member], *, fresh: bool, device: torch.device) -> None:
        """Import the network and fill in the members' values; `fresh` draws new ones."""
        self.members = list(members)
        self.lead = 0 if len(members) == 1 else 1
        model = _envelope([member.model for member in members], [member.shape for member in members])
        self._network: Network = import_model(model, device=str(device))
        learned = frozenset(self._network.parameters)
        self._perceptrons = perceptron_stack(model, learned) if self.lead else None
        self._turned = frozenset(_read_transposed(model) if self.lead else ())
        self._slots = {slot.name: index for index, slot in enumerate(members[0].shape.slots)}
        self._shapes = {slot.name: slot.shape for slot in graph_shape(model).slots} if self.lead else {}
        values = [member.values(fresh=fresh) for member in members]
        self.parameters = self._fill(self._network.parameters, values, device)
        self.buffers = self._fill(self._network.buffers, values, device)
        self.weights = tuple(name for name in self.parameters if name in self._network.masks)
        # In the order of `parameters`, on which the loop relies.
        masks = {name: (self.parameters[name] != 0).to(torch.float32) for name in self.weights}
        self.masks = {name: mask for name, mask in masks.items() if not bool(mask.all())}
        for parameter in self.parameters.values():
            parameter.requires_grad_()

    def __len__(self) -> int:
        """Number of networks."""
        return len(self.members)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a training batch ``(*lead, N, …)``, each network its own examples; updates the buffers."""
        if self._perceptrons is not None:
            return self._perceptrons(self.parameters, x)
        if self.lead:
            logits, self.buffers = torch.func.vmap(self._train)(self._upright(), self.buffers, x)
        else:
            logits, self.buffers = self._network(self.parameters, self.buffers, x, training=True)
        return logits

    @torch.no_grad()
    def predict(self, x: Tensor) -> Tensor:
        """Logits ``(*lead, N, …)`` of the same examples ``(N, …)`` for every network."""
        if not self.lead:
            return self._network(self.parameters, self.buffers, x)[0]
        if self._perceptrons is not None:
            return self._perceptrons(self.parameters, x.expand(len(self), *x.shape))
        return torch.func.vmap(self._evaluate, in_dims=(0, 0, None))(self._upright(), self.buffers, x)

    def select(self, rows: Sequence[int], device: torch.device) -> Tensor:
        """Go on with these members only; returns the rows as a tensor."""
        index = torch.tensor(list(rows), device=device)
        self.members = [self.members[row] for row in rows]
        self.parameters = {name: p.detach()[index].requires_grad_() for name, p in self.parameters.items()}
        self.buffers = {name: buffer[index] for name, buffer in self.buffers.items()}
        self.masks = {name: mask[index] for name, mask in self.masks.items()}
        return index

    def arrays(self, row: int) -> Arrays:
        """The values of one member at its own shapes, under its own names."""
        member = self.members[row]
        found = {}
        for name, tensor in {**self.parameters, **self.buffers}.items():
            slot = member.shape.slots[self._slots[name]]
            tensor = tensor.detach()[row] if self.lead else tensor.detach()
            array = (tensor.t() if name in self._turned else tensor).cpu().numpy()
            array = np.array(_cut(array, slot) if self.lead else array, np.float32, order="C")
            if name in self.weights:
                # A kept weight that training has brought to exactly zero would drop out of the mask.
                kept = np.asarray(array_of(member.model.graph.initializers[slot.name])) != 0
                array[kept & (array == 0)] = np.float32(1e-12)
            found[slot.name] = array
        return found

    def _train(
        self, parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        return self._network(parameters, buffers, x, training=True)

    def _evaluate(self, parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor) -> Tensor:
        return self._network(parameters, buffers, x)[0]

    def _upright(self) -> dict[str, Tensor]:
        """The parameters as the network reads them."""
        return {name: p.transpose(1, 2) if name in self._turned else p for name, p in self.parameters.items()}

    def _fill(
        self, templates: Mapping[str, Tensor], values: Sequence[Arrays], device: torch.device
    ) -> dict[str, Tensor]:
        """Each member's values, padded to the template's shape, stacked."""
        filled = {}
        for name, template in templates.items():
            if name not in self._slots:
                rows = [template.detach().cpu().numpy()] * len(self.members)
            elif self.lead:
                rows = [self._padded(name, member, arrays) for member, arrays in zip(self.members, values, strict=True)]
            else:
                rows = [values[0][name]]
            rows = [row.T for row in rows] if name in self._turned else rows
            array = np.array(np.stack(rows) if self.lead else rows[0], np.float32, order="C")
            filled[name] = torch.from_numpy(array).to(device)
        return filled

    def _padded(self, name: str, member: Member, values: Arrays) -> NDArray[np.float32]:
        slot = member.shape.slots[self._slots[name]]
        return _pad(values[slot.name], slot.gates, self._shapes[name])


def _read_transposed(model: ir.Model) -> set[str]:
    """Weights of Gemm nodes that are stored ``(out, in)``."""
    return {weight.name for weight in weights(model) if weight.operator == "Gemm" and not weight.transposed}


def _pad(array: NDArray[np.float32], gates: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Zeros behind the entries of each axis, on axis 1 behind each gate."""
    if array.shape == shape:
        return array
    blocks, target = _by_gate(array, gates), np.zeros(_gate_shape(shape, gates), np.float32)
    target[tuple(slice(size) for size in blocks.shape)] = blocks
    return target.reshape(shape)


def _cut(array: NDArray[np.float32], slot: Slot) -> NDArray[np.float32]:
    """Inverse of `_pad`."""
    if array.shape == slot.shape:
        return array
    blocks = _by_gate(array, slot.gates)
    return blocks[tuple(slice(size) for size in _gate_shape(slot.shape, slot.gates))].reshape(slot.shape)


def _by_gate(array: NDArray[np.float32], gates: int) -> NDArray[np.float32]:
    return array.reshape(_gate_shape(array.shape, gates))


def _gate_shape(shape: tuple[int, ...], gates: int) -> tuple[int, ...]:
    return shape if gates == 1 else (shape[0], gates, shape[1] // gates, *shape[2:])


def _envelope(models: Sequence[ir.Model], shapes: Sequence[GraphShape]) -> ir.Model:
    """A graph in which each of the models fits: the largest of their widths everywhere. Its weights mean nothing."""
    if len({tuple(slot.shape for slot in shape.slots) for shape in shapes}) == 1:
        return models[0]
    envelope = models[0].clone()
    for index, slot in enumerate(shapes[0].slots):
        largest = tuple(np.max([shape.slots[index].shape for shape in shapes], axis=0).tolist())
        value = envelope.graph.initializers[slot.name]
        if largest != slot.shape:
            value.const_value = ir.Tensor(np.ones(largest, np.float32), name=slot.name)
            value.shape = ir.Shape(largest)
    for nodes in zip(envelope.graph, *[model.graph for model in models], strict=True):
        _widen(nodes[0], nodes[1:])
    return envelope


def _widen(node: ir.Node, others: Sequence[ir.Node]) -> None:
    """Give a node of the envelope the largest hidden size and output shapes of its counterparts."""
    if node.op_type in GATES:
        node.attributes["hidden_size"] = ir.AttrInt64(
            "hidden_size", max(other.attributes.get_int("hidden_size", 0) for other in others)
        )
    if is_depthwise(others[0]):
        node.attributes["group"] = ir.AttrInt64("group", max(other.attributes.get_int("group", 1) for other in others))
    for index, value in enumerate(node.outputs):
        found = [other.outputs[index].shape for other in others]
        known = [list(shape) for shape in found if shape is not None]
        if value.shape is not None and len(known) == len(others):
            value.shape = ir.Shape([_largest(dims) for dims in zip(*known, strict=True)])


def _largest(dims: Sequence[object]) -> int | str:
    sizes = [dim for dim in dims if isinstance(dim, int)]
    return max(sizes) if len(sizes) == len(dims) else str(dims[0])
