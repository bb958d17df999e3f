"""SR-STE: N:M sparsity learned from scratch (Zhou et al. 2021, arXiv:2102.04010).

At every step the network computes with the n largest of every m consecutive inputs of an output, separately at each place of
a kernel. Gradients go straight through to the dense weights, and those that are left out are pulled towards zero: the paper's
w ← w − lr·(g + λ·(1 − mask)·w). With Adam the pull is part of the gradient, so the moments see it. In the end the mask stays.

A density below n:m keeps only the largest of the weights in the groups, at every step too. A weight with fewer than m inputs
(a depthwise convolution, the first one of an image) is one group, which holds at most n; of others m must be a divisor. Costs one
training.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import onnx_ir as ir
import torch
from torch import Tensor
from torch.nn import functional

from nas.training.loop import selection
from nas.training.loop.callback import Callback
from nas.training.loop.selection import Masks
from nas.training.methods.method import Kind, Method, MethodError
from nas.training.saliencies import Saliencies, magnitude
from nas.training.stack.weight_layer import mask_layer
from onnx_graph import weights
from search_spaces.masks import n_m_capacity as capacity

if TYPE_CHECKING:
    from nas.training.loop.session import Session


@dataclass(frozen=True, kw_only=True)
class SrSte(Method):
    """SR-STE: train N:M groups with a straight-through gradient.

    Attributes:
        n: most weights of a group, 1 to m.
        m: inputs of a group.
        decay: λ, the pull on weights that are left out, ≥ 0.
    """

    kind: ClassVar[Kind] = "during"

    n: int = 2
    m: int = 4
    decay: float = 2e-4

    def __post_init__(self) -> None:
        """Refuse impossible groups."""
        if not 1 <= self.n <= self.m or self.decay < 0:
            raise MethodError(
                f"n is {self.n}, m {self.m} and decay {self.decay}; give 1 ≤ n ≤ m and a decay that is not negative"
            )

    @property
    def grouped(self) -> bool:
        """N:M groups."""
        return True

    def run(self, session: "Session") -> None:
        """Train with the groups' mask."""
        session.fit(callback=Groups(self), last=True)

    def check(self, model: ir.Model, keep: int) -> None:
        """Groups must be whole and hold `keep` weights."""
        layers = [mask_layer(weight) for weight in weights(model)]
        for layer in layers:
            inputs = layer.shape[1]
            if inputs > self.m and inputs % self.m:
                raise MethodError(
                    f"{layer.name} has {inputs} inputs, which groups of m = {self.m} do not divide; take another m"
                )
        most, total = sum(capacity(layer, n=self.n, m=self.m) for layer in layers), sum(layer.size for layer in layers)
        if keep > most:
            raise MethodError(
                f"{self.n} of every {self.m} inputs are {most:,} of the {total:,} weights, fewer than {keep:,}; "
                f"give a density of at most {most / total:g}"
            )


class Groups(Callback["Session"]):
    """Masks what the network computes with; the weights themselves stay dense."""

    def __init__(self, method: SrSte) -> None:
        """`method` holds the options."""
        self.method = method

    def begin(self, session: "Session", steps: int) -> None:
        """Choose the first mask."""
        super().begin(session, steps)
        self._among = session.masks()
        self._choose()
        missing = session.keep - selection.count(self.masks)
        if (missing > 0).any():
            raise MethodError(
                f"the model's own zeros leave {int(missing.max()):,} weights too few in groups of {self.method.n}:{self.method.m}; "
                "give a lower density"
            )

    def effective(self, parameters: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Weights under the mask in value, without it for the gradient."""
        masked = {name: parameters[name] - (parameters[name] * out).detach() for name, out in self._left_out.items()}
        return {**parameters, **masked}

    def on_gradients(self, step: int, gradients: dict[str, Tensor]) -> None:
        """Pull what is left out towards zero."""
        for name, out in self._left_out.items():
            gradients[name].add_(self.session.stack.parameters[name].detach() * out, alpha=self.method.decay)

    def after_step(self, step: int) -> None:
        """Other weights may be the largest now."""
        self._choose()

    def end(self) -> None:
        """The mask stays, with exactly as many weights as shall be kept."""
        saliencies = magnitude(self.session)
        self._set(selection.keep_largest(saliencies, self.session.keep, self._in_groups(saliencies), least=1))
        self.session.set_masks(self.masks)

    def _choose(self) -> None:
        saliencies = magnitude(self.session)
        masks = self._in_groups(saliencies)
        excess = (selection.count(masks) > self.session.keep).any()
        self._set(above_threshold(saliencies, self.session.keep, masks) if excess else masks)

    def _in_groups(self, saliencies: Saliencies) -> Masks:
        return {
            name: n_of_m(saliency, self._among[name], self.method.n, self.method.m)
            for name, saliency in saliencies.items()
        }

    def _set(self, masks: Masks) -> None:
        self.masks = masks
        self._left_out = {name: self.session.stack.stored(name, (~mask).float()) for name, mask in masks.items()}


def above_threshold(saliencies: Saliencies, counts: Tensor, among: Masks) -> Masks:
    """The `counts` largest saliencies of each network and the largest of each layer, on ties more: five times as fast as ranks."""
    flat = {name: torch.where(among[name], saliency, -1.0).flatten(1) for name, saliency in saliencies.items()}
    best = torch.cat(list(flat.values()), 1).topk(int(counts.max()), dim=1).values
    threshold = best.gather(1, counts[:, None] - 1)
    limits = {name: torch.minimum(threshold, row.amax(1, keepdim=True)) for name, row in flat.items()}
    return {name: (row >= limits[name]).reshape(among[name].shape) & among[name] for name, row in flat.items()}


def n_of_m(saliencies: Tensor, among: Tensor, n: int, m: int) -> Tensor:
    """The n largest of every m consecutive inputs; ties go to the earlier one.

    Args:
        saliencies: canonical ``(P, out, in, *kernel)``, not negative.
        among: bool, True where a weight may be kept.
        n: most of a group.
        m: inputs of a group; the last one is smaller where m does not divide ``in``.
    """
    inputs = saliencies.shape[2]
    rows = torch.where(among, saliencies, -1.0).movedim(2, -1)
    padded = functional.pad(rows, (0, -inputs % m), value=-1.0)
    kept = _rank(padded.reshape(*padded.shape[:-1], -1, m)) < n
    return kept.flatten(-2)[..., :inputs].movedim(-1, 2) & among


def _rank(groups: Tensor) -> Tensor:
    """Rank inside each group ``(…, m)``, 0 for the largest: how many are larger, or equal and earlier. Sorting takes longer."""
    entries = groups.unbind(-1)
    ranks = []
    for i, entry in enumerate(entries):
        better = [other >= entry if j < i else other > entry for j, other in enumerate(entries) if j != i]
        ranks.append(torch.stack(better).sum(0) if better else torch.zeros_like(entry, dtype=torch.int64))
    return torch.stack(ranks, -1)
