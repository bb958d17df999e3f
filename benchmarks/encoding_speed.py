"""How long does it take to encode a network, and how many candidates a second can a search build, encode and predict?

Milliseconds of processor time a graph, on one thread, over a hundred random candidates of every space and for large
graphs. The forest is fitted on other candidates; its answers do not matter here, only its speed.
"""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx_ir as ir
from threadpoolctl import threadpool_limits

from predictors.encoder import encode
from predictors.forest import ForestPredictor
from predictors.graph_features import GRAPH_FEATURES
from predictors.node_features import NODE_FEATURES
from search_spaces.registry import create
from search_spaces.signature import Signature

CANDIDATES = 100
TRAINED = 64
SPACES = {
    "mlp": Signature(input_shape=(64,), outputs=10),
    "cnn": Signature(input_shape=(1, 8, 8), outputs=10),
    "rnn": Signature(input_shape=(20, 7), outputs=7),
}


class Residual:
    """Residual networks of any depth, masked at random, as graphs."""

    def __init__(self, density: float, seed: int) -> None:
        """`density` of 1 leaves all weights."""
        self.rng, self.density = np.random.default_rng(seed), density
        self.nodes: list[ir.Node] = []
        self.initializers: list[ir.Value] = []

    def build(self, blocks: Sequence[int], widths: Sequence[int], size: int, stem: int) -> ir.Model:
        """A stem, stages of blocks of two 3×3 convolutions, global pooling and a linear layer."""
        image = ir.Value(name="x", shape=ir.Shape(["N", 3, size, size]), type=ir.TensorType(ir.DataType.FLOAT))
        x = self._relu(self._conv(image, widths[0], stem, 2 if stem > 3 else 1))
        for stage, (count, width) in enumerate(zip(blocks, widths, strict=True)):
            for block in range(count):
                stride = 2 if stage and block == 0 else 1
                y = self._conv(self._relu(self._conv(x, width, 3, stride)), width, 3, 1)
                plain = stride == 1 and x.shape is not None and x.shape[1] == width
                short = x if plain else self._conv(x, width, 1, stride)
                x = self._relu(self._node("Add", [y, short], y.shape))
        pooled = self._node("GlobalAveragePool", [x], ir.Shape(["N", widths[-1], 1, 1]))
        flat = self._node("Flatten", [pooled], ir.Shape(["N", widths[-1]]))
        weight = self._weight((1000, widths[-1]))
        y = self._node("Gemm", [flat, weight], ir.Shape(["N", 1000]), ir.AttrInt64("transB", 1))
        graph = ir.Graph(
            [image], [y], nodes=self.nodes, initializers=self.initializers, opset_imports={"": 17}, name="g"
        )
        return ir.Model(graph, ir_version=10)

    def _weight(self, shape: tuple[int, ...]) -> ir.Value:
        array = (self.rng.random(shape, dtype=np.float32) < self.density).astype(np.float32)
        value = ir.Value(name=f"w{len(self.initializers)}", shape=ir.Shape(shape), const_value=ir.Tensor(array))
        self.initializers.append(value)
        return value

    def _node(self, operator: str, inputs: list[ir.Value], shape: ir.Shape | None, *attributes: ir.Attr) -> ir.Value:
        node = ir.Node("", operator, inputs, list(attributes), name=f"n{len(self.nodes)}")
        node.outputs[0].name, node.outputs[0].shape = f"v{len(self.nodes)}", shape
        self.nodes.append(node)
        return node.outputs[0]

    def _relu(self, x: ir.Value) -> ir.Value:
        return self._node("Relu", [x], x.shape)

    def _conv(self, x: ir.Value, out: int, kernel: int, stride: int) -> ir.Value:
        _, inner, height, width = x.shape or ()
        made = ir.Shape(["N", out, -(-int(height) // stride), -(-int(width) // stride)])
        weight = self._weight((out, int(inner), kernel, kernel))
        window = (
            ir.AttrInt64s("kernel_shape", [kernel] * 2),
            ir.AttrInt64s("strides", [stride] * 2),
            ir.AttrInt64s("pads", [kernel // 2] * 4),
        )
        conv = self._node("Conv", [x, weight], made, *window)
        norm = [
            ir.Value(name=f"b{len(self.nodes)}_{i}", const_value=ir.Tensor(np.ones(out, np.float32))) for i in range(4)
        ]
        self.initializers.extend(norm)
        return self._node("BatchNormalization", [conv, *norm], made)


def milliseconds(work: Callable[[], object], repeats: int) -> float:
    """Processor time of one call, the median of `repeats`."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return 1000 * float(np.median(times))


def screening(name: str) -> dict[str, float]:
    """Times of building, encoding and predicting candidates of a space, ms each."""
    rng = np.random.default_rng(0)
    space = create(name, SPACES[name])
    trained = [encode(space.build(space.sample(rng))) for _ in range(TRAINED)]
    forest = ForestPredictor().fit(trained, rng.random(TRAINED))
    candidates = [space.sample(rng) for _ in range(CANDIDATES)]
    models = [space.build(candidate) for candidate in candidates]
    graphs = [encode(model) for model in models]
    row = {
        "nodes": float(np.mean([len(list(model.graph)) for model in models])),
        "build": milliseconds(lambda: [space.build(candidate) for candidate in candidates], 5) / CANDIDATES,
        "encode": milliseconds(lambda: [encode(model) for model in models], 5) / CANDIDATES,
        "predict": milliseconds(lambda: forest.predict(graphs), 5) / CANDIDATES,
    }
    return {**row, "candidates_per_second": 1000 / (row["build"] + row["encode"] + row["predict"])}


def large() -> dict[str, dict[str, float]]:
    """Times of encoding large graphs, ms."""
    rows = {}
    shapes = {
        "resnet-18, dense": (1.0, [2, 2, 2, 2], [64, 128, 256, 512], 224, 7),
        "resnet-18, density 0.1": (0.1, [2, 2, 2, 2], [64, 128, 256, 512], 224, 7),
        "3,500 nodes, density 0.3": (0.3, [166, 166, 166], [8, 16, 32], 32, 3),
    }
    for name, (density, blocks, widths, size, stem) in shapes.items():
        model = Residual(density, seed=0).build(blocks, widths, size, stem)
        rows[name] = {"nodes": len(list(model.graph)), "encode": milliseconds(lambda model=model: encode(model), 3)}
    return rows


def main() -> None:
    """Print the tables and write the JSON."""
    with threadpool_limits(1):
        spaces = {name: screening(name) for name in SPACES}
        graphs = large()
    print(f"{len(NODE_FEATURES)} features a node, {len(GRAPH_FEATURES)} a graph")
    print(f"{'space':8}{'nodes':>8}{'build ms':>10}{'encode ms':>11}{'predict ms':>12}{'candidates/s':>14}")
    for name, row in spaces.items():
        print(f"{name:8}{row['nodes']:8.1f}{row['build']:10.2f}{row['encode']:11.2f}{row['predict']:12.2f}", end="")
        print(f"{row['candidates_per_second']:14.0f}")
    for name, row in graphs.items():
        print(f"{name:28}{row['nodes']:8.0f} nodes{row['encode']:10.1f} ms")
    features = {"node_features": len(NODE_FEATURES), "graph_features": len(GRAPH_FEATURES)}
    result = {"unit": "ms of processor time, one thread", **features, "spaces": spaces, "graphs": graphs}
    path = Path(__file__).parent / "results" / "encoding_speed.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
