"""`search` and `resume`: all steps from a configuration to a report."""

import dataclasses
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import onnx_ir as ir

import onnx_graph
from nas.conclusion.conclusion import conclude
from nas.engine.budget import spent
from nas.engine.executors.chosen import executor_of
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
    keep_paths: bool = False,
) -> dict[str, Any]:
    """Search for the best sparse network under the configuration's budget.

    Args:
        config: task, space, constraints, objectives, number of trainings.
        out: a new folder for all files of the run: `best.onnx`, `report.html`, `trials.csv`, the journal and others.
        on_progress: called after every round of trainings.
        on_stage: called with one line of text when another part of the work begins.
        on_remark: called with the decision about the inputs of a model file, and its reason.
        keep_paths: whether the files of the run name data and model by the paths of `config`, instead of absolute ones; the run can then
            be resumed only in the same working folder.

    Returns:
        The report, the same as in `report.json`: ``report["best"]`` is the winner, ``report["front"]`` the Pareto front.

    Raises:
        UsageError: a wrong name, option or constraint, or a budget that no candidate meets. Raised before the folder is made
            and before anything is trained.
        DataError: the task's data is missing or damaged.
        RunError: `out` already holds a run.
    """
    plan, remark = checked(config, keep_paths=keep_paths)
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
    keep_paths: bool = False,
) -> dict[str, Any]:
    """Continue a run, no matter how it ended. Recorded trainings are not lost and not repeated.

    Args:
        out: the folder of the run.
        trainings: the new total number of trainings, including finished ones; None keeps the total of the run.
        on_progress: called after every round of trainings.
        on_stage: called with one line of text when another part of the work begins.
        keep_paths: as it was for `search`.

    Returns:
        The report, the same as from `search`.

    Raises:
        RunError: the folder does not hold a run, or another process uses it.
        UsageError: the run already has more trainings than the new total.
    """
    folder = RunFolder(Path(out))
    config = folder.config()
    if trainings is not None:
        config = dataclasses.replace(config, trainings=trainings)
    return _run(resolve(config, task_of(config), keep_paths=keep_paths), folder, on_progress, on_stage)


def task_of(config: SearchConfig) -> Task:
    """The data that a configuration names, prepared for its model file as its `preprocessing` states."""
    task = data_of(config)
    if config.model is None or config.preprocessing == "auto":
        return task
    model = onnx_graph.simplify(onnx_graph.load(config.model))
    return adapt(model, task, config.preprocessing, pretrained=config.training_options().init == "keep").task


def prepared(config: SearchConfig) -> tuple[SearchConfig, Task, str]:
    """The configuration with decided preprocessing of its model file, its task, and a remark on the decision."""
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


def checked(config: SearchConfig, *, keep_paths: bool = False) -> tuple[SearchPlan, str]:
    """The resolved search, and a remark on the preprocessing for its model file; `keep_paths` as for `search`.

    Raises all errors of the configuration, without writing to the disk or training anything.
    """
    require_device(config.device)
    config, task, remark = prepared(config)
    plan = resolve(config, task, keep_paths=keep_paths)
    model = plan.space.build(preflight(plan).members[0].proposal.candidate)
    require_method(plan, model)
    if config.space == "onnx":  # networks of the other spaces can always be trained and exported
        require_trainable(model, plan.task)
    return plan, remark


def require_method(plan: SearchPlan, model: ir.Model) -> None:
    """`UsageError` if the method cannot train such networks with these options."""
    from nas.training.methods.method import begin

    begin(plan.method, model, None, 0, plan.training)


def sizes(plan: SearchPlan, *, draws: int = 200) -> list[dict[str, Any]]:
    """The pre-flight table: the smallest, middle and largest of random candidates, and the share that meets the constraints."""
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
    with folder.lock(), closing(executor_of(plan.config, plan.task)) as executor:
        folder.models.mkdir(exist_ok=True)
        engine = open_engine(plan, folder, on_progress=on_progress, executor=executor)
        done, total = spent(engine.record.trials), plan.config.trainings
        if total < done and total != engine.record.facts.get("trainings"):  # a last round may cost more than was left
            raise UsageError(f"{folder.path} already holds {done:g} trainings; give a larger total")
        write_text(folder.config_file, plan.config.to_toml())
        engine.run()
        return conclude(engine, on_stage=on_stage).to_json()
