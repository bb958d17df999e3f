"""How many weights are kept under bounds on costs that are only known after the training."""

import math
from dataclasses import replace

import numpy as np
import pytest

import onnx_graph
from nas.engine.cost_ratios import CostRatios, MaskToLearn, log_ratio
from nas.engine.keep import KeepRule
from nas.engine.stand_in import StandIn
from nas.measure.costs import counts
from nas.study.constraints import parse_all
from nas.study.trial import Trial
from search_spaces import LearnedMask, Signature, Ticket, create

SPACE = create("mlp", Signature(input_shape=(8,), outputs=3), width=[8, 16], depth=[1, 1])
DENSE = SPACE.plain()[0]  # 8-16-3: 8·16 + 16·3 = 176 weights, 176 + 16 + 3 = 195 parameters


def rule(*bounds, **options):
    return KeepRule(SPACE, parse_all(bounds), lambda model, _: onnx_graph.shrink(model), **options)


def plan(keep, method="espn"):
    return replace(DENSE, mask=LearnedMask(method=method, keep=keep))


def trained(keep, metrics, method="espn"):
    """A training that ended with a mask of these costs."""
    return Trial(
        number=0,
        round=0,
        repeat=0,
        candidate=plan(keep, method),
        accuracy=None,
        score=None,
        metrics={"nnz": keep, **metrics},
        seconds=1.0,
        seed=0,
        ticket=Ticket.of([np.arange(176) < keep]),
    )


def test_stand_ins_reach_from_the_whole_network_to_a_single_weight():
    stand_in = StandIn(SPACE, DENSE, lambda model, _: counts(model))
    assert [stand_in.candidate(place).mask.density for place in range(3)] == [1.0, 0.25, 0.0625]
    assert stand_in.places == 5  # 176 weights at densities 1, 1/4, 1/16, 1/64, 1/256
    assert stand_in.at(176)["params"] == stand_in.at(1000)["params"] == 195
    thin = stand_in.costs(1)
    assert stand_in.at(int(thin["nnz"])) == thin
    params = [stand_in.at(keep)["params"] for keep in range(1, 177)]
    assert params == sorted(params)


def test_the_number_of_weights_is_the_largest_whose_stand_in_meets_the_bound():
    found = rule("params<=100")
    keep = found.most(DENSE)
    costs = [found.costs(plan(one))["params"] for one in (keep, keep + 2)]
    assert costs[0] <= 99 < costs[1]
    assert found.most(DENSE, "espn") == found.most(DENSE, "gradual") == keep


def test_a_measured_cost_corrects_the_next_number_of_weights():
    found = rule("bytes<=1000")
    first = found.most(DENSE, "espn")
    stand_in = found.costs(plan(first))["bytes"]
    assert stand_in <= 1000
    found.learn([trained(first, {"bytes": stand_in * 1.2})])  # it breaks the bound
    assert found.most(DENSE, "espn") < first
    found.learn([trained(first, {"bytes": stand_in / 1.2})])  # what was learnt before is forgotten
    assert found.most(DENSE, "espn") > first
    assert found.costs(plan(first))["bytes"] == pytest.approx(stand_in / 1.2, rel=0.02)


def test_a_plan_comes_back_with_the_number_of_weights_that_suits_now():
    found = rule("bytes<=1000")
    first = found.most(DENSE, "espn")
    found.learn([trained(first, {"bytes": 1200})])
    again = found.revised(plan(first))
    assert again.mask.keep == found.most(DENSE, "espn") < first
    assert replace(again, mask=plan(first).mask) == plan(first)


def test_a_training_that_broke_a_bound_is_recognised():
    found = rule("bytes<=700", "nnz<=50")
    assert found.broken(trained(20, {"bytes": 701, "density": 20 / 176}))
    assert not found.broken(trained(20, {"bytes": 700, "density": 20 / 176}))
    failed = replace(trained(20, {"bytes": 701, "density": 20 / 176}), ticket=None)  # its costs were only estimated
    assert not found.broken(failed)
    before = found.most(DENSE, "espn")
    found.learn([failed])
    assert found.most(DENSE, "espn") == before


def test_the_narrowest_of_several_bounds_decides():
    loose, narrow = rule("macs<=60").most(DENSE), rule("macs<=60", "nnz<=20").most(DENSE)
    assert (loose, narrow) == (59, 20)  # every weight of a perceptron is multiplied once; 0.99 · 60 = 59.4
    assert rule("macs<=60", "params<=30").most(DENSE) < 30


def test_no_number_meets_an_impossible_bound():
    assert rule("bytes<=10").most(DENSE) is None


def test_a_lower_bound_alone_raises_the_number():
    assert rule("macs>=100").most(DENSE) == 100
    assert rule("macs>=3").most(DENSE) == 18  # a tenth of the weights, as without a bound


def test_a_whole_network_fits_if_its_measured_costs_do():
    assert rule("params<=195").fits(DENSE)
    assert not rule("params<=194").fits(DENSE)
    assert not rule("params<=195", "macs>=1000").fits(DENSE)


MASK = MaskToLearn(method="espn", architecture="a", total=1000, keep=100)


def test_nearer_measurements_count_more():
    # 200 weights: e^-ln 2 = 1/2; another method: 1/5; another architecture of half the size: 0.3/2
    assert MASK.nearness(MASK) == 1
    assert MASK.nearness(replace(MASK, keep=200)) == pytest.approx(0.5)
    assert MASK.nearness(replace(MASK, method="obd")) == pytest.approx(0.2)
    assert MASK.nearness(replace(MASK, architecture="b", total=500)) == pytest.approx(0.15)


def test_a_ratio_is_the_weighted_mean_of_the_measured_ones():
    assert CostRatios().of(MASK, "bytes") == 1
    measured = [(MASK, {"bytes": math.log(0.5)}), (replace(MASK, method="obd"), {"bytes": math.log(2), "macs": 0.7})]
    # (1·ln ½ + 0.2·ln 2) / (1 + 0.2 + 0.02) = −0.8/1.22 · ln 2
    assert CostRatios(measured).of(MASK, "bytes") == pytest.approx(2 ** (-0.8 / 1.22))
    assert log_ratio(2.0, 1.0) == pytest.approx(math.log(2))
    assert log_ratio(2.0, 0.0) is None
