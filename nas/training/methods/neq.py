"""Neurons at equilibrium: units that have come to rest are not updated (Bragagnolo et al. 2022, arXiv:2207.09455).

The mask is a static one, a density of 1 included. After every epoch the outputs of each unit on the first `examples` validation
inputs, scaled to norm 1, are compared with those of the epoch before: φ is their inner product, Δφ its change, and the
velocity v ← Δφ − μ·v. In the next epoch a unit with \\|v\\| ≤ ε is frozen: its weights and its bias get no update, and momentum does
not move them either. Outputs are taken before the activation. Normalisation is never frozen, and units whose row is all masked are
not counted. The share of unit updates that was skipped is the note ``skipped`` of the history. Costs one training.

The direction of a unit's outputs hardly changes where it has few inputs, even while its weights grow, so the unit seems at rest:
sparse networks need a smaller ε than the paper's, which is meant for dense ones.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from nas.training.loop.callback import Callback
from nas.training.masks.units import Units, units_of
from nas.training.methods.method import Kind, MethodError
from nas.training.methods.static import Static
from onnx_graph.internals import WeightUse, integer, product_axes, weight_uses

if TYPE_CHECKING:
    from nas.training.loop.session import Session

Tensors = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Neq(Static):
    """Neurons at equilibrium: do not update units whose outputs stopped changing.

    Attributes:
        momentum: μ, how much of the last velocity is taken off, in [0, 1).
        epsilon: velocity up to which a unit is at rest, ≥ 0.
        examples: validation inputs on which outputs are compared.
    """

    kind: ClassVar[Kind] = "before"

    momentum: float = 0.5
    epsilon: float = 1e-3
    examples: int = 50

    def __post_init__(self) -> None:
        """Refuse what no velocity can have."""
        if not 0 <= self.momentum < 1 or self.epsilon < 0 or self.examples < 1:
            raise MethodError(
                f"momentum {self.momentum} must lie in [0, 1), epsilon {self.epsilon} not be negative, "
                f"examples {self.examples} be at least 1"
            )

    def run(self, session: "Session") -> None:
        """Train, freezing units."""
        session.fit(callback=Freeze(self), last=True)


class Freeze(Callback["Session"]):
    """Holds the weights of units at rest.

    Attributes:
        frozen: bool ``(P, units)`` for each operator, by the name of its first weight.
    """

    def __init__(self, method: Neq) -> None:
        """`method` holds the options."""
        self.method = method

    def begin(self, session: "Session", steps: int) -> None:
        """Look at the outputs of the untrained network; every unit is in motion."""
        super().begin(session, steps)
        self.units = {units.layers[0].name: units for units in units_of(session.layers)}
        found = {use.weight.name: use for use in reversed(list(weight_uses(session.stack.members[0].model)))}
        self._uses = {name: found[name] for name in self.units}
        self._outputs = self._compute()
        self._similarity: Tensors = {}
        self._velocity = {
            name: torch.zeros(output.shape[:2], device=output.device) for name, output in self._outputs.items()
        }
        self.frozen = {name: torch.zeros_like(velocity, dtype=torch.bool) for name, velocity in self._velocity.items()}
        self._held: dict[str, tuple[Tensor, Tensor]] = {}
        self._skipped, self._updates = torch.zeros(2, len(session), device=session.device)

    def on_gradients(self, step: int, gradients: Tensors) -> None:
        """Frozen units learn nothing: their moments fade."""
        for name, (frozen, _) in self._held.items():
            gradients[name].masked_fill_(frozen, 0.0)

    @torch.no_grad()
    def after_step(self, step: int) -> None:
        """Undo what momentum and weight decay did to frozen units."""
        for name, (frozen, values) in self._held.items():
            parameter = self.session.stack.parameters[name]
            parameter.copy_(torch.where(frozen, values, parameter))

    def after_epoch(self, epoch: int) -> None:
        """Count what was skipped, and choose the units to freeze in the next epoch."""
        masks = self.session.masks()
        outputs = self._compute()
        for name, units in self.units.items():
            counted = torch.stack([units.total(masks[layer.name]) > 0 for layer in units.layers]).any(0)
            self._skipped += (self.frozen[name] & counted).sum(1)
            self._updates += counted.sum(1)
            self._move(name, (outputs[name] * self._outputs[name]).sum(2))
        self._outputs = outputs
        self._held = self._hold()

    def end(self) -> None:
        """Note the share of unit updates that was skipped."""
        share = self._skipped / self._updates.clamp(min=1)
        for history, value in zip(self.session.histories, share.tolist(), strict=True):
            history.notes["skipped"] = value

    def _move(self, name: str, similarity: Tensor) -> None:
        """The next velocity; there is none before a second similarity."""
        if name in self._similarity:
            change = similarity - self._similarity[name]
            self._velocity[name] = change - self.method.momentum * self._velocity[name]
            self.frozen[name] = self._velocity[name].abs() <= self.method.epsilon
        self._similarity[name] = similarity

    def _compute(self) -> Tensors:
        """Outputs ``(P, units, values)`` of every unit, scaled to norm 1."""
        x = self.session.validation.x[: self.method.examples]
        names = {name: units.layers[0].output for name, units in self.units.items()}
        values = self.session.stack.values(list(names.values()), x)
        return {
            name: functional.normalize(by_unit(self._uses[name], values[output]), dim=2)
            for name, output in names.items()
        }

    def _hold(self) -> dict[str, tuple[Tensor, Tensor]]:
        """By parameter, as stored: where it is frozen, and the values that it keeps there."""
        stack, held = self.session.stack, {}
        for name, units in self.units.items():
            for layer in units.layers:
                shape = stack.canonical(layer.name, stack.parameters[layer.name]).shape
                rows = units.rows(self.frozen[name]).reshape(*shape[:2], *[1] * (len(shape) - 2))
                held[layer.name] = stack.stored(layer.name, rows.expand(shape))
            held.update(self._biases(name, units))
        return {name: (frozen, stack.parameters[name].detach().clone()) for name, frozen in held.items()}

    def _biases(self, name: str, units: Units) -> Tensors:
        """Where the bias of an operator is frozen; a recurrent one has two for each gate."""
        use, frozen, parameters = self._uses[name], self.frozen[name], self.session.stack.parameters
        if not use.weight.is_recurrent:
            biases = {layer.bias: frozen for layer in units.layers if layer.bias is not None}
        else:
            value = use.node.inputs[3] if len(use.node.inputs) > 3 else None
            blocks = frozen.reshape(len(frozen), use.weight.directions, 1, -1).expand(-1, -1, 2 * use.weight.gates, -1)
            biases = {value.name: blocks} if value is not None and value.name is not None else {}
        return {bias: where.reshape(parameters[bias].shape) for bias, where in biases.items() if bias in parameters}


def by_unit(use: WeightUse, value: Tensor) -> Tensor:
    """The first output of the node that uses a weight, ``(P, …)``, as ``(P, units, values)``."""
    node = use.node
    if use.weight.is_recurrent:
        # (steps, directions, batch, hidden), or (batch, steps, directions, hidden); the last state alone has no steps.
        axis = (2 if integer(node, "layout", 0) else 1) + (1 if node.outputs[0].name else 0)
        return value.movedim((axis, -1), (1, 2)).flatten(1, 2).flatten(2)
    axis = product_axes(use)[1] if use.weight.kind == "dense" else 1
    return value.movedim(axis + 1 if axis >= 0 else axis, 1).flatten(2)
