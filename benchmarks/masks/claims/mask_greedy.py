"""Claims of greedy selection (arXiv:2003.01794, arXiv:2010.15969) on a perceptron of 200 hidden units."""

from dataclasses import replace
from statistics import mean
from typing import Any

import numpy as np
import torch

from benchmarks.support.mask_networks import digits_70_30, perceptron
from nas import Task, TrainingOptions, TrainingResult, train_population
from nas.training.loop.session import Session
from nas.training.masks.own_network import OwnNetwork
from nas.training.masks.selectable_units import selectable_units
from nas.training.methods.greedy_forward import GreedyForward
from nas.training.methods.greedy_imitation import GreedyImitation, local_imitation
from nas.training.methods.unit_selection import UnitSelection, mean_field
from nas.training.stack.stack import Member

SHAPE, UNITS, CHOSEN, SEEDS = (1, 8, 8), 200, 20, range(10)
FIRST, LAST = 5, 100
"""Kept units between which the discrepancy is looked at: the first few lower it faster than all others."""


def selected_units(options: TrainingOptions) -> tuple[str, str, bool, dict[str, Any]]:
    """20 units chosen of 200 and fine-tuned, against 20 units trained directly for one and for two trainings."""
    task = digits_70_30()
    models = [perceptron((64, CHOSEN, 10), SHAPE) for _ in SEEDS]
    direct = {}
    for times in (1, 2):
        longer = replace(options, epochs=times * options.epochs)
        results = train_population(models, task, longer, seeds=list(SEEDS))
        direct[times] = [result.accuracy for result in results if isinstance(result, TrainingResult)]
    numbers: dict[str, Any] = {"direct": direct}
    texts = [f"direct {mean(direct[1]):.4f}, twice as long {mean(direct[2]):.4f}"]
    for name, method in (("forward", GreedyForward(fill=1.0)), ("imitation", GreedyImitation(fill=1.0))):
        found = _chosen(task, options, method)
        wins = {times: sum(a > b for a, b in zip(found, direct[times], strict=True)) for times in direct}
        texts.append(f"{name} {mean(found):.4f}, better in {wins[1]} and {wins[2]} of 10")
        numbers[name] = {"accuracies": found, "wins": wins}
    holds = all(numbers[name]["wins"][1] >= 8 for name in ("forward", "imitation"))
    claim = "20 units chosen greedily of 200, fine-tuned, beat a directly trained 20-unit network in 8 of 10 seeds"
    return claim, "; ".join(texts), holds, numbers


def discrepancy(options: TrainingOptions) -> tuple[str, str, bool, dict[str, Any]]:
    """Log discrepancy of the layer's output against the number of kept units."""
    session = _trained(digits_70_30(), options)
    found = []
    for row in range(len(session)):
        network = OwnNetwork.of(session, row)
        field = mean_field(session, network, network, selectable_units(network.model)[0], 256)
        choice = local_imitation(field, LAST)
        errors = dict(zip(choice.units, choice.errors, strict=True))
        found.append(_r2(errors, FIRST, LAST))
    whole = (
        f"R² {mean(found):.3f}, least {min(found):.3f}, between {FIRST} and {LAST} kept units of {UNITS} (10 networks)"
    )
    claim = "log discrepancy is near linear in the kept units, R² > .95 (local imitation)"
    return claim, whole, mean(found) > 0.95, {"r2": found}


def _trained(task: Task, options: TrainingOptions) -> Session:
    members = [Member.of(perceptron((64, UNITS, 10), SHAPE), seed) for seed in SEEDS]
    keep = [CHOSEN * (64 + 10)] * len(members)
    session = Session(members, task, options, torch.device("cpu"), keep=keep)
    session.fit()
    return session


def _chosen(task: Task, options: TrainingOptions, method: UnitSelection) -> list[float]:
    """Accuracy of the chosen units after fine-tuning."""
    session = _trained(task, options)
    method.reduce(session)
    session.fit()
    return session.evaluate()


def _r2(errors: dict[int, float], first: int, last: int) -> float:
    pairs = [(units, error) for units, error in errors.items() if first <= units <= last and error > 0]
    units, logs = np.array([pair[0] for pair in pairs]), np.log(np.array([pair[1] for pair in pairs]))
    return float(np.corrcoef(units, logs)[0, 1] ** 2)
