"""The relevance of a task's inputs: the share of their variance that lies between the classes."""

import numpy as np
import pytest

from nas.tasks import load_task
from nas.tasks.description import describe, relevance


def test_an_input_that_is_the_class_tells_everything_and_noise_tells_nothing():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 500)
    x = np.stack([y.astype(np.float32), rng.normal(size=1500), np.full(1500, 7.0), y + rng.normal(size=1500)], axis=1)
    found = relevance(x.astype(np.float32), y)
    assert found[0] == 1.0
    assert found[1] < 0.02
    assert found[2] == 0.0
    assert found[3] == pytest.approx(2 / 3 / (2 / 3 + 1), abs=0.04)  # variance of the classes beside that of the noise


def test_scale_and_offset_of_an_input_do_not_matter():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 300)
    x = (y[:, None] + rng.normal(size=(300, 2))).astype(np.float32)
    np.testing.assert_allclose(relevance(x, y), relevance(1000 * x + 5000, y), atol=2e-3)
    assert relevance(x[:, ::-1], y) == relevance(x, y)[::-1]


def test_a_description_has_one_number_for_each_input_or_each_feature_of_a_step():
    digits = describe(load_task("digits"))
    assert len(digits.relevance) == digits.inputs == 64
    assert digits.relevance[0] == 0.0  # a corner that is always white
    reber = describe(load_task("embedded-reber", subset=200))
    assert len(reber.relevance) == reber.inputs == 7
