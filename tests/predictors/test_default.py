"""The shipped predictor: small, not pickled, the same answers for ever, and a word for what it does not know."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

import predictors
import search_spaces
from predictors.persistence import DEFAULT, shipped
from predictors.predictor import Prediction
from search_spaces.signature import Signature

FOLDER = Path(predictors.__file__).with_name(DEFAULT)
KNOWN = {
    "digits": ("mlp", Signature(input_shape=(64,), outputs=10)),
    "mnist": ("mlp", Signature(input_shape=(784,), outputs=10)),
    "embedded-reber": ("rnn", Signature(input_shape=(20, 7), outputs=7, per_step=True)),
}
GOLDEN = {
    "digits": [0.92998, 0.82582, 0.95691],
    "mnist": [0.87812, 0.8253, 0.91152],
    "embedded-reber": [0.81519, 0.38051, 0.80126],
}


def networks(task: str, count: int = 3) -> list:
    name, signature = KNOWN[task]
    space = search_spaces.create(name, signature, min_density=0.05, max_density=0.3)
    rng = np.random.default_rng(7)
    return [space.build(space.sample(rng)) for _ in range(count)]


def test_it_is_small_and_nothing_in_it_is_pickled():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 10 << 20
    with zipfile.ZipFile(FOLDER / "arrays.npz") as archive:
        for name in archive.namelist():
            with archive.open(name) as file:
                np.lib.format.read_magic(file)
                assert not np.lib.format.read_array_header_1_0(file)[2].hasobject


def test_it_knows_the_tasks_of_the_corpus():
    assert {"digits", "mnist", "fashion-mnist", "embedded-reber"} <= set(shipped().tasks)
    assert shipped().training_graphs >= 1000
    assert "corpus" in shipped().provenance


@pytest.mark.parametrize("task", KNOWN)
def test_its_answers_are_golden(task):
    said = shipped().predict(networks(task), task=task)
    assert isinstance(said, Prediction)
    assert (said.low <= said.mean).all()
    assert (said.mean <= said.high).all()
    # What differs between processors is in the last digits of single precision.
    np.testing.assert_allclose(said.mean, GOLDEN[task], atol=2e-4)


def test_it_says_outside_of_what_is_unlike_its_corpus():
    wide = search_spaces.create("mlp", Signature(input_shape=(64,), outputs=10), width=(2000, 2000), depth=(8, 8))
    strange = wide.build(wide.sample(np.random.default_rng(0)))
    said = shipped().predict([*networks("digits"), strange], task="digits")
    assert said.outside.tolist() == [False, False, False, True]


def test_it_tells_which_of_its_tasks_a_network_is_for():
    for task in KNOWN:
        found = shipped().tasks_for(predictors.encode(networks(task, 1)[0]))
        assert task in found
        assert len(found) == len({shipped().tasks[name] for name in found})
    other = search_spaces.create("mlp", Signature(input_shape=(5,), outputs=3))
    assert shipped().tasks_for(predictors.encode(other.build(other.sample(np.random.default_rng(0))))) == []


if __name__ == "__main__":
    import sys

    found = {task: shipped().predict(networks(task), task=task).mean.round(5).tolist() for task in KNOWN}
    sys.stdout.write(f"GOLDEN = {found}\n")
