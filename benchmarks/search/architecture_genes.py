"""Do the architecture genes of the MLP space keep their papers' promises on sparse digits networks?

Four tables: deep plain networks with tailored rectifiers; the best learning rate of narrow and wide networks with and without
maximal update parametrisation, and how far Adam moves their features; auto-compressing networks cut after training.
Usage: python -m benchmarks.search.architecture_genes [--seeds 3] [--table tailored|rates|cut]
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx_ir as ir
import torch

import onnx_graph
from benchmarks.support.places import RESULTS
from nas import Task, TrainingOptions, TrainingResult, apply_result, evaluate, load_task, train_population
from nas.training.stack.initialisation import initial_values
from onnx_graph import cut_layers
from search_spaces import Candidate, MaskRecipe, create

STORED = RESULTS / "architecture_genes.json"
RATES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)
MUP: dict[str, str | int] = {"scaling": "mup", "base_width": 64}

Rows = list[dict[str, object]]


def network(task: Task, width: int, depth: int, density: float, seed: int, **genes: str | int) -> ir.Model:
    """A plain ReLU network, or what `genes` make of it."""
    numbers = range(1, 2 if genes.get("wiring") == "auto-compressing" else depth + 1)
    architecture: dict[str, str | int] = {"wiring": "plain", "activation": "relu", "depth": depth}
    architecture |= {f"width_{number}": width for number in numbers} | genes
    candidate = Candidate(space="mlp", architecture=architecture, mask=MaskRecipe(density=density, seed=seed))
    return create("mlp", task.signature).build(candidate)


def tailored(task: Task, seeds: Sequence[int]) -> Rows:
    """Plain networks of 10, 30 and 60 layers: validation accuracy by activation and initial weights."""
    rows: Rows = []
    for depth in (10, 30, 60):
        for name, activation, dense in (
            ("relu, He for the dense fan-in", "relu", True),
            ("relu, He for the kept fan-in", "relu", False),
            ("tailored", "tailored", False),
        ):
            models = [network(task, 64, depth, 0.2, seed, activation=activation) for seed in seeds]
            options = TrainingOptions(epochs=30, learning_rate=3e-3, init="keep")
            for model, seed in zip(models, seeds, strict=True):
                onnx_graph.set_weights(model, _dense_fan_in(model, seed) if dense else initial_values(model, seed))
            found = _train(models, task, options, seeds)
            rows.append({"depth": depth, "network": name, **_spread([result.accuracy for result in found])})
            print(f"{depth:3} layers  {name:30} {_text(rows[-1])}", flush=True)
    return rows


def rates(task: Task, seeds: Sequence[int]) -> Rows:
    """Three hidden layers, density .1, 12 epochs: final training loss and validation accuracy by learning rate and width."""
    rows: Rows = []
    for scaling, genes in (("standard", dict[str, str | int]()), ("mup", MUP)):
        for width in (32, 64, 512):
            models = [network(task, width, 3, 0.1, seed, **genes) for seed in seeds]
            losses, accuracies = [], []
            for rate in RATES:
                found = _train(models, task, TrainingOptions(epochs=12, learning_rate=rate), seeds)
                losses.append(float(np.mean([result.losses[-1] for result in found])))
                accuracies.append(float(np.mean([result.accuracy for result in found])))
            best = {
                "best_by_loss": RATES[int(np.argmin(losses))],
                "best_by_accuracy": RATES[int(np.argmax(accuracies))],
            }
            rows.append({"scaling": scaling, "width": width, "losses": losses, "accuracies": accuracies, **best})
            cells = "  ".join(f"{loss:5.3f}/{acc:.3f}" for loss, acc in zip(losses, accuracies, strict=True))
            print(
                f"{scaling:8} width {width:3}  {cells}  best {best['best_by_loss']:g}/{best['best_by_accuracy']:g}",
                flush=True,
            )
    return rows


def cut(task: Task, seeds: Sequence[int]) -> Rows:
    """Six hidden layers of 64 units, density .2: validation accuracy with the first 1 to 6 layers, not retrained."""
    rows: Rows = []
    for epochs in (30, 120):
        models = [network(task, 64, 6, 0.2, seed, wiring="auto-compressing") for seed in seeds]
        found = _train(models, task, TrainingOptions(epochs=epochs, learning_rate=3e-3), seeds)
        nets = [apply_result(model, result) for model, result in zip(models, found, strict=True)]
        for keep in range(1, 7):
            small = [cut_layers(net, keep) for net in nets]
            nnz = float(np.mean([onnx_graph.count(model).nnz for model in small]))
            accuracies = [evaluate(model, task, task.validation) for model in small]
            rows.append({"epochs": epochs, "layers": keep, "nnz": nnz, **_spread(accuracies)})
            print(f"{epochs:3} epochs  first {keep} layers  {nnz:6.0f} non-zeros  {_text(rows[-1])}", flush=True)
    return rows


TABLES: Mapping[str, Callable[[Task, Sequence[int]], Rows]] = {"tailored": tailored, "rates": rates, "cut": cut}


def main() -> None:
    """Print the tables and write the JSON; tables that were not asked for keep their rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--table", action="append", choices=sorted(TABLES), default=[])
    parser.add_argument("--output", type=Path, default=STORED)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    task, seeds = load_task("digits"), list(range(arguments.seeds))
    report: dict[str, object] = json.loads(arguments.output.read_text()) if arguments.output.exists() else {}
    report["question"] = (__doc__ or "").splitlines()[0]
    for name in arguments.table or TABLES:
        print(f"\n{name}: {(TABLES[name].__doc__ or '').splitlines()[0]}")
        report[name] = {"seeds": seeds, "torch": torch.__version__, "rows": TABLES[name](task, seeds)}
    arguments.output.write_text(json.dumps(report, indent=1) + "\n")
    print(f"written to {arguments.output}")


def _train(
    models: Sequence[ir.Model], task: Task, options: TrainingOptions, seeds: Sequence[int]
) -> list[TrainingResult]:
    """All of them; one that diverged counts with accuracy 0 and an infinite loss."""
    found = train_population(models, task, options, seeds=seeds)
    nothing = TrainingResult(
        accuracy=0.0, weights={}, losses=(float("inf"),), accuracies=(0.0,), dead_units=0, seconds=0.0, seed=0
    )
    return [
        one if isinstance(one, TrainingResult) else replace(nothing, seed=seed)
        for one, seed in zip(found, seeds, strict=True)
    ]


def _dense_fan_in(model: ir.Model, seed: int) -> dict[str, np.ndarray]:
    """The initial values of He et al. 2015 as they are mostly used with masks: the fan-in counts masked entries too."""
    values = initial_values(model, seed)
    for weight in onnx_graph.weights(model):
        kept = np.maximum((values[weight.name] != 0).sum(axis=1, keepdims=True), 1)
        values[weight.name] *= np.sqrt(kept / weight.shape[1], dtype=np.float32)
    return values


def _spread(values: Sequence[float]) -> dict[str, object]:
    return {"mean": float(np.mean(values)), "std": float(np.std(values)), "values": list(values)}


def _text(row: Mapping[str, object]) -> str:
    return f"{row['mean']:.3f} ± {row['std']:.3f}"


if __name__ == "__main__":
    main()
