"""Expander pattern: a random near-regular bipartite graph (Prabhu et al. 2018, arXiv:1711.08757).

Random regular graphs expand well with high probability. The paper fixes the degree of the out units only; here the
degrees on each side differ by at most one.
"""

import numpy as np

from search_spaces.masks.graph_mask import place_on_units
from search_spaces.masks.layer import Mask, MaskLayer
from search_spaces.masks.streams import permutation


def expander(layer: MaskLayer, nnz: int, rng: np.random.Generator) -> Mask:
    """A near-regular graph of `nnz` connections: degrees of the out units differ by at most one, those of the in units too."""
    return place_on_units(near_regular, layer, nnz, rng)


def near_regular(out: int, inputs: int, edges: int, rng: np.random.Generator) -> Mask:
    """The graph, bool ``(out, in)``: shuffled decks of in units, laid end to end and dealt to the out units in turn."""
    each, more = divmod(edges, out)
    # Units with one more edge come last: the last edge then joins units of the highest degree on both sides.
    ends = (each + (np.arange(out) >= out - more)).cumsum()
    receiver = np.repeat(np.arange(out), np.diff(ends, prepend=0))
    keys = rng.random((-(-edges // inputs), inputs))
    decks = keys.argsort(axis=1)
    for deck in range(1, len(decks)):
        first = deck * inputs
        unit = receiver[first - 1]
        begun = first - (int(ends[unit - 1]) if unit else 0)
        if ends[unit] > first and begun:
            # This unit takes in units from the end of one deck and from the start of the next. Those from the first deck are
            # moved to random places in the second deck, after the ones that it takes from there: it must not take them twice,
            # and at the end of the deck the next such unit would get all of them again.
            held = decks[deck - 1, inputs - begun :]
            keys[deck, held] += 1.0
            keys[deck, keys[deck].argsort()[: ends[unit] - first]] -= 1.0
            keys[deck, held] -= 1.0
            decks[deck] = keys[deck].argsort()
    mask = np.zeros((out, inputs), dtype=np.bool_)
    mask[permutation(out, rng)[receiver], decks.ravel()[:edges]] = True
    return mask
