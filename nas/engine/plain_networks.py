"""The plain dense networks of a space, which an expert would try first, in several sizes."""

from search_spaces import Candidate, SearchSpace

SCALES = (1.0, 0.7, 0.5, 0.35, 0.25, 0.17, 0.12, 0.08, 0.05, 0.03)
"""Factors of the widths that are tried, the widest first."""


def plain_networks(space: SearchSpace, scale: float = 1.0) -> list[Candidate]:
    """The plain networks of a space; none if it does not say which."""
    plain = getattr(space, "plain", None)
    return [] if plain is None else list(plain(scale))
