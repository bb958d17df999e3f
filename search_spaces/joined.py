"""Several spaces as one: every candidate belongs to one of them."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from search_spaces.candidate import Candidate
from search_spaces.errors import InvalidCandidateError
from search_spaces.genes import PrefixedTrial
from search_spaces.masked_space import MaskedSpace
from search_spaces.space import JOIN, SearchSpace, TrialLike, has_masks


class JoinedSpace:
    """The union of several spaces; see `search_spaces.space.SearchSpace`.

    Attributes:
        name: the names of the spaces, joined by ``+``.
        spaces: the spaces by name.
    """

    def __init__(self, spaces: Sequence[SearchSpace]) -> None:
        """`spaces` have different names."""
        self.spaces = {space.name: space for space in spaces}
        self.name = JOIN.join(self.spaces)

    @property
    def masked(self) -> bool:
        """Whether candidates of one of the spaces can have masks."""
        return any(has_masks(space) for space in self.spaces.values())

    def of(self, candidate: Candidate) -> SearchSpace:
        """The space of a candidate; `InvalidCandidateError` if it is none of these."""
        if candidate.space not in self.spaces:
            raise InvalidCandidateError(
                f"candidate {candidate.digest} is of the space {candidate.space!r}, not of {' or '.join(self.spaces)}"
            )
        return self.spaces[candidate.space]

    def sample(self, rng: np.random.Generator) -> Candidate:
        """A random candidate of a random space."""
        return list(self.spaces.values())[int(rng.integers(len(self.spaces)))].sample(rng)

    def sample_dense(self, rng: np.random.Generator) -> Candidate:
        """A random architecture of a random space, without a mask."""
        space = list(self.spaces.values())[int(rng.integers(len(self.spaces)))]
        return space.sample_dense(rng) if isinstance(space, MaskedSpace) else space.dense(space.sample(rng))

    def suggest(self, trial: TrialLike) -> Candidate:
        """The candidate that a trial proposes; its first gene is the space, whose name precedes the names of the others."""
        name = str(trial.suggest_categorical("space", list(self.spaces)))
        if name not in self.spaces:
            raise InvalidCandidateError(f"a trial proposes the space {name!r}; there are {' and '.join(self.spaces)}")
        return self.spaces[name].suggest(PrefixedTrial(f"{name}_", trial))

    def mutate(self, candidate: Candidate, rng: np.random.Generator) -> Candidate:
        """A neighbour in the candidate's space."""
        return self.of(candidate).mutate(candidate, rng)

    def crossover(self, first: Candidate, second: Candidate, rng: np.random.Generator) -> Candidate:
        """A child of two candidates of one space; of two spaces, a neighbour of the first."""
        space = self.of(first)
        return space.crossover(first, second, rng) if second.space == first.space else space.mutate(first, rng)

    def build(self, candidate: Candidate) -> ir.Model:
        """The untrained network."""
        return self.of(candidate).build(candidate)

    def dense(self, candidate: Candidate) -> Candidate:
        """The same architecture without a mask."""
        return self.of(candidate).dense(candidate)

    def plain(self, scale: float = 1.0) -> list[Candidate]:
        """The plain networks of all spaces."""
        return [one for space in self.spaces.values() if isinstance(space, MaskedSpace) for one in space.plain(scale)]

    def resized(self, candidate: Candidate, scale: float) -> Candidate:
        """The dense network with other widths, see `MaskedSpace.resized`; unchanged if its space has no widths."""
        space = self.of(candidate)
        return space.resized(candidate, scale) if isinstance(space, MaskedSpace) else space.dense(candidate)

    def options(self) -> Mapping[str, object]:
        """The options of every space by its name."""
        return {name: dict(space.options()) for name, space in self.spaces.items()}
