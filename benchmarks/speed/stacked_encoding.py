"""How many masks of one network are screened, encoded and predicted in a second, all at once and one by one?

For a small perceptron, a larger one, a convolutional and a recurrent network, random masks of density .1. One by one: the network with
a mask is encoded and predicted by `quick`, as every file is. At once: `encode_masks`, then one call of `quick`. The screen:
`predictors.screen`. Networks a second of processor time, on one thread; the best of some runs, taken in turns, since other work on
the machine slows them all. `quick` is fitted on a hundred candidates of the same space with made-up accuracies.
Usage: python -m benchmarks.speed.stacked_encoding [--masks N]
"""

import argparse
import json
import time
from collections.abc import Callable

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

import onnx_graph
from benchmarks.support.places import RESULTS
from predictors import create as create_predictor
from predictors import encode, encode_masks, screen
from search_spaces import Signature, create

DENSITY, ALONE, ROUNDS = 0.1, 24, 3
NETWORKS: dict[str, tuple[str, Signature, dict[str, object]]] = {
    "perceptron 64-32-10": (
        "mlp",
        Signature(input_shape=(1, 8, 8), outputs=10),
        {"depth": (1, 1), "width": (32, 32), "wirings": ("plain",)},
    ),
    "perceptron 64-64-64-10": (
        "mlp",
        Signature(input_shape=(1, 8, 8), outputs=10),
        {"depth": (2, 2), "width": (64, 64), "wirings": ("plain",)},
    ),
    "convolutional": (
        "cnn",
        Signature(input_shape=(1, 8, 8), outputs=10),
        {"channels": (16, 16), "cells": (1, 1), "nodes": (2, 2)},
    ),
    "recurrent": (
        "rnn",
        Signature(input_shape=(20, 7), outputs=7, per_step=True),
        {"layers": (1, 1), "hidden": (24, 24)},
    ),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--masks", type=int, default=1024, help="masks of every network")
    args = parser.parse_args()
    with threadpool_limits(1):
        found = {name: measured(*facts, masks=args.masks) for name, facts in NETWORKS.items()}
    (RESULTS / "stacked_encoding.json").write_text(
        json.dumps({"masks": args.masks, "networks": found}, indent=1) + "\n"
    )
    table = Table(title="networks a second of processor time, one thread")
    for head in ("network", "weights", "one by one", "at once", "ratio", "screen"):
        table.add_column(head, justify="left" if head == "network" else "right")
    for name, row in found.items():
        speeds = [f"{row[key]:,.0f}" for key in ("one_by_one", "at_once")]
        table.add_row(name, f"{row['weights']:,.0f}", *speeds, f"{row['ratio']:.1f}", f"{row['screen']:,.0f}")
    Console().print(table)


def measured(kind: str, signature: Signature, options: dict[str, object], *, masks: int) -> dict[str, float]:
    """Networks a second of the three ways."""
    rng = np.random.default_rng(0)
    space = create(kind, signature, **options)
    others = [encode(space.build(space.sample(rng))) for _ in range(100)]
    quick = create_predictor("quick").fit(others, rng.random(100))
    model = space.build(space.sample(rng))
    drawn = {weight.name: rng.random((masks, *weight.shape)) < DENSITY for weight in onnx_graph.weights(model)}
    networks = [masked(model, drawn, number) for number in range(ALONE)]
    ways: dict[str, tuple[Callable[[], object], int]] = {
        "one_by_one": (lambda: [quick.predict([encode(network)]) for network in networks], ALONE),
        "at_once": (lambda: quick.predict(encode_masks(model, drawn, units=False)), masks),
        "screen": (lambda: screen(model, drawn), masks),
    }
    seconds = {name: min(processor_seconds(way) for _ in range(ROUNDS)) for name, (way, _) in ways.items()}
    speeds = {name: count / seconds[name] for name, (_, count) in ways.items()}
    weights = float(sum(mask[0].size for mask in drawn.values()))
    return {"weights": weights, **speeds, "ratio": speeds["at_once"] / speeds["one_by_one"]}


def masked(model: ir.Model, masks: dict[str, NDArray[np.bool_]], number: int) -> ir.Model:
    """The network with one of the masks."""
    copy = model.clone()
    onnx_graph.set_weights(
        copy,
        {
            weight.name: np.ascontiguousarray(weight.stored(masks[weight.name][number].astype(np.float32)))
            for weight in onnx_graph.weights(copy)
        },
    )
    return copy


def processor_seconds(way: Callable[[], object]) -> float:
    """Processor time of one call."""
    start = time.process_time()
    way()
    return time.process_time() - start


if __name__ == "__main__":
    main()
