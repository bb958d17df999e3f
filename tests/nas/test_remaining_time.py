"""The estimate of the remaining time, with a clock that the test controls."""

import pytest

from nas.duration import duration
from nas.engine.guided.surrogate import GuidedSurrogate
from nas.engine.plan import resolve
from nas.engine.remaining_time import PLANNING_SECONDS, REPORT_SECONDS, Pace, RemainingTime, Work, after_search
from nas.study.config import SearchConfig
from nas.study.run_folder import RunFolder
from nas.study.seconds import Seconds


def test_nothing_is_said_before_the_first_training():
    assert RemainingTime(Seconds()).of(Work(plain=3)) is None


def test_every_way_of_searching_has_its_own_speed():
    times = RemainingTime(Seconds())
    times.paces = {"reference": Pace(4, 40.0), "discovery": Pace(4, 20.0, planned=2, planning=6.0)}
    rest = {"report": False}
    assert times.of(Work(rounds={"discovery": 3}, **rest)) == 15
    # Two rounds of at most two trainings, each planned in 3 s.
    assert times.of(Work(rounds={"discovery": 3}, **rest), round_=2, guided=True) == 15 + 2 * 3
    # A way that is new is as fast as all others together: 60 s for 8 trainings.
    assert times.of(Work(rounds={"evolution": 2}, **rest)) == 15
    assert times.of(Work(plain=2, **rest)) == 15
    times.pace(None).trainings, times.pace(None).seconds = 2, 2.0
    assert times.of(Work(plain=2, **rest)) == 2
    assert times.of(Work()) == REPORT_SECONDS
    times.last_fit = 40.0
    assert times.of(Work()) == REPORT_SECONDS + 40


def test_a_new_way_stays_in_the_leading_space_or_goes_to_all():
    times = RemainingTime(Seconds(), {"reference": Pace(6, 63.0)})
    times.trained("cnn", 4.0, 64.0)  # 16 s a training
    times.trained("mlp", 2.0, 2.0)  # 1 s a training
    # Between both 4 s; between the perceptrons, which lead, and all spaces 2 s.
    assert times.of(Work(rounds={"discovery": 2}, space="mlp", report=False)) == pytest.approx(2 * 4)
    assert times.of(Work(rounds={"evolution": 2}, plain=3, space="mlp", report=False)) == pytest.approx(5 * 2)
    assert times.of(Work(rounds={"reference": 2}, space="mlp", report=False)) == 21


def test_before_a_round_was_planned_a_rough_time_is_taken():
    times = RemainingTime(Seconds(), {"reference": Pace(4, 40.0)})
    assert times.of(Work(rounds={"discovery": 2}, report=False), round_=2, guided=True) == 20 + PLANNING_SECONDS


def test_a_resumed_run_begins_with_the_times_of_its_trials(make_trial):
    times = RemainingTime(Seconds())
    times.learn([make_trial(0, cost=2.0, seconds=8.0, way="reference"), make_trial(1, None)])
    assert times.of(Work(plain=1, report=False)) == 4


def test_winner_dense_reference_and_random_baseline_follow_the_search():
    config = SearchConfig(trainings=20, round=4, screen=8, repeats=3, finish=0)
    assert after_search(config) == Work(plain=6)
    assert after_search(config, kept=True) == Work(plain=3)
    random = SearchConfig(trainings=20, repeats=3, random_baseline=True, finish=0)
    assert after_search(random) == Work(plain=6 + 20 + 3)


def test_further_trainings_of_all_networks_follow_too():
    config = SearchConfig(trainings=20, repeats=3, finish=2)
    assert after_search(config) == Work(plain=6 + 2 * (3 + 3))
    assert after_search(config, kept=True) == Work(plain=3 + 2 * (1 + 1 + 3))
    random = SearchConfig(trainings=20, repeats=3, finish=2, random_baseline=True)
    assert after_search(random) == Work(plain=6 + 2 * (3 + 3) + 20 + 3 + 2 * 3)


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


@pytest.mark.takes(20, "a whole search and random search")
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
        space="mlp",
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
    # 12 trainings, 2 of the winner, 2 of the dense reference, 12 of random search, 2 of its winner; and two further ones of these six.
    assert (searched - 1000.0, end - searched) == (120.0, 300.0)
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
        space="mlp",
        strategy="evolution",
        subset=100,
        predictor="none",
        trainings=400,
        round=4,
        screen=4,
        epochs=1,
        repeats=1,
        finish=0,
        timeout=300.0,
    )
    folder = RunFolder(tmp_path / "run")
    folder.create(config)
    told = []
    engine = open_engine(resolve(config), folder, on_progress=told.append, clock=clock)
    engine.run()
    # The first round of 24 trainings took 240 s: 60 s of search are left, then 2 trainings and the report.
    assert told[1].left == pytest.approx(60 + 20 + REPORT_SECONDS)


SECONDS = {"ESPN": 3.0, "Prune": 1.5, "Gumbel": 2.0}
"""Seconds of an epoch by method; others take one."""


@pytest.mark.takes(30, "a whole guided search")
def test_the_estimate_of_a_guided_search_is_right_within_a_factor_of_two(tmp_path, monkeypatch):
    import nas.training.population as population
    from nas.conclusion.conclusion import conclude
    from nas.engine.search_loop import open_engine

    clock, real, fit = Clock(), population.train_population, GuidedSurrogate.fit

    def by_method(models, *arguments, method, **further):
        results = real(models, *arguments, method=method, **further)
        for result in results:
            epochs = 0 if isinstance(result, Exception) else len(result.losses)
            clock.now += 0.5 + epochs * SECONDS.get(type(method).__name__, 1.0)
        return results

    def slow_fit(self, trials):
        clock.now += 7.0
        fit(self, trials)

    monkeypatch.setattr(population, "train_population", by_method)
    monkeypatch.setattr(GuidedSurrogate, "fit", slow_fit)
    config = SearchConfig(
        task="digits",
        space="mlp",
        subset=100,
        constraint=("nnz<=200",),
        predictor="linear",
        trainings=36,
        round=4,
        screen=8,
        epochs=4,
        repeats=2,
        finish=0,  # its epochs are longer, which this clock does not know
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
    trials = engine.run()
    conclude(engine)
    assert {trial.way for trial in trials} == {"reference", "discovery", "evolution"}
    assert len({trial.cost for trial in trials}) > 2
    assert told[0][1] is None
    for moment, left in told[1:]:
        truth = clock.now - moment + REPORT_SECONDS
        assert truth / 2 <= left <= truth * 2
