"""Layer-wise Optimal Brain Surgeon (Dong, Chen & Pan 2017, arXiv:1705.07565).

Every layer of a trained network is pruned so that its own output changes least: with H = E[x xᵀ] over the inputs x of a layer,
removing the weight w_q of a row raises the row's squared error by ½·w_q² / [H⁻¹]_qq, if the other weights of the row compensate by
δw = −w_q / [H⁻¹]_qq · H⁻¹e_q. The pruned network is trained on.

Where we differ: the paper removes all weights of a layer with one H⁻¹. Here the weights of a row are removed one by one, each with the
H⁻¹ of the remaining ones, so that one of two equal inputs is kept. The bias compensates too and is never pruned. Across layers
(`scope` global), costs are compared as shares of their layer's mean squared output; in the paper the user sets each layer's density.
Recurrent matrices, transposed convolutions and weights that multiply from the left are pruned by w² relative to their layer, without
compensation.

Costs two trainings and, for each row of d weights, about d³ multiplications: 1e11 for 784 × 300 weights.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from torch import Tensor

from nas.training.loop.selection import Masks
from nas.training.masks.input_moments import input_moments
from nas.training.masks.own_network import OwnNetwork, finite, own, place, set_bias, some_examples
from nas.training.masks.surgery import Surgery
from nas.training.methods.method import Kind, Method, MethodError
from nas.training.methods.prune import kept

if TYPE_CHECKING:
    from nas.training.loop.session import Session


@dataclass(frozen=True, kw_only=True)
class LayerwiseSurgeon(Method):
    """Layer-wise Optimal Brain Surgeon: train, prune each layer with compensation, train on.

    Attributes:
        scope: ``global``, or ``layer`` for the same density in every layer.
        damping: number added to the diagonal of H, as a share of the diagonal's mean.
        examples: number of training examples over which H is the mean.
    """

    kind: ClassVar[Kind] = "after"

    scope: Literal["global", "layer"] = "global"
    damping: float = 0.01
    examples: int = 1024

    def __post_init__(self) -> None:
        """Refuse options that no pruning can have."""
        if self.scope not in ("global", "layer"):
            raise MethodError(f"scope is {self.scope!r}; give global or layer")
        if self.examples < 1 or not self.damping > 0:
            raise MethodError(f"examples {self.examples} must be at least 1, damping {self.damping} above 0")

    def run(self, session: "Session") -> None:
        """Train, prune, train on."""
        if session.options.init != "keep":
            session.fit()
        self.prune(session)
        session.fit(last=True)

    def prune(self, session: "Session") -> None:
        """Keep ``session.keep`` weights of each network; they compensate for the removed ones."""
        x, _ = some_examples(session, self.examples)
        surgeries = [self._surgeries(OwnNetwork.of(session, row), x) for row in range(len(session))]
        own_masks = [own(session, session.masks(), row) for row in range(len(session))]
        worth = place(session, [_worth(found, masks) for found, masks in zip(surgeries, own_masks, strict=True)])
        masks = kept(session, worth, session.keep, session.masks(), self.scope)
        session.set_masks(masks)
        _take_over(session, surgeries, masks)

    def _surgeries(self, network: OwnNetwork, x: Tensor) -> dict[str, Surgery]:
        """The pruning problem of each weight, under the network's own names."""
        moments = {name: finite(moment) for name, moment in input_moments(network, x).items()}
        return {
            layer.name: Surgery.of(network, layer, _damped(moments[layer.name], self.damping))
            for layer in network.layers
        }


def _damped(moments: Tensor, damping: float) -> Tensor:
    """The moments with a share of their mean diagonal added to the diagonal; positive definite even if all inputs are zero."""
    diagonal = moments.diagonal(dim1=1, dim2=2).mean(1, keepdim=True).clamp(min=1e-12)
    return moments + torch.diag_embed((damping * diagonal).expand(-1, moments.shape[1]))


def _worth(surgeries: Mapping[str, Surgery], masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: surgery.worth(masks[name]) for name, surgery in surgeries.items()}


def _take_over(session: "Session", surgeries: Sequence[Mapping[str, Surgery]], masks: Masks) -> None:
    """Give the kept weights and the biases the values that change the outputs least."""
    found = [
        {name: surgery.refit(mine[name]) for name, surgery in of_one.items()}
        for of_one, mine in zip(surgeries, [own(session, masks, row) for row in range(len(session))], strict=True)
    ]
    session.set_weights(place(session, [{name: fit[0].float() for name, fit in of_one.items()} for of_one in found]))
    for row, of_one in enumerate(found):
        for layer, (_, bias) in zip(session.layers, of_one.values(), strict=True):
            if bias is not None and layer.bias is not None:
                set_bias(session, layer.bias, row, bias)
