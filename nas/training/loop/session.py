"""A training session: the networks of a stack, their masks and data, and the loop that trains them phase by phase."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Event

import torch
from torch import Tensor

from nas.errors import TrainingError
from nas.losses import LOSSES
from nas.metrics import METRICS, Answers, Metric
from nas.tasks.task import Task
from nas.training.loop.batches import Examples, bounds, examples, orders
from nas.training.loop.callback import Callback
from nas.training.loop.history import History
from nas.training.loop.mirror import Mirror
from nas.training.loop.optimizer import Optimizer, clip, learning_rate
from nas.training.loop.selection import Masks, keep_largest
from nas.training.options import TrainingOptions
from nas.training.stack.norm_projection import project
from nas.training.stack.stack import Member, Stack
from nas.training.stack.weight_layer import Layer
from onnx_graph.operators import RECURRENT, operator_of

GRADIENT_NORM = 1.0
"""Gradients of recurrent networks are clipped to this norm, each network's by itself."""
EVALUATION_BATCHES = 4
"""Examples evaluated at once, in training batches: without gradients they take no more memory."""
_SAMPLING = 1 << 20
"""Number of the first epoch whose order `sample` uses: no training is that long."""

Progress = Callable[[int, float, float], None]


class Stopped(Exception):  # noqa: N818 - not an error: another thread was interrupted
    """The session was asked to stop between two epochs."""


@dataclass(frozen=True, eq=False)
class State:
    """Values of all parameters and buffers at one time, as stored."""

    parameters: Mapping[str, Tensor]
    buffers: Mapping[str, Tensor]


class Session:
    """Trains the networks of a stack, each on its own order of the examples.

    A method calls `fit` once or several times and changes masks and weights in between. Weights, masks and gradients that
    it sees are canonical, ``(P, out, in, *kernel)`` for P networks, by weight name in node order.

    Attributes:
        task: the task with its data; if a mask is found without data, neither it nor `train`, `validation`, `metric` and
            `criterion` exist.
        options: options of one training; by default `fit` trains for ``options.epochs``.
        stack: the networks.
        layers: the maskable weights.
        keep: number of non-zeros that each network ends with, int64 ``(P,)``.
        histories: one history for each network.
        mirror: multiplicative steps that the optimisers of later phases take besides their own; None for none.
    """

    def __init__(
        self,
        members: Sequence[Member],
        task: Task | None,
        options: TrainingOptions,
        device: torch.device,
        *,
        keep: Sequence[int] = (),
        progress: Progress | None = None,
        stop: Event | None = None,
    ) -> None:
        """Import and initialise the networks, copy the data to the device."""
        self.options, self.device = options, device
        if task is not None:
            self.task = task
            self.train, self.validation = examples(task.train, device), examples(task.validation, device)
            self.metric, self.criterion = METRICS.load(task.metric), LOSSES.load(task.loss).compute
        self.stack = Stack(members, fresh=options.init == "fan-in", device=device)
        self.layers: tuple[Layer, ...] = self.stack.layers
        self.keep = torch.tensor(list(keep), dtype=torch.int64, device=device)
        better = 1.0 if task is None else self.metric.sign
        self.histories = [History(seed=member.seed, sign=better) for member in members]
        self._active = list(self.histories)
        self._progress, self._stop = progress, stop or Event()
        self._clip = any(operator_of(node).kind in RECURRENT for node in members[0].model.graph)
        self.mirror: Mirror | None = None
        self._optimizer = Optimizer(self._leaves(), options, decayed=self._decayed())
        self._epochs = self._samples = 0

    def __len__(self) -> int:
        """Number of networks."""
        return len(self.stack)

    @cached_property
    def exists(self) -> Masks:
        """False where a narrower network is padded; a training with a fixed mask never asks."""
        return self.stack.exists()

    @property
    def seeds(self) -> list[int]:
        """One per network."""
        return [history.seed for history in self._active]

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps of an epoch."""
        return len(bounds(len(self.train), self.options.batch_size))

    def on(self, task: Task, options: TrainingOptions) -> "Session":
        """The same networks, from their start, on another task."""
        session = Session(
            self.stack.members,
            task,
            options,
            self.device,
            keep=self.keep.tolist(),
            progress=self._progress,
            stop=self._stop,
        )
        session.mirror = self.mirror
        return session

    # --- weights and masks ----------------------------------------------------------------------------------------

    def weights(self) -> dict[str, Tensor]:
        """Values, detached: views where possible, to be read only."""
        parameters = self.stack.parameters
        return {layer.name: self.stack.canonical(layer.name, parameters[layer.name].detach()) for layer in self.layers}

    def masks(self) -> Masks:
        """Bool, True = kept."""
        masks = self.stack.masks
        return {
            layer.name: self.stack.canonical(layer.name, masks[layer.name]) > 0
            if layer.name in masks
            else self.exists[layer.name]
            for layer in self.layers
        }

    def set_masks(self, masks: Mapping[str, Tensor]) -> None:
        """Keep these weights: dropped ones become zero, new ones start from zero, both without momentum."""
        names = list(self.stack.parameters)
        for name, mask in masks.items():
            self._optimizer.forget(names.index(name), self.stack.set_mask(name, mask & self.exists[name]))

    def prune(self, worth: Mapping[str, Tensor], counts: Tensor | None = None) -> None:
        """Keep the `counts` (default: `keep`) present weights of largest `worth` in each network, at least one in each layer."""
        counts = self.keep if counts is None else counts
        self.set_masks(keep_largest(worth, counts, self.masks(), least=1))

    @torch.no_grad()
    def set_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Copy canonical values into the parameters, under the masks."""
        for name, value in weights.items():
            stored = self.stack.stored(name, value)
            mask = self.stack.masks.get(name)
            self.stack.parameters[name].copy_(stored if mask is None else stored * mask)

    def state(self) -> State:
        """A copy of all values, to come back to."""
        return State(
            {name: tensor.detach().clone() for name, tensor in self.stack.parameters.items()},
            {name: tensor.clone() for name, tensor in self.stack.buffers.items()},
        )

    @torch.no_grad()
    def rewind(self, state: State) -> None:
        """Go back to earlier values; the masks stay as they are now."""
        for name, tensor in state.parameters.items():
            mask = self.stack.masks.get(name)
            self.stack.parameters[name].copy_(tensor if mask is None else tensor * mask)
        self.stack.buffers = {name: tensor.clone() for name, tensor in state.buffers.items()}

    def redraw(self) -> None:
        """Draw new initial weights, scaled for the true fan-in under the present masks."""
        self.stack.fill([self.stack.redrawn(row) for row in range(len(self))])

    # --- data -----------------------------------------------------------------------------------------------------

    def sample(self, count: int) -> tuple[Tensor, Tensor]:
        """`count` training examples for each network, other ones at every call: ``(*lead, count, …)`` and their targets."""
        count = min(count, len(self.train))
        order = orders(self.seeds, _SAMPLING + self._samples, len(self.train), self.device)[:, :count]
        self._samples += 1
        return self._batch(order)

    def loss(
        self, x: Tensor, y: Tensor, parameters: Mapping[str, Tensor] | None = None, *, temperature: float = 1.0
    ) -> Tensor:
        """Mean loss of each network ``(P,)`` on a batch of `sample`; normalisation statistics stay as they are.

        `temperature` divides the logits.
        """
        buffers = self.stack.buffers
        logits = self.stack.forward(x, parameters)
        self.stack.buffers = buffers
        logits = logits if temperature == 1.0 else logits / temperature
        return self.criterion(logits, y, lead=self.stack.lead, padded=self.train.padded).reshape(-1)

    def gradients(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        """Gradient of the loss with respect to every weight, masked ones too; canonical."""
        leaves = [self.stack.parameters[layer.name] for layer in self.layers]
        found = torch.autograd.grad(self.loss(x, y).sum(), leaves, materialize_grads=True)
        return {
            layer.name: self.stack.canonical(layer.name, gradient)
            for layer, gradient in zip(self.layers, found, strict=True)
        }

    # --- training -------------------------------------------------------------------------------------------------

    def fit(
        self,
        epochs: int | None = None,
        *,
        callback: "Callback[Session] | None" = None,
        last: bool = False,
        rate: float = 1.0,
        within: tuple[int, int] | None = None,
    ) -> None:
        """Train all networks.

        Args:
            epochs: default ``options.epochs``.
            callback: the method's part of every step.
            last: whether this is the last phase, in which a network may stop early (``options.patience``).
            rate: factor of the learning rate.
            within: (epochs before, epochs in total) of a schedule of which this call is a part; momentum is kept from
                part to part.
        """
        epochs = self.options.epochs if epochs is None else epochs
        before, total = within or (0, epochs)
        if before == 0:
            self._optimizer = Optimizer(self._leaves(), self.options, decayed=self._decayed(), mirror=self.mirror)
        for history in self._active:
            history.start = len(history.accuracies)
        batches = bounds(len(self.train), self.options.batch_size)
        if callback is not None:
            callback.begin(self, epochs * len(batches))
        for epoch in range(epochs):
            losses = self._epoch(epoch, batches, callback, (before, total), rate)
            if callback is not None:
                callback.after_epoch(epoch)
                if epoch + 1 == epochs:
                    callback.end()
            self._record(losses, self.evaluate(callback), epochs=epochs, last=last, may_leave=last and callback is None)
            if self._stop.is_set():
                raise Stopped
            if not self._active:
                break

    def evaluate(self, callback: "Callback[Session] | None" = None) -> list[float]:
        """Validation metric of each network with its present weights."""
        parameters = self.stack.parameters
        with torch.no_grad():
            effective = parameters if callback is None else callback.effective(parameters)
        size = EVALUATION_BATCHES * self.options.batch_size
        return measured(self.metric, self.stack, self.validation, size, effective)

    def finish(self) -> list[History]:
        """Take the weights of the networks that still train; returns all histories."""
        if any(not history.weights and history.error is None for history in self._active):
            accuracies = self.evaluate()
            for row, history in enumerate(self._active):
                if not history.weights and history.error is None:
                    history.weights, history.accuracy = self.stack.arrays(row), accuracies[row]
        return self.histories

    def _epoch(
        self,
        epoch: int,
        batches: Sequence[tuple[int, int]],
        callback: "Callback[Session] | None",
        within: tuple[int, int],
        rate: float,
    ) -> list[float]:
        """One pass over the examples; the mean loss of each network."""
        order = orders(self.seeds, self._epochs, len(self.train), self.device)
        self._epochs += 1
        total = torch.zeros(len(self), device=self.device)
        before, epochs = within
        for index, (start, stop) in enumerate(batches):
            lr = rate * learning_rate(
                self.options, (before + epoch) * len(batches) + index, max(epochs, 1) * len(batches)
            )
            total += self._step(*self._batch(order[:, start:stop]), callback, epoch * len(batches) + index, lr)
        return (total / len(batches)).tolist()

    def _step(self, x: Tensor, targets: Tensor, callback: "Callback[Session] | None", step: int, lr: float) -> Tensor:
        """One step of every network; the losses."""
        stack, leaves = self.stack, self._leaves()
        parameters = stack.parameters if callback is None else callback.effective(stack.parameters)
        loss = self.criterion(stack.forward(x, parameters), targets, lead=stack.lead, padded=self.train.padded)
        penalty = None if callback is None else callback.penalty()
        extra = () if callback is None else callback.leaves
        found = torch.autograd.grad(
            loss.sum() if penalty is None else loss.sum() + penalty.sum(), [*leaves, *extra], materialize_grads=True
        )
        gradients = list(found[: len(leaves)])
        if callback is not None:
            callback.on_gradients(step, dict(zip(stack.parameters, gradients, strict=True)))
        gradients = _masked(gradients, [stack.masks.get(name) for name in stack.parameters])
        if self._clip:
            clip(gradients, GRADIENT_NORM, lead=stack.lead)
        self._optimizer.step(gradients, lr)
        if stack.norm_bounds:
            project(stack.parameters, stack.norm_bounds, lead=stack.lead)
        if callback is not None:
            if extra:
                callback.learn(found[len(leaves) :], lr)
            callback.after_step(step)
        return loss.detach()

    def _batch(self, order: Tensor) -> tuple[Tensor, Tensor]:
        """Examples ``(*lead, N, …)`` and targets by their numbers ``(P, N)``."""
        data, chosen = self.train, order.reshape(-1)
        shape = tuple(order.shape) if self.stack.lead else (order.shape[1],)
        x = data.x.index_select(0, chosen).reshape(*shape, *data.x.shape[1:])
        return x, data.y.index_select(0, chosen).reshape(*shape, *data.y.shape[1:])

    def _record(
        self, losses: Sequence[float], accuracies: Sequence[float], *, epochs: int, last: bool, may_leave: bool
    ) -> None:
        """Record the epoch for every network, and drop the networks that are done."""
        if self._progress is not None:
            self._progress(len(self._active[0].losses), losses[0], accuracies[0])
        going = []
        for row, history in enumerate(self._active):
            history.losses.append(losses[row])
            history.accuracies.append(accuracies[row])
            epoch = len(history.accuracies) - history.start
            if not math.isfinite(losses[row]):
                history.error = history.error or _diverged(len(history.losses), self.options)
            elif last:
                self._keep(row, history, final=epoch == epochs)
            done = history.error is not None or epoch == epochs or self._patience_is_over(history, epoch)
            if not (may_leave and done):
                going.append(row)
        if len(going) < len(self._active):
            self._let_go(going)

    def _let_go(self, going: Sequence[int]) -> None:
        if going:
            rows = self.stack.select(going, self.device)
            self._optimizer.select(self._leaves(), self._decayed(), rows)
            self.__dict__.pop("exists", None)  # of fewer networks now
        self._active = [self._active[row] for row in going]

    def _keep(self, row: int, history: History, *, final: bool) -> None:
        """Take the weights of the best epoch, or of the last one without early stopping."""
        latest = len(history.accuracies) - history.start - 1
        if final if self.options.patience is None else history.best == latest:
            history.weights, history.accuracy = self.stack.arrays(row), history.accuracies[-1]

    def _patience_is_over(self, history: History, epoch: int) -> bool:
        return self.options.patience is not None and epoch - 1 - history.best >= self.options.patience

    def _leaves(self) -> list[Tensor]:
        return list(self.stack.parameters.values())

    def _decayed(self) -> list[Tensor]:
        return [self.stack.parameters[name] for name in self.stack.weights]


def _masked(gradients: Sequence[Tensor], masks: Sequence[Tensor | None]) -> list[Tensor]:
    """Gradients of the kept weights, contiguous, because the fused optimiser kernels ignore strides."""
    found = []
    for gradient, mask in zip(gradients, masks, strict=True):
        if mask is None:
            found.append(gradient.contiguous())
        elif gradient.is_contiguous():
            found.append(gradient.mul_(mask))
        else:
            found.append(torch.mul(gradient, mask, out=torch.empty_like(mask)))
    return found


def measured(
    metric: Metric, stack: Stack, data: Examples, size: int, parameters: Mapping[str, Tensor] | None = None
) -> list[float]:
    """A metric of each network on the examples, `size` at a time."""

    def answers() -> Iterator[Answers]:
        for start in range(0, len(data), size):
            part = slice(start, start + size)
            legal = None if data.legal is None else data.legal[part]
            yield Answers(stack.predict(data.x[part], parameters), data.y[part], legal)

    return [float(value) for value in metric.measure(answers()).reshape(-1).tolist()]


def _diverged(epoch: int, options: TrainingOptions) -> TrainingError:
    return TrainingError(
        f"training diverged: the loss of epoch {epoch} is not finite; lower the learning rate (now {options.learning_rate:g})"
    )
