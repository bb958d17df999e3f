"""A first look at many candidates, by a few facts about each."""

import dataclasses

import numpy as np

from nas.engine.guided.first_look import extended, plan_table
from search_spaces import Candidate, LearnedMask


def test_few_features_are_extended_to_all():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(400, 5))
    values = table @ np.array([1.0, 0, 0, 2, 0])
    known, wanted = np.arange(60), np.arange(60, 400)
    found = extended(table, known, values[known].tolist(), wanted)
    assert np.corrcoef(found, values[wanted])[0, 1] > 0.99


def test_what_never_varied_tells_nothing():
    table = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.0], [0.5, 7.0]])
    found = extended(table, np.arange(2), [0.0, 1.0], np.array([2, 3]))
    assert found[0] == found[1]


def test_facts_of_plans():
    dense = Candidate(space="mlp", architecture={"depth": 1, "wiring": "plain"})
    plan = dataclasses.replace(dense, mask=LearnedMask(method="rigl", keep=3))
    other = dataclasses.replace(dense, architecture={"depth": 3, "wiring": "skips"})
    # columns: cost weights, depth, keep, method rigl, space mlp, wiring "plain", wiring "skips"
    expected = [[2.0, 1.0, 2.0, 1, 1, 1, 0], [3.0, 2.0, 0.0, 0, 1, 0, 1]]
    table = plan_table([plan, other], [{"weights": 3}, {"weights": 7}])
    logs, marks = table[:, :3] / np.log(2), table[:, 3:]
    assert np.allclose(np.concatenate([logs, marks], axis=1), expected)
