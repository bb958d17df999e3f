"""A stack of trainings that depend on nothing but itself and the task, so that it can run anywhere."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import onnx
import onnx_ir as ir

import onnx_graph
from nas.errors import NasError
from nas.tasks.task import Task
from nas.training.methods.method import Method
from nas.training.options import TrainingOptions, TrainingResult

Result = TrainingResult | Exception
"""Result of a training, or the error that ended it."""


@dataclass(frozen=True, eq=False)
class Stack:
    """Networks that may be trained as one population.

    Attributes:
        models: untrained networks.
        seeds: one for each network.
        method: method that finds masks and weights.
        density: share of the weights that each network is to keep; None: those that it has.
        options: options of a training.
        device: ``cpu`` or a CUDA device.
    """

    models: Sequence[ir.Model]
    seeds: Sequence[int]
    method: Method
    density: Sequence[float] | None
    options: TrainingOptions
    device: str

    def run(self, task: Task) -> list[Result]:
        """Train the networks. Raises any error that is not the failure of a training."""
        from nas.training.population import train_population

        results = train_population(
            list(self.models),
            task,
            self.options,
            seeds=list(self.seeds),
            method=self.method,
            density=None if self.density is None else list(self.density),
            device=self.device,
        )
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, NasError | onnx_graph.GraphError):
                raise result
        return list(results)


@dataclass(frozen=True, eq=False)
class SentStack:
    """A stack on its way to another process: its networks are bytes of ONNX files."""

    models: Sequence[bytes]
    rest: Stack

    @classmethod
    def of(cls, stack: Stack) -> "SentStack":
        """Serialise the networks."""
        return cls([ir.to_proto(model).SerializeToString() for model in stack.models], replace(stack, models=()))

    def run(self, task: Task) -> list[Result]:
        """Read the networks and train them, as `Stack.run` does."""
        models = [ir.from_proto(onnx.ModelProto.FromString(data)) for data in self.models]
        return replace(self.rest, models=models).run(task)
