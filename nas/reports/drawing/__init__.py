"""Drawings of a network: its layers as boxes with links, and its masks as pictures."""
