"""A resolved search: the only place where text from flags, TOML or a library call becomes objects.

Code that works on a search takes a `SearchPlan`. It keeps the configuration for its numbers; its names are already resolved.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nas.engine import strategies
from nas.engine.strategies.strategy import Strategy
from nas.errors import UsageError
from nas.metrics import Metric
from nas.study import constraints, objectives
from nas.study.config import AUTO, SearchConfig
from nas.study.constraints import Constraint
from nas.study.objectives import Objective
from nas.study.vocabulary import is_cost
from nas.tasks.accuracy_table import AccuracyTable, open_table
from nas.tasks.registry import load_task
from nas.tasks.task import Task
from nas.training.options import TrainingOptions
from onnx_graph import unknown_name
from predictors import Predictor
from search_spaces import SPACES, SearchSpace, TabularSpace, suited

if TYPE_CHECKING:
    from nas.training.methods.method import Method

NO_PREDICTOR = "none"
"""Predictor name that turns screening off."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SearchPlan:
    """A search in which all names are resolved to objects.

    Attributes:
        config: configuration of the search, in which `epochs` and paths are also resolved.
        task: the data; its metric is the metric of the search.
        space: space of the candidates.
        objectives: objectives to optimise; one of them is the metric of the task.
        constraints: constraints that every candidate must meet.
        strategy: strategy that proposes candidates.
        predictor: class of the predictor that screens candidates before training; None without screening.
        method: method that trains mask and weights.
        training: options of one training.
        table: accuracies that are looked up in the place of trainings; None if candidates are trained.
    """

    config: SearchConfig
    task: Task
    space: SearchSpace
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...]
    strategy: Strategy
    predictor: type[Predictor] | None
    method: "Method"
    training: TrainingOptions
    table: AccuracyTable | None = None

    @property
    def metric(self) -> Metric:
        """The metric of the search: trainings measure it and the predictor predicts it."""
        return objectives.main_of(self.objectives)

    @property
    def resolution(self) -> float:
        """The smallest difference that the validation split can show: one example; 0 where accuracies are looked up."""
        return 1 / len(self.task.validation) if len(self.task.validation) else 0.0

    @property
    def further_metrics(self) -> tuple[str, ...]:
        """Names of the other metrics in objectives and constraints, each once."""
        named = [*(one.name for one in self.objectives), *(one.metric for one in self.constraints)]
        return tuple(dict.fromkeys(name for name in named if not is_cost(name) and name != self.metric.name))

    def random_baseline(self, trainings: int) -> "SearchPlan":
        """Random search with the same objectives and constraints, and the given number of trainings."""
        config = dataclasses.replace(
            self.config,
            strategy="random",
            predictor=NO_PREDICTOR,
            confirm=0.0,
            random_baseline=False,
            trainings=trainings,
            timeout=None,
        )
        return dataclasses.replace(self, config=config, strategy=strategies.create("random"), predictor=None)


def resolve(config: SearchConfig, task: Task | None = None, *, keep_paths: bool = False) -> SearchPlan:
    """The plan of a search: everything that a configuration names, as objects.

    Args:
        config: configuration from the user.
        task: the data if they are already loaded, or prepared for a model file.
        keep_paths: whether the plan names data and model by the paths of `config`, instead of absolute ones.

    Raises:
        UsageError, ConstraintError, PluginError, SpaceError, PredictorError: a name that does not exist or a value that does not fit.
        DataError: a data file that is missing, damaged or unfit.
    """
    task = data_of(config) if task is None else task
    metric = objectives.main_metric(config.objective, task.metric)
    if metric != task.metric:
        task = dataclasses.replace(task, metric=metric)
    bounds = constraints.parse_all(config.constraint, metric)
    config = config.resolved(len(task.train), families=suited(task.signature), keep_paths=keep_paths)
    space, table = space_of(config, task, bounds), None
    if config.table is not None:
        space, table = _looked_up(config, space)
    plan = SearchPlan(
        config=config,
        task=task,
        space=space,
        objectives=objectives.parse(config.objective, metric),
        constraints=bounds,
        strategy=strategies.create(config.strategy),
        predictor=predictor_of(config),
        method=method_of(config),
        training=config.training_options(),
        table=table,
    )
    if table is not None:
        _require_accuracy_only(plan)
    return plan


def data_of(config: SearchConfig) -> Task:
    """The data that a configuration names, normalised by the task; for a table the task without its data."""
    if config.table is not None:
        return open_table(Path(config.table)).task(config.column, config.test_column)
    data_dir = None if config.data_dir is None else Path(config.data_dir)
    return load_task(config.task, data_dir=data_dir, subset=config.subset, target=config.target)


def space_of(config: SearchConfig, task: Task, bounds: Sequence[Constraint]) -> SearchSpace:
    """The space with the options of the configuration and with the bounds on nnz of the constraints."""
    import search_spaces

    options: dict[str, object] = dict(constraints.nnz_options(bounds)) if _draws_masks(config.space) else {}
    if config.model is not None:
        options["model"] = config.model
    options |= {name.replace("-", "_"): _json(value) for name, value in _pairs("space", config.space_option).items()}
    return search_spaces.create(config.space, task.signature, **options)


def _draws_masks(space: str) -> bool:
    """Whether a space, or one of several, draws masks and so takes bounds on their non-zeros."""
    return any(name not in SPACES or getattr(SPACES.load(name), "masked", True) for name in space.split("+"))


def _looked_up(config: SearchConfig, space: SearchSpace) -> tuple[SearchSpace, AccuracyTable]:
    """The part of the space that the table of the configuration holds, and its accuracies."""
    assert config.table is not None
    if not isinstance(space, TabularSpace):
        raise UsageError(
            f"a table lists networks of a space such as nasbench201 or nasbench101, not of {config.space}; give --space"
        )
    table = open_table(Path(config.table)).accuracies(space, config.column, config.test_column)
    return space.within(table.candidates), table


def _require_accuracy_only(plan: SearchPlan) -> None:
    """`UsageError` for what a table cannot answer: other metrics, methods, and predictors that read the data."""
    config = plan.config
    named = [plan.metric.name, *plan.further_metrics]
    if named != ["accuracy"]:
        raise UsageError(f"a table holds accuracies only; leave {', '.join(n for n in named if n != 'accuracy')} out")
    if config.method != AUTO:
        raise UsageError(f"nothing is trained where a table is looked up; leave the method {config.method} out")
    if getattr(plan.predictor, "needs_task", False):
        raise UsageError(
            f"the predictor {config.predictor} reads the data of a task, and a table has none; take gp or quick"
        )


def method_of(config: SearchConfig) -> "Method":
    """The mask method with its options; `UsageError` if the name is unknown or the options do not fit."""
    from nas.training.methods.registry import create

    return create(config.drawn_method, _pairs("method", config.method_option))


def predictor_of(config: SearchConfig) -> type[Predictor] | None:
    """The class of the predictor; None if the configuration uses none."""
    from predictors import PREDICTORS

    if config.predictor == NO_PREDICTOR:
        return None
    if config.predictor not in PREDICTORS:
        raise UsageError(unknown_name("predictor", config.predictor, [*PREDICTORS, NO_PREDICTOR]))
    return PREDICTORS.load(config.predictor)


def _pairs(what: str, texts: Sequence[str]) -> Mapping[str, str]:
    """``NAME=VALUE`` texts as values by name; for a repeated name the last one is used."""
    pairs = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise UsageError(f"{what} option {text!r} must be NAME=VALUE")
        pairs[name.strip()] = value.strip()
    return pairs


def _json(text: str) -> object:
    """The value of a JSON text; other text stays as it is."""
    try:
        return json.loads(text)
    except RecursionError:
        raise UsageError(f"a space option is nested too deep: {text[:40]}…") from None
    except ValueError:
        return text
