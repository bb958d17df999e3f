"""The estimate of the remaining time, with a clock that the test controls."""

import pytest

from nas.duration import duration
from nas.engine.plan import resolve
from nas.engine.remaining_time import REPORT_SECONDS, RemainingTime, Work, after_search
from nas.study.config import SearchConfig
from nas.study.run_folder import RunFolder
from nas.study.seconds import Seconds


def test_nothing_is_said_before_the_first_training():
    assert RemainingTime(Seconds()).of(Work(plain=3)) is None


def test_planned_trainings_cost_planning_too():
    spent = RemainingTime(Seconds(training=30.0, recording=10.0, screening=6.0, fitting=2.0), planned=4, plain=4)
    # A training takes (30 + 10) / 8 = 5 s, its planning (6 + 2) / 4 = 2 s.
    assert spent.of(Work(plain=3, report=False)) == 15
    assert spent.of(Work(planned=3, report=False)) == 21
    assert spent.of(Work()) == REPORT_SECONDS
    spent.last_fit = 40.0
    assert spent.of(Work()) == REPORT_SECONDS + 40


def test_winner_dense_reference_and_random_baseline_follow_the_search():
    config = SearchConfig(trainings=20, round=4, screen=8, repeats=3)
    assert after_search(config) == Work(plain=6)
    assert after_search(SearchConfig(trainings=20, repeats=3, random_baseline=True)) == Work(plain=6 + 20 + 3)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (45, "45 s"), (170, "3 min"), (7100, "118 min"), (9000, "2.5 h")]
)
def test_a_duration_is_told_in_the_unit_that_fits(seconds, text):
    assert duration(seconds) == text


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_at_every_moment_of_a_run_the_estimate_is_near_what_is_left(tmp_path, monkeypatch):
    import nas.training.population as population
    from nas.conclusion.conclusion import conclude
    from nas.engine.search_loop import open_engine

    clock, real = Clock(), population.train_population

    def ten_seconds_each(models, *arguments, **further):
        clock.now += 10.0 * len(models)
        return real(models, *arguments, **further)

    monkeypatch.setattr(population, "train_population", ten_seconds_each)
    config = SearchConfig(
        task="digits",
        strategy="evolution",
        subset=100,
        constraint=("nnz<=200",),
        predictor="none",
        trainings=12,
        round=4,
        screen=4,
        epochs=1,
        repeats=2,
        random_baseline=True,
    )
    folder = RunFolder(tmp_path / "run")
    folder.create(config)
    told = []
    engine = open_engine(
        resolve(config),
        folder,
        on_progress=lambda progress: told.append((clock.now, progress.left)),
        clock=clock,
    )
    engine.run()
    searched = clock.now
    conclude(engine)
    end = clock.now
    # 12 trainings, 2 of the winner, 2 of the dense reference, 12 of random search, 2 of its winner.
    assert (searched - 1000.0, end - searched) == (120.0, 180.0)
    assert told[0][1] is None
    for moment, left in told[1:]:
        assert left == pytest.approx(end - moment + REPORT_SECONDS)


def test_a_timeout_bounds_the_rest_of_the_search(tmp_path, monkeypatch):
    import nas.training.population as population
    from nas.engine.search_loop import open_engine

    clock, real = Clock(), population.train_population

    def ten_seconds_each(models, *arguments, **further):
        clock.now += 10.0 * len(models)
        return real(models, *arguments, **further)

    monkeypatch.setattr(population, "train_population", ten_seconds_each)
    config = SearchConfig(
        task="digits",
        strategy="evolution",
        subset=100,
        predictor="none",
        trainings=400,
        round=4,
        screen=4,
        epochs=1,
        repeats=1,
        timeout=300.0,
    )
    folder = RunFolder(tmp_path / "run")
    folder.create(config)
    told = []
    engine = open_engine(resolve(config), folder, on_progress=told.append, clock=clock)
    engine.run()
    # The first round of 24 trainings took 240 s: 60 s of search are left, then 2 trainings and the report.
    assert told[1].left == pytest.approx(60 + 20 + REPORT_SECONDS)
