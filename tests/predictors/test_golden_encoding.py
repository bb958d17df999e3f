"""The encoding itself: saved predictors misread networks that are encoded in another way than those that they learnt from.

``python tests/predictors/test_golden_encoding.py`` writes the golden arrays anew; raise `predictors.encoder.ENCODING` with them.
"""

import sys
from pathlib import Path

import numpy as np
import pytest

import search_spaces
from predictors.encoder import ENCODING, encode
from predictors.features import GRAPH_FEATURES, NODE_FEATURES, matrix
from search_spaces.signature import Signature

FILE = Path(__file__).with_name("golden_encoding.npz")
KINDS = {
    "mlp": Signature(input_shape=(1, 6, 6), outputs=5),
    "cnn": Signature(input_shape=(2, 8, 8), outputs=5),
    "rnn": Signature(input_shape=(12, 7), outputs=7, per_step=True),
}


def rows(kind: str) -> np.ndarray:
    """Features of three networks, and their units counted."""
    space = search_spaces.create(kind, KINDS[kind], min_density=0.1, max_density=0.4)
    rng = np.random.default_rng(11)
    graphs = [encode(space.build(space.sample(rng))) for _ in range(3)]
    units = [[0, 0] if one.units is None else [len(one.units.owner), one.units.edges.shape[1]] for one in graphs]
    return np.concatenate([matrix(graphs), np.array(units, np.float32)], axis=1)


@pytest.mark.parametrize("kind", KINDS)
def test_networks_are_encoded_as_ever(kind):
    with np.load(FILE) as golden:
        assert int(golden["encoding"]) == ENCODING
        expected = golden[kind]
    found = rows(kind)
    assert found.shape == expected.shape
    different = np.flatnonzero(~np.isclose(found, expected, rtol=1e-3, atol=1e-4).all(axis=0))
    assert not len(different), f"columns {different.tolist()}: raise ENCODING and write the golden arrays anew"


def test_the_names_are_as_many_as_the_golden_columns():
    with np.load(FILE) as golden:
        assert golden["mlp"].shape[1] > len(GRAPH_FEATURES) + 4 * len(NODE_FEATURES)


if __name__ == "__main__":
    np.savez_compressed(FILE, encoding=np.asarray(ENCODING), **{kind: rows(kind) for kind in KINDS})
    sys.stdout.write(f"{FILE}: encoding {ENCODING}\n")
