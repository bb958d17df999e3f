"""Which mask method gives which accuracy at which density, at which cost, and do the papers' claims hold?

Sections, each resumable (a finished cell is not computed again; delete the JSON, or give --redo, to start from the beginning):
  digits  every method × density {.1, .05, .02, .01}, MLP 64-100-100-10, 8 seeds
  mnist   the eight methods that did best on digits, LeNet-300-100, density {.05, .02, .01}, 3 seeds, at most 30 epochs in total
  linear  the magnitude family, MNIST 784-100-10, 80 % removed, 3 seeds, 12 epochs in total, compared with the dense network
  reber   the embedded Reber grammar, a masked GRU of 32 units, density {.1, .05}, 3 seeds
  claims  each paper's own check (mask_claims.py): claim, measured, holds or does not
Usage: python -m benchmarks.masks.mask_methods [SECTION ...] [--methods NAME ...] [--quick] [--print] [--redo]
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from rich.console import Console
from rich.table import Table

import nas
import onnx_graph
from benchmarks.masks.claims import mask_claims
from benchmarks.support.mask_networks import digits_70_30, gru, mnist_whole, perceptron
from benchmarks.support.places import RESULTS
from nas import (
    Method,
    Split,
    Task,
    TrainingOptions,
    TrainingResult,
    apply_result,
    evaluate,
    load_task,
    train,
    train_population,
)
from nas.errors import NasError
from nas.training.methods import METHODS, MethodError, create
from onnx_graph import masks

STORED = RESULTS / "mask_methods.json"
EPOCHS_IN_ALL = 30
"""Most epochs of a method on MNIST, over all its phases."""
BEST = 8
LONG_INTERVAL = 50
OPTIONS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "digits": {"layer-wise": {"densities": [1.0, 1.0, 4.0]}, "n:m": {"n": 1, "m": 4}, "block": {"size": 2}},
    "reber": {"layer-wise": {"densities": [1.0, 1.0, 4.0]}, "n:m": {"n": 1, "m": 4}},
}
"""Options that a method gets in addition to its defaults, by section."""
ADAM = frozenset({"espn", "gumbel"})
"""Methods with learnt factors, which take Adam instead of SGD: this was better on a validation split of 12,000 images with another seed."""
ELSEWHERE = frozenset({"static", "mask-transfer"})
"""Methods left out: `static` is the same as `erk` if a density is given; a transferred mask needs a source and is in the claims."""
MAGNITUDE_FAMILY = (
    "random-pruning",
    "magnitude",
    "magnitude-uniform",
    "magnitude-distributed",
    "magnitude-iterative",
    "magnitude-rewound",
    "imp",
)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One section: networks, training options and number of seeds."""

    task: Callable[[], Task]
    model: Callable[[], ir.Model]
    densities: tuple[float, ...]
    seeds: int
    training: TrainingOptions
    total: int | None = None


SETTINGS: Mapping[str, Setting] = {
    # With this learning rate and schedule uniform and ERK masks reach the known accuracies of this network (development seeds).
    "digits": Setting(
        task=digits_70_30,
        model=lambda: perceptron((64, 100, 100, 10), (1, 8, 8)),
        densities=(0.1, 0.05, 0.02, 0.01),
        seeds=8,
        training=TrainingOptions(epochs=25, learning_rate=5e-3, schedule="constant"),
    ),
    "mnist": Setting(
        task=mnist_whole,
        model=lambda: perceptron((784, 300, 100, 10), (1, 28, 28)),
        densities=(0.05, 0.02, 0.01),
        seeds=3,
        training=TrainingOptions(batch_size=128, optimizer="sgd", learning_rate=0.1, weight_decay=5e-4),
        total=EPOCHS_IN_ALL,
    ),
    "linear": Setting(
        task=mnist_whole,
        model=lambda: perceptron((784, 100, 10), (1, 28, 28)),
        densities=(0.2,),
        seeds=3,
        training=TrainingOptions(batch_size=128, optimizer="sgd", learning_rate=0.1, weight_decay=5e-4),
        total=12,
    ),
    "reber": Setting(
        task=lambda: load_task("embedded-reber"),
        model=gru,
        densities=(0.1, 0.05),
        seeds=3,
        training=TrainingOptions(epochs=10, learning_rate=1e-2),
    ),
}


class Store:
    """The results on disk, written after every cell to a temporary file that is then renamed.

    Another process may write other cells at the same time, so the file is read again before it is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.data: dict[str, Any] = {"cells": {}, "claims": {}}
        self._new: dict[str, set[str]] = {"cells": set(), "claims": set()}
        self.read()

    def read(self) -> None:
        """Read the cells on disk, except those that were computed here."""
        if self.path.exists():
            found = json.loads(self.path.read_text())
            for part, new in self._new.items():
                self.data[part] = found[part] | {name: self.data[part][name] for name in new}

    def put(self, part: str, name: str, value: Any) -> None:
        """Store a cell or claim, and write the file."""
        self.data[part][name] = value
        self._new[part].add(name)
        self.read()
        self.data |= {
            "question": (__doc__ or "").splitlines()[0],
            "version": nas.__version__,
            "torch": torch.__version__,
            "settings": {
                name: {
                    "densities": s.densities,
                    "seeds": s.seeds,
                    "training": vars(s.training),
                    "epochs_in_all": s.total,
                    "options": OPTIONS.get(name, {}),
                }
                for name, s in SETTINGS.items()
            },
        }
        self.path.parent.mkdir(exist_ok=True)
        temporary = self.path.with_suffix(".tmp")
        temporary.write_text(json.dumps(self.data, indent=1, default=str) + "\n")
        temporary.replace(self.path)


def main() -> None:
    """Compute missing cells, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sections = [*SETTINGS, "claims"]
    parser.add_argument("sections", nargs="*", choices=[*sections, []], metavar="SECTION", help=", ".join(sections))
    parser.add_argument("--methods", nargs="+", default=None, help="only these")
    parser.add_argument("--claims", nargs="+", default=None, help="only these claims")
    parser.add_argument("--quick", action="store_true", help="a smoke test: one seed, two epochs")
    parser.add_argument("--print", action="store_true", help="compute nothing, print the stored tables")
    parser.add_argument("--markdown", action="store_true", help="print the tables as the README holds them")
    parser.add_argument("--redo", action="store_true", help="compute the chosen cells again")
    parser.add_argument("--out", type=Path, default=None)
    args = parser.parse_args()
    quick_path = STORED.with_name("mask_methods_quick.json")
    store = Store(args.out or (quick_path if args.quick else STORED))
    for section in args.sections or sections:
        if not args.print and section == "claims":
            mask_claims.run(store.data, store.put, only=args.claims, redo=args.redo)
        elif not args.print:
            _compute(store, section, args)
        if section == "claims":
            _print_claims(store, markdown=args.markdown)
        else:
            _print(store, section, markdown=args.markdown)


def _compute(store: Store, section: str, args: argparse.Namespace) -> None:
    setting = _quick(SETTINGS[section]) if args.quick else SETTINGS[section]
    task: Task | None = None
    names = args.methods or _methods(store, section)
    for name in ["dense", *names]:
        key = f"{section}/{name}"
        if key in store.data["cells"] and not args.redo:
            continue
        task = task or setting.task()
        begin = time.perf_counter()
        store.put("cells", key, cell(setting, task, section, name, store.data["cells"]))
        print(f"{key}: {time.perf_counter() - begin:.0f} s", flush=True)


def _methods(store: Store, section: str) -> list[str]:
    """The methods that a section compares."""
    known = [name for name in METHODS if name not in ELSEWHERE]
    if section == "linear":
        return list(MAGNITUDE_FAMILY)
    return best(store.data["cells"], BEST) if section == "mnist" else known


def best(cells: Mapping[str, Any], count: int) -> list[str]:
    """Methods by their mean accuracy over the densities of the digits table, the best first."""
    rows = {key.partition("/")[2]: cell for key, cell in cells.items() if key.startswith("digits/")}
    rows = {name: cell for name, cell in rows.items() if name != "dense" and "refused" not in cell}
    score = {name: mean(mean(row["accuracies"]) for row in cell["densities"].values()) for name, cell in rows.items()}
    return sorted(score, key=lambda name: -score[name])[:count]


def cell(setting: Setting, task: Task, section: str, name: str, cells: Mapping[str, Any]) -> dict[str, Any]:
    """All densities and seeds of one method, in one population; "dense" is the network without a mask."""
    densities = (1.0,) if name == "dense" else setting.densities
    method = create("static" if name == "dense" else name, _options(section, name))
    options = setting.training
    if name in ADAM and options.optimizer == "sgd":
        options = replace(options, optimizer="adam", learning_rate=2e-3, weight_decay=0.0)
    if setting.total is not None:
        options = replace(options, epochs=_epochs(setting, task, method, int(setting.total / _trainings(cells, name))))
    shares = [density for density in densities for _ in range(setting.seeds)]
    seeds = list(range(setting.seeds)) * len(densities)
    models = [setting.model() for _ in shares]
    begin = time.perf_counter()
    try:
        results = train_population(models, task, options, seeds=seeds, method=method, density=shares)
    except MethodError as error:
        return {"refused": str(error)}
    seconds = (time.perf_counter() - begin) / len(models)
    rows = [_row(model, task, result, share) for model, result, share in zip(models, results, shares, strict=True)]
    return {
        "kind": method.kind,
        "optimizer": options.optimizer,
        "stacked": method.stacks,
        "seconds_per_network": round(seconds, 3),
        "epochs": max((row["epochs"] for row in rows), default=0),
        "densities": {
            str(density): _column([row for row, share in zip(rows, shares, strict=True) if share == density])
            for density in densities
        },
    }


def _options(section: str, name: str) -> dict[str, Any]:
    """A method's options; an `interval` counts steps, and an epoch of MNIST has 23 times as many steps as an epoch of digits.

    An interval of 0 is one epoch, on any task.
    """
    found = dict(OPTIONS.get(section, {}).get(name, {}))
    if section in ("mnist", "linear") and name != "dense" and getattr(create(name), "interval", 0):
        found["interval"] = LONG_INTERVAL
    return found


def _row(model: ir.Model, task: Task, result: TrainingResult | Exception, share: float) -> dict[str, Any]:
    """One training: accuracy on the test split, non-zeros counted in the file that was written."""
    if isinstance(result, Exception):
        if not isinstance(result, NasError):
            raise result
        return {"accuracy": 0.0, "kept": 0, "live": 0, "exact": False, "epochs": 0, "notes": {}, "error": str(result)}
    trained = apply_result(model, result)
    with tempfile.TemporaryDirectory() as folder:
        onnx_graph.save(trained, Path(folder) / "model.onnx")
        found = masks(onnx_graph.load(Path(folder) / "model.onnx"))
    kept, total = (sum(int(f(mask)) for mask in found.values()) for f in (np.count_nonzero, np.size))
    onnx_graph.trim(trained)
    same = task.test is task.validation
    return {
        "accuracy": result.accuracy if same else evaluate(apply_result(model, result), task, task.test),
        "kept": kept,
        "live": onnx_graph.count(trained).nnz,
        "exact": kept == round(share * total),
        "epochs": len(result.losses),
        "notes": dict(result.notes),
    }


def _column(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The seeds of one density."""
    notes = {key: mean(row["notes"][key] for row in rows) for key in (rows[0]["notes"] if rows else {})}
    return {
        "accuracies": [round(row["accuracy"], 5) for row in rows],
        "kept": rows[0]["kept"],
        "live": round(mean(row["live"] for row in rows), 1),
        "exact": all(row["exact"] for row in rows),
        **({"notes": notes} if notes else {}),
        **({"errors": [row["error"] for row in rows if "error" in row]} if any("error" in r for r in rows) else {}),
    }


def _trainings(cells: Mapping[str, Any], name: str) -> float:
    """Epochs of a method as a multiple of one training, measured on digits."""
    found = cells.get(f"digits/{name}")
    return 1.0 if found is None or "epochs" not in found else found["epochs"] / SETTINGS["digits"].training.epochs


def _epochs(setting: Setting, task: Task, method: Method, epochs: int) -> int:
    """Most epochs of one training such that the method does not exceed the total, counted on a few examples."""
    few = Split(x=task.train.x[:64], y=task.train.y[:64])
    tiny = replace(task, train=few, validation=few, test=few)
    while epochs > 1:
        options = replace(setting.training, epochs=epochs)
        result = train(setting.model(), tiny, options, method=method, density=setting.densities[0])
        if len(result.losses) <= (setting.total or 0):
            break
        epochs -= 1
    return max(1, epochs)


def _quick(setting: Setting) -> Setting:
    training = replace(setting.training, epochs=2)
    return replace(setting, seeds=1, training=training, total=2 if setting.total else None)


def _print(store: Store, section: str, *, markdown: bool) -> None:
    """The table of a section, the best mean accuracy first."""
    setting, cells = SETTINGS[section], store.data["cells"]
    rows = {key.partition("/")[2]: c for key, c in cells.items() if key.startswith(f"{section}/")}
    ran = {name: c for name, c in rows.items() if "densities" in c and name != "dense"}
    header = ["method", "mask found", *(f"d = {d:g}" for d in setting.densities), "epochs", "seconds"]
    lines = []
    if "dense" in rows:
        text = f"{_text(rows['dense']['densities']['1.0']['accuracies'])} at d = 1"
        lines.append(["*no mask*", "", text, *["" for _ in setting.densities[1:]], *_cost(rows["dense"])])
    for name in sorted(ran, key=lambda n: -mean(mean(col["accuracies"]) for col in ran[n]["densities"].values())):
        columns = [ran[name]["densities"].get(str(d)) for d in setting.densities]
        texts = ["" if c is None else _text(c["accuracies"]) + ("" if c["exact"] else " !") for c in columns]
        lines.append([name, ran[name]["kind"], *texts, *_cost(ran[name])])
    _show(
        f"{section}: accuracy on the test split, mean ± sd of {setting.seeds} seeds", header, lines, markdown=markdown
    )
    for name, c in rows.items():
        if "refused" in c:
            print(f"{name}: refused: {c['refused']}")


def _show(title: str, header: Sequence[str], lines: Sequence[Sequence[str]], *, markdown: bool) -> None:
    if markdown:
        print(f"{title}\n\n| {' | '.join(header)} |\n|{'---|' * len(header)}")
        print("\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n")
        return
    table = Table(title=title)
    for column in header:
        table.add_column(column, justify="left" if column in ("method", "mask found", "claim", "measured") else "right")
    for line in lines:
        table.add_row(*line)
    Console(width=160).print(table)


def _text(accuracies: Sequence[float]) -> str:
    spread = stdev(accuracies) if len(accuracies) > 1 else 0.0
    return f"{mean(accuracies):.4f} ± {spread:.4f}".replace("0.", ".")


def _cost(cell: Mapping[str, Any]) -> tuple[str, str]:
    return str(cell["epochs"]), f"{cell['seconds_per_network']:.2f}{'' if cell['stacked'] else ' *'}"


def _print_claims(store: Store, *, markdown: bool) -> None:
    order = [name for name in mask_claims.CLAIMS if name in store.data["claims"]]
    found = [store.data["claims"][name] for name in order]
    lines = [[row["claim"], row["measured"], "yes" if row["holds"] else "**no**"] for row in found]
    _show("claims of the papers", ["claim", "measured", "holds"], lines, markdown=markdown)


if __name__ == "__main__":
    main()
