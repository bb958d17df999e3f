"""SynFlow, iterative pruning by synaptic flow, without data (Tanaka et al. 2020, arXiv:2006.05467).

R is the sum of the outputs for an input of ones, in the network with absolute parameters and only the weights between input and
output (see `linearised`): the sum over all paths of the products of their weights. The saliency of a weight is |w · ∂R/∂w|. The mask
is reached in `rounds`; each round computes the saliencies again and keeps the same share of the remaining weights. No layer is
emptied, because the saliencies of every layer have the same sum, so the weights of a layer with few weights have large saliencies.
With a single round a layer can be emptied.

The gates of GRU and LSTM multiply values and saturate, which the paper does not cover. Here, in networks with recurrent operators,
every weight matrix is divided by its largest absolute row sum. This keeps the gates half open; in a chain of layers without
recurrence it does not change the ranking of the weights.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import onnx_ir as ir
import torch
from torch import Tensor

from nas.training.loop import selection
from nas.training.loop.schedule import geometric
from nas.training.loop.selection import Masks
from nas.training.masks.linear_flow import linearised
from nas.training.methods.before import Before
from nas.training.methods.method import MethodError
from nas.training.saliencies import Saliencies
from nas.training.stack.stack import Member, Stack

if TYPE_CHECKING:
    from nas.training.loop.session import Session


@dataclass(frozen=True, kw_only=True)
class Synflow(Before):
    """SynFlow: the mask is found before training, without data.

    Attributes:
        rounds: number of pruning rounds.
    """

    needs_data: ClassVar[bool] = False

    rounds: int = 100

    def __post_init__(self) -> None:
        """Refuse less than one round."""
        if self.rounds < 1:
            raise MethodError(f"rounds is {self.rounds}; it must be at least 1")

    def check(self, model: ir.Model, keep: int) -> None:
        """Check that the input has a known size, which the input of ones needs."""
        value = _input(model)
        if value.shape is None or not all(isinstance(size, int) for size in list(value.shape)[1:]):
            raise MethodError(
                f"SynFlow needs an input of known size, but {value.name!r} has shape {value.shape}; fix all but the first axis"
            )

    def choose(self, session: "Session") -> None:
        """Compute saliencies and prune, round by round; only the saliencies keep layers from being emptied."""
        flow = Flow(session)
        masks = session.masks()
        start = selection.count(masks)
        for step in range(1, self.rounds + 1):
            shares = [geometric(step, self.rounds, float(share)) for share in session.keep / start]
            counts = (torch.tensor(shares, device=start.device) * start).round().long().maximum(session.keep)
            masks = selection.keep_largest(
                flow.saliencies(masks), session.keep if step == self.rounds else counts, masks
            )
        session.set_masks(masks)


class Flow:
    """The synaptic flow of the networks of a session at their present weights."""

    def __init__(self, session: "Session") -> None:
        """Import the linear networks."""
        members = session.stack.members
        self._stack = Stack(
            [Member.of(linearised(member.model), member.seed) for member in members], fresh=False, device=session.device
        )
        recurrent = any(layer.weight.is_recurrent for layer in session.layers)
        # The products of the sums of many layers exceed the range of single precision.
        self._weights = {name: weight.abs().double() for name, weight in session.weights().items()}
        if recurrent:
            self._weights = {name: weight / _largest_row(weight) for name, weight in self._weights.items()}
        others = session.stack.parameters.items()
        self._others = {name: tensor.detach().abs().double() for name, tensor in others if name not in self._weights}
        shape = [size for size in list(_input(members[0].model).shape or ())[1:] if isinstance(size, int)]
        lead = [len(session)] if session.stack.lead else []
        # Two examples: with one, torch 2.13 computes wrong gradients of grouped convolutions in float64 and channels-last order.
        self._ones = torch.ones(*lead, 2, *shape, dtype=torch.float64, device=session.device)

    def saliencies(self, masks: Masks) -> Saliencies:
        """|w · ∂R/∂w| under these masks, float64, canonical."""
        leaves = {name: (weight * masks[name]).requires_grad_() for name, weight in self._weights.items()}
        stored = {name: self._stack.stored(name, leaf) for name, leaf in leaves.items()}
        flow = self._stack.forward(self._ones, {**self._others, **stored}).sum()
        found = torch.autograd.grad(flow, list(leaves.values()), materialize_grads=True)
        return {
            name: (leaf.detach() * gradient).abs() for (name, leaf), gradient in zip(leaves.items(), found, strict=True)
        }


def _largest_row(weight: Tensor) -> Tensor:
    """The largest sum over a unit's inputs in each network, shaped to divide its weights ``(P, out, in, …)``."""
    largest = weight.flatten(2).sum(2).amax(1).clamp(min=1e-30)
    return largest.reshape(-1, *[1] * (weight.dim() - 1))


def _input(model: ir.Model) -> ir.Value:
    return next(value for value in model.graph.inputs if not value.is_initializer())
