"""A network as a pure function: parameters and buffers in dicts, so that `torch.func` can stack many."""

from dataclasses import dataclass

import onnx_ir as ir
import torch


@dataclass(frozen=True, eq=False)
class Network:
    """An imported ONNX graph.

    Attributes:
        parameters: trainable initializers by ONNX name (weights, biases, normalisation scale and shift), stored orientation.
        buffers: normalisation statistics by ONNX name, updated by training.
        masks: bool tensor by name for each maskable weight, stored orientation, True = kept.
    """

    parameters: dict[str, torch.Tensor]
    buffers: dict[str, torch.Tensor]
    masks: dict[str, torch.Tensor]

    def __call__(
        self, parameters: dict[str, torch.Tensor], buffers: dict[str, torch.Tensor], x: torch.Tensor, *, training: bool = False
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """First output of the graph for a batch ``x``, and the buffers after it (changed in training only)."""
        raise NotImplementedError


def import_model(model: ir.Model, *, device: str = "cpu") -> Network:
    """Turn a graph into a function. `UnsupportedOperatorError` naming the node and operator it cannot run."""
    raise NotImplementedError
