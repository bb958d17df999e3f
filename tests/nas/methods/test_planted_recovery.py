"""Recovery of planted two-layer networks."""

import numpy as np
import pytest

from nas.training.methods.method import MethodError
from nas.training.methods.planted_recovery import recover, threshold


def planted(seed, *, d, width, each, n):
    """Inputs, fused weights and outputs of a network in which every unit has `each` weights of magnitude 1 to 2."""
    rng = np.random.default_rng(seed)
    u = np.zeros((width, d))
    for row in u:
        row[rng.choice(d, each, replace=False)] = rng.uniform(1, 2, each) * rng.choice([-1, 1], each)
    v = rng.choice([-1.0, 1.0], width)
    x = rng.standard_normal((n, d))
    return x, v[:, None] * u, np.maximum(x @ u.T, 0) @ v


def supports(weights):
    """Of the units, in any order; those without weights left out."""
    return sorted(tuple(np.flatnonzero(row)) for row in weights if row.any())


def test_threshold_keeps_so_many_and_the_earlier_of_equal_ones():
    assert threshold(np.array([[3.0, -5.0], [1.0, 3.0]]), 2).tolist() == [[3, -5], [0, 0]]


def test_one_unit_by_hand():
    # y = −max(2·x₀ − x₂, 0): one unit of negative output, fused weights (−2, 0, 1).
    x = np.random.default_rng(0).standard_normal((60, 3))
    found = recover(x, -np.maximum(2 * x[:, 0] - x[:, 2], 0), keep=2, units=2, rng=np.random.default_rng(1), steps=200)
    np.testing.assert_allclose(found.weights[found.signs < 0], [[-2, 0, 1]], atol=1e-6)
    assert not found.weights[found.signs > 0].any()
    assert found.error < 1e-10


def test_small_network_is_found_exactly():
    x, w, y = planted(3, d=8, width=3, each=2, n=200)
    found = recover(x, y, keep=6, units=6, rng=np.random.default_rng(0), steps=300)
    assert supports(found.weights) == supports(w)
    np.testing.assert_allclose(sorted(found.weights[found.weights != 0]), sorted(w[w != 0]), atol=1e-5)
    np.testing.assert_allclose(found.predict(x), y, atol=1e-4)


def test_the_error_tells_when_nothing_was_found():
    # Too few weights, and outputs that no such network gives.
    x, _, y = planted(3, d=8, width=3, each=2, n=200)
    arguments = {"units": 6, "steps": 100, "starts": 1}
    assert recover(x, y, keep=4, rng=np.random.default_rng(0), **arguments).error > 0.01
    noise = np.random.default_rng(1).standard_normal(200)
    assert recover(x, noise, keep=6, rng=np.random.default_rng(0), **arguments).error > 0.5


def test_refuses_more_weights_than_there_are():
    x, _, y = planted(0, d=8, width=3, each=2, n=20)
    with pytest.raises(MethodError, match="keep 49 must lie between 1 and the 48 weights"):
        recover(x, y, keep=49, units=6, rng=np.random.default_rng(0))


@pytest.mark.slow
def test_four_of_five_planted_networks_have_their_exact_support():
    # d = 20, width 10, 20 non-zeros, n = 1,000.
    found = 0
    for seed in range(20):
        x, w, y = planted(seed, d=20, width=10, each=2, n=1000)
        result = recover(x, y, keep=20, units=20, rng=np.random.default_rng(1000 + seed))
        found += supports(result.weights) == supports(w)
    assert found >= 16
