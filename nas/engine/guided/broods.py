"""Broods: thousands of children of one trained mask. Its weakest weights go, and connections come where the loss asks for them most.

Weights and gradients decide as in RigL (Evci et al. 2020, arXiv:1911.11134); noise makes the children differ. A child that loses weights
at random loses what its parent had learnt. The predictor looks at all children in two stages: at a few features of each
(`predictors.screen`), and at the whole structure of the best.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

import onnx_graph
from nas.engine.guided.first_look import extended
from nas.engine.guided.surrogate import GuidedSurrogate, ticket_of
from nas.study.trial import Score, Trial
from onnx_graph.internals import array_of
from predictors import largest_std
from search_spaces import Candidate, InheritedMask, Ticket

SHARES = (0.02, 0.2)
"""Share of its weights that a child exchanges, drawn log-uniformly."""
NOISE = 0.5
"""Standard deviation of the logarithmic noise on weights and gradients."""
DEMANDED = 8
"""Only so many times as many removed connections as there are weights may come: those with the largest gradients."""
FACTOR = 2.0
"""A child of another number of weights has at most so many times as many as its parent, and not fewer than its part."""
LIVE = 0.9
"""Least share of its weights on paths from input to output, compared with its parent's: else what it had learnt is cut off."""
SMALLEST = np.float32(1e-30)
"""A gradient of zero counts as this."""
CHUNK = 2**25
"""Most mask bits at a time, to bound the memory."""
PROBE = 0.25
"""Share of the children whose whole structure is looked at that are taken at random; they tell what the few features mean."""

Bits = NDArray[np.bool_]
Places = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Parent:
    """A trained mask with what decides on its children; places are those of a ticket.

    Attributes:
        ticket: its mask, as a candidate that inherits it.
        shapes: shape of every weight by its name, in the order of the ticket.
        strength: magnitude of the weights ``(weights,)``; 0 where the mask has none.
        demand: magnitude of the gradients ``(weights,)``.
    """

    ticket: Candidate
    shapes: dict[str, tuple[int, ...]]
    strength: NDArray[np.float32]
    demand: NDArray[np.float32]

    @classmethod
    def of(cls, trial: Trial, network: ir.Model, gradients: dict[str, NDArray[np.float32]]) -> "Parent":
        """The parent of a trial with a ticket, its trained network, and the gradients of its weights."""
        ticket = ticket_of(trial)
        shapes = {name: mask.shape for name, mask in onnx_graph.masks(network).items()}
        strength = [
            np.abs(weight.canonical(array_of(network.graph.initializers[weight.name]))).ravel()
            for weight in onnx_graph.weights(network)
        ]
        demand = [np.abs(gradients[name]).ravel() for name in shapes]
        return cls(ticket, shapes, np.concatenate(strength), np.concatenate(demand))

    @cached_property
    def kept(self) -> Places:
        """The weights that the mask keeps."""
        return np.flatnonzero(self.strength)

    @cached_property
    def demanded(self) -> Places:
        """The connections that may come, those with the largest gradients first."""
        removed = np.flatnonzero(self.strength == 0)
        return removed[np.argsort(-self.demand[removed], kind="stable")][: DEMANDED * len(self.kept)]

    @property
    def masks(self) -> dict[str, Bits]:
        """Its own mask by name of the weight, ``(1, *shape)``."""
        return self.named(self.strength[None] != 0)

    def named(self, bits: Bits) -> dict[str, Bits]:
        """Masks in the order of a ticket ``(masks, weights)`` by name of the weight, ``(masks, *shape)``."""
        ends = np.cumsum([int(np.prod(shape)) for shape in self.shapes.values()])
        parts = np.split(bits, ends[:-1], axis=1)
        return {name: part.reshape(-1, *shape) for (name, shape), part in zip(self.shapes.items(), parts, strict=True)}

    def brood(self, counts: Places, rng: np.random.Generator) -> "Brood":
        """Children with these numbers of weights ``(children,)``, as near as the parent allows."""
        own = len(self.kept)
        share = np.exp(rng.uniform(np.log(SHARES[0]), np.log(SHARES[1]), len(counts)))
        target = np.clip(counts, np.ceil(own / FACTOR), own * FACTOR).astype(np.int64)
        come = np.maximum(1, np.rint(share * np.minimum(own, target)).astype(np.int64)) + np.maximum(0, target - own)
        come = np.minimum(come, len(self.demanded))
        go = np.clip(own + come - target, 0, own)
        return Brood(
            self,
            _smallest(self.strength[self.kept], self.kept, go, rng),
            _smallest(np.float32(1) / (self.demand[self.demanded] + SMALLEST), self.demanded, come, rng),
        )


@dataclass(frozen=True, eq=False)
class Brood:
    """Children of one parent, by what goes and what comes: places ``(children, most)``, −1 where there is nothing more."""

    parent: Parent
    gone: Places
    come: Places

    def __len__(self) -> int:
        """Number of children."""
        return len(self.gone)

    def bits(self, children: Places) -> Bits:
        """The masks of some children, ``(children, weights)``."""
        found = np.tile(self.parent.strength != 0, (len(children), 1))
        for places, value in ((self.gone, False), (self.come, True)):
            row, column = np.nonzero(places[children] >= 0)
            found[row, places[children][row, column]] = value
        return found

    def masks(self, children: Places) -> dict[str, Bits]:
        """The masks of some children by name of the weight, ``(children, *shape)``."""
        return self.parent.named(self.bits(children))

    def candidate(self, child: int) -> Candidate:
        """A child as a candidate that inherits its parent's weights."""
        mask = self.parent.ticket.mask
        assert isinstance(mask, InheritedMask)
        ticket = Ticket.of(self.bits(np.array([child])))
        return replace(self.parent.ticket, mask=replace(mask, ticket=ticket.text))

    def parts(self) -> Iterator[Places]:
        """The children in parts whose masks need little memory."""
        size = max(1, CHUNK // len(self.parent.strength))
        for start in range(0, len(self), size):
            yield np.arange(start, min(len(self), start + size))

    def screened(
        self, surrogate: GuidedSurrogate, model: ir.Model, closely: int, rng: np.random.Generator
    ) -> list[tuple[Candidate, Score]]:
        """The children of which most is expected, and some at random, with their scores; none that lost too much.

        Args:
            surrogate: the predictor.
            model: the network of the architecture without a mask.
            closely: number of children whose whole structure is looked at, at least 2.
            rng: draws those at random, which tell what the few features of all mean.
        """
        table = np.concatenate([surrogate.screen(model, self.masks(part)) for part in self.parts()])
        own = surrogate.screen(model, self.parent.masks)[0]
        alive = np.flatnonzero(np.expm1(table[:, 0]) >= LIVE * np.expm1(own[0]))
        if not len(alive):
            return []
        probe = rng.permutation(alive)[: max(1, round(PROBE * closely))]
        found = self._scores(surrogate, model, probe)
        rest = np.setdiff1d(alive, probe)
        hope = extended(table, probe, [score.mean for score in found], rest)
        best = rest[np.argsort(-hope, kind="stable")[: closely - len(probe)]]
        scores = [*found, *(self._scores(surrogate, model, best) if len(best) else [])]
        return [(self.candidate(int(child)), score) for child, score in zip([*probe, *best], scores, strict=True)]

    def _scores(self, surrogate: GuidedSurrogate, model: ir.Model, children: Places) -> list[Score]:
        said = surrogate.predict_masks(self.parent.ticket, model, self.masks(children))
        stds = np.minimum(said.std, largest_std(said.mean))
        return [Score(float(mean), float(std)) for mean, std in zip(said.mean, stds, strict=True)]


def _smallest(values: NDArray[np.floating], places: Places, counts: Places, rng: np.random.Generator) -> Places:
    """So many places for each child ``(children, most)``, those with the smallest values after noise; −1 behind them."""
    most = int(counts.max(initial=0))
    found = np.full((len(counts), most), -1, np.int64)
    size = max(1, CHUNK // max(1, 8 * len(places)))
    for start in range(0, len(counts) if most else 0, size):
        part = slice(start, start + size)
        noisy = np.log(values) + NOISE * rng.standard_normal((len(counts[part]), len(places)), np.float32)
        order = np.argpartition(noisy, most - 1, axis=1)[:, :most]
        order = np.take_along_axis(order, np.argsort(np.take_along_axis(noisy, order, axis=1), axis=1), axis=1)
        found[part] = np.where(np.arange(most) < counts[part][:, None], places[order], -1)
    return found
