"""Does each paper's own claim hold here? One function a claim; those of the digits table read its cells.

A claim that does not hold stays in the table with its number. `mask_methods.py claims` runs them and keeps the results.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import sqrt
from statistics import mean, stdev
from typing import Any

import numpy as np

import onnx_graph
from benchmarks.masks.claims.mask_greedy import discrepancy, selected_units
from benchmarks.masks.claims.mask_structures import random_graph_wirings, spectral_gaps
from benchmarks.support.mask_networks import digits_70_30, mnist_whole, perceptron
from nas import Method, Task, TrainingOptions, TrainingResult, apply_result, export, masked_model, train_population
from nas.measure.runtime import Runtime
from nas.training.methods import create
from nas.training.methods.planted_recovery import recover
from onnx_graph import masks

Cells = Mapping[str, Any]
DIGITS = TrainingOptions(epochs=25, learning_rate=5e-3, schedule="constant")
WIDTHS, SHAPE = (64, 100, 100, 10), (1, 8, 8)
TICKETS = 5
BATCH = 256


@dataclass(frozen=True)
class Claim:
    """Attributes:
    claim: what the paper, or the project, says.
    measured: what came out.
    holds: whether it is so.
    numbers: for the JSON.
    """

    claim: str
    measured: str
    holds: bool
    numbers: Mapping[str, Any]


class Missing(Exception):  # noqa: N818 - not an error: the cell is computed by another section
    """A cell of a table that a claim reads is not there yet."""


def run(data: dict[str, Any], put: Callable[[str, str, Any], None], *, only: list[str] | None, redo: bool) -> None:
    """Compute the claims that are not stored yet."""
    for name, function in CLAIMS.items():
        from_cells = name in FROM_CELLS
        if (only and name not in only) or (name in data["claims"] and not redo and not from_cells):
            continue
        begin = time.perf_counter()
        try:
            found = function(data["cells"])
        except Missing as missing:
            print(f"{name}: skipped, {missing} is not computed yet", flush=True)
            continue
        put("claims", name, vars(found))
        print(f"{name}: {time.perf_counter() - begin:.0f} s: {found.measured}", flush=True)


# --- read from the tables ---------------------------------------------------------------------------------------------


def erk_beats_uniform(cells: Cells) -> Claim:
    """Evci et al. 2020."""
    return _difference(cells, "ERK beats uniform by 5 points at d = .05", "erk", "uniform", 0.05, at_least=0.05)


def rewound(cells: Cells) -> Claim:
    """Lottery tickets, Frankle & Carbin 2018."""
    return _level(cells, "magnitude, rewound, reaches .93 at d = .05", "magnitude-rewound", 0.05, 0.93)


def snip_beats_uniform(cells: Cells) -> Claim:
    """Lee et al. 2018."""
    found = {d: _mean(cells, "snip", d) - _mean(cells, "uniform", d) for d in (0.1, 0.05, 0.02, 0.01)}
    text = ", ".join(f"{100 * gap:+.1f} at {d:g}" for d, gap in found.items())
    return Claim("SNIP is at least as good as uniform", f"points: {text}", all(g >= 0 for g in found.values()), found)


def rigl_beats_static(cells: Cells) -> Claim:
    """Evci et al. 2020."""
    return _difference(cells, "RigL beats static ERK by 1 point at d = .05", "rigl", "erk", 0.05, at_least=0.01)


def espn_beats_rewound(cells: Cells) -> Claim:
    """ESPN, arXiv:2006.15741."""
    found = {d: _mean(cells, "espn", d) - _mean(cells, "magnitude-rewound", d) for d in (0.02, 0.01)}
    text = ", ".join(f"{100 * gap:+.1f} at {d:g}" for d, gap in found.items())
    return Claim(
        "ESPN (our schedule of the penalty) beats one-shot rewound at d = .02, .01",
        f"points: {text}",
        min(found.values()) > 0,
        found,
    )


def sparsity_control(cells: Cells) -> Claim:
    """Guo, She & Barbu, arXiv:2002.04301."""
    found = _level(cells, "direct sparsity control: exactly k, .937 at d = .05", "direct-sparsity-control", 0.05, 0.937)
    exact = all(column["exact"] for column in _cell(cells, "direct-sparsity-control")["densities"].values())
    return replace(found, measured=f"{found.measured}; exact: {exact}", holds=found.holds and exact)


def gumbel_gates(cells: Cells) -> Claim:
    """Pruning by gradient descent, arXiv:2311.12526."""
    found = _level(
        cells,
        "Gumbel gates reach .466 at d = .02, gate density within 10 % (prescribed here, so that part tests little)",
        "gumbel",
        0.02,
        0.466,
    )
    columns = _cell(cells, "gumbel")["densities"]
    off = {d: column["notes"]["gate_density"] / float(d) - 1 for d, column in columns.items()}
    text = ", ".join(f"{100 * value:+.1f} % at {d}" for d, value in off.items())
    within = all(abs(value) <= 0.1 for value in off.values())
    return replace(found, measured=f"{found.measured}; gates before the cut: {text}", holds=found.holds and within)


def bingo_is_near(cells: Cells) -> Claim:
    """BINGO, arXiv:2505.09864; its estimator is not public, ours is our own."""
    claim = "BINGO at d = .1: within 1 point of one-shot + fine-tune, at most 2 trainings"
    found = _difference(cells, claim, "bingo", "magnitude", 0.1, at_least=-0.01)
    epochs = _cell(cells, "bingo")["epochs"] / DIGITS.epochs
    return replace(found, measured=f"{found.measured}; {epochs:g} trainings", holds=found.holds and epochs <= 2)


def counts_are_exact(cells: Cells) -> Claim:
    """Every density of every method, counted in the ONNX file."""
    rows = {k: c for k, c in cells.items() if "densities" in c}
    wrong = [key for key, cell in rows.items() if not all(column["exact"] for column in cell["densities"].values())]
    checked = sum(len(cell["densities"]) for cell in rows.values())
    text = f"{checked} of {checked} cells" if not wrong else f"wrong: {', '.join(wrong)}"
    return Claim("density targets are met exactly in the exported file", text, not wrong, {"checked": checked})


def linear_retrained(cells: Cells) -> Claim:
    """See et al. 2016, on MNIST 784-100-10."""
    key = "linear/magnitude"
    if key not in cells or "linear/dense" not in cells:
        raise Missing(key)
    dense = mean(cells["linear/dense"]["densities"]["1.0"]["accuracies"])
    found = cells[key]["densities"]["0.2"]["accuracies"]
    text = f"{_text(found)}, dense {dense:.4f}"
    holds = mean(found) >= 0.975 and mean(found) >= dense
    claim = "MNIST 784-100-10, 80 % removed class-blinded, re-trained: ≥ .975 and ≥ dense"
    return Claim(claim, text, holds, {"pruned": found, "dense": dense})


# --- trained for the claim --------------------------------------------------------------------------------------------


def regularised_pruning(cells: Cells) -> Claim:
    """GReg-1 and 2, arXiv:2012.09243: beside one-shot pruning that is given as many epochs."""
    epochs = max(_cell(cells, name)["epochs"] for name in ("greg-1", "greg-2"))
    base = _accuracies(_train(create("magnitude"), 0.1, 8, replace(DIGITS, epochs=-(-epochs // 2))))
    found = {name: _column(cells, name, 0.1) for name in ("greg-1", "greg-2")}
    gaps = {name: mean(values) - mean(base) for name, values in found.items()}
    text = f"magnitude {_text(base)}, " + ", ".join(f"{n} {_text(found[n])} ({100 * gaps[n]:+.2f})" for n in gaps)
    claim = "GReg at d = .1: one-shot + fine-tune + 1 point at equal steps"
    return Claim(claim, text, max(gaps.values()) >= 0.01, {"magnitude": base, **found})


def chase_removes_units(cells: Cells) -> Claim:
    """Chase, arXiv:2305.19454: units and latency of the exported file, for one example and for a batch."""
    import tempfile
    from pathlib import Path

    task, model = digits_70_30(), perceptron(WIDTHS, SHAPE)
    chase, rigl = (_train(create(name), 0.1, 5) for name in ("chase", "rigl"))
    dense = train_population([model], task, DIGITS, seeds=[0])
    with tempfile.TemporaryDirectory() as folder:
        paths = [
            export(apply_result(model, result), Path(folder) / f"{number}.onnx", task=task, origin={}).path
            for number, result in enumerate([*dense, *chase])
            if isinstance(result, TrainingResult)
        ]
        units = [_hidden(onnx_graph.load(path)) for path in paths]
        one, many = (_microseconds(paths, size) for size in (1, BATCH))
    gone = 1 - max(units[1:]) / units[0]
    gap = mean(_accuracies(chase)) - mean(_accuracies(rigl))
    text = (
        f"{100 * gone:.0f} % of {units[0]} units gone at least; one example {mean(one[1:]):.2f} against {one[0]:.2f} µs, "
        f"{BATCH} {mean(many[1:]):.0f} against {many[0]:.0f} µs; {_text(_accuracies(chase))} against RigL {_text(_accuracies(rigl))}"
    )
    claim = "Chase at d = .1: 40 % of the units gone from the file, faster than dense, ≥ RigL − 1 point (5 seeds)"
    holds = gone >= 0.4 and mean(one[1:]) < one[0] and mean(many[1:]) < many[0] and gap >= -0.01
    return Claim(claim, text, holds, {"units": units, "microseconds": one, "microseconds_batch": many, "gap": gap})


def _microseconds(paths: list[Any], batch: int) -> list[float]:
    """Median time of each file in onnxruntime on one thread, the files in turn so that all see the same machine."""
    runs = [Runtime(onnx_graph.load(path)) for path in paths]
    x = np.zeros((batch, *SHAPE), np.float32)
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(2000):
        for run, found in zip(runs, times, strict=True):
            begin = time.perf_counter()
            run(x)
            found.append(time.perf_counter() - begin)
    return [1e6 * float(np.median(found)) for found in times]


def n_of_m(cells: Cells) -> Claim:
    """SR-STE, arXiv:2102.04010."""
    results, dense = _train(create("sr-ste"), 0.5, 8), _column(cells, "dense", 1.0)
    model = perceptron(WIDTHS, SHAPE)
    most = max(
        int(mask.reshape(len(mask), -1, 4).sum(-1).max())
        for result in results
        for mask in masks(apply_result(model, result)).values()
    )
    gap = mean(_accuracies(results)) - mean(dense)
    text = f"{_text(_accuracies(results))}, dense {_text(dense)} ({100 * gap:+.2f}); at most {most} in a group"
    claim = "SR-STE 2:4 within .5 point of dense, every group exact"
    return Claim(claim, text, gap >= -0.005 and most <= 2, {"accuracies": _accuracies(results), "gap": gap})


def neurons_at_equilibrium(cells: Cells) -> Claim:
    """NEq, arXiv:2207.09455: the same static mask with and without freezing; the paper's networks are dense."""
    numbers, texts = {}, []
    for density in (1.0, 0.1):
        base, results = _train(create("erk"), density, 8), _train(create("neq"), density, 8)
        skipped = mean(result.notes["skipped"] for result in results)
        gap = mean(_accuracies(results)) - mean(_accuracies(base))
        numbers[density] = {"skipped": skipped, "gap": gap}
        texts.append(f"d = {density:g}: {100 * skipped:.0f} % skipped, {100 * gap:+.2f} points")
    dense = numbers[1.0]
    claim = "NEq skips 30 % of the neuron updates at ± .5 point (in a dense network)"
    return Claim(claim, "; ".join(texts), dense["skipped"] >= 0.3 and abs(dense["gap"]) <= 0.005, numbers)


def transferred_ticket(cells: Cells) -> Claim:
    """arXiv:1905.07785: a ticket of MNIST trained on 10,000 Fashion-MNIST images, beside random ERK masks."""
    import tempfile
    from pathlib import Path

    model = perceptron((784, 300, 100, 10), (1, 28, 28))
    options = TrainingOptions(epochs=10, batch_size=128, learning_rate=2e-3)
    source = mnist_whole(subset=10_000)
    target = mnist_whole("fashion-mnist", subset=10_000)
    tickets = train_population(
        [model] * TICKETS, source, options, seeds=range(TICKETS), method="magnitude-rewound", density=0.1
    )
    random = train_population([model] * TICKETS, target, options, seeds=range(TICKETS), method="erk", density=0.1)
    moved = []
    with tempfile.TemporaryDirectory() as folder:
        for seed, ticket in enumerate(tickets):
            assert isinstance(ticket, TrainingResult)
            path = Path(folder) / f"{seed}.onnx"
            onnx_graph.save(apply_result(model, ticket), path)
            method = create("mask-transfer", {"source": str(path)})
            moved += train_population([model], target, options, seeds=[seed], method=method, density=0.1)
    first, second = _accuracies(moved), _accuracies(random)
    gap = mean(first) - mean(second)
    margin = 1.96 * sqrt(stdev(first) ** 2 / len(first) + stdev(second) ** 2 / len(second))
    text = f"{_text(first)} against {_text(second)}: {100 * gap:+.2f} ± {100 * margin:.2f} points"
    claim = "an MNIST ticket (d = .1) on Fashion-MNIST 10k beats random ERK by .5 point"
    return Claim(claim, text, gap >= 0.005, {"ticket": first, "erk": second, "interval": margin})


def synaptic_flow(cells: Cells) -> Claim:
    """SynFlow, arXiv:2006.05467: the selection knows no floor, so a layer could be emptied."""
    model, task = perceptron(WIDTHS, SHAPE), digits_70_30()
    fewest = {}
    for name in ("synflow", "snip"):
        found = [masked_model(model, name, density=0.01, seed=seed, task=task) for seed in range(8)]
        fewest[name] = min(int(mask.sum()) for network in found for mask in masks(network).values())
    text = ", ".join(f"{name}: {count} in the thinnest layer" for name, count in fewest.items())
    return Claim("SynFlow never empties a layer at d = .01 (8 seeds)", text, fewest["synflow"] > 0, fewest)


def planted_network(cells: Cells) -> Claim:
    """Iterative hard thresholding, arXiv:2509.20323: d = 20, width 10, 20 non-zeros, n = 1,000."""
    found = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        u = np.zeros((10, 20))
        for row in u:
            row[rng.choice(20, 2, replace=False)] = rng.uniform(1, 2, 2) * rng.choice([-1, 1], 2)
        v, x = rng.choice([-1.0, 1.0], 10), rng.standard_normal((1000, 20))
        result = recover(x, np.maximum(x @ u.T, 0) @ v, keep=20, units=20, rng=np.random.default_rng(1000 + seed))
        found += _supports(result.weights) == _supports(u)
    claim = "IHT recovers the planted support exactly in 80 % of 20 seeds"
    return Claim(claim, f"{found} of 20", found >= 16, {"found": found})


def _supports(weights: Any) -> list[tuple[int, ...]]:
    """Of the units, in any order; those without weights left out."""
    return sorted(tuple(np.flatnonzero(row).tolist()) for row in weights if row.any())


def random_graphs(cells: Cells) -> Claim:
    """arXiv:2107.12917."""
    return Claim(*random_graph_wirings())


def spectra(cells: Cells) -> Claim:
    """Hoang et al. 2023."""
    return Claim(*spectral_gaps())


def greedy_units(cells: Cells) -> Claim:
    """Ye et al. 2020, arXiv:2003.01794 and 2010.15969."""
    return Claim(*selected_units(DIGITS))


def greedy_rate(cells: Cells) -> Claim:
    """Ye, Wu & Liu 2020, arXiv:2010.15969."""
    return Claim(*discrepancy(DIGITS))


def few_gates(cells: Cells) -> Claim:
    """Pruning by gradient descent on MNIST at .15 % of the parameters: 399 weights of LeNet-300-100."""
    task, model = mnist_whole(), perceptron((784, 300, 100, 10), (1, 28, 28))
    options = TrainingOptions(epochs=8, batch_size=128, learning_rate=2e-3)
    found = _accuracies(train_population([model], task, options, seeds=[0], method=create("gumbel"), density=0.0015))
    claim = "Gumbel gates on MNIST at .15 % of the weights: the accuracy reached (no bar)"
    return Claim(
        claim, f"{found[0]:.4f} with {round(0.0015 * 266_200)} weights, 1 seed, 16 epochs", True, {"accuracy": found}
    )


# --- steps ------------------------------------------------------------------------------------------------------------


def _train(method: Method, density: float, seeds: int, options: TrainingOptions = DIGITS) -> list[Any]:
    """On digits, the benchmark's network and split."""
    models = [perceptron(WIDTHS, SHAPE)] * seeds
    return train_population(models, _digits(), options, seeds=range(seeds), method=method, density=density)


def _digits() -> Task:
    return digits_70_30()


def _accuracies(results: list[Any]) -> list[float]:
    return [round(result.accuracy, 5) for result in results]


def _hidden(model: Any) -> int:
    """Hidden units of a perceptron: rows of all weights but the last."""
    return sum(len(mask) for mask in list(masks(model).values())[:-1])


def _cell(cells: Cells, name: str) -> Any:
    key = f"digits/{name}"
    if key not in cells or "densities" not in cells[key]:
        raise Missing(key)
    return cells[key]


def _column(cells: Cells, name: str, density: float) -> list[float]:
    found: list[float] = _cell(cells, name)["densities"][str(density)]["accuracies"]
    return found


def _mean(cells: Cells, name: str, density: float) -> float:
    return mean(_column(cells, name, density))


def _text(values: list[float]) -> str:
    return f"{mean(values):.4f} ± {stdev(values):.4f}"


def _level(cells: Cells, claim: str, name: str, density: float, level: float) -> Claim:
    found = _column(cells, name, density)
    return Claim(claim, _text(found), mean(found) >= level, {"accuracies": found})


def _difference(cells: Cells, claim: str, first: str, second: str, density: float, *, at_least: float) -> Claim:
    one, two = _column(cells, first, density), _column(cells, second, density)
    gap = mean(one) - mean(two)
    text = f"{_text(one)} against {_text(two)}: {100 * gap:+.2f} points"
    return Claim(claim, text, gap >= at_least, {first: one, second: two})


FROM_CELLS: Mapping[str, Callable[[Cells], Claim]] = {
    "erk": erk_beats_uniform,
    "rewound": rewound,
    "snip": snip_beats_uniform,
    "rigl": rigl_beats_static,
    "espn": espn_beats_rewound,
    "direct-sparsity-control": sparsity_control,
    "gumbel": gumbel_gates,
    "bingo": bingo_is_near,
    "exact-counts": counts_are_exact,
    "linear": linear_retrained,
}
TRAINED: Mapping[str, Callable[[Cells], Claim]] = {
    "synflow": synaptic_flow,
    "iht": planted_network,
    "greedy": greedy_units,
    "greedy-rate": greedy_rate,
    "random-graphs": random_graphs,
    "full-spectrum": spectra,
    "gumbel-mnist": few_gates,
    "greg": regularised_pruning,
    "chase": chase_removes_units,
    "sr-ste": n_of_m,
    "neq": neurons_at_equilibrium,
    "mask-transfer": transferred_ticket,
}
CLAIMS: Mapping[str, Callable[[Cells], Claim]] = {**FROM_CELLS, **TRAINED}
