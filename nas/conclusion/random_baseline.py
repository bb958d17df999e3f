"""The random baseline: random search under the same constraints with as many trainings, in a run folder of its own."""

import dataclasses

from nas.engine.leaders import winner
from nas.engine.remaining_time import Work
from nas.engine.search_loop import Engine, open_engine
from nas.study.config import SearchConfig
from nas.study.run_folder import RunFolder
from nas.study.trial import CandidateResult, results_by_candidate


def random_search(engine: Engine) -> CandidateResult:
    """Search at random inside the folder of the run; returns the winner."""
    config = _configuration(engine)
    folder = RunFolder(engine.folder.path / "random")
    if not folder.config_file.exists():
        folder.create(config)
    baseline = open_engine(
        config,
        folder,
        engine.task,
        on_progress=engine.on_progress,
        remaining=engine.remaining,
        after=Work(plain=config.repeats),
        clock=engine.clock,
    )
    baseline.run()
    return winner(baseline.objectives, results_by_candidate(baseline.record.trials))


def _configuration(engine: Engine) -> SearchConfig:
    return dataclasses.replace(
        engine.config,
        strategy="random",
        predictor="none",
        confirm=0.0,
        random_baseline=False,
        trainings=len(engine.record.trials),
        timeout=None,
    )
