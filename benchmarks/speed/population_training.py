"""How many networks a second does population training train, against the same networks trained one by one?

Both run the same loop on the same data with the same seeds; one by one uses the better of one thread and all threads.
Usage: python -m benchmarks.speed.population_training [--quick] [--networks 32] [--repeats 3]
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

import numpy as np
import onnx_ir as ir
import torch

from benchmarks.support.places import RESULTS
from nas import Task, TrainingOptions, TrainingResult, load_task, train, train_population
from search_spaces import NetworkBuilder

DENSITY = 0.3
STORED = RESULTS / "population_training.json"

device_of = import_module("nas.training.device")

Make = Callable[[Task, int], ir.Model]


def mlp(low: int, high: int, depth: int = 3) -> Make:
    """Hidden layers of random widths in [low, high]."""

    def make(task: Task, seed: int) -> ir.Model:
        rng = np.random.default_rng(seed)
        builder = NetworkBuilder(task.signature.input_shape, "mlp")
        x = builder.flatten(builder.input)
        for layer, width in enumerate(rng.integers(low, high + 1, depth)):
            x = builder.activation(builder.gemm(x, int(width), f"hidden_{layer}"), "relu", f"activation_{layer}")
        return _masked(builder.finish(builder.gemm(x, task.signature.outputs, "head")), rng)

    return make


def rnn(cell: str, hidden: int = 32) -> Make:
    """One recurrent layer that predicts the next symbol at every step."""

    def make(task: Task, seed: int) -> ir.Model:
        builder = NetworkBuilder(task.signature.input_shape, "rnn")
        steps, _ = builder.recurrent(
            builder.transpose(builder.input, (1, 0, 2), "time_first"),
            cell,
            hidden,
            "layer",
            every_step=True,
            last_step=False,
        )
        assert steps is not None
        x = builder.matmul(builder.transpose(steps, (1, 0, 2), "batch_first"), task.signature.outputs, "head")
        x = builder.add(x, builder.parameter("head.bias", task.signature.outputs), "head.sum")
        return _masked(builder.finish(x), np.random.default_rng(seed))

    return make


def cnn(channels: int = 16, depth: int = 4) -> Make:
    """Convolutions with batch normalisation, then the mean of each channel."""

    def make(task: Task, seed: int) -> ir.Model:
        builder = NetworkBuilder(task.signature.input_shape, "cnn")
        x = builder.input
        for layer in range(depth):
            x = builder.batch_norm(builder.convolution(x, channels, 3, f"conv_{layer}", bias=False), f"norm_{layer}")
            x = builder.activation(x, "relu", f"activation_{layer}")
        x = builder.flatten(builder.node("GlobalAveragePool", [x], ["N", channels, 1, 1], "pool"))
        return _masked(builder.finish(builder.gemm(x, task.signature.outputs, "head")), np.random.default_rng(seed))

    return make


# Name, target, task, network, epochs.
CASES: tuple[tuple[str, float | None, str, Make, int], ...] = (
    ("MLP 64-(16..64)x3-10", 5.0, "digits", mlp(16, 64), 30),
    ("MLP 64-256-256-10", None, "digits", mlp(256, 256, 2), 10),
    ("GRU 32", 3.0, "embedded-reber", rnn("gru"), 2),
    ("LSTM 32", 3.0, "embedded-reber", rnn("lstm"), 2),
    ("RNN tanh 32", 3.0, "embedded-reber", rnn("rnn-tanh"), 2),
    ("CNN 4x16 channels", 1.5, "digits", cnn(), 3),
)


def main() -> None:
    """Measure all cases, print a table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a third of the epochs")
    parser.add_argument("--networks", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--case",
        action="append",
        default=[],
        help="only cases whose name starts so; other rows of an existing result are kept",
    )
    parser.add_argument("--output", type=Path, default=STORED)
    arguments = parser.parse_args()
    rows = []
    print(
        f"{'network':22} {'one by one':>12} {'population':>12} {'speed-up':>9} {'target':>7}   networks a second, median (min..max)"
    )
    for name, target, task, make, epochs in CASES:
        if arguments.case and not name.startswith(tuple(arguments.case)):
            continue
        options = TrainingOptions(epochs=max(1, epochs // 3) if arguments.quick else epochs)
        row = measure(load_task(task), make, options, arguments.networks, arguments.repeats)
        rows.append({"network": name, "task": task, "epochs": options.epochs, "target": target, **row})
        print(table_line(rows[-1]), flush=True)
    report = {
        "question": (__doc__ or "").splitlines()[0],
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "networks": arguments.networks,
        "seeds": list(range(arguments.networks)),
        "repeats": arguments.repeats,
        "density": DENSITY,
        "rows": _merged(rows, arguments.output) if arguments.case else rows,
    }
    arguments.output.write_text(json.dumps(report, indent=1) + "\n")
    print(f"written to {arguments.output}")


def measure(task: Task, make: Make, options: TrainingOptions, networks: int, repeats: int) -> dict[str, object]:
    """Networks a second of each way, the ways taken in turn so that a busy moment of the machine meets all of them."""
    models = [make(task, seed) for seed in range(networks)]
    few = range(0, networks, 8)
    rates: dict[str, list[float]] = {"one thread": [], "all threads": [], "population": []}
    alone: dict[int, TrainingResult] = {}
    together: Sequence[TrainingResult | Exception] = []
    watch = _Elsewhere()
    for _ in range(repeats):
        for way in ("one thread", "all threads"):
            # `train` chooses by the size of the network; here both are measured.
            vars(device_of)["THREADED"] = 0 if way == "all threads" else 1 << 60
            begin = time.perf_counter()
            alone = {index: train(models[index], task, options, seed=index) for index in few}
            rates[way].append(len(few) / (time.perf_counter() - begin))
        begin = time.perf_counter()
        together = train_population(models, task, options, seeds=range(networks))
        rates["population"].append(networks / (time.perf_counter() - begin))
    best = max(("one thread", "all threads"), key=lambda way: statistics.median(rates[way]))
    differences = [abs(_accuracy(together[index]) - result.accuracy) for index, result in alone.items()]
    return {
        "one_by_one": _spread(rates[best]),
        "one_by_one_threads": best,
        "population": _spread(rates["population"]),
        "speed_up": statistics.median(rates["population"]) / statistics.median(rates[best]),
        "largest_accuracy_difference": max(differences),
        "processors_busy_elsewhere": watch.share(),
    }


def table_line(row: dict[str, object]) -> str:
    """One row of the table."""
    one, many = row["one_by_one"], row["population"]
    assert isinstance(one, dict)
    assert isinstance(many, dict)
    target = "-" if row["target"] is None else f"{row['target']:.1f}"
    spreads = (
        f"one by one {one['min']:.1f}..{one['max']:.1f} ({row['one_by_one_threads']}), "
        f"population {many['min']:.1f}..{many['max']:.1f}"
    )
    return f"{row['network']:22} {one['median']:12.2f} {many['median']:12.2f} {row['speed_up']:8.1f}x {target:>7}   {spreads}"


def _merged(rows: Sequence[dict[str, object]], path: Path) -> list[dict[str, object]]:
    """The rows of the result on disk with the new ones in their places."""
    old = json.loads(path.read_text())["rows"] if path.exists() else []
    found = {row["network"]: row for row in [*old, *rows]}
    return [found[name] for name, *_ in CASES if name in found]


class _Elsewhere:
    """How much of the machine other programs use meanwhile: a measurement on a busy machine says little."""

    def __init__(self) -> None:
        self.start = self._now()

    def share(self) -> float | None:
        """Share of all processors' time since the start; None where the system does not tell."""
        now = self._now()
        if now is None or self.start is None:
            return None
        busy, own, wall = (after - before for after, before in zip(now, self.start, strict=True))
        return round(max(0.0, (busy - own) / (wall * (os.cpu_count() or 1))), 2)

    def _now(self) -> tuple[float, float, float] | None:
        try:
            fields = [int(field) for field in Path("/proc/stat").read_text().split()[1:9]]
        except (OSError, ValueError):
            return None
        return (
            (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK"),
            time.process_time(),
            time.perf_counter(),
        )


def _masked(builder: NetworkBuilder, rng: np.random.Generator) -> ir.Model:
    return builder.model({layer.name: rng.random(layer.shape) < DENSITY for layer in builder.layers})


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def _accuracy(result: TrainingResult | Exception) -> float:
    if isinstance(result, Exception):
        raise result
    return result.accuracy


if __name__ == "__main__":
    main()
