"""The golden saved predictor: ``python tests/predictors/test_golden.py`` writes it anew and prints what it predicts.

Only needed when the features or the format change; then `MEAN` and `STD` below are replaced by what it prints.
"""

import shutil
import sys
from pathlib import Path

import numpy as np

from predictors.features.matrix import CLASSES, GRAPH_FEATURES, NODE_FEATURES
from predictors.library.loading import load
from predictors.library.persistence import save
from predictors.models.forest import ForestOptions, ForestPredictor
from predictors.structure_graph import StructureGraph

FOLDER = Path(__file__).with_name("golden_forest")
MEAN = [0.34966286553518866, 0.3696865884827405, 0.36387709048271244, 0.33732982545530177]
STD = [0.30323517842413555, 0.3106830722007772, 0.3072349176214853, 0.30308520376587533]


def graphs(first: int, last: int) -> list[StructureGraph]:
    """Graphs made by a formula, not by a generator, so that they never change."""
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
    prediction = loaded.predict(graphs(50, 54))
    np.testing.assert_allclose(prediction.mean, MEAN, atol=1e-9)
    np.testing.assert_allclose(prediction.std, STD, atol=1e-9)
    assert "curve_scores" in loaded.predictor.arrays()
    assert (loaded.name, loaded.training_graphs) == ("forest", 50)
    assert loaded.provenance == {"made by": "tests/predictors/test_golden.py"}


if __name__ == "__main__":
    predictor = ForestPredictor(ForestOptions(trees=3)).fit(graphs(0, 50), np.linspace(0.3, 0.9, 50), seed=0)
    shutil.rmtree(FOLDER, ignore_errors=True)
    save(predictor, FOLDER, provenance={"made by": "tests/predictors/test_golden.py"})
    prediction = predictor.predict(graphs(50, 54))
    sys.stdout.write(f"MEAN = {prediction.mean.tolist()}\nSTD = {prediction.std.tolist()}\n")
