"""The training loop, the same for one network and for a stack of them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event

import torch
from torch import Tensor

from nas.errors import TrainingError
from nas.tasks.task import Task
from nas.training.batches import Examples, bounds, examples, orders
from nas.training.initialisation import Arrays
from nas.training.objective import cross_entropy, right_answers
from nas.training.optimizer import Optimizer, clip, learning_rate
from nas.training.options import TrainingOptions
from nas.training.stack import Member, Stack

GRADIENT_NORM = 1.0
"""Gradients of recurrent networks are clipped to this norm, each network's by itself."""
EVALUATION_BATCHES = 4
"""Examples evaluated at once, in training batches: without gradients they take no more memory."""

Progress = Callable[[int, float, float], None]


@dataclass(kw_only=True)
class Course:
    """How the training of one network went.

    Attributes:
        seed: of its batch order.
        losses: mean training loss of each epoch.
        accuracies: validation metric of each epoch.
        accuracy: the metric that goes with `weights`.
        weights: in the end, or of the best epoch where the training may stop early.
        error: why there are none.
    """

    seed: int
    losses: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)
    accuracy: float = 0.0
    weights: Arrays = field(default_factory=dict)
    error: TrainingError | None = None

    @property
    def best(self) -> int:
        """The first epoch with the best metric."""
        return max(range(len(self.accuracies)), key=self.accuracies.__getitem__)


class Loop:
    """Trains the networks of a stack, each on its own order of the examples, until all are done."""

    def __init__(self, members: Sequence[Member], task: Task, options: TrainingOptions, device: torch.device) -> None:
        """Import and initialise the networks, copy the data to the device."""
        self._options, self._device = options, device
        self._stack = Stack(members, fresh=options.init == "fan-in", device=device)
        self._train, self._validation = examples(task.train, device), examples(task.validation, device)
        self._optimizer = Optimizer(self._leaves(), options, decayed=self._decayed())
        self._clip = any(node.op_type in ("RNN", "GRU", "LSTM") for node in members[0].model.graph)
        self._courses = [Course(seed=member.seed) for member in members]
        self._active = list(self._courses)

    def run(self, progress: Progress | None = None, stop: Event | None = None) -> list[Course]:
        """Train to the end, or until `stop` is set; `progress(epoch, loss, accuracy)` hears of the first network."""
        batches = bounds(len(self._train), self._options.batch_size)
        for epoch in range(self._options.epochs):
            losses = self._epoch(epoch, batches)
            accuracies = accuracy(self._stack, self._validation, EVALUATION_BATCHES * self._options.batch_size)
            if progress is not None:
                progress(epoch, losses[0], accuracies[0])
            self._record(epoch, losses, accuracies)
            if not self._active or (stop is not None and stop.is_set()):
                break
        return self._courses

    def _epoch(self, epoch: int, batches: Sequence[tuple[int, int]]) -> list[float]:
        """One pass over the examples; the mean loss of each network."""
        stack, data, lead = self._stack, self._train, self._stack.lead
        order = orders([course.seed for course in self._active], epoch, len(data), self._device)
        total = torch.zeros(len(stack), device=self._device)
        leaves = self._leaves()
        masks = [stack.masks.get(name) for name in stack.parameters]
        for index, (start, stop) in enumerate(batches):
            chosen = order[:, start:stop].reshape(-1)
            shape = (len(stack), stop - start) if lead else (stop - start,)
            x = data.x.index_select(0, chosen).reshape(*shape, *data.x.shape[1:])
            targets = data.y.index_select(0, chosen).reshape(*shape, *data.y.shape[1:])
            loss = cross_entropy(stack.forward(x), targets, lead=lead, padded=data.padded)
            gradients = _masked(torch.autograd.grad(loss.sum(), leaves, materialize_grads=True), masks)
            if self._clip:
                clip(gradients, GRADIENT_NORM, lead=lead)
            step = epoch * len(batches) + index
            self._optimizer.step(gradients, learning_rate(self._options, step, self._options.epochs * len(batches)))
            total += loss.detach()
        return (total / len(batches)).tolist()

    def _record(self, epoch: int, losses: Sequence[float], accuracies: Sequence[float]) -> None:
        """Note the epoch for every network, and let go of those that are done."""
        going = []
        for row, course in enumerate(self._active):
            course.losses.append(losses[row])
            course.accuracies.append(accuracies[row])
            if not math.isfinite(losses[row]):
                course.error = _diverged(epoch, self._options)
            else:
                self._keep(row, course, epoch)
                if not self._done(course, epoch):
                    going.append(row)
        if going and len(going) < len(self._active):
            rows = self._stack.select(going, self._device)
            self._optimizer.select(self._leaves(), self._decayed(), rows)
        self._active = [self._active[row] for row in going]

    def _keep(self, row: int, course: Course, epoch: int) -> None:
        """Take the weights of the best epoch, or of the last where there is no early stop."""
        patience = self._options.patience
        if epoch + 1 == self._options.epochs if patience is None else course.best == epoch:
            course.weights, course.accuracy = self._stack.arrays(row), course.accuracies[epoch]

    def _done(self, course: Course, epoch: int) -> bool:
        if epoch + 1 == self._options.epochs:
            return True
        return self._options.patience is not None and epoch - course.best >= self._options.patience

    def _leaves(self) -> list[Tensor]:
        return list(self._stack.parameters.values())

    def _decayed(self) -> list[Tensor]:
        return [self._stack.parameters[name] for name in self._stack.weights]


def _masked(gradients: Sequence[Tensor], masks: Sequence[Tensor | None]) -> list[Tensor]:
    """Gradients of the kept weights, contiguous: the fused optimiser kernels pay no heed to strides."""
    found = []
    for gradient, mask in zip(gradients, masks, strict=True):
        if mask is None:
            found.append(gradient.contiguous())
        elif gradient.is_contiguous():
            found.append(gradient.mul_(mask))
        else:
            found.append(torch.mul(gradient, mask, out=torch.empty_like(mask)))
    return found


def accuracy(stack: Stack, data: Examples, size: int) -> list[float]:
    """The metric of each network on the examples, `size` at a time."""
    right = torch.zeros(len(stack), device=data.x.device)
    for start in range(0, len(data), size):
        part = slice(start, start + size)
        legal = None if data.legal is None else data.legal[part]
        right += right_answers(stack.predict(data.x[part]), data.y[part], legal)
    return [float(count) / max(data.targets, 1) for count in right]


def _diverged(epoch: int, options: TrainingOptions) -> TrainingError:
    return TrainingError(
        f"training diverged: the loss of epoch {epoch + 1} is not finite; lower the learning rate (now {options.learning_rate:g})"
    )
