"""A graph as a flat list of steps, each a PyTorch function with numbered inputs and outputs.

Values are of three kinds. *Constants* are computed at import. *Host* values depend on the shapes of tensors only (Shape
and what is computed from it): they are computed in numpy when an input shape is first seen and are constants in the
plan for that shape. The others are tensors. Python never reads a tensor's content, so that plans run under `torch.func`
transforms, where `x.shape` is the shape of one network's data.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
import torch
from torch import Tensor

from nas.importer.fold import constant_value, evaluate
from nas.importer.node import (
    Array,
    Function,
    Kernel,
    Node,
    Several,
    Stateful,
    name_of,
    operator_of,
    tensor_of,
)
from nas.importer.operators import OPERATORS
from nas.importer.roles import Roles
from onnx_graph import InvalidModelError, UnsupportedOperatorError
from onnx_graph.internals import MOST_AXES, FoldingBudget
from onnx_graph.operators import STANDARD_DOMAINS, UNKNOWN
from onnx_graph.operators import operator_of as operator_facts

_ABSENT = 0
_OLDEST_OPSET = 7
_MOST_NUMBERS = 1 << 26
"""Largest number of elements in a result for one example."""

Tensors = Mapping[str, Tensor]
Values = list[Tensor | None]


@dataclass(frozen=True)
class _Entry:
    """A node with the slots of its values. `kernel` is None if it is built anew for each input shape."""

    node: ir.Node
    version: int
    host: bool
    kernel: Kernel | None
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class _Step:
    """A function with the slots it reads, the slots it writes (an int if it returns one tensor), and the slots to free after it."""

    name: str
    run: Function
    inputs: tuple[int, ...]
    outputs: int | tuple[int, ...]
    free: tuple[int, ...] = ()


# A step as a tuple, which the loop in `_run` unpacks fast.
_Fast = tuple[Function, tuple[int, ...], int | tuple[int, ...], tuple[int, ...], str]


@dataclass(frozen=True)
class _Plan:
    """Steps to run for inputs of certain shapes; `values` holds the constants by slot."""

    values: Values
    inference: Sequence[_Fast]
    training: Sequence[_Fast]


class Program:
    """A graph ready to run.

    Attributes:
        inputs: names of the graph's inputs without initializers.
        outputs: names of the values that a call returns.
    """

    def __init__(self, model: ir.Model, roles: Roles, outputs: Sequence[str], *, device: str = "cpu") -> None:
        """Compile the part of the graph that `outputs` need. `UnsupportedOperatorError` names what cannot run."""
        graph = model.graph
        self.inputs = tuple(value.name or "" for value in graph.inputs if not value.is_initializer())
        self.outputs = tuple(outputs)
        self._device = device
        self._slots: dict[str, int] = {"": _ABSENT}
        self._constants: dict[int, Array] = {}
        self._host: set[int] = set()
        self._entries: list[_Entry] = []
        self._plans: dict[object, _Plan] = {}
        self._budget = FoldingBudget()
        self._place_values(graph, roles)
        for node in _needed(graph, outputs):
            self._place(node, _version(model, node))
        self._shaped = any(entry.host or entry.kernel is None for entry in self._entries)
        if not self._shaped:
            self._plans[()] = self._planned(self._entries, self._constants)

    def __call__(
        self, parameters: Tensors, buffers: Tensors, inputs: Sequence[Tensor], *, training: bool = False
    ) -> tuple[tuple[Tensor, ...], dict[str, Tensor]]:
        """The outputs, and the buffers after the run."""
        plan = self._plans.get(tuple(x.shape for x in inputs) if self._shaped else ())
        if plan is None:
            plan = self._specialise(parameters, buffers, inputs)
        values = self._filled(plan.values, parameters, buffers, inputs)
        _run(plan.training if training else plan.inference, values)
        result = tuple(values[self._slots[name]] for name in self.outputs)
        return result, {name: values[self._slots[name]] for name in buffers} if training else dict(buffers)  # type: ignore[return-value,misc]

    def trace(
        self, parameters: Tensors, buffers: Tensors, shapes: Sequence[tuple[int, ...]], dtypes: Sequence[torch.dtype]
    ) -> None:
        """Plan now for inputs of these shapes, so that unsupported or too large nodes raise an error before the first run.

        It uses shapes only: no tensor is computed or allocated, whatever its size.
        """
        inputs = [torch.empty(shape, dtype=dtype, device="meta") for shape, dtype in zip(shapes, dtypes, strict=True)]
        learned, states = ({name: _shape_of(value) for name, value in each.items()} for each in (parameters, buffers))
        entries, host = self._run_once(learned, states, inputs, _shape_of_array)
        if self._shaped:
            self._plans[tuple(x.shape for x in inputs)] = self._planned(entries, host)

    def _place_values(self, graph: ir.Graph, roles: Roles) -> None:
        """Give a slot to every input and initializer; constants also get their value."""
        for name in self.inputs:
            self._slot(name)
        self._learned = tuple((name, self._slot(name)) for name in sorted(roles.parameters))
        self._states = tuple((name, self._slot(name)) for name in sorted(roles.buffers))
        for name, value in graph.initializers.items():
            if name in roles.parameters or name in roles.buffers:
                continue
            if value.const_value is None:
                raise InvalidModelError(f"initializer {name!r} has no data; give the model with its weights")
            self._constants[self._slot(name)] = value.const_value.numpy()

    def _slot(self, name: str) -> int:
        return self._slots.setdefault(name, len(self._slots))

    def _place(self, node: ir.Node, version: int) -> None:
        """Compute the node now, or append it to the entries."""
        names = [value.name or "" if value is not None else "" for value in node.inputs]
        missing = [name for name in names if name not in self._slots]
        if missing:
            raise InvalidModelError(f"node {name_of(node)!r} reads {missing[0]!r}, which nothing before it computes")
        inputs = tuple(self._slots[name] for name in names)
        if node.op_type == "Identity" and node.domain in STANDARD_DOMAINS:
            self._slots[node.outputs[0].name or ""] = inputs[0]
            return
        # An unused output has no name; it gets its own slot.
        outputs = tuple(self._slot(value.name or f"\0{name_of(node)}:{i}") for i, value in enumerate(node.outputs))
        if operator_facts(node).kind == "random":
            raise UnsupportedOperatorError(name_of(node), operator_of(node), "it is random")
        if node.op_type == "Constant":
            self._constants[outputs[0]] = constant_value(node)
        elif _foldable(node) and inputs and all(slot == _ABSENT or slot in self._constants for slot in inputs):
            found = evaluate(node, version, [self._constants.get(slot) for slot in inputs], self._budget)
            self._constants.update(zip(outputs, found, strict=True))
        else:
            self._entries.append(self._entry(node, version, inputs, outputs))

    def _entry(self, node: ir.Node, version: int, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> _Entry:
        known = [slot == _ABSENT or slot in self._constants or slot in self._host for slot in inputs]
        if inputs and _foldable(node) and (operator_facts(node).shape_only or all(known)):
            self._host.update(outputs)
            return _Entry(node, version, True, None, inputs, outputs)
        if operator_of(node) not in OPERATORS:
            raise UnsupportedOperatorError(name_of(node), operator_of(node))
        if version < _OLDEST_OPSET:
            raise UnsupportedOperatorError(
                name_of(node), operator_of(node), f"opset {version} is older than {_OLDEST_OPSET}"
            )
        shaped = any(slot in self._host for slot in inputs)
        kernel = None if shaped else _build(node, version, inputs, self._constants, self.outputs)
        return _Entry(node, version, False, kernel, inputs, outputs)

    def _filled(self, values: Values, parameters: Tensors, buffers: Tensors, inputs: Sequence[Tensor]) -> Values:
        values = values.copy()
        for name, slot in self._learned:
            values[slot] = parameters[name]
        for name, slot in self._states:
            values[slot] = buffers[name]
        for name, x in zip(self.inputs, inputs, strict=True):
            values[self._slots[name]] = x
        return values

    def _specialise(self, parameters: Tensors, buffers: Tensors, inputs: Sequence[Tensor]) -> _Plan:
        """Run once to learn the shapes of all tensors; values that depend only on shapes become constants."""
        plan = self._planned(*self._run_once(parameters, buffers, inputs, self._on_device))
        self._plans[tuple(x.shape for x in inputs)] = plan
        return plan

    def _run_once(
        self, parameters: Tensors, buffers: Tensors, inputs: Sequence[Tensor], place: Callable[[Array], Tensor]
    ) -> tuple[list[_Entry], dict[int, Array]]:
        """The entries that compute with tensors (with their kernels), and all constants, for inputs of these shapes.

        Args:
            parameters, buffers, inputs: the same as for a call.
            place: function that turns a constant into a tensor on their device.
        """
        host, entries, budget = dict(self._constants), list[_Entry](), FoldingBudget()
        values = self._filled(self._with_constants(host, place), parameters, buffers, inputs)
        with torch.no_grad():
            for entry in self._entries:
                if entry.host:
                    for slot, array in zip(entry.outputs, _on_host(entry, host, values, budget), strict=True):
                        host[slot], values[slot] = array, place(array)
                    continue
                kernel = entry.kernel or _build(entry.node, entry.version, entry.inputs, host, self.outputs)
                entries.append(_Entry(entry.node, entry.version, False, kernel, entry.inputs, entry.outputs))
                _run([_fast(_inference_step(entries[-1]))], values)
                _check_results(entries[-1], values)
        return entries, host

    def _on_device(self, array: Array) -> Tensor:
        tensor = tensor_of(array)
        if self._device == "cpu":
            return tensor
        # A `torch.func` transform around this call would wrap the copy, but the plan is still used after the transform. A
        # new thread has no active transforms.
        with ThreadPoolExecutor(1) as outside:
            return outside.submit(tensor.to, self._device).result()

    def _with_constants(self, constants: Mapping[int, Array], place: Callable[[Array], Tensor]) -> Values:
        """The values of all slots: constants that tensor steps or outputs read, None elsewhere."""
        values: Values = [None] * len(self._slots)
        read = {slot for entry in self._entries if not entry.host for slot in entry.inputs}
        read |= {self._slots[name] for name in self.outputs}
        for slot in read & constants.keys():
            values[slot] = place(constants[slot])
        return values

    def _planned(self, entries: Sequence[_Entry], constants: Mapping[int, Array]) -> _Plan:
        values = self._with_constants(constants, self._on_device)
        kept = {slot for slot, value in enumerate(values) if value is not None}
        kept |= {slot for _, slot in (*self._learned, *self._states)} | {self._slots[name] for name in self.outputs}
        states = {slot for _, slot in self._states}
        inference = _freed([_inference_step(entry) for entry in entries], kept)
        training = _freed([_training_step(entry, states) for entry in entries], kept)
        return _Plan(values, [_fast(step) for step in inference], [_fast(step) for step in training])


def _shape_of(tensor: Tensor) -> Tensor:
    """A tensor without data, of the same shape and type."""
    return torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")


def _shape_of_array(array: Array) -> Tensor:
    return torch.empty(array.shape, dtype=tensor_of(np.zeros(1, array.dtype)).dtype, device="meta")


def _check_results(entry: _Entry, values: Values) -> None:
    """Refuse a node whose result for one example is too large to train with."""
    for slot in entry.outputs:
        value = values[slot]
        if isinstance(value, Tensor) and (value.numel() > _MOST_NUMBERS or value.dim() > MOST_AXES):
            reason = f"its result for one example would have {value.numel():,} numbers along {value.dim()} axes, which is too much"
            raise UnsupportedOperatorError(name_of(entry.node), operator_of(entry.node), reason)


def _version(model: ir.Model, node: ir.Node) -> int:
    """The opset version that the model states for the node's domain."""
    names = STANDARD_DOMAINS if node.domain in STANDARD_DOMAINS else (node.domain,)
    return next((model.opset_imports[name] for name in names if name in model.opset_imports), 1)


def _foldable(node: ir.Node) -> bool:
    """Whether numpy computes the node when its inputs are known."""
    facts = operator_facts(node)
    return facts is not UNKNOWN and facts.folds and not facts.domain


def _needed(graph: ir.Graph, outputs: Sequence[str]) -> Iterator[ir.Node]:
    """The nodes that the outputs depend on, in order."""
    wanted = set(outputs)
    kept = []
    for node in reversed(graph):
        if any(value.name in wanted for value in node.outputs):
            wanted.update(value.name for value in node.inputs if value is not None and value.name)
            kept.append(node)
    return reversed(kept)


def _build(
    node: ir.Node, version: int, inputs: Sequence[int], constants: Mapping[int, Array], outputs: Sequence[str]
) -> Kernel:
    """The kernel of a node for the inputs known by now. `outputs` are the names of the graph's outputs."""
    view = Node(node, version, [constants.get(slot) for slot in inputs])
    kernel = OPERATORS[view.operator](view)
    further = any(value.uses() or value.name in outputs for value in node.outputs[1:] if value.name)
    if further and not isinstance(kernel, Several):
        raise view.refuse("only its first output is implemented")
    return kernel


def _on_host(entry: _Entry, host: Mapping[int, Array], values: Values, budget: FoldingBudget) -> list[Array]:
    """The outputs of a node that depends on shapes only."""
    tensor = values[entry.inputs[0]]
    if operator_facts(entry.node).shape_only and tensor is not None and entry.inputs[0] not in host:
        shape = np.array(tensor.shape, dtype=np.int64)
        if entry.node.op_type == "Size":
            return [np.array(shape.prod(), dtype=np.int64)]
        start, end = entry.node.attributes.get_int("start", 0), entry.node.attributes.get_int("end", len(shape))
        return [shape[start:end]]
    return evaluate(entry.node, entry.version, [host.get(slot) for slot in entry.inputs], budget)


def _inference_step(entry: _Entry) -> _Step:
    kernel, name = entry.kernel, f"{name_of(entry.node)} ({operator_of(entry.node)})"
    if isinstance(kernel, Several):
        return _Step(name, kernel.run, entry.inputs, entry.outputs)
    run = kernel.run if isinstance(kernel, Stateful) else kernel
    assert run is not None
    return _Step(name, run, entry.inputs, entry.outputs[0])


def _training_step(entry: _Entry, states: set[int]) -> _Step:
    """Like the inference step, but it also updates statistics that are buffers."""
    step, kernel = _inference_step(entry), entry.kernel
    if not isinstance(kernel, Stateful):
        return step
    changed = [entry.inputs[position] for position in kernel.state]
    updated = tuple(slot if slot in states else _ABSENT for slot in changed)
    return _Step(step.name, kernel.train, step.inputs, (entry.outputs[0], *updated))


def _freed(steps: Sequence[_Step], kept: set[int]) -> list[_Step]:
    """The same steps, each with the slots that can be freed after it."""
    freed, later = [], set(kept)
    for step in reversed(steps):
        written = {step.outputs} if isinstance(step.outputs, int) else set(step.outputs)
        free = tuple(sorted((set(step.inputs) | written) - later - {_ABSENT}))
        later.update(step.inputs)
        freed.append(_Step(step.name, step.run, step.inputs, step.outputs, free))
    return freed[::-1]


def _fast(step: _Step) -> _Fast:
    return (step.run, step.inputs, step.outputs, step.free, step.name)


def _run(steps: Sequence[_Fast], values: Values) -> None:
    """Run the steps on the slots, in place."""
    name = ""
    try:
        for function, inputs, outputs, free, name in steps:  # noqa: B007
            result = function(*[values[slot] for slot in inputs])
            if type(outputs) is int:
                values[outputs] = result
            else:
                for slot, value in zip(outputs, result, strict=False):  # type: ignore[arg-type]
                    values[slot] = value
                values[_ABSENT] = None
            for slot in free:
                values[slot] = None
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        error.add_note(f"in node {name}")
        raise
