"""Networks of one graph shape as one function with stacked parameters; narrower ones are padded with units of zeros."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas.importer.program import Program
from nas.importer.roles import roles
from nas.importer.stacking import vmap
from nas.importer.torch_network import Network, import_model
from nas.training.stack.graph_shape import GraphShape, Slot, graph_shape, is_depthwise
from nas.training.stack.initialisation import Arrays, initial_values
from nas.training.stack.perceptron_stack import perceptron_stack
from nas.training.stack.weight_layer import layers
from onnx_graph import set_weights, weights
from onnx_graph.internals import array_of, norm_bounds
from onnx_graph.operators import RECURRENT, operator_of


@dataclass(frozen=True, eq=False)
class Member:
    """One network of a stack.

    Attributes:
        model: graph of the network.
        seed: seed of its initial values and batch order.
        shape: graph shape of the network.
    """

    model: ir.Model
    seed: int
    shape: GraphShape

    @classmethod
    def of(cls, model: ir.Model, seed: int) -> "Member":
        """A network that is to be trained from `seed`."""
        return cls(model, seed, graph_shape(model))

    def values(self, *, fresh: bool) -> Arrays:
        """The values of its float initializers; with `fresh`, newly drawn weights."""
        own = {slot.name: array_of(self.model.graph.initializers[slot.name]) for slot in self.shape.slots}
        floats = {name: np.asarray(array, np.float32) for name, array in own.items() if array.dtype.kind == "f"}
        return {**floats, **(initial_values(self.model, self.seed) if fresh else {})}


class Stack:
    """Networks that are trained together.

    Tensors have the network's axis first, if `lead` is 1. A single network is not stacked: `lead` is 0. Stacked matrices ``(out,
    in)`` lie in memory as ``(in, out)``, like their gradients from a batched product.

    Attributes:
        parameters: trained tensors, by their name in the first member.
        buffers: normalisation statistics.
        masks: float 0/1, for weights that are at least partly masked; padding counts as masked.
        weights: names of the maskable weights.
        layers: the maskable weights with their place in the graph, in node order.
        norm_bounds: bound of the norm of each weight that has one; it holds for all members.
    """

    def __init__(self, members: Sequence[Member], *, fresh: bool, device: torch.device) -> None:
        """Import the network and fill in the members' values; `fresh` draws new ones."""
        self.members = list(members)
        self.lead = 0 if len(members) == 1 else 1
        model = _envelope([member.model for member in members], [member.shape for member in members])
        self._model, self._device = model, device
        self.norm_bounds = norm_bounds(model)
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
        self.layers = tuple(layer for layer in layers(model) if layer.name in self._network.masks)
        self._kinds = {layer.name: layer.weight for layer in self.layers}
        for parameter in self.parameters.values():
            parameter.requires_grad_()

    def __len__(self) -> int:
        """Number of networks."""
        return len(self.members)

    def forward(self, x: Tensor, parameters: Mapping[str, Tensor] | None = None) -> Tensor:
        """Logits of a training batch ``(*lead, N, …)``, each network its own examples; updates the buffers.

        `parameters` are used instead of the stack's own, in the same orientation.
        """
        chosen = self.parameters if parameters is None else parameters
        if self._perceptrons is not None:
            return self._perceptrons(chosen, x)
        logits: Tensor
        if self.lead:
            logits, self.buffers = vmap(self._train)(self._upright(chosen), self.buffers, x)
        else:
            logits, self.buffers = self._network(dict(chosen), self.buffers, x, training=True)
        return logits

    @torch.no_grad()
    def predict(self, x: Tensor, parameters: Mapping[str, Tensor] | None = None) -> Tensor:
        """Logits ``(*lead, N, …)`` of the same examples ``(N, …)`` for every network."""
        chosen = self.parameters if parameters is None else parameters
        if not self.lead:
            return self._network(dict(chosen), self.buffers, x)[0]
        if self._perceptrons is not None:
            return self._perceptrons(chosen, x.expand(len(self), *x.shape))
        found: Tensor = vmap(self._evaluate, in_dims=(0, 0, None))(self._upright(chosen), self.buffers, x)
        return found

    @torch.no_grad()
    def values(self, names: Sequence[str], x: Tensor) -> dict[str, Tensor]:
        """Intermediate values ``(P, N, …)`` of the same examples for every network, by ONNX value name; statistics as stored."""
        inner = [name for name in dict.fromkeys(names) if name != self._model.graph.inputs[0].name]
        program = Program(self._model, roles(self._model), inner, device=str(self._device))

        def run(parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor) -> tuple[Tensor, ...]:
            return program(parameters, buffers, (x,))[0]

        if self.lead:
            found = vmap(run, in_dims=(0, 0, None))(self._upright(self.parameters), self.buffers, x)
        else:
            found = tuple(value.unsqueeze(0) for value in run(self.parameters, self.buffers, x))
        by_name = dict(zip(inner, found, strict=True))
        return {name: by_name.get(name, x.expand(len(self), *x.shape)) for name in names}

    def canonical(self, name: str, tensor: Tensor) -> Tensor:
        """A tensor in the orientation of the parameter `name` as ``(P, out, in, *kernel)``; a view where possible."""
        stacked = tensor if self.lead else tensor.unsqueeze(0)
        weight = self._kinds[name]
        if weight.operator == "ConvTranspose":
            first, second, *kernel = stacked.shape[1:]
            grouped = stacked.reshape(-1, weight.groups, first // weight.groups, second, *kernel)
            return grouped.transpose(2, 3).reshape(-1, *weight.shape)
        turned = weight.transposed or name in self._turned
        return stacked.transpose(1, 2) if turned else stacked.reshape(-1, *weight.shape)

    def stored(self, name: str, tensor: Tensor) -> Tensor:
        """Inverse of `canonical`, contiguous."""
        weight, shape = self._kinds[name], self.parameters[name].shape
        if weight.operator == "ConvTranspose":
            out, inner, *kernel = weight.shape
            tensor = tensor.reshape(-1, weight.groups, out // weight.groups, inner, *kernel).transpose(2, 3)
        elif weight.transposed or name in self._turned:
            tensor = tensor.transpose(1, 2)
        return tensor.contiguous().reshape(shape)

    def exists(self) -> dict[str, Tensor]:
        """Canonical bool tensors by weight: False where a narrower network is padded."""
        ones = [{slot.name: np.ones(slot.shape, np.float32) for slot in member.shape.slots} for member in self.members]
        filled = self._fill({name: self.parameters[name] for name in self.weights}, ones, self._device)
        return {name: self.canonical(name, tensor) > 0 for name, tensor in filled.items()}

    @torch.no_grad()
    def set_mask(self, name: str, mask: Tensor) -> Tensor:
        """Mask a weight by a canonical bool tensor; dropped weights become zero. Returns the mask as stored."""
        stored = self.stored(name, mask.to(torch.float32))
        self.masks[name] = stored
        self.parameters[name].mul_(stored)
        return stored

    def redrawn(self, row: int) -> Arrays:
        """New initial values of one member for the mask that it has now, under its own names."""
        member, drawn = self.members[row], self.members[row].model.clone()
        own = {weight.name for weight in weights(drawn)}
        set_weights(drawn, {name: array for name, array in self.arrays(row).items() if name in own})
        return initial_values(drawn, member.seed)

    @torch.no_grad()
    def fill(self, values: Sequence[Arrays]) -> None:
        """Set parameters and buffers to each member's values, by its own names; others are not changed."""
        for name, tensor in {**self.parameters, **self.buffers}.items():
            slots = (
                [member.shape.slots[self._slots[name]].name for member in self.members] if name in self._slots else []
            )
            if slots and all(slot in arrays for slot, arrays in zip(slots, values, strict=True)):
                tensor.copy_(self._fill({name: tensor}, values, self._device)[name])

    def select(self, rows: Sequence[int], device: torch.device) -> Tensor:
        """Continue with these members only; returns the rows as a tensor."""
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
                # A kept weight that is exactly zero (just grown, or zero by training) would be lost from the mask.
                array[self._kept(name, row, slot) & (array == 0)] = np.float32(1e-12)
            found[slot.name] = array
        return found

    def _kept(self, name: str, row: int, slot: Slot) -> NDArray[np.bool_]:
        """The mask of one member's weight, stored orientation."""
        if name not in self.masks:
            return np.ones(slot.shape, np.bool_)
        mask = self.masks[name][row] if self.lead else self.masks[name]
        array = (mask.t() if name in self._turned else mask).cpu().numpy()
        return np.asarray((_cut(array, slot) if self.lead else array) != 0)

    def _train(
        self, parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        return self._network(parameters, buffers, x, training=True)

    def _evaluate(self, parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor) -> Tensor:
        return self._network(parameters, buffers, x)[0]

    def _upright(self, parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The parameters as the network reads them."""
        return {name: p.transpose(1, 2) if name in self._turned else p for name, p in parameters.items()}

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
    """Append zeros to each axis; on axis 1, to each gate."""
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
    """A graph into which each of the models fits: it has the largest of their widths everywhere. Its weights are meaningless."""
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
    if operator_of(node).kind in RECURRENT:
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
