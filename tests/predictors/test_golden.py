"""The golden saved predictor: ``python tests/predictors/test_golden.py`` writes it anew and prints what it predicts.

Only needed when the features or the format change; then `MEAN` and `STD` below are replaced by what it prints.
"""

import shutil
import sys
from pathlib import Path

import numpy as np

from predictors.features import CLASSES, GRAPH_FEATURES, NODE_FEATURES
from predictors.forest import ForestOptions, ForestPredictor
from predictors.persistence import load, save
from predictors.structure_graph import StructureGraph

FOLDER = Path(__file__).with_name("golden_forest")
MEAN = [0.6182903053490231, 0.33369858157576204, 0.44349024981183927, 0.796945834949916]
STD = [0.4433169531232181, 0.28465640530590586, 0.31434429543116216, 0.336996756112346]


def graphs(first: int, last: int) -> list[StructureGraph]:
    """Graphs by formula, not by generator: the same for ever."""
    found = []
    for number in range(first, last):
        nodes = 2 + number % 3
        rows = np.arange(nodes)[:, None] + 1.7 * number
        found.append(
            StructureGraph(
                operators=(np.arange(nodes) + number) % len(CLASSES),
                features=np.sin(rows + np.arange(len(NODE_FEATURES))).astype(np.float32),
                edges=np.array([range(nodes - 1), range(1, nodes)], np.int64),
                summary=np.cos(1.3 * number + np.arange(len(GRAPH_FEATURES))).astype(np.float32),
            )
        )
    return found


def test_the_golden_predictor_still_loads_and_says_the_same():
    loaded = load(FOLDER)
    prediction = loaded.predict(graphs(24, 28))
    np.testing.assert_allclose(prediction.mean, MEAN, atol=1e-9)
    np.testing.assert_allclose(prediction.std, STD, atol=1e-9)
    assert "curve_scores" in loaded.predictor.arrays()
    assert (loaded.name, loaded.training_graphs) == ("forest", 24)
    assert loaded.provenance == {"made by": "tests/predictors/test_golden.py"}


if __name__ == "__main__":
    predictor = ForestPredictor(ForestOptions(trees=3)).fit(graphs(0, 24), np.linspace(0.3, 0.9, 24), seed=0)
    shutil.rmtree(FOLDER, ignore_errors=True)
    save(predictor, FOLDER, provenance={"made by": "tests/predictors/test_golden.py"})
    prediction = predictor.predict(graphs(24, 28))
    sys.stdout.write(f"MEAN = {prediction.mean.tolist()}\nSTD = {prediction.std.tolist()}\n")
