"""The guided search: masks that are drawn, learned and inherited, on a few hundred digits and a few epochs."""

import dataclasses
import itertools
import json

import numpy as np
import pytest

import onnx_graph
from nas.engine.guided.planner import GuidedPlanner
from nas.engine.guided.proposals import _architecture
from nas.engine.guided.surrogate import GuidedSurrogate
from nas.engine.inheritance import inherit
from nas.engine.keep import KeepRule
from nas.engine.plan import resolve
from nas.engine.remaining_time import RemainingTime
from nas.errors import ConstraintError, RunError
from nas.study.config import SearchConfig
from nas.study.constraints import parse_all
from nas.study.record import Record
from nas.study.seconds import Seconds
from nas.study.trial import Trial, results_by_candidate
from nas.verbs import search as searches
from predictors import Prediction
from search_spaces import InheritedMask, LearnedMask, MaskRecipe, Signature, SpaceError, Ticket, create
from tests.nas.test_engine import outcome

CONFIG = SearchConfig(
    task="digits",
    space="mlp",
    subset=300,
    strategy="guided",
    method="auto",
    predictor="linear",
    constraint=("nnz<=300",),
    trainings=20,
    round=4,
    screen=12,
    epochs=8,
    repeats=2,
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run: its engine's plan, its folder, its report and its trials."""
    folder = tmp_path_factory.mktemp("guided") / "run"
    report = searches.search(CONFIG, folder)
    plan = resolve(CONFIG)
    return folder, report, Record(folder / "journal.log", plan.objectives, plan.constraints, read_only=True).trials


@pytest.mark.takes(60, "the run that all of them look at")
def test_it_begins_by_hand_discovers_and_evolves(finished):
    _, _, trials = finished
    kinds = [type(trial.candidate.mask) for trial in trials]
    first = [trial for trial in trials if trial.round == 0]
    methods = [one.candidate.mask.method for one in first if isinstance(one.candidate.mask, LearnedMask)]
    assert methods[0] == "espn"
    assert len(set(methods)) > 1
    assert {LearnedMask, InheritedMask} <= set(kinds)
    assert {trial.way for trial in first} == {"reference"}
    assert {trial.way for trial in trials} == {"reference", "discovery", "evolution"}
    assert all(len({one.way for one in trials if one.digest == trial.digest}) == 1 for trial in trials)
    architectures = {json.dumps(dict(trial.candidate.architecture), sort_keys=True) for trial in trials}
    assert len(architectures) > 2
    child = next(trial for trial in trials if isinstance(trial.candidate.mask, InheritedMask))
    known = {f"{trial.digest}-{trial.repeat}" for trial in trials if trial.number < child.number}
    assert set(child.candidate.mask.parents) <= known


@pytest.mark.takes(60, "the run that all of them look at")
def test_the_budget_counts_epochs_of_all_phases(finished):
    _, _, trials = finished
    espn = next(trial for trial in trials if getattr(trial.candidate.mask, "method", "") == "espn" and not trial.failed)
    assert espn.cost == 2.0
    spent = sum(trial.cost for trial in trials)
    assert CONFIG.trainings <= spent <= CONFIG.trainings + CONFIG.round
    assert all(trial.cost == 0.25 for trial in trials if isinstance(trial.candidate.mask, InheritedMask))


@pytest.mark.takes(60, "the run that all of them look at")
def test_the_winner_meets_the_budget_and_the_report_compares_it_with_what_one_does_by_hand(finished):
    folder, report, trials = finished
    assert onnx_graph.count(onnx_graph.load(folder / "best.onnx")).nnz <= 300
    assert all(trial.metrics["nnz"] <= 300 for trial in trials if not trial.failed)
    by_hand = report["baselines"]["by hand"]
    first = max((one for one in trials if one.round == 0 and not one.failed), key=lambda one: one.accuracy)
    assert (by_hand["digest"], by_hand["seeds"]) == (first.digest, [first.seed])
    assert report["verdict"].startswith("Verdict: ")
    assert report["family"][0]["trial"] in {one.number for one in trials if one.digest == report["best"]["digest"]}
    assert sum(row["trainings"] for row in report["ways"]) == pytest.approx(sum(one.cost for one in trials))
    assert all(trial.ticket is not None for trial in trials if not trial.failed and not _drawn(trial))


def _drawn(trial):
    return isinstance(trial.candidate.mask, MaskRecipe)


@pytest.mark.takes(60, "two searches, one of them killed")
@pytest.mark.parametrize("after", [1, 6])
def test_a_killed_search_goes_on_with_the_same_trials(finished, tmp_path, monkeypatch, after):
    _, report, _ = finished
    folder, add = tmp_path / "killed", Record.add

    def killed(record, trial):
        if trial.number == after:
            raise KeyboardInterrupt
        add(record, trial)

    with monkeypatch.context() as patch:
        patch.setattr(Record, "add", killed)
        with pytest.raises(KeyboardInterrupt):
            searches.search(CONFIG, folder)
    assert outcome(searches.resume(folder)) == outcome(report)


def test_a_joined_space_is_searched_as_one(tmp_path):
    config = dataclasses.replace(CONFIG, space="mlp+cnn", predictor="none", trainings=4, epochs=1, subset=100)
    report = searches.search(config, tmp_path / "joined")
    assert {trial["candidate"]["space"] for trial in report["trials"]} == {"mlp", "cnn"}
    with pytest.raises(SpaceError, match="vertcies"):
        searches.checked(dataclasses.replace(config, space_option=("vertcies=[8,16]",)))


BYTES = dataclasses.replace(
    CONFIG, constraint=("bytes<=4500",), predictor="none", trainings=8, round=4, screen=4, epochs=2, subset=100
)


@pytest.mark.takes(60, "a search, and the same one killed and resumed")
def test_where_bytes_are_bound_masks_are_learned_and_fitted(tmp_path, monkeypatch):
    report = searches.search(BYTES, tmp_path / "bytes")
    trials = report["trials"]
    plans = [trial for trial in trials if "learned" in trial["candidate"]["mask"]]
    children = [trial for trial in trials if "inherited" in trial["candidate"]["mask"]]
    assert plans
    assert len({trial["candidate"]["mask"]["learned"]["keep"] for trial in plans}) > 1
    assert {trial["round"] for trial in children} - {max(trial["round"] for trial in trials)}
    assert all(trial["metrics"]["bytes"] <= 4500 for trial in trials if trial["accuracy"] is not None)
    assert all(trial["metrics"]["bytes"] <= 4500 for trial in children)
    assert (tmp_path / "bytes" / "best.onnx").stat().st_size <= 4500
    add = Record.add

    def killed(record, trial):
        if trial.number == len(trials) // 2:
            raise KeyboardInterrupt
        add(record, trial)

    with monkeypatch.context() as patch:
        patch.setattr(Record, "add", killed)
        with pytest.raises(KeyboardInterrupt):
            searches.search(BYTES, tmp_path / "killed")
    assert outcome(searches.resume(tmp_path / "killed")) == outcome(report)


def test_a_plan_that_broke_a_bound_comes_back_with_fewer_weights_and_fitted(finished_bytes):
    planner, trials = finished_bytes
    broken = next(trial for trial in trials if planner.keep.broken(trial))
    planner.keep.learn(trials)
    revised = [one for one in planner._revised([], trials) if one.architecture == broken.candidate.architecture]
    assert revised[0].mask.method == broken.candidate.mask.method
    assert revised[0].mask.keep < broken.candidate.mask.keep
    child = planner._fitted(trials)[0]
    assert child.mask.parents == (f"{broken.digest}-0",)
    assert planner._member(child).metrics["bytes"] <= 4500


def test_a_leader_far_below_its_bound_comes_back_with_more_weights(finished_bytes):
    planner, trials = finished_bytes
    light = dataclasses.replace(
        trials[0], accuracy=0.9, error="", metrics={**trials[0].metrics, "bytes": trials[0].metrics["bytes"] / 4}
    )
    planner.keep.learn([light])
    again = planner._again(results_by_candidate([light]), [light], 8.0)
    assert again.mask.keep > 1.1 * light.candidate.mask.keep
    assert again.mask.length == 1


def test_the_leading_plan_is_trained_twice_as_long_as_long_as_that_makes_it_better():
    plan = resolve(dataclasses.replace(CONFIG, trainings=64))
    planner = GuidedPlanner(plan, GuidedSurrogate(plan), RemainingTime(Seconds()))
    found = dataclasses.replace(plan.space.plain()[0], mask=LearnedMask(method="rigl", keep=300, length=0.5))

    def trial(number, length, accuracy):
        mask = dataclasses.replace(found.mask, length=length)
        candidate = dataclasses.replace(found, mask=mask)
        return Trial(
            number=number,
            round=number,
            repeat=0,
            candidate=candidate,
            accuracy=accuracy,
            score=None,
            metrics=planner.keep.costs(candidate),
            seconds=1.0,
            seed=0,
            cost=length,
        )

    def again(trials, most=20.0):
        one = planner._again(planner._leaders(trials), trials, most)
        return None if one is None else one.mask.length

    trials = []
    for number, (length, expected) in enumerate([(0.5, 1.0), (1.0, 2.0), (2.0, 4.0)]):
        trials.append(trial(number, length, 0.6 + 0.1 * number))
        assert again(trials) == expected
    assert again(trials, most=3.0) is None  # four trainings are not left, and it is too early for another seed
    trials.append(trial(3, 4.0, 0.5))
    assert again(trials) is None  # at twice the length it was worse
    trials.append(trial(4, 40.0, 0.5))
    assert again(trials) == 2.0  # half of the budget is spent: another seed


@pytest.fixture
def finished_bytes():
    """A planner under a bound on bytes, and one trial that broke it: its mask has twenty units of two weights."""
    plan = resolve(BYTES)
    planner = GuidedPlanner(plan, GuidedSurrogate(plan), RemainingTime(Seconds()))
    dense = plan.space.resized(plan.space.plain()[0], 0.2)
    candidate = dataclasses.replace(dense, mask=LearnedMask(method="espn", keep=60))
    masks = [np.zeros(mask.shape, bool) for mask in onnx_graph.masks(plan.space.build(dense)).values()]
    for mask in masks:
        mask[np.arange(20) % len(mask), np.arange(20) % mask.shape[1]] = True
    trial = Trial(
        number=0,
        round=0,
        repeat=0,
        candidate=candidate,
        accuracy=None,
        score=None,
        metrics={**planner.keep.costs(candidate), "bytes": 9000},
        seconds=1.0,
        seed=0,
        error="after training bytes is 9000",
        ticket=Ticket.of(masks),
    )
    return planner, [trial]


@pytest.mark.takes(10, "draws and measures two hundred networks")
def test_a_budget_of_bytes_that_no_network_meets_is_refused(tmp_path):
    with pytest.raises(
        ConstraintError, match=r"none of 200 candidates of the space mlp meets bytes<=900; the least seen: bytes"
    ):
        searches.search(dataclasses.replace(BYTES, constraint=("bytes<=900",)), tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_new_architectures_are_narrower_where_bytes_are_bound():
    plan = resolve(BYTES)
    rng = np.random.default_rng(0)
    wide, narrow = (
        [
            one.architecture["width_1"]
            for _ in range(60)
            if "width_1" in (one := _architecture(plan.space, rng, narrow=narrow)).architecture
        ]
        for narrow in (False, True)
    )
    assert np.median(narrow) < np.median(wide) / 2


def test_where_whole_networks_fit_they_are_trained_dense(tmp_path):
    config = dataclasses.replace(
        CONFIG, constraint=("nnz<=2000000",), predictor="none", trainings=4, round=2, screen=4, epochs=1, subset=100
    )
    report = searches.search(config, tmp_path / "fits")
    assert {trial["candidate"]["mask"]["density"] for trial in report["trials"]} == {1.0}
    assert len({trial["digest"] for trial in report["trials"]}) == len(report["trials"]) >= 4


@pytest.mark.takes(30, "proposes networks until it gives up")
def test_a_budget_for_which_nothing_can_be_trained_is_said_so(tmp_path):
    config = dataclasses.replace(CONFIG, constraint=("nnz<=1",), space="mlp")
    with pytest.raises(RunError, match="nothing was trained: no network that could be trained meets the constraints"):
        searches.search(config, tmp_path / "run")


def test_attempts_without_a_plan_end(tmp_path, monkeypatch):
    monkeypatch.setattr("nas.engine.guided.proposals.plans", lambda *_, **__: itertools.repeat(None))
    config = dataclasses.replace(CONFIG, predictor="none", trainings=4, round=2, screen=4, epochs=1, subset=100)
    report = searches.search(config, tmp_path / "none")
    assert all(
        trial["round"] == 0 or "inherited" in trial["candidate"]["mask"] or trial["repeat"]
        for trial in report["trials"]
    )


def test_another_method_alone(tmp_path):
    config = dataclasses.replace(CONFIG, method="gradual", predictor="none", trainings=3, epochs=1, subset=100)
    report = searches.search(config, tmp_path / "alone")
    masks = [trial["candidate"]["mask"] for trial in report["trials"]]
    assert {mask["learned"]["method"] for mask in masks if "learned" in mask} == {"gradual"}


SPACE = create("mlp", Signature(input_shape=(8,), outputs=3), width=[8, 16], depth=[1, 1])


def test_a_child_starts_from_the_weights_of_its_parents():
    rng = np.random.default_rng(0)
    first, second = (SPACE.build(dataclasses.replace(SPACE.plain()[0])) for _ in range(2))
    names = [weight.name for weight in onnx_graph.weights(first)]
    for model, scale in ((first, 1.0), (second, 10.0)):
        arrays = {
            weight.name: (scale * rng.uniform(1, 2, weight.stored(np.ones(weight.shape)).shape)).astype(np.float32)
            for weight in onnx_graph.weights(model)
        }
        arrays[names[0]][0, :4] = 0  # connections that the parent does not have
        if model is second:
            arrays[names[0]][0, :4] = (20, 20, 0, 0)
        onnx_graph.set_weights(model, arrays)
    child = inherit(SPACE.build(SPACE.plain()[0]), [first, second])
    found = child.graph.initializers[names[0]].const_value.numpy()
    own = first.graph.initializers[names[0]].const_value.numpy()
    assert np.array_equal(found[1:], own[1:])
    assert found[0, :4].tolist() == [20, 20, np.float32(1e-12), np.float32(1e-12)]


@pytest.mark.parametrize(
    ("bounds", "keep"),
    [(("nnz<=50",), 50), (("nnz<=25%",), 44), (("density<=0.25",), 44), ((), 18), (("nnz<=500",), 176)],
)
def test_how_many_weights_are_kept(bounds, keep):
    rule = KeepRule(SPACE, parse_all(bounds), lambda model, _: model)
    plain = SPACE.plain()[0]
    assert rule.most(plain) == keep
    assert rule.fits(plain) == (keep == 176)


class Counting:
    """A predictor that says 0.5, and counts the networks that it is asked about."""

    asked = 0

    def predict(self, graphs):
        self.asked += len(graphs)
        return Prediction(mean=np.linspace(0.4, 0.6, len(graphs)), std=np.full(len(graphs), 0.1))


@pytest.mark.takes(60, "the run that all of them look at")
def test_a_candidate_of_a_pool_is_scored_once(finished, monkeypatch):
    _, _, trials = finished
    predictor, plan = Counting(), resolve(dataclasses.replace(CONFIG, trainings=80, round=12, explore=0.0))
    planner = GuidedPlanner(plan, GuidedSurrogate(plan), RemainingTime(Seconds()))
    monkeypatch.setattr(GuidedSurrogate, "fit", lambda self, _: setattr(self, "predictor", predictor))
    chosen = planner.plan(trials[-1].round + 1, trials).chosen
    assert len(chosen) > 1
    assert chosen[0][1].mean == 0.6
    assert predictor.asked == len(planner._screened) > CONFIG.screen


def test_the_predictor_sees_the_networks_of_half_of_the_new_plans():
    plan = resolve(CONFIG)
    planner = GuidedPlanner(plan, GuidedSurrogate(plan), RemainingTime(Seconds()))
    planner.surrogate.predictor = Counting()
    plans = planner._plans([], set(), 12, np.random.default_rng(0))
    found = planner._promising(plans, [], np.random.default_rng(1))
    assert planner.surrogate.predictor.asked == 3  # the others are only ranked by what it says of these
    assert len({one.digest for one in found}) == 6
    assert found == planner._promising(plans, [], np.random.default_rng(1))
    more = planner._promising(plans[:1], found, np.random.default_rng(1))
    assert more == plans[:1]


def test_the_time_of_a_fit_counts_as_fitting():
    plan = resolve(CONFIG)
    planner = GuidedPlanner(plan, GuidedSurrogate(plan), RemainingTime(Seconds()), clock=itertools.count().__next__)
    assert planner.remaining.seconds.fitting == 0
    with planner.surrogate.fitting():
        pass
    assert planner.remaining.seconds.fitting == 1


def test_the_shipped_predictor_answers_what_a_run_has_not_asked_yet():
    plan = resolve(dataclasses.replace(CONFIG, space="mlp"))
    surrogate, plans_only = GuidedSurrogate(plan), Counting()
    plans_only.questions = ("plan",)
    dense = plan.space.plain()[0]
    learned = dataclasses.replace(dense, mask=LearnedMask(method="espn", keep=300))
    surrogate.predictor = plans_only
    said = surrogate.predict([dense, learned])
    assert plans_only.asked == 1
    assert said.mean[1] == 0.4
    assert said.mean[0] == surrogate._shipped.predict([surrogate.graph_of(dense)]).mean[0]


def test_the_shipped_predictor_is_read_once(monkeypatch):
    import predictors

    read, load = [], predictors.load
    monkeypatch.setattr(predictors, "load", lambda name: read.append(name) or load(name))
    surrogate = GuidedSurrogate(resolve(CONFIG))
    surrogate.fit([])
    surrogate.fit([])
    assert read == ["default"]
    assert surrogate.predictor is not None
    assert not surrogate.fitted


def test_the_first_look_is_for_all_objectives(monkeypatch):
    plan = resolve(dataclasses.replace(CONFIG, objective=("accuracy", "-nnz"), constraint=("nnz<=3000",)))
    surrogate = GuidedSurrogate(plan)
    surrogate.predictor = Counting()
    planner = GuidedPlanner(plan, surrogate, RemainingTime(Seconds()))

    def small(several):
        return np.array([-np.log(planner._member(one).metrics["nnz"]) for one in several])

    monkeypatch.setattr(GuidedPlanner, "_utility", lambda self, pool, upper, rng: small(pool))
    plans = planner._plans([], set(), 40, np.random.default_rng(0), fresh=0.0)
    found = planner._promising(plans, [], np.random.default_rng(1))
    ranked = found[len(found) // 2 :]
    assert len(ranked) == 10
    assert np.median(small(ranked)) > np.median(small(plans))
