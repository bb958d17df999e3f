"""How long do loading, trimming, simplifying and encoding take, and do they grow linearly with the length of the graph?

Milliseconds of processor time on one thread, medians, for chains of masked linear layers and rectifiers. The growth is the
power of the length that the time goes with, from the second length to the longest: 1 is linear. Image data sets, seconds, where
NAS_DATA_DIR is set.
"""

import argparse
import json
import math
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import onnx_ir as ir
from threadpoolctl import threadpool_limits

import onnx_graph
from benchmarks.support.places import RESULTS
from benchmarks.support.processor_time import milliseconds
from nas import load_task
from predictors import encode
from predictors.reading.canonical import canonical_graph

LENGTHS = (5, 200, 800)
"""Layers; only the shortest has a unit graph, so that the growth between the others is that of one way of encoding."""
WIDTH, DENSITY = 32, 0.1
REPEATS = 7
IMAGES = ("mnist", "fashion-mnist")
_FLOAT = ir.TensorType(ir.DataType.FLOAT)


def chain(layers: int, *, masked: bool) -> ir.Model:
    """Linear layers with rectifiers between; zeros in the weights, or (masked) a product of weights and a mask a layer."""
    rng = np.random.default_rng(0)
    value = start = ir.Value(name="x", shape=ir.Shape(["N", WIDTH]), type=_FLOAT)
    nodes: list[ir.Node] = []
    constants: list[ir.Value] = []
    for layer in range(layers):
        mask = (rng.random((WIDTH, WIDTH)) < DENSITY).astype(np.float32)
        constants.append(_constant(f"w{layer}", mask))
        weight = constants[-1]
        if masked:
            constants.append(_constant(f"m{layer}", mask))
            nodes.append(ir.Node("", "Mul", constants[-2:]))
            weight = nodes[-1].outputs[0]
        nodes.append(ir.Node("", "Gemm", [value, weight], [ir.AttrInt64("transB", 1)]))
        nodes.append(ir.Node("", "Relu", nodes[-1].outputs))
        for node in nodes[-2:]:
            node.outputs[0].shape, node.outputs[0].type = start.shape, _FLOAT
        value = nodes[-1].outputs[0]
    graph = ir.Graph([start], [value], nodes=nodes, initializers=constants, opset_imports={"": 17}, name="chain")
    return ir.Model(graph, ir_version=10)


def _constant(name: str, array: np.ndarray) -> ir.Value:
    return ir.Value(name=name, shape=ir.Shape(array.shape), type=_FLOAT, const_value=ir.Tensor(array, name=name))


def times(layers: int, repeats: int) -> dict[str, float]:
    """Every job on a chain, ms."""
    model, masked = chain(layers, masked=False), chain(layers, masked=True)
    copies = iter([model.clone() for _ in range(repeats)])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chain.onnx"
        onnx_graph.save(model, path)
        jobs: dict[str, Callable[[], object]] = {
            "load a file": lambda: onnx_graph.load(path),
            "find live units": lambda: onnx_graph.liveness(model),
            "trim": lambda: onnx_graph.trim(next(copies)),
            "simplify, nothing to do": lambda: onnx_graph.simplify(model),
            "simplify, fold masks": lambda: onnx_graph.simplify(masked),
            "canonical graph": lambda: canonical_graph(model),
            "encode": lambda: encode(model),
            "encode, fold masks": lambda: encode(masked),
        }
        return {name: milliseconds(job, repeats) for name, job in jobs.items()}


def images(data_dir: Path) -> dict[str, float]:
    """Seconds of processor time to load each data set."""
    found = {}
    for name in IMAGES:
        start = time.process_time()
        load_task(name, data_dir=data_dir)
        found[name] = time.process_time() - start
    return found


def growths(measured: Mapping[int, Mapping[str, float]]) -> dict[str, float]:
    """By job, the power of the length that the time goes with."""
    short, long = LENGTHS[1:]
    return {
        name: math.log(measured[long][name] / measured[short][name]) / math.log(long / short) for name in measured[long]
    }


def main() -> None:
    """Print the tables and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smoke test: every job once, no image data sets")
    args = parser.parse_args()
    repeats = 1 if args.quick else REPEATS
    folder = None if args.quick else os.environ.get("NAS_DATA_DIR")
    encode(chain(2, masked=True))  # what is only done once in a process
    with threadpool_limits(1):
        measured = {layers: times(layers, repeats) for layers in LENGTHS}
        seconds = images(Path(folder)) if folder else {}
    growth = growths(measured)
    print(f"{'ms, by layers':26}" + "".join(f"{layers:>10}" for layers in LENGTHS) + f"{'growth':>10}")
    for name, power in growth.items():
        print(f"{name:26}" + "".join(f"{measured[layers][name]:10.2f}" for layers in LENGTHS) + f"{power:10.2f}")
    for name, value in seconds.items():
        print(f"load {name:21}{value:10.2f} s")
    unit = "ms of processor time, one thread; images: s"
    result = {"unit": unit, "layers": measured, "growth": growth, "images": seconds}
    path = RESULTS / f"graph_speed{'_quick' if args.quick else ''}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
