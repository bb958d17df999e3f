"""Ramanujan pattern: of several near-regular graphs the one with the largest spectral gap.

Hoang et al., ICLR 2023, measure the gap of pruned layers; here it chooses among masks. A random regular graph is nearly
Ramanujan with high probability (Friedman 2008, arXiv:cs/0405020), so that few draws are enough. See `spectrum` for how
little the gap alone says about accuracy.
"""

from collections.abc import Iterator

import numpy as np

from search_spaces.masks.expander import near_regular
from search_spaces.masks.graph_mask import place_on_units
from search_spaces.masks.layer import Mask, MaskLayer
from search_spaces.masks.option_checks import require_count
from search_spaces.masks.spectrum import LEAST_DEGREE, ramanujan_gap
from search_spaces.masks.trade import trade

MIXING = 6
"""Rounds of trades before the first draw: more did not raise the gap, from 48 × 48 to 300 × 784 units."""


def ramanujan(layer: MaskLayer, nnz: int, rng: np.random.Generator, *, draws: int = 8) -> Mask:
    """The best of `draws` near-regular graphs, of a convolution by the graph of its kernels.

    With fewer than 3 connections a unit, on average on either side, there is no gap to choose by: the mask is near-regular
    and that of the pattern `expander`.
    """
    require_count("option 'draws' of pattern 'ramanujan'", draws)

    def graph(out: int, inputs: int, edges: int, rng: np.random.Generator) -> Mask:
        if edges < LEAST_DEGREE * max(out, inputs):
            return near_regular(out, inputs, edges, rng)
        # Rounded, so that a tie does not hang on the last digit of the linear algebra at hand.
        return max(_drawn(out, inputs, edges, draws, rng), key=lambda drawn: round(ramanujan_gap(drawn), 6))

    return place_on_units(graph, layer, nnz, rng)


def _drawn(out: int, inputs: int, edges: int, draws: int, rng: np.random.Generator) -> Iterator[Mask]:
    """Graphs of the same degrees, one round of trades between each and the next."""
    graph = near_regular(out, inputs, edges, rng)
    for _ in range(MIXING):
        graph = trade(graph, rng)
    yield graph
    for _ in range(draws - 1):
        graph = trade(graph, rng)
        yield graph
