"""Masks of the maskable weights of a network: drawn by recipe, changed by edits."""

from search_spaces.masks.edits import EDITS, apply, random_edit
from search_spaces.masks.layer import Mask, MaskLayer
from search_spaces.masks.recipe import DISTRIBUTIONS, PATTERNS, accepted_options, check, counts, draw

__all__ = [
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
    "random_edit",
]
