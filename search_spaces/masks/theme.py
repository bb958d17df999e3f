"""Theme pattern: a small graph grown to the layer's size (CT-NAS: Stier, Darji, Granitzer 2021, arXiv:2107.12917).

The theme is bipartite: `vertices` groups of in units, as many groups of out units, and `degree` edges at each. Vertex v
becomes round(p_v · units) units next to each other, up to one so that they add up; an edge becomes a block of connections
between two groups. The paper grows whole networks from one theme (the `mlp` space has those as wiring ``theme``); here
every layer has its own.
"""

import numpy as np
from numpy.typing import NDArray

from search_spaces.masks.expander import near_regular
from search_spaces.masks.graph_mask import place_on_units
from search_spaces.masks.layer import Mask, MaskLayer
from search_spaces.masks.option_checks import is_whole, require, require_count
from search_spaces.masks.placement import keep_smallest


def theme(layer: MaskLayer, nnz: int, rng: np.random.Generator, *, vertices: int = 6, degree: int = 2) -> Mask:
    """Blocks filled at random, all to the same density; what they cannot hold is placed at random outside them.

    Args:
        layer: the weight. In a recurrent one the groups of in units are those of out units.
        nnz: connections.
        rng: draws the theme, the groups and the places.
        vertices: groups of a side; where there are fewer units, some are empty.
        degree: edges of every vertex of the theme, 1 to `vertices`: the blocks are about degree / vertices of the layer.
    """
    require_count("option 'vertices' of pattern 'theme'", vertices)
    fits = is_whole(degree) and 1 <= degree <= vertices
    require(
        fits, "option 'degree' of pattern 'theme'", degree, f"a whole number from 1 to vertices, which is {vertices}"
    )

    def graph(out: int, inputs: int, edges: int, rng: np.random.Generator) -> Mask:
        joined = near_regular(vertices, vertices, vertices * degree, rng)
        targets = grow(shares(vertices, rng), out)
        sources = targets if layer.kind == "recurrent" else grow(shares(vertices, rng), inputs)
        keys = 1.0 + rng.random((out, inputs))
        for target, source in np.argwhere(joined):
            block = keys[targets[target], sources[source]]
            block[:] = _filling(block)
        return keep_smallest(keys, edges)

    return place_on_units(graph, layer, nnz, rng)


def shares(vertices: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """p_v of every vertex of a theme, float ``(vertices,)``: they add up to 1 and none is three times another."""
    sizes: NDArray[np.float64] = 0.5 + rng.random(vertices)
    sizes /= sizes.sum()
    return sizes


def grow(parts: NDArray[np.float64], units: int) -> list[slice]:
    """Units of every vertex, one group after the other; all `units` have a group."""
    ends = np.rint(parts.cumsum() * units).astype(int).tolist()
    return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]


def _filling(block: NDArray[np.float64]) -> NDArray[np.float64]:
    """The density, in (0, 1), from which on each place of the block is filled; `block` holds random numbers in [1, 2)."""
    ranks = block.ravel().argsort().argsort().reshape(block.shape)
    filling: NDArray[np.float64] = (ranks + block - 1.0) / max(1, block.size)
    return filling
