"""`search` and `resume`: the whole line from a configuration to a report."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx_ir as ir

import onnx_graph
from nas.conclusion.conclusion import conclude
from nas.engine.plan import SearchPlan, data_of, resolve
from nas.engine.preflight import preflight
from nas.engine.search_loop import open_engine
from nas.errors import UsageError
from nas.measure.costs import COSTS
from nas.measure.device_check import require_device
from nas.seeds import generator
from nas.study.config import SearchConfig
from nas.study.progress import Progress
from nas.study.run_folder import RunFolder, write_text
from nas.study.trial import Proposal
from nas.tasks.task import Task
from nas.verbs.compatibility import read_trainable, require_trainable
from nas.verbs.preprocessing import adapt


def search(
    config: SearchConfig,
    out: Path | str,
    *,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    on_stage: Callable[[str], None] = lambda text: None,
    on_remark: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Search for the best sparse network under the configuration's budget.

    Args:
        config: task, space, constraints, objectives, number of trainings.
        out: a new folder for everything that the run leaves: `best.onnx`, `report.html`, `trials.csv`, the journal.
        on_progress: called after every round of trainings.
        on_stage: called with one line of text when another part of the work begins.
        on_remark: called with what was decided about the inputs of a model file, and why.

    Returns:
        The report, as in `report.json`: ``report["best"]`` is the winner, ``report["front"]`` the Pareto front.

    Raises:
        UsageError: a wrong name, option or constraint, or a budget that no candidate meets. Raised before the folder is made
            and before anything is trained.
        DataError: the task's data is missing or damaged.
        RunError: `out` already holds a run.
    """
    plan, remark = checked(config)
    if remark:
        on_remark(remark)
    folder = RunFolder(Path(out))
    folder.create(plan.config)
    return _run(plan, folder, on_progress, on_stage)


def resume(
    out: Path | str,
    *,
    trainings: int | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    on_stage: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Go on with a run, however it ended. Nothing that was recorded is lost or trained again.

    Args:
        out: the folder of the run.
        trainings: the new total of trainings, those already done included; None: as the run was started.
        on_progress: called after every round of trainings.
        on_stage: called with one line of text when another part of the work begins.

    Returns:
        The report, as `search` gives it.

    Raises:
        RunError: the folder holds no run, or another process works in it.
        UsageError: the run already has more trainings than asked for.
    """
    folder = RunFolder(Path(out))
    config = folder.config()
    if trainings is not None:
        config = dataclasses.replace(config, trainings=trainings)
    return _run(resolve(config, task_of(config)), folder, on_progress, on_stage)


def task_of(config: SearchConfig) -> Task:
    """The data that a configuration names, prepared for the model file where the configuration says that it needs that."""
    task = data_of(config)
    if config.model is None or config.preprocessing == "auto":
        return task
    model = onnx_graph.simplify(onnx_graph.load(config.model))
    return adapt(model, task, config.preprocessing, pretrained=config.training_options().init == "keep").task


def prepared(config: SearchConfig) -> tuple[SearchConfig, Task, str]:
    """The configuration with the preprocessing of its model file decided, its task, and a remark on what was decided."""
    task = data_of(config)
    if config.model is None:
        if config.preprocessing != "auto":
            raise UsageError(
                f"preprocessing {config.preprocessing} is for the space onnx: it says what a model file takes"
            )
        return config, task, ""
    require_device(config.device)
    model = read_trainable(Path(config.model))
    require_trainable(model, task)
    pretrained = config.training_options().init == "keep"
    adapted = adapt(model, task, config.preprocessing, pretrained=pretrained, device=config.device)
    return dataclasses.replace(config, preprocessing=adapted.taken), adapted.task, adapted.remark


def checked(config: SearchConfig) -> tuple[SearchPlan, str]:
    """The resolved search, and a remark on who prepares the inputs of its model file.

    Raises what is wrong with the configuration, without touching the disk or training anything.
    """
    require_device(config.device)
    config, task, remark = prepared(config)
    plan = resolve(config, task)
    model = plan.space.build(preflight(plan).members[0].proposal.candidate)
    require_method(plan, model)
    if config.space == "onnx":  # the other spaces build nothing that cannot be trained or exported
        require_trainable(model, plan.task)
    return plan, remark


def require_method(plan: SearchPlan, model: ir.Model) -> None:
    """`UsageError` where the method cannot train such networks with these options."""
    from nas.training.methods.method import begin

    begin(plan.method, model, None, 0, plan.training)


def sizes(plan: SearchPlan, *, draws: int = 200) -> list[dict[str, Any]]:
    """The pre-flight table: the smallest, middle and largest of some random candidates, and how many meet the constraints."""
    space, pool = plan.space, preflight(plan)
    rng = generator(plan.config.seed, "sizes")
    for _ in range(draws):
        pool.offer(Proposal(candidate=space.sample(rng)))
    members = sorted(pool.members, key=lambda member: member.metrics["nnz"])
    picks = {"smallest": members[0], "middle": members[len(members) // 2], "largest": members[-1]}
    share = len(members) / (len(members) + pool.refused)
    return [
        {"candidate": name}
        | {m: pick.metrics[m] for m in pick.metrics if COSTS.load(m).exact}
        | {"feasible": f"{share:.0%}"}
        for name, pick in picks.items()
    ]


def _run(
    plan: SearchPlan,
    folder: RunFolder,
    on_progress: Callable[[Progress], None],
    on_stage: Callable[[str], None],
) -> dict[str, Any]:
    with folder.lock():
        folder.models.mkdir(exist_ok=True)
        engine = open_engine(plan, folder, on_progress=on_progress)
        if plan.config.trainings < len(engine.record.trials):
            raise UsageError(f"{folder.path} already holds {len(engine.record.trials)} trainings; give a larger total")
        write_text(folder.config_file, plan.config.to_toml())
        engine.run()
        return conclude(engine, on_stage=on_stage).to_json()
