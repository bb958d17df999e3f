"""Per-layer distribution: relative densities given one by one, the gene that a search can change."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from search_spaces.masks.layer import MaskLayer
from search_spaces.masks.option_checks import is_number, require

SMALLEST = 1e-9  # of the largest: keeps the solution for ε away from rounding to nothing


def per_layer(layers: Sequence[MaskLayer], *, densities: Sequence[float] = (1.0,)) -> NDArray[np.float64]:
    """Relative densities from the list, matched by position; only their ratios count, the recipe's density sets the scale.

    Args:
        layers: of the network.
        densities: numbers > 0. A list shorter than the layers goes on with its last value, a longer one is cut.
    """
    fits = isinstance(densities, (list, tuple)) and bool(densities) and all(is_number(d) and d > 0 for d in densities)
    require(fits, "option 'densities' of distribution 'per-layer'", densities, "a list of numbers above 0")  # type: ignore[arg-type]
    values = [*densities[: len(layers)], *[densities[-1]] * (len(layers) - len(densities))]
    relative = np.array(values, dtype=np.float64)
    return np.maximum(relative / relative.max(initial=0.0), SMALLEST) if values else relative
