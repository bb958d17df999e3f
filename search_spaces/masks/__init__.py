"""Masks of the maskable weights of a network: drawn by recipe, changed by edits."""

from search_spaces.masks.crossing import from_first
from search_spaces.masks.edits import EDITS, apply, random_edit
from search_spaces.masks.keywords import keywords as keyword_options
from search_spaces.masks.layer import Mask, MaskLayer
from search_spaces.masks.n_m import capacity as n_m_capacity
from search_spaces.masks.recipe import CAPACITIES, DISTRIBUTIONS, PATTERNS, accepted_options, check, counts, draw

__all__ = [
    "CAPACITIES",
    "DISTRIBUTIONS",
    "EDITS",
    "PATTERNS",
    "Mask",
    "MaskLayer",
    "accepted_options",
    "apply",
    "check",
    "counts",
    "draw",
    "from_first",
    "keyword_options",
    "n_m_capacity",
    "random_edit",
]
