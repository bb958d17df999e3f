"""The interface of a search space."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
import onnx_ir as ir

from search_spaces.candidate import Candidate

JOIN = "+"
"""Sign between the names of spaces that are searched as one."""
AUTO = "auto"
"""Name of the space of all families that suit a signature."""


class TrialLike(Protocol):
    """The part of `optuna.trial.Trial` that a space uses."""

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """A number in [low, high]."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """A whole number in [low, high]."""

    def suggest_categorical(
        self, name: str, choices: Sequence[bool | int | float | str | None]
    ) -> bool | int | float | str | None:
        """One of the choices."""


class SearchSpace(Protocol):
    """A set of networks that can be drawn, changed and built. Every draw takes its generator."""

    name: str

    def sample(self, rng: np.random.Generator) -> Candidate:
        """A random candidate, within the space's `max_nnz` if it has one."""

    def suggest(self, trial: TrialLike) -> Candidate:
        """The candidate that an Optuna trial proposes."""

    def mutate(self, candidate: Candidate, rng: np.random.Generator) -> Candidate:
        """A neighbour: one gene of the architecture or recipe changed, or one mask edit more. Its digest always differs."""

    def crossover(self, first: Candidate, second: Candidate, rng: np.random.Generator) -> Candidate:
        """A child with genes of both parents."""

    def build(self, candidate: Candidate) -> ir.Model:
        """The untrained masked network, weights 1 where kept and 0 elsewhere, connections of dead units already zero."""

    def dense(self, candidate: Candidate) -> Candidate:
        """The same architecture without a mask: density 1, no edits."""

    def options(self) -> Mapping[str, object]:
        """The resolved options, JSON values, from which `search_spaces.create` makes the same space again."""


@runtime_checkable
class TabularSpace(SearchSpace, Protocol):
    """A space whose networks a table of measurements may list; its networks are dense."""

    def rows(self, table: Mapping[str, Sequence[Any]]) -> list[tuple[int, Candidate]]:
        """The distinct networks of a table, each with its row.

        Of several rows that describe one network, it is the one written in the space's own form, or else the first.

        Args:
            table: columns by name, of equal lengths.

        Raises:
            InvalidOptionError: the columns that describe networks are missing, or a row describes none.
        """

    def within(self, candidates: Sequence[Candidate]) -> Self:
        """The same space with these candidates only, at least one; they are drawn with equal probabilities."""


def has_masks(space: SearchSpace) -> bool:
    """Whether the candidates of a space can have masks; those of a space that does not say (``masked``) can."""
    return bool(getattr(space, "masked", True))
