"""The units of a network: the rows of a weight; in a recurrent operator, the rows of all gates of both its matrices."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from nas.training.stack.weight_layer import Layer


@dataclass(frozen=True, kw_only=True)
class Units:
    """The output units of an operator. A recurrent operator has ``directions · hidden`` of them.

    Attributes:
        layers: the weights whose rows make them.
    """

    layers: tuple[Layer, ...]

    @property
    def head(self) -> bool:
        """Whether they are outputs of the network."""
        return any(layer.head for layer in self.layers)

    @property
    def size(self) -> int:
        """Number of units, including those of a stack's padding."""
        weight = self.layers[0].weight
        return weight.shape[0] // weight.gates

    def rows(self, units: Tensor) -> Tensor:
        """Values by unit ``(P, units)`` for each row of each weight: ``(P, out)``."""
        weight = self.layers[0].weight
        blocks = units.reshape(len(units), weight.directions, 1, -1)
        return blocks.expand(-1, -1, weight.gates, -1).reshape(len(units), -1)

    def total(self, rows: Tensor) -> Tensor:
        """Sum ``(P, units)`` over the entries of one of the weights ``(P, out, …)``."""
        weight = self.layers[0].weight
        return (
            rows.reshape(len(rows), weight.directions, weight.gates, self.size // weight.directions, -1)
            .sum((2, 4))
            .flatten(1)
        )


def units_of(layers: Sequence[Layer]) -> tuple[Units, ...]:
    """All units, by operator in node order."""
    groups: dict[str, list[Layer]] = {}
    for layer in layers:
        groups.setdefault(layer.output, []).append(layer)
    return tuple(Units(layers=tuple(group)) for group in groups.values())
