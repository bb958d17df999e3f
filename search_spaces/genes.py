"""Genes: named choices made one after another, by chance, by Optuna, from one parent, from two, or from a candidate.

A space describes itself once, as a function that asks a trial for one gene after another. The kind of trial decides where
the genes come from: a `RandomTrial` draws them, an Optuna trial suggests them, an `InheritedTrial` copies those of a parent
and changes some, a `RecordedTrial` reads those of a finished candidate. A `Recorder` around any of them keeps the answers.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from search_spaces.errors import InvalidCandidateError
from search_spaces.space import TrialLike

Gene: TypeAlias = "bool | int | float | str | None"

MAX_SEED = 2**31 - 1
_LARGEST = 4096
"""Largest whole number accepted from a candidate, even outside of this space's ranges: candidates may be untrusted input."""


class RandomTrial:
    """Answers every question by chance."""

    def __init__(self, rng: np.random.Generator) -> None:
        """`rng` draws the answers."""
        self._rng = rng

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """Uniform (log-uniform) in [low, high], on the grid low, low + step, … where `step` is given."""
        if step is not None:
            return low + step * int(self._rng.integers(int((high - low) / step + 1e-9) + 1))
        if log:
            return min(high, max(low, math.exp(self._rng.uniform(math.log(low), math.log(high)))))
        return float(self._rng.uniform(low, high))

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """Uniform (log-uniform) in [low, high]."""
        if log:
            value = round(math.exp(self._rng.uniform(math.log(low - 0.5), math.log(high + 0.5))))
            return min(high, max(low, value))
        return low + step * int(self._rng.integers((high - low) // step + 1))

    def suggest_categorical(self, name: str, choices: Sequence[Gene]) -> Gene:
        """One of the choices, all equally likely."""
        return choices[int(self._rng.integers(len(choices)))]


class InheritedTrial(RandomTrial):
    """Answers with the inherited genes; genes that are missing or out of range are drawn, genes in `change` are moved or drawn."""

    def __init__(self, inherited: Mapping[str, Gene], rng: np.random.Generator, change: Collection[str] = ()) -> None:
        """`inherited` is not changed."""
        super().__init__(rng)
        self._inherited = inherited
        self._change = frozenset(change)

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """The inherited number, one near it, or one drawn."""
        value = self._inherited.get(name)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not low <= value <= high:
            return super().suggest_float(name, low, high, step=step, log=log)
        if name not in self._change:
            return float(value)
        if step is None and self._rng.random() < 0.5:
            return self._near(value, low, high, log)
        return super().suggest_float(name, low, high, step=step, log=log)

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """The inherited number, one near it, or one drawn."""
        value = self._inherited.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high or (value - low) % step:
            return super().suggest_int(name, low, high, step=step, log=log)
        if name not in self._change:
            return value
        if self._rng.random() < 0.5:
            return low + step * round((self._near(value, low, high, log) - low) / step)
        return super().suggest_int(name, low, high, step=step, log=log)

    def suggest_categorical(self, name: str, choices: Sequence[Gene]) -> Gene:
        """The inherited choice, or one of the others if it is in `change`."""
        value = self._inherited.get(name)
        # True == 1 in Python, yet they are different JSON.
        others = [choice for choice in choices if choice != value or type(choice) is not type(value)]
        if name in self._change:
            return super().suggest_categorical(name, others or choices)
        if name in self._inherited and len(others) < len(choices):
            return value
        return super().suggest_categorical(name, choices)

    def _near(self, value: float, low: float, high: float, log: bool) -> float:
        """A step of about a fifth of the range."""
        if log:
            return min(
                high, max(low, math.exp(math.log(value) + 0.2 * math.log(high / low) * self._rng.standard_normal()))
            )
        return min(high, max(low, value + 0.2 * (high - low) * self._rng.standard_normal()))


class PreferredTrial:
    """Answers as an expert would: the preferred gene, kept within the range; else the middle of a range, or the first choice."""

    def __init__(self, preferred: Mapping[str, Gene]) -> None:
        """`preferred` is not changed."""
        self._preferred = preferred

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """The preferred number, or the middle."""
        wanted = self._number(name, (low * high) ** 0.5 if log else (low + high) / 2)
        if step is not None:
            wanted = low + step * round((wanted - low) / step)
        return min(high, max(low, wanted))

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """The preferred number, or the middle."""
        wanted = self._number(name, (max(low, 1) * high) ** 0.5 if log else (low + high) / 2)
        last = low + step * ((high - low) // step)
        return min(last, max(low, low + step * round((wanted - low) / step)))

    def suggest_categorical(self, name: str, choices: Sequence[Gene]) -> Gene:
        """The preferred choice, or the first."""
        return self._preferred[name] if name in self._preferred and self._preferred[name] in choices else choices[0]

    def _number(self, name: str, otherwise: float) -> float:
        value = self._preferred.get(name)
        return float(value) if isinstance(value, (int, float)) else otherwise


class RecordedTrial:
    """Answers with the genes of a candidate; `InvalidCandidateError` if one is missing or impossible.

    A candidate may lie outside the ranges of this space's options (it may have been drawn with wider ones), but its
    numbers must be possible.
    """

    def __init__(self, genes: Mapping[str, object]) -> None:
        """`genes` is not changed."""
        self._genes = genes

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """The recorded number."""
        value = self._get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not min(low, 0) <= value <= max(high, 1):
            raise InvalidCandidateError(
                f"architecture gene {name!r} is {value!r}; it must be a number in [{low}, {high}]"
            )
        return float(value)

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """The recorded number."""
        value = self._get(name)
        if isinstance(value, bool) or not isinstance(value, int) or not min(low, 1) <= value <= max(high, _LARGEST):
            raise InvalidCandidateError(
                f"architecture gene {name!r} is {value!r}; it must be a whole number in [{low}, {high}]"
            )
        return value

    def suggest_categorical(self, name: str, choices: Sequence[Gene]) -> Gene:
        """The recorded choice, which must be of the same type as the choices."""
        value = self._get(name)
        if not any(type(value) is type(choice) for choice in choices):
            raise InvalidCandidateError(f"architecture gene {name!r} is {value!r}; it must be one of {list(choices)}")
        return value  # type: ignore[return-value]

    def _get(self, name: str) -> object:
        if name not in self._genes:
            raise InvalidCandidateError(f"architecture has no gene {name!r}; it has {', '.join(self._genes) or 'none'}")
        return self._genes[name]


class Recorder:
    """Passes questions on to a trial and keeps the answers in `genes`, in order."""

    def __init__(self, trial: TrialLike) -> None:
        """`trial` gives the answers."""
        self._trial = trial
        self.genes: dict[str, Gene] = {}

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """The trial's answer."""
        value = self._trial.suggest_float(name, low, high, step=step, log=log)
        self.genes[name] = value
        return value

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """The trial's answer."""
        value = self._trial.suggest_int(name, low, high, step=step, log=log)
        self.genes[name] = value
        return value

    def suggest_categorical(self, name: str, choices: Sequence[Gene]) -> Gene:
        """The trial's answer."""
        value = self._trial.suggest_categorical(name, choices)
        self.genes[name] = value
        return value


class PrefixedTrial:
    """Passes questions on under names with a prefix: genes of different spaces may have the same name and other choices."""

    def __init__(self, prefix: str, trial: TrialLike) -> None:
        """`trial` gives the answers."""
        self._prefix, self._trial = prefix, trial

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """The trial's answer."""
        return self._trial.suggest_float(self._prefix + name, low, high, step=step, log=log)

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """The trial's answer."""
        return self._trial.suggest_int(self._prefix + name, low, high, step=step, log=log)

    def suggest_categorical(self, name: str, choices: Sequence[Gene]) -> Gene:
        """The trial's answer."""
        return self._trial.suggest_categorical(self._prefix + name, choices)


def cross(first: Mapping[str, Gene], second: Mapping[str, Gene], rng: np.random.Generator) -> dict[str, Gene]:
    """Every gene from one of the parents by chance; a gene that only one has is taken from it."""
    child = {**second, **first}
    for name in sorted(set(first) & set(second)):
        if rng.random() < 0.5:
            child[name] = second[name]
    return child


def integer(trial: TrialLike, name: str, bounds: tuple[int, int], *, step: int = 1, log: bool = False) -> int:
    """A whole number gene in `bounds`, both included."""
    return trial.suggest_int(name, bounds[0], bounds[1], step=step, log=log)


def choice(trial: TrialLike, name: str, choices: Sequence[str]) -> str:
    """A gene that is one of some names."""
    return str(trial.suggest_categorical(name, list(choices)))


def flag(trial: TrialLike, name: str) -> bool:
    """A gene that is on or off."""
    return bool(trial.suggest_categorical(name, [False, True]))


def seed(trial: TrialLike, name: str) -> int:
    """The seed of a draw."""
    return trial.suggest_int(name, 0, MAX_SEED)
