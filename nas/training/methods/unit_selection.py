"""Unit selection: of a trained network some hidden units are chosen, layer by layer, and then weights inside are pruned.

Every layer whose units can be chosen (`selectable_units`) keeps the same share of them, so many that the network of these units
has about ``keep / fill`` weights. Then weights of it go by `criterion`, in `rounds` with re-training before each,
until exactly `keep` are left. Layers whose units cannot be chosen lose weights only then.

Costs two trainings and ``rounds · retrain`` of one, besides the choice.
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
"""Numbers of contributions at once: of wide layers fewer examples are taken."""


@dataclass(frozen=True, kw_only=True)
class UnitSelection(Method):
    """Choose hidden units of a trained network, then prune weights inside. A subclass chooses the units.

    Attributes:
        fill: density to end with inside the network of the chosen units, in (0, 1].
        examples: of the training data, on which units are compared.
        criterion: saliency of a weight inside: a name of `saliencies.CRITERIA`.
        rounds: steps in which the weights inside go.
        retrain: epochs before each of these steps, as a share of a training.
    """

    kind: ClassVar[Kind] = "after"

    fill: float = 0.3
    examples: int = 256
    criterion: str = "layer-adaptive"
    rounds: int = 5
    retrain: float = 0.2

    def __post_init__(self) -> None:
        """Refuse what no selection can have."""
        saliencies.require(self.criterion)
        if not 0 < self.fill <= 1 or not 0 < self.retrain <= 1:
            raise MethodError(f"fill {self.fill} and retrain {self.retrain} must lie above 0 and be 1 at most")
        if self.examples < 1 or self.rounds < 1:
            raise MethodError(f"examples {self.examples} and rounds {self.rounds} must be at least 1")

    @abstractmethod
    def choose(self, layer: MeanField, count: int) -> Choice:
        """`count` units of a layer."""

    def check(self, model: ir.Model, keep: int) -> None:
        """There must be units to choose."""
        if not selectable_units(model):
            raise MethodError(
                "this network has no hidden units that one later weight reads, after a dense layer or a convolution: "
                "there are none to choose; take a method that prunes weights, such as magnitude"
            )

    def run(self, session: "Session") -> None:
        """Train, choose units, train and prune what is left of them, train on."""
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
        """Leave each network the weights of the units that were chosen, `session.keep` at least."""
        before = session.masks()
        values, kept = [], []
        for row, keep in enumerate(session.keep.tolist()):
            network = OwnNetwork.of(session, row)
            reduced, rows = self._reduced(session, network, keep)
            left = without(network.model, rows)
            values.append({layer.name: reduced.weight(layer) for layer in network.layers})
            kept.append({layer.name: torch.from_numpy(left[layer.name].copy()) for layer in network.layers})
        chosen = {name: mask & before[name] for name, mask in place(session, kept).items()}
        # Where the model's own mask leaves too few weights to these units, others come back.
        others = {name: mask & ~chosen[name] for name, mask in before.items()}
        more = selection.keep_largest(saliencies.magnitude(session), session.keep - selection.count(chosen), others)
        session.set_masks({name: mask | more[name] for name, mask in chosen.items()})
        session.set_weights(place(session, values))

    def _reduced(
        self, session: "Session", network: OwnNetwork, keep: int
    ) -> tuple[OwnNetwork, dict[str, NDArray[np.bool_]]]:
        """The network with its chosen units scaled to stand for all, the others multiplied by zero; the rows that stay."""
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
    """These units in the network of which earlier layers are reduced, on `examples` of the training data at most."""
    name = units.reader.output
    wide = units.count * trained.values([name], session.train.x[:1])[name].numel()
    x, y = some_examples(session, min(examples, ENTRIES // wide))
    values = reduced.values([units.reader.input, name], x)
    # Read in order many times: products leave it in another one.
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
    """Units of each layer, the same share of all rounded up, the fewest with which the network has the `wanted` weights."""
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
    """The model's masks less the rows ``(out,)`` that are False, by weight, and less all that no path goes through then."""
    left = {name: mask.copy() for name, mask in masks(model).items()}
    for name, stay in rows.items():
        left[name][~stay] = False
    return living(model, left)
