"""Keeps the networks that were built last, since two parts of a search read each: one counts its costs, then a predictor reads it."""

from collections import OrderedDict
from typing import Protocol

import onnx_ir as ir

from search_spaces import Candidate

RECENT, LARGEST = 256, 2**18
"""Most networks that are kept, and most numbers in each: together at most 256 MiB."""


class Builder(Protocol):
    """What builds networks; every `SearchSpace` does."""

    def build(self, candidate: Candidate) -> ir.Model:
        """The untrained masked network."""


class RecentNetworks:
    """Builds networks, and gives the same one again to whoever asks soon. Nobody may change them."""

    def __init__(self, space: Builder) -> None:
        """`space` builds the networks."""
        self._space = space
        self._kept: OrderedDict[str, ir.Model] = OrderedDict()

    def build(self, candidate: Candidate) -> ir.Model:
        """The untrained masked network, only to be read."""
        digest = candidate.digest
        if digest in self._kept:
            self._kept.move_to_end(digest)
            return self._kept[digest]
        model = self._space.build(candidate)
        if sum(value.const_value.size for value in model.graph.initializers.values() if value.const_value) <= LARGEST:
            self._kept[digest] = model
            if len(self._kept) > RECENT:
                self._kept.popitem(last=False)
        return model
