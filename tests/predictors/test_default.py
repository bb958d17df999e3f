"""The shipped predictor: small, not pickled, always the same answers, and a warning for unknown networks."""

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import predictors
import search_spaces
from predictors.library.loading import shipped
from predictors.library.persistence import DEFAULT
from predictors.predictor import Prediction
from search_spaces.signature import Signature

FOLDER = Path(predictors.__file__).with_name(DEFAULT)
KNOWN = {
    "mlp, digits": ("digits", "mlp", Signature(input_shape=(64,), outputs=10)),
    "mlp, mnist": ("mnist", "mlp", Signature(input_shape=(784,), outputs=10)),
    "mlp, fashion": ("fashion-mnist", "mlp", Signature(input_shape=(1, 28, 28), outputs=10)),
    "cnn, digits": ("digits", "cnn", Signature(input_shape=(1, 8, 8), outputs=10)),
    "rnn, reber": ("embedded-reber", "rnn", Signature(input_shape=(20, 7), outputs=7, per_step=True)),
}
GOLDEN = {
    "mlp, digits": {
        "fresh": [0.92478, 0.83942, 0.95863],
        "own": [0.95846, 0.92814, 0.97075],
        "plan": [0.91613, 0.92266, 0.9515],
    },
    "mlp, mnist": {
        "fresh": [0.88795, 0.85351, 0.91706],
        "own": [0.91396, 0.89591, 0.94015],
        "plan": [0.82488, 0.8378, 0.88178],
    },
    "mlp, fashion": {
        "fresh": [0.80919, 0.77593, 0.82571],
        "own": [0.8697, 0.84384, 0.89943],
        "plan": [0.79972, 0.81829, 0.84728],
    },
    "cnn, digits": {
        "fresh": [0.92045, 0.77423, 0.5523],
        "own": [0.95902, 0.9406, 0.78838],
        "plan": [0.83281, 0.83141, 0.89617],
    },
    "rnn, reber": {
        "fresh": [0.72729, 0.31716, 0.77465],
        "own": [0.94465, 0.78548, 0.97212],
        "plan": [0.89236, 0.9127, 0.91703],
    },
}


def networks(kind: str, count: int = 3) -> list:
    _, name, signature = KNOWN[kind]
    widths = {"width": (8, 128)} if name == "mlp" else {}
    space = search_spaces.create(name, signature, min_density=0.05, max_density=0.3, **widths)
    rng = np.random.default_rng(7)
    return [space.build(space.sample(rng)) for _ in range(count)]


def test_it_is_small_and_nothing_in_it_is_pickled():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 12_000_000
    with zipfile.ZipFile(FOLDER / "arrays.npz") as archive:
        for name in archive.namelist():
            with archive.open(name) as file:
                np.lib.format.read_magic(file)
                assert not np.lib.format.read_array_header_1_0(file)[2].hasobject


def test_it_knows_the_tasks_of_the_corpus():
    assert {"digits", "mnist", "fashion-mnist", "embedded-reber", "watch"} <= set(shipped().tasks)
    assert shipped().training_graphs >= 12_000
    assert "corpus" in shipped().provenance
    assert {"espn", "gumbel", "rigl"} <= set(shipped().provenance["methods"])
    assert shipped().predictor.questions == ("fresh", "own", "plan")


ASKED = {
    "fresh": {"weights": "fresh"},
    "own": {"weights": "own", "method": "espn"},
    "plan": {"method": "espn", "nnz": 300},
}


def asked(kind: str, question: str) -> Prediction:
    return shipped().predict(networks(kind), task=KNOWN[kind][0], **ASKED[question])


@pytest.mark.parametrize("question", ASKED)
@pytest.mark.parametrize("kind", KNOWN)
def test_its_answers_are_golden(kind, question):
    said = asked(kind, question)
    assert isinstance(said, Prediction)
    assert (said.low <= said.mean).all()
    assert (said.mean <= said.high).all()
    # What differs between processors is in the last digits of single precision.
    np.testing.assert_allclose(said.mean, GOLDEN[kind][question], atol=2e-4)


def test_it_says_outside_of_what_is_unlike_its_corpus():
    wide = search_spaces.create("mlp", Signature(input_shape=(64,), outputs=10), width=(2000, 2000), depth=(8, 8))
    strange = wide.build(wide.sample(np.random.default_rng(0)))
    said = shipped().predict([*networks("mlp, digits"), strange], task="digits")
    assert said.outside.tolist() == [False, False, False, True]


def test_it_doubts_what_it_says_of_a_task_that_it_never_saw():
    models, known = networks("mlp, digits"), shipped().tasks["digits"]
    said, doubted = (shipped().predict(models, task=task) for task in (known, replace(known, samples=3000)))
    assert not doubted.outside.any()
    assert ((doubted.high - doubted.low) > 1.5 * (said.high - said.low)).all()


def test_it_tells_which_of_its_tasks_a_network_is_for():
    for kind, (task, _, _) in KNOWN.items():
        found = shipped().tasks_for(predictors.encode(networks(kind, 1)[0]))
        assert task in found
        assert len(found) == len({shipped().tasks[name] for name in found})
    assert set(shipped().tasks_for(predictors.encode(networks("mlp, mnist", 1)[0]))) == {"mnist", "fashion-mnist"}
    for shape, outputs in (((5,), 3), ((3, 32, 32), 10), ((128,), 10), ((64,), 7)):
        other = search_spaces.create("mlp", Signature(input_shape=shape, outputs=outputs))
        assert shipped().tasks_for(predictors.encode(other.build(other.sample(np.random.default_rng(0))))) == []


if __name__ == "__main__":
    import sys

    found = {kind: {one: asked(kind, one).mean.round(5).tolist() for one in ASKED} for kind in KNOWN}
    sys.stdout.write(f"GOLDEN = {found}\n")
