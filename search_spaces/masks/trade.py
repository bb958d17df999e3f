"""Trades between out units, which shuffle a graph and keep all degrees (curveball: Strona et al. 2014, Nat. Commun. 5:4114).

Two out units collect the in units that only one of them reads and divide them again at random; each gets the number that it
had. Trades reach every graph of these degrees, in the long run with equal probability (Carstens 2015, Phys. Rev. E 91).
"""

import numpy as np

from search_spaces.masks.layer import Mask
from search_spaces.masks.streams import permutation


def trade(graph: Mask, rng: np.random.Generator) -> Mask:
    """`graph`, bool ``(out, in)``, after a round of trades: out units trade in random pairs; an odd unit does not trade."""
    order = permutation(len(graph), rng)
    half = len(graph) // 2
    first, second = graph[order[:half]], graph[order[half : 2 * half]]
    pair, place = (first ^ second).nonzero()
    # The integer part of these keys is the pair, so that the places are shuffled within each pair.
    place = place[(pair + rng.random(pair.size)).argsort()]
    sizes = np.bincount(pair, minlength=half)
    rank = np.arange(pair.size) - np.repeat(sizes.cumsum() - sizes, sizes)
    won = rank < (first & ~second).sum(axis=1)[pair]
    traded = graph.copy()
    traded[order[:half][pair], place] = won
    traded[order[half : 2 * half][pair], place] = ~won
    return traded
