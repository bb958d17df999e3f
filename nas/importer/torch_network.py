"""A network as a pure function: parameters and buffers in dicts, so that `torch.func` can stack many."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
import torch
from numpy.typing import NDArray

from nas.importer.node import tensor_of
from nas.importer.operators.elementwise import DTYPES
from nas.importer.program import Program
from nas.importer.roles import roles
from onnx_graph import InvalidModelError
from onnx_graph.internals import array_of, typed, write_out

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True, eq=False)
class Network:
    """An imported ONNX graph.

    A call is a pure function: it changes none of its arguments, and it runs under `torch.func.vmap` over stacked
    parameters (with ``x`` stacked or shared), under `torch.func.grad` and plain autograd.

    Attributes:
        parameters: trainable initializers by ONNX name (weights, biases, normalisation scale and shift), in stored orientation.
        buffers: normalisation statistics by ONNX name, updated by training.
        masks: bool tensor by name for each maskable weight, in stored orientation, True = kept.
    """

    parameters: Tensors
    buffers: Tensors
    masks: Tensors
    program: Program

    def __call__(
        self, parameters: Tensors, buffers: Tensors, x: torch.Tensor, *, training: bool = False
    ) -> tuple[torch.Tensor, Tensors]:
        """First output of the graph for a batch ``x``, and the buffers after the call (changed only in training).

        In training, BatchNormalization normalises by the batch and Dropout does nothing.
        """
        outputs, after = self.program(parameters, buffers, (x,), training=training)
        return outputs[0], after


@typed("imported")
def import_model(model: ir.Model, *, device: str = "cpu") -> Network:
    """Turn a graph with one input into a function; `nas.importer.roles` decides which initializers are trainable.

    Constants are folded, but names do not change, so that `onnx_graph.set_weights` accepts the trained parameters.
    A weight from which another weight is computed (``Mul(weight, mask)``) is constant: `onnx_graph.simplify` turns such
    a model into one with plain weights. Nodes must be in order, as `onnx_graph.load` leaves them.

    Raises:
        UnsupportedOperatorError: names the node and operator that cannot be run.
        InvalidModelError: the graph contradicts itself, or has no single input, no output, or an initializer without data.
    """
    if model.functions:
        model = model.clone()
        write_out(model)
    graph = model.graph
    inputs = [value for value in graph.inputs if not value.is_initializer()]
    if len(inputs) != 1 or not graph.outputs:
        names = ", ".join(value.name or "?" for value in inputs) or "none"
        raise InvalidModelError(
            f"a network needs one input and an output; the graph has inputs {names}, {len(graph.outputs)} outputs"
        )
    found = roles(model)
    arrays = {name: array_of(graph.initializers[name]) for name in sorted(found.parameters | found.buffers)}
    tensors = {name: tensor_of(array).to(device) for name, array in arrays.items()}
    masks = {name: torch.from_numpy(arrays[name] != 0).to(device) for name in sorted(found.weights)}
    parameters = {name: tensors[name] for name in sorted(found.parameters)}
    buffers = {name: tensors[name] for name in sorted(found.buffers)}
    program = Program(model, found, [graph.outputs[0].name or ""], device=device)
    _trace(program, inputs[0], parameters, buffers)
    return Network(parameters, buffers, masks, program)


def outputs_of(model: ir.Model, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """First output of the network for the examples ``x (N, …)``, computed by torch without gradients, with its dead units."""
    network = import_model(model)
    with torch.no_grad():
        output, _ = network(network.parameters, network.buffers, torch.from_numpy(np.ascontiguousarray(x)))
    outputs: NDArray[np.float32] = output.numpy()
    return outputs


def _trace(program: Program, value: ir.Value, parameters: Tensors, buffers: Tensors) -> None:
    """Plan for one example if the graph states its shape, so that errors of the first call are raised now."""
    if value.shape is None or value.dtype is None or value.dtype.value not in DTYPES:
        return
    sizes = [size if isinstance(size, int) else None for size in value.shape]
    if None not in sizes[1:] and 0 not in sizes:
        shape = tuple(size or 1 for size in sizes)
        program.trace(parameters, buffers, [shape], [DTYPES[value.dtype.value]])
