"""The part that both cell spaces share: genes are drawn, changed and crossed, and kept within a table of known cells.

A candidate is dense: it has no mask. Its cell is written in one form only, so that cells that give the same network have one digest.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from search_spaces import genes
from search_spaces.candidate import Candidate, Json, MaskRecipe
from search_spaces.errors import InvalidCandidateError, InvalidOptionError
from search_spaces.genes import Gene, InheritedTrial, RandomTrial
from search_spaces.signature import Signature
from search_spaces.space import TrialLike

NEAREST = 8
"""Neighbours that a cell has at least in a table: where fewer are one change away, the nearest others are added."""


@dataclass(frozen=True, kw_only=True)
class CellOptions:
    """A cell space has no options."""


class CellSpace(ABC):
    """A search space of dense networks that repeat one cell; see `search_spaces.SearchSpace` and `search_spaces.TabularSpace`."""

    name: ClassVar[str]
    masked: ClassVar[bool] = False
    options_type: ClassVar[type[CellOptions]] = CellOptions

    def __init__(self, signature: Signature, settings: CellOptions = CellOptions()) -> None:
        """Raises `InvalidOptionError` where the space has no network of that signature: it takes square RGB images, halved twice."""
        shape = signature.input_shape
        if len(shape) != 3 or shape[0] != 3 or shape[1] != shape[2] or shape[1] % 4 or signature.per_step:
            raise InvalidOptionError(
                f"space {self.name!r} has no network for inputs of shape {shape}; it takes (3, S, S), S a multiple of 4"
            )
        self.signature, self.settings = signature, settings
        self._known: tuple[Candidate, ...] = ()
        self._places: dict[str, int] = {}
        self._forms = np.zeros(0, np.uint64)

    @abstractmethod
    def cell(self, trial: TrialLike) -> dict[str, Json]:
        """Ask a trial for a cell, in its one form."""

    @abstractmethod
    def genes(self, architecture: Mapping[str, Json]) -> dict[str, Gene]:
        """The answers that give this cell; `InvalidCandidateError` if it is none, or not in its one form."""

    @abstractmethod
    def changes(self, architecture: Mapping[str, Json]) -> list[dict[str, Json]]:
        """The other cells that differ in one operation or edge, each in its one form."""

    @abstractmethod
    def form(self, architecture: Mapping[str, Json]) -> int:
        """The cell as at most 63 bits, of which few differ where few operations and edges do."""

    @abstractmethod
    def forms(self, architecture: Mapping[str, Json]) -> list[int]:
        """The bits of all ways to write the cell."""

    @abstractmethod
    def network(self, architecture: Mapping[str, Json]) -> ir.Model:
        """The network of a cell."""

    @abstractmethod
    def rows(self, table: Mapping[str, Sequence[Any]]) -> list[tuple[int, Candidate]]:
        """The distinct networks of a table: see `search_spaces.TabularSpace`."""

    def within(self, candidates: Sequence[Candidate]) -> Self:
        """The same space with these candidates only, at least one; they are drawn with equal probabilities."""
        space = copy(self)
        space._known = tuple(candidates)
        space._places = {one.digest: place for place, one in enumerate(candidates)}
        space._forms = np.array([self.form(one.architecture) for one in candidates], np.uint64)
        return space

    def sample(self, rng: np.random.Generator) -> Candidate:
        """A random candidate."""
        if self._known:
            return self._known[int(rng.integers(len(self._known)))]
        return self.candidate(self.cell(RandomTrial(rng)))

    def suggest(self, trial: TrialLike) -> Candidate:
        """The candidate that an Optuna trial proposes; where that is no known cell, the nearest one."""
        candidate = self.candidate(self.cell(trial))
        if not self._known or candidate.digest in self._places:
            return candidate
        return self._known[int(self._nearest(candidate.architecture)[0])]

    def mutate(self, candidate: Candidate, rng: np.random.Generator) -> Candidate:
        """One of the `neighbours`."""
        several = self.neighbours(candidate)
        if not several:
            raise InvalidOptionError(f"space {self.name!r} has no neighbour of {candidate.digest}")
        return several[int(rng.integers(len(several)))]

    def neighbours(self, candidate: Candidate) -> list[Candidate]:
        """All candidates with one operation or edge changed, each once; within a table at least `NEAREST`, if it has so many."""
        self._check(candidate)
        changed = {one.digest: one for one in map(self.candidate, self.changes(candidate.architecture))}
        if not self._known:
            return list(changed.values())
        found = {digest: one for digest, one in changed.items() if digest in self._places}
        if len(found) < NEAREST:
            near = (self._known[place] for place in self._nearest(candidate.architecture)[: 2 * NEAREST + 1])
            for one in near:
                if len(found) < NEAREST and one.digest != candidate.digest:
                    found.setdefault(one.digest, one)
        return list(found.values())

    def crossover(self, first: Candidate, second: Candidate, rng: np.random.Generator) -> Candidate:
        """A child: every gene comes from one of the parents; within a table the known cell that is nearest to it."""
        mixed = genes.cross(self.genes(first.architecture), self.genes(second.architecture), rng)
        return self.suggest(InheritedTrial(mixed, rng))

    def build(self, candidate: Candidate) -> ir.Model:
        """The untrained network, all weights 1."""
        self._check(candidate)
        return self.network(candidate.architecture)

    def dense(self, candidate: Candidate) -> Candidate:
        """The candidate itself, since no candidate has a mask."""
        self._check(candidate)
        return candidate

    def options(self) -> dict[str, object]:
        """No options."""
        return {}

    def candidate(self, architecture: Mapping[str, Json]) -> Candidate:
        """The candidate of a cell."""
        return Candidate(space=self.name, architecture=architecture)

    def _nearest(self, architecture: Mapping[str, Json]) -> NDArray[np.int64]:
        """Places of the known cells, those with the fewest different bits first."""
        distances = np.full(len(self._forms), 64, np.uint8)
        for form in self.forms(architecture):
            np.minimum(distances, np.bitwise_count(self._forms ^ np.uint64(form)), out=distances)
        return np.argsort(distances, kind="stable")

    def _check(self, candidate: Candidate) -> None:
        """`InvalidCandidateError` if it is of another space, has a mask, or is no cell in its one form."""
        if candidate.space != self.name:
            raise InvalidCandidateError(
                f"candidate {candidate.digest} is of the space {candidate.space!r}, not of {self.name!r}"
            )
        if candidate.mask != MaskRecipe() or candidate.edits:
            raise InvalidCandidateError(f"candidate {candidate.digest} has a mask; networks of {self.name!r} are dense")
        self.genes(candidate.architecture)


def choice_of(architecture: Mapping[str, Json], name: str, choices: Sequence[str]) -> str:
    """The choice under a name; `InvalidCandidateError` if it is missing or unknown."""
    value = architecture.get(name)
    if value not in choices:
        raise InvalidCandidateError(f"architecture gene {name!r} is {value!r}; it must be one of {', '.join(choices)}")
    return str(value)
