"""Trades between out units, which shuffle a graph and keep all degrees (curveball: Strona et al. 2014, Nat. Commun. 5:4114).

Two out units put together the in units that only one of them reads and share them out again at random, each as many as
it had. Trades lead to every graph of these degrees, each with the same chance in the end (Carstens 2015, Phys. Rev. E 91).
"""

import numpy as np

from search_spaces.masks.layer import Mask
from search_spaces.masks.streams import permutation


def trade(graph: Mask, rng: np.random.Generator) -> Mask:
    """`graph`, bool ``(out, in)``, after a round of trades: out units meet in random pairs, an odd one rests."""
    order = permutation(len(graph), rng)
    half = len(graph) // 2
    first, second = graph[order[:half]], graph[order[half : 2 * half]]
    pair, place = (first ^ second).nonzero()
    # The whole part of these keys is the pair, so that the places are shuffled within each.
    place = place[(pair + rng.random(pair.size)).argsort()]
    sizes = np.bincount(pair, minlength=half)
    rank = np.arange(pair.size) - np.repeat(sizes.cumsum() - sizes, sizes)
    won = rank < (first & ~second).sum(axis=1)[pair]
    traded = graph.copy()
    traded[order[:half][pair], place] = won
    traded[order[half : 2 * half][pair], place] = ~won
    return traded
