"""`search` and `resume`: the whole line from a configuration to a report."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx_ir as ir

from nas.engine.search_loop import open_engine
from nas.errors import UsageError
from nas.measure.device_check import require_device
from nas.names import require
from nas.reports.conclusion import conclude
from nas.study.config import SearchConfig
from nas.study.progress import Progress
from nas.study.run_folder import RunFolder, write_text
from nas.tasks.registry import load_task
from nas.tasks.task import Task
from nas.verbs.compatibility import require_trainable

if TYPE_CHECKING:
    from nas.training.methods.method import Method


def search(
    config: SearchConfig,
    out: Path | str,
    *,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    on_stage: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Search and report into a new folder `out`; returns the report.

    Everything wrong with the request is an error before the folder is made and before any training.
    """
    task = task_of(config)
    check(config, task)
    config = config.resolved(len(task.train))
    folder = RunFolder(Path(out))
    folder.create(config)
    return _run(config, folder, task, on_progress, on_stage)


def resume(
    out: Path | str,
    *,
    trainings: int | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    on_stage: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Go on with a run, however it ended: nothing recorded is lost or trained twice. `trainings` raises the total."""
    import dataclasses

    folder = RunFolder(Path(out))
    config = folder.config()
    if trainings is not None:
        config = dataclasses.replace(config, trainings=trainings)
    return _run(config, folder, task_of(config), on_progress, on_stage)


def task_of(config: SearchConfig) -> Task:
    """The data that a configuration names."""
    data_dir = None if config.data_dir is None else Path(config.data_dir)
    return load_task(config.task, data_dir=data_dir, subset=config.subset, target=config.target)


def check(config: SearchConfig, task: Task) -> None:
    """Raise what is wrong with a configuration, without touching the disk or training anything."""
    from nas.engine import strategies
    from nas.engine.preflight import make_space, preflight
    from nas.study import constraints, objectives
    from predictors import PREDICTORS

    require_device(config.device)
    strategies.create(config.strategy)
    if config.predictor != "none":
        require("predictor", config.predictor, [*PREDICTORS, "none"])
    method = config.training_method()
    space = make_space(config, task)
    pool = preflight(
        space, task, constraints.parse_all(config.constraint), objectives.parse(config.objective), seed=config.seed
    )
    require_method(method, space.build(pool.members[0].proposal.candidate), config)
    if config.space == "onnx":  # the other spaces build nothing that cannot be trained or exported
        require_trainable(space.build(pool.members[0].proposal.candidate), task)


def require_method(method: "Method", model: ir.Model, config: SearchConfig) -> None:
    """`UsageError` where the method cannot train such networks with these options."""
    from nas.training.methods.method import begin

    begin(method, model, None, 0, config.training_options())


def sizes(config: SearchConfig, task: Task, *, draws: int = 200) -> list[dict[str, Any]]:
    """The pre-flight table: the smallest, middle and largest of some random candidates, and how many meet the constraints."""
    from nas.engine.preflight import make_space, preflight
    from nas.measure.metrics import COUNTED
    from nas.seeds import generator
    from nas.study import constraints, objectives
    from nas.study.trial import Proposal

    bounds, goals = constraints.parse_all(config.constraint), objectives.parse(config.objective)
    space = make_space(config, task)
    pool = preflight(space, task, bounds, goals, seed=config.seed)
    rng = generator(config.seed, "sizes")
    for _ in range(draws):
        pool.offer(Proposal(candidate=space.sample(rng)))
    members = sorted(pool.members, key=lambda member: member.metrics["nnz"])
    picks = {"smallest": members[0], "middle": members[len(members) // 2], "largest": members[-1]}
    share = len(members) / (len(members) + pool.refused)
    return [
        {"candidate": name} | {m: pick.metrics[m] for m in COUNTED if m in pick.metrics} | {"feasible": f"{share:.0%}"}
        for name, pick in picks.items()
    ]


def _run(
    config: SearchConfig,
    folder: RunFolder,
    task: Task,
    on_progress: Callable[[Progress], None],
    on_stage: Callable[[str], None],
) -> dict[str, Any]:
    with folder.lock():
        folder.models.mkdir(exist_ok=True)
        engine = open_engine(config, folder, task, on_progress=on_progress)
        if config.trainings < len(engine.record.trials):
            raise UsageError(f"{folder.path} already holds {len(engine.record.trials)} trainings; give a larger total")
        write_text(folder.config_file, config.to_toml())
        engine.run()
        return conclude(engine, on_stage=on_stage)
