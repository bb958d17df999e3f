"""A trial that passes questions on and keeps the answers as Optuna does: parameters and their distributions."""

from collections.abc import Sequence
from typing import TypeAlias

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from search_spaces import TrialLike

Param: TypeAlias = "bool | int | float | str | None"


class AskedTrial:
    """A trial around another one, which gives the answers.

    Attributes:
        params: the answers by name.
        distributions: what each was drawn from, by name.
    """

    def __init__(self, trial: TrialLike) -> None:
        """`trial` gives the answers."""
        self._trial = trial
        self.params: dict[str, Param] = {}
        self.distributions: dict[str, BaseDistribution] = {}

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """The trial's answer."""
        value = self._trial.suggest_float(name, low, high, step=step, log=log)
        self._keep(name, value, FloatDistribution(low, high, log=log, step=step))
        return value

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """The trial's answer."""
        value = self._trial.suggest_int(name, low, high, step=step, log=log)
        self._keep(name, value, IntDistribution(low, high, log=log, step=step))
        return value

    def suggest_categorical(self, name: str, choices: Sequence[Param]) -> Param:
        """The trial's answer."""
        value = self._trial.suggest_categorical(name, choices)
        self._keep(name, value, CategoricalDistribution(choices))
        return value

    def _keep(self, name: str, value: Param, distribution: BaseDistribution) -> None:
        self.params[name], self.distributions[name] = value, distribution
