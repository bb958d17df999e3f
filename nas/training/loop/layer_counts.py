"""How many weights each layer keeps, for every network of a session."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nas.training.stack.weight_layer import layers
from search_spaces import Json, MaskRecipe
from search_spaces.masks import MaskLayer, counts

if TYPE_CHECKING:
    from nas.training.loop.session import Session


def of_each_layer(
    session: "Session", total: Tensor, distribution: str, options: Mapping[str, Json] | None = None
) -> dict[str, Tensor]:
    """Divide `total` ``(P,)`` non-zeros among the layers by a distribution of `search_spaces.masks`; sums are exact."""
    found: dict[str, list[int]] = {layer.name: [] for layer in session.layers}
    for row in range(len(session)):
        own = _own_layers(session, row)
        size = sum(layer.size for layer in own)
        recipe = MaskRecipe(distribution=distribution, density=int(total[row]) / size, options=options or {})
        for name, number in counts(recipe, own).items():
            found[name].append(number)
    return {name: torch.tensor(numbers, device=total.device) for name, numbers in found.items()}


def _own_layers(session: "Session", row: int) -> list[MaskLayer]:
    """The layers of one network at its own shapes, under the names of the stack."""
    own = layers(session.stack.members[row].model)
    return [replace(mine.mask_layer, name=layer.name) for mine, layer in zip(own, session.layers, strict=True)]
