"""A row of the family of the winner: the winner, its parents, their parents, and so on."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nas.percent import percent
from nas.reports.rows.cell import Cell, Cells
from nas.reports.rows.network_row import NetworkRow
from nas.reports.rows.trial_row import TrialRow
from nas.reports.rows.way_row import label_of
from nas.study.candidate_text import architecture_text, mask_text


@dataclass(frozen=True, kw_only=True)
class FamilyRow:
    """A training from which the winner descends, or the winner's own.

    Attributes:
        trial: number of the trial.
        way: how it was found, one of `nas.reports.rows.way_row.LABELS`.
        parents: numbers of the trials whose masks and weights it inherits.
        architecture, mask: the candidate in words; the mask with its method or its edits.
        accuracy: validation metric.
        cost: its epochs, in trainings of the search's length.
    """

    trial: int
    way: str
    parents: tuple[int, ...]
    architecture: str
    mask: str
    accuracy: float | None
    cost: float

    @classmethod
    def all(cls, trials: Sequence[TrialRow], best: NetworkRow) -> "tuple[FamilyRow, ...]":
        """The winner first, then its ancestors, the latest first. Empty if the winner is not among the trials."""
        names = {f"{trial.digest}-{trial.repeat}": trial for trial in trials}
        own = [trial for trial in trials if trial.digest == best.digest]
        # A winner that is kept as it was found is one of several trainings: the one with its seed.
        left = [trial for trial in own if trial.seed in best.seeds][:1] or own[:1]
        found: dict[int, FamilyRow] = {}
        while left:
            trial = left.pop()
            # A parent was trained before its child. So there are no circles, even in a damaged report.
            parents = [names[name] for name in _parents(trial) if name in names and names[name].number < trial.number]
            found[trial.number] = cls._of(trial, [parent.number for parent in parents])
            left += [parent for parent in parents if parent.number not in found]
        return tuple(found[number] for number in sorted(found, reverse=True))

    @classmethod
    def _of(cls, trial: TrialRow, parents: Sequence[int]) -> "FamilyRow":
        return cls(
            trial=trial.number,
            way=label_of(trial),
            parents=tuple(parents),
            architecture=architecture_text(trial.candidate),
            mask=mask_text(trial.candidate),
            accuracy=trial.accuracy,
            cost=trial.cost,
        )

    def cells(self) -> Cells:
        """The row for people."""
        return {
            "trial": Cell.count(self.trial),
            "found": Cell.label(self.way),
            "from trial": Cell.label(", ".join(map(str, self.parents))),
            "mask": Cell.label(self.mask),
            "architecture": Cell.label(self.architecture),
            "trainings": Cell.number(self.cost, "g"),
            "on validation": Cell(percent(self.accuracy), self.accuracy),
        }

    def to_json(self) -> Mapping[str, Any]:
        """As plain JSON values."""
        return asdict(self) | {"parents": list(self.parents)}


def _parents(trial: TrialRow) -> list[str]:
    inherited = dict(trial.candidate.get("mask") or {}).get("inherited")
    parents = inherited.get("parents") if isinstance(inherited, Mapping) else None
    return [str(name) for name in parents] if isinstance(parents, list | tuple) else []
