"""Unit selection: some hidden units of a trained network are chosen, layer by layer; then weights between them are pruned.

Every layer whose units can be chosen (`selectable_units`) keeps the same share of its units, such that the network of these units
has about ``keep / fill`` weights. Then weights of this network are removed by `criterion`, in `rounds` with re-training before each,
until exactly `keep` remain. Layers whose units cannot be chosen lose weights only in this second step.

Costs 2 + ``rounds · retrain`` trainings, and the choice of the units.
"""

from abc import abstractmethod
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import onnx_ir as ir
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas.training import saliencies
from nas.training.loop import selection
from nas.training.masks.living import living
from nas.training.masks.mean_field import Choice, MeanField
from nas.training.masks.own_network import OwnNetwork, finite, place, some_examples
from nas.training.masks.selectable_units import SelectableUnits, selectable_units
from nas.training.methods.method import Kind, Method, MethodError
from nas.training.methods.prune import counts_after
from onnx_graph import masks
from search_spaces.masks import Mask

if TYPE_CHECKING:
    from nas.training.loop.session import Session

ENTRIES = 1 << 25
"""Largest number of entries of the contributions in memory; wide layers use fewer examples."""


@dataclass(frozen=True, kw_only=True)
class UnitSelection(Method):
    """A method that chooses hidden units of a trained network, then prunes weights between them. A subclass chooses the units.

    Attributes:
        fill: final density of the network of the chosen units, in (0, 1].
        examples: number of training examples on which units are compared.
        criterion: saliency of the weights of this network: a name of `saliencies.CRITERIA`.
        rounds: number of steps in which the weights of this network are removed.
        retrain: epochs before each of these steps, as a share of a training.
    """

    kind: ClassVar[Kind] = "after"

    fill: float = 0.3
    examples: int = 256
    criterion: str = "layer-adaptive"
    rounds: int = 5
    retrain: float = 0.2

    def __post_init__(self) -> None:
        """Refuse options that no selection can have."""
        saliencies.require(self.criterion)
        if not 0 < self.fill <= 1 or not 0 < self.retrain <= 1:
            raise MethodError(f"fill {self.fill} and retrain {self.retrain} must lie above 0 and be 1 at most")
        if self.examples < 1 or self.rounds < 1:
            raise MethodError(f"examples {self.examples} and rounds {self.rounds} must be at least 1")

    @abstractmethod
    def choose(self, layer: MeanField, count: int) -> Choice:
        """`count` units of a layer."""

    def check(self, model: ir.Model, keep: int) -> None:
        """Check that there are units to choose."""
        if not selectable_units(model):
            raise MethodError(
                "this network has no hidden units that one later weight reads, after a dense layer or a convolution: "
                "there are none to choose; take a method that prunes weights, such as magnitude"
            )

    def run(self, session: "Session") -> None:
        """Train, choose units, train and prune the remaining network in turn, train on."""
        if session.options.init != "keep":
            session.fit()
        self.reduce(session)
        held = selection.count(session.masks())
        for step in range(1, self.rounds + 1):
            session.fit(max(1, round(self.retrain * session.options.epochs)))
            counts = counts_after(step, self.rounds, held, session.keep)
            session.prune(saliencies.CRITERIA[self.criterion](session), counts)
        session.fit(last=True)

    def reduce(self, session: "Session") -> None:
        """Keep the weights of each network's chosen units, at least `session.keep`."""
        before = session.masks()
        values, kept = [], []
        for row, keep in enumerate(session.keep.tolist()):
            network = OwnNetwork.of(session, row)
            reduced, rows = self._reduced(session, network, keep)
            left = without(network.model, rows)
            values.append({layer.name: reduced.weight(layer) for layer in network.layers})
            kept.append({layer.name: torch.from_numpy(left[layer.name].copy()) for layer in network.layers})
        chosen = {name: mask & before[name] for name, mask in place(session, kept).items()}
        # If the model's own mask leaves too few weights to these units, other weights come back.
        others = {name: mask & ~chosen[name] for name, mask in before.items()}
        more = selection.keep_largest(saliencies.magnitude(session), session.keep - selection.count(chosen), others)
        session.set_masks({name: mask | more[name] for name, mask in chosen.items()})
        session.set_weights(place(session, values))

    def _reduced(
        self, session: "Session", network: OwnNetwork, keep: int
    ) -> tuple[OwnNetwork, dict[str, NDArray[np.bool_]]]:
        """The network with the chosen units scaled to replace all and the others set to zero, and the rows that are kept."""
        found = selectable_units(network.model)
        counts = unit_counts(network.model, found, keep / self.fill)
        reduced, rows = network, {}
        for units, count in zip(found, counts, strict=True):
            field = mean_field(session, network, reduced, units, self.examples)
            coefficients = self.choose(field, min(count, int(field.live.sum()))).coefficients
            reduced = reduced.replaced(units.reader, units.scale(reduced.weight(units.reader), coefficients))
            rows[units.layer.name] = (coefficients != 0).cpu().numpy()
        return reduced, rows


def mean_field(
    session: "Session", trained: OwnNetwork, reduced: OwnNetwork, units: SelectableUnits, examples: int
) -> MeanField:
    """The contributions of these units in the network whose earlier layers are reduced, on at most `examples` training examples."""
    name = units.reader.output
    wide = units.count * trained.values([name], session.train.x[:1])[name].numel()
    x, y = some_examples(session, min(examples, ENTRIES // wide))
    values = reduced.values([units.reader.input, name], x)
    # Stored contiguously, since it is read in order many times and products return it in another order.
    contributions = finite(units.contributions(values[units.reader.input], reduced.weight(units.reader))).contiguous()
    rest = finite(values[name] - contributions.sum(0))
    # A unit that reads only units that were not chosen is dead.
    contributions[~reduced.weight(units.layer).flatten(1).any(1)] = 0
    behind = reduced.behind(name)

    def loss(outputs: Tensor) -> Tensor:
        logits = torch.unflatten(behind(x, outputs.flatten(0, 1)), 0, (len(outputs), -1))
        return session.criterion(logits, y.expand(len(outputs), *y.shape), lead=1, padded=session.train.padded)

    return MeanField(contributions, rest, finite(trained.values([name], x)[name]), loss)


def unit_counts(model: ir.Model, found: Sequence[SelectableUnits], wanted: float) -> list[int]:
    """Number of units of each layer: the same share of each, rounded up, the smallest that gives the `wanted` weights."""
    largest = max(units.count for units in found)

    def counts(step: int) -> list[int]:
        return [-(-step * units.count // largest) for units in found]

    def weights(step: int) -> int:
        first = {
            units.layer.name: np.arange(units.count) < count for units, count in zip(found, counts(step), strict=True)
        }
        return sum(int(mask.sum()) for mask in without(model, first).values())

    return counts(min(bisect_left(range(1, largest), wanted, key=weights) + 1, largest))


def without(model: ir.Model, rows: Mapping[str, NDArray[np.bool_]]) -> dict[str, Mask]:
    """The model's masks, by weight, without the rows ``(out,)`` that are False and without weights that are then on no path."""
    left = {name: mask.copy() for name, mask in masks(model).items()}
    for name, stay in rows.items():
        left[name][~stay] = False
    return living(model, left)
