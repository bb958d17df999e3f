"""The encoding itself: saved predictors misread networks that are encoded in another way than those that they learnt from.

``python tests/predictors/test_golden_encoding.py`` writes the golden arrays anew; raise `predictors.features.encoder.ENCODING` with them.
"""

import sys
from pathlib import Path

import numpy as np
import pytest

import search_spaces
from predictors.features.encoder import ENCODING, encode
from predictors.features.matrix import GRAPH_FEATURES, NODE_FEATURES, matrix
from predictors.structure_graph import StructureGraph
from search_spaces.signature import Signature

FILE = Path(__file__).with_name("golden_encoding.npz")
KINDS = {
    "mlp": Signature(input_shape=(1, 6, 6), outputs=5),
    "cnn": Signature(input_shape=(2, 8, 8), outputs=5),
    "rnn": Signature(input_shape=(12, 7), outputs=7, per_step=True),
}


def graphs(kind: str) -> list[StructureGraph]:
    """Three networks, encoded."""
    widths = {"width": (8, 128)} if kind == "mlp" else {}
    space = search_spaces.create(kind, KINDS[kind], min_density=0.1, max_density=0.4, **widths)
    rng = np.random.default_rng(11)
    return [encode(space.build(space.sample(rng))) for _ in range(3)]


def arrays(kind: str) -> dict[str, np.ndarray]:
    """All arrays of the graphs that predictors read, and their pooled features, by name."""
    found = graphs(kind)
    parts = {f"{kind}/{place}/{name}": value for place, one in enumerate(found) for name, value in one.arrays().items()}
    return parts | {kind: matrix(found)}


@pytest.mark.parametrize("kind", KINDS)
def test_networks_are_encoded_as_ever(kind):
    found = arrays(kind)
    with np.load(FILE) as golden:
        assert int(golden["encoding"]) == ENCODING
        expected = {name: golden[name] for name in golden.files if name.split("/")[0] == kind}
    assert found.keys() == expected.keys()
    for name, value in found.items():
        assert value.shape == expected[name].shape, name
        same = (
            np.isclose(value, expected[name], rtol=1e-3, atol=1e-4)
            if value.dtype.kind == "f"
            else value == expected[name]
        )
        assert same.all(), (
            f"{name}, columns {np.unique(np.argwhere(~same)[:, -1])}: raise ENCODING and write the golden arrays anew"
        )


def test_the_names_are_as_many_as_the_golden_columns():
    with np.load(FILE) as golden:
        assert golden["mlp"].shape[1] > len(GRAPH_FEATURES) + 4 * len(NODE_FEATURES)


if __name__ == "__main__":
    parts = {name: value for kind in KINDS for name, value in arrays(kind).items()}
    np.savez_compressed(FILE, encoding=np.asarray(ENCODING), **parts)
    sys.stdout.write(f"{FILE}: encoding {ENCODING}\n")
