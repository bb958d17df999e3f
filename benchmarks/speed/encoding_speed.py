"""How long does it take to encode a network and to predict its accuracy, one by one from a file and many in a row?

Milliseconds of processor time per graph, medians, on one thread: over a hundred random candidates of every space, for a file of
about a hundred nodes, and for large graphs. The predictors are fitted on a hundred other candidates of all spaces with made-up
accuracies (the seconds of the fit use as many threads as the predictor takes); only their speed matters here, not their answers.

The same machine may be three times slower on another day, or from one second to the next. "Pace" is the time of a fixed piece of
work, measured before and after the rest: compare two runs only relative to it. "Least" is the shortest of 9 or 25 calls.
Usage: [NAS_DATA_DIR=DATA] python -m benchmarks.speed.encoding_speed
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx_ir as ir
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

import onnx_graph
import predictors
from benchmarks.support.places import RESULTS
from benchmarks.support.processor_time import milliseconds, times
from predictors import Predictor, encode
from predictors.features.graph_features import GRAPH_FEATURES
from predictors.features.matrix import summary_column
from predictors.features.node_features import NODE_FEATURES
from search_spaces import Signature, create

CANDIDATES = 100
LABELS = 100
PREDICTORS = ("forest", "quick", "ensemble")
SPACES = {
    "mlp": Signature(input_shape=(64,), outputs=10),
    "cnn": Signature(input_shape=(1, 8, 8), outputs=10),
    "rnn": Signature(input_shape=(20, 7), outputs=7),
}
FLOAT = ir.TensorType(ir.DataType.FLOAT)


class Residual:
    """Residual networks of any depth, masked at random, as graphs."""

    def __init__(self, density: float, seed: int) -> None:
        """A `density` of 1 keeps all weights."""
        self.rng, self.density = np.random.default_rng(seed), density
        self.nodes: list[ir.Node] = []
        self.initializers: list[ir.Value] = []

    def build(self, blocks: Sequence[int], widths: Sequence[int], size: int, stem: int) -> ir.Model:
        """A stem, stages of blocks of two 3×3 convolutions, global pooling and a linear layer."""
        image = ir.Value(name="x", shape=ir.Shape(["N", 3, size, size]), type=FLOAT)
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
        value = ir.Value(
            name=f"w{len(self.initializers)}", shape=ir.Shape(shape), type=FLOAT, const_value=ir.Tensor(array)
        )
        self.initializers.append(value)
        return value

    def _node(self, operator: str, inputs: list[ir.Value], shape: ir.Shape | None, *attributes: ir.Attr) -> ir.Value:
        node = ir.Node("", operator, inputs, list(attributes), name=f"n{len(self.nodes)}")
        made = node.outputs[0]
        made.name, made.shape, made.type = f"v{len(self.nodes)}", shape, FLOAT
        self.nodes.append(node)
        return made

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


def pace() -> dict[str, float]:
    """Times of a fixed piece of work: a loop of Python, and calls of numpy on small arrays, ms."""
    small = np.arange(100.0)
    return {
        "python_a_million_additions": milliseconds(lambda: sum(range(1_000_000)), 15),
        "numpy_ten_thousand_small_sums": milliseconds(lambda: [small.sum() for _ in range(10_000)], 15),
    }


def fitted() -> tuple[dict[str, Predictor], dict[str, dict[str, float]]]:
    """The predictors, each fitted on the same candidates of all spaces, and the seconds of the fit: wall time, processor time."""
    rng = np.random.default_rng(0)
    spaces = [create(name, signature) for name, signature in SPACES.items()]
    graphs = [encode(spaces[row % len(spaces)].build(spaces[row % len(spaces)].sample(rng))) for row in range(LABELS)]
    # Accuracies that can be learnt, since the time of the fit may depend on it.
    sizes = summary_column(graphs, "log_nnz")
    accuracies = 0.4 + 0.5 * (sizes - sizes.min()) / np.ptp(sizes) + rng.normal(0, 0.02, LABELS)
    found, seconds = {}, {}
    predictors.create("ensemble").fit(graphs[:2], accuracies[:2])  # load everything that a process loads once
    for name in PREDICTORS:
        wall, processor = time.perf_counter(), time.process_time()
        found[name] = predictors.create(name).fit(graphs, accuracies)
        seconds[name] = {"wall": time.perf_counter() - wall, "processor": time.process_time() - processor}
    return found, seconds


def screening(name: str, predictors: Mapping[str, Predictor]) -> dict[str, float]:
    """Times of building, encoding and predicting many candidates of a space, ms each.

    Per second: "networks" are encoded and predicted; "candidates" are also built before, and predicted by the forest.
    """
    rng = np.random.default_rng(1)
    space = create(name, SPACES[name])
    candidates = [space.sample(rng) for _ in range(CANDIDATES)]
    models = [space.build(candidate) for candidate in candidates]
    graphs = [encode(model) for model in models]
    row = {
        "nodes": float(np.mean([len(list(model.graph)) for model in models])),
        "build": milliseconds(lambda: [space.build(candidate) for candidate in candidates], 5) / CANDIDATES,
        "encode": milliseconds(lambda: [encode(model) for model in models], 5) / CANDIDATES,
    }
    for known, predictor in predictors.items():
        # New objects every time, since predictors remember the features of a graph as long as it exists.
        fresh = iter([[replace(graph) for graph in graphs] for _ in range(5)])
        row[known] = (
            milliseconds(lambda predictor=predictor, fresh=fresh: predictor.predict(next(fresh)), 5) / CANDIDATES
        )
    row |= {f"{known}_per_second": 1000 / (row["encode"] + row[known]) for known in predictors}
    return row | {"candidates_per_second": 1000 / (row["build"] + row["encode"] + row["forest"])}


def hundred_nodes(density: float) -> ir.Model:
    """A residual network of about a hundred nodes."""
    return Residual(density, seed=0).build([4, 4, 5], [16, 32, 64], 32, 3)


def from_file(predictors: Mapping[str, Predictor]) -> dict[str, dict[str, float]]:
    """Times from the path of a file of about a hundred nodes to its graph and to an answer, ms."""
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        for density in (1.0, 0.1):
            model = hundred_nodes(density)
            path = Path(folder) / f"{density}.onnx"
            onnx_graph.save(model, path)
            row = {
                "nodes": len(list(model.graph)),
                "load": milliseconds(lambda path=path: onnx_graph.load(path), 25),
                "load_and_encode": milliseconds(lambda path=path: encode(path), 25),
            }
            for name, predictor in predictors.items():
                found = times(lambda path=path, known=predictor: known.predict([encode(path)]), 25)
                row |= {name: float(np.median(found)), f"{name}_least": min(found)}
            rows[f"density {density}"] = row
    return rows


def large() -> dict[str, dict[str, float]]:
    """Times of encoding large graphs and, if NAS_DATA_DIR is set, a small residual network made by others, ms."""
    shapes = {
        "resnet-18, dense": (1.0, [2, 2, 2, 2], [64, 128, 256, 512], 224, 7),
        "resnet-18, density 0.1": (0.1, [2, 2, 2, 2], [64, 128, 256, 512], 224, 7),
        "3,500 nodes, density 0.3": (0.3, [166, 166, 166], [8, 16, 32], 32, 3),
    }
    models = {
        name: Residual(density, seed=0).build(blocks, widths, size, stem)
        for name, (density, blocks, widths, size, stem) in shapes.items()
    }
    if "NAS_DATA_DIR" in os.environ:
        models["resnet_4b.onnx"] = onnx_graph.load(Path(os.environ["NAS_DATA_DIR"]) / "onnx/evaluated/resnet_4b.onnx")
    found = {name: times(lambda model=model: encode(model), 9) for name, model in models.items()}
    return {
        name: {"nodes": len(list(models[name].graph)), "encode": float(np.median(one)), "encode_least": min(one)}
        for name, one in found.items()
    }


def commands() -> dict[str, dict[str, float]]:
    """Wall time of a command in seconds, the least of three runs, since the first one reads from the disk."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx_graph.save(hundred_nodes(1.0), path)
        return {
            f"nas {arguments[0]}": {"wall": min(_seconds(*arguments) for _ in range(3))}
            for arguments in (("--help",), ("predict", str(path), "--task", "digits"))
        }


def _seconds(*arguments: str) -> float:
    start = time.perf_counter()
    command = [sys.executable, "-c", "from nas.cli.main import entry; entry()", *arguments]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def show(title: str, rows: Mapping[str, Mapping[str, float]]) -> None:
    """Print one row per name and one column per number."""
    table = Table("", *(column.replace("_", " ") for column in next(iter(rows.values()))), title=title)
    for name, row in rows.items():
        table.add_row(name, *(f"{value:.0f}" if value >= 1000 else f"{value:.3g}" for value in row.values()))
    Console(width=120).print(table)


def main() -> None:
    """Print the tables and write the JSON."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    paces = {"before": pace()}
    predictors, fits = fitted()
    with threadpool_limits(1):
        parts = {
            "spaces": {name: screening(name, predictors) for name in SPACES},
            "file": from_file(predictors),
            "graphs": large(),
            "commands": commands(),
        }
    paces["after"] = pace()
    show("Pace of the machine, ms", paces)
    print(f"{len(NODE_FEATURES)} features a node, {len(GRAPH_FEATURES)} a graph")
    show("Many of a space, ms each", parts["spaces"])
    show("From a file to its graph, and to an answer, ms", parts["file"])
    show("Large graphs, ms", parts["graphs"])
    show("From a command's start to its end, s", parts["commands"])
    show(f"Fit with {LABELS} labels, s", fits)
    features = {"node_features": len(NODE_FEATURES), "graph_features": len(GRAPH_FEATURES), "labels": LABELS}
    result = {
        "unit": "ms of processor time, one thread; fits and commands: s",
        "pace": paces,
        **features,
        **parts,
        "fits": fits,
    }
    path = RESULTS / "encoding_speed.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
