"""The random baseline: random search with the same constraints and number of trainings, in its own run folder."""

from nas.engine.budget import trainings
from nas.engine.leaders import winner
from nas.engine.remaining_time import Work
from nas.engine.search_loop import Engine, open_engine
from nas.study.run_folder import RunFolder
from nas.study.trial import CandidateResult, Trial


def random_search(engine: Engine) -> tuple[CandidateResult, list[Trial]]:
    """Run random search in a folder inside the run's folder; returns the winner and all trials."""
    plan = engine.plan.random_baseline(trainings(engine.record.trials))
    folder = RunFolder(engine.folder.path / "random")
    if not folder.config_file.exists():
        folder.create(plan.config)
    baseline = open_engine(
        plan,
        folder,
        on_progress=engine.on_progress,
        remaining=engine.remaining,
        after=Work(plain=plan.config.repeats * (1 + (plan.config.finish or 0))),
        clock=engine.clock,
        executor=engine.executor,
    )
    trials = baseline.run()
    return winner(plan.objectives, baseline.feasible(trials), tried=trials), trials
