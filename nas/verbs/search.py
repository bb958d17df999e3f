"""`search` and `resume`: the whole line from a configuration to a report."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx_ir as ir

from nas.engine.plan import SearchPlan, resolve
from nas.engine.preflight import preflight
from nas.engine.search_loop import open_engine
from nas.errors import UsageError
from nas.measure.costs import COSTS
from nas.measure.device_check import require_device
from nas.reports.conclusion import conclude
from nas.seeds import generator
from nas.study.config import SearchConfig
from nas.study.progress import Progress
from nas.study.run_folder import RunFolder, write_text
from nas.study.trial import Proposal
from nas.verbs.compatibility import require_trainable


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
    plan = checked(config)
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
    """Go on with a run, however it ended: nothing recorded is lost or trained twice. `trainings` raises the total."""
    import dataclasses

    folder = RunFolder(Path(out))
    config = folder.config()
    if trainings is not None:
        config = dataclasses.replace(config, trainings=trainings)
    return _run(resolve(config), folder, on_progress, on_stage)


def checked(config: SearchConfig) -> SearchPlan:
    """The resolved search; raises what is wrong with it, without touching the disk or training anything."""
    require_device(config.device)
    plan = resolve(config)
    model = plan.space.build(preflight(plan).members[0].proposal.candidate)
    require_method(plan, model)
    if config.space == "onnx":  # the other spaces build nothing that cannot be trained or exported
        require_trainable(model, plan.task)
    return plan


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
        return conclude(engine, on_stage=on_stage)
