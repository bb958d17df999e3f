"""Figures of a report, drawn with matplotlib's object interface: no global state, no window."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from nas.visible import visible_in_figure

INK, WINNER, PALE, SECOND = "#1f2937", "#c2410c", "#94a3b8", "#0f766e"


def pareto(report: Mapping[str, Any]) -> Figure:
    """Accuracy on the validation split against non-zeros: every trial, the front, the winner."""
    figure, axes = _figure()
    trials = [trial for trial in report["trials"] if trial["accuracy"] is not None]
    axes.scatter(
        [t["metrics"]["nnz"] for t in trials], [t["accuracy"] for t in trials], s=18, color=PALE, label="trial"
    )
    front = sorted(report["front"], key=lambda row: row["nnz"])
    axes.plot(
        [row["nnz"] for row in front],
        [row["accuracy"] for row in front],
        color=INK,
        lw=1.2,
        marker="o",
        ms=4,
        label="front",
    )
    best = report["best"]
    winner = [row for row in report["front"] if row["digest"] == best["digest"]] or [
        {"nnz": best["nnz"], "accuracy": float(np.mean(best["validation"]))}
    ]
    axes.scatter([winner[0]["nnz"]], [winner[0]["accuracy"]], s=90, marker="*", color=WINNER, zorder=3, label="winner")
    axes.set_xscale("log")
    axes.set_xlabel("non-zero weights")
    axes.set_ylabel(f"{visible_in_figure(report['task']['metric'])}, validation (measured)")
    axes.legend(frameon=False, loc="lower right")
    return figure


def predicted_against_measured(report: Mapping[str, Any]) -> Figure | None:
    """What the predictor said before a training against what the training gave; None where nothing was predicted."""
    trials = [t for t in report["trials"] if t["accuracy"] is not None and t["score"] is not None and t["repeat"] == 0]
    if not trials:
        return None
    figure, axes = _figure()
    measured = [t["accuracy"] for t in trials]
    predicted = [t["score"]["mean"] for t in trials]
    axes.errorbar(
        predicted,
        measured,
        xerr=[t["score"]["std"] for t in trials],
        fmt="o",
        ms=4,
        color=SECOND,
        ecolor=PALE,
        elinewidth=0.8,
    )
    low, high = min(measured + predicted), max(measured + predicted)
    axes.plot([low, high], [low, high], color=INK, lw=0.8, ls="--")
    axes.set_xlim(max(0.0, min(predicted) - 0.1), min(1.0, max(predicted) + 0.1))
    axes.set_xlabel("predicted before training (± std)")
    axes.set_ylabel("measured, validation")
    return figure


def best_so_far(report: Mapping[str, Any]) -> Figure:
    """The best measured validation accuracy after each training."""
    figure, axes = _figure()
    accuracies = [t["accuracy"] if t["accuracy"] is not None else np.nan for t in report["trials"]]
    numbers = np.arange(1, len(accuracies) + 1)
    axes.scatter(numbers, accuracies, s=14, color=PALE, label="trial")
    axes.step(
        numbers, np.fmax.accumulate(np.asarray(accuracies, float)), where="post", color=INK, lw=1.4, label="best so far"
    )
    axes.set_xlabel("trainings")
    axes.set_ylabel(f"{visible_in_figure(report['task']['metric'])}, validation")
    axes.legend(frameon=False, loc="lower right")
    return figure


def layer_densities(layers: Sequence[Mapping[str, Any]]) -> Figure:
    """Share of kept weights, layer by layer."""
    figure, axes = _figure(height=0.8 + 0.34 * max(len(layers), 2), left=0.4)
    names = [visible_in_figure(f"{layer['weight']}  {layer['shape']}") for layer in layers]
    axes.barh(names, [layer["density"] for layer in layers], color=SECOND)
    for index, layer in enumerate(layers):
        axes.text(layer["density"], index, f" {layer['non-zeros']:,}", va="center", fontsize=8, color=INK)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.15)
    axes.set_xlabel("density (number of non-zeros beside the bar)")
    return figure


def wiring(masks: Mapping[str, NDArray[np.bool_]]) -> Figure:
    """The mask of every weight as a picture: outputs down, inputs across, a dot for a kept connection."""
    count = max(len(masks), 1)
    columns = min(count, 4)
    rows = -(-count // columns)
    figure = Figure(figsize=(8, 2.3 * rows))
    grid = figure.subplots(rows, columns, squeeze=False)
    figure.subplots_adjust(
        left=0.05, right=0.98, bottom=0.3 / (2.3 * rows), top=1 - 0.3 / (2.3 * rows), wspace=0.25, hspace=0.35
    )
    for axes in grid.flat:
        axes.axis("off")
    for axes, (name, mask) in zip(grid.flat, masks.items(), strict=False):
        axes.axis("on")
        axes.imshow(
            mask.reshape(mask.shape[0], -1), cmap="Greys", aspect="auto", interpolation="nearest", vmin=0, vmax=1.2
        )
        axes.set_title(f"{visible_in_figure(name)} {mask.mean():.1%}", fontsize=8)
        axes.tick_params(labelsize=6)
    return figure


def _figure(height: float = 3.6, left: float = 0.12) -> tuple[Figure, Axes]:
    # Fixed margins: matplotlib's own layout engines draw every figure several times.
    figure = Figure(figsize=(6.4, height))
    axes = figure.add_axes((left, 0.55 / height, 0.97 - left, 1 - 0.7 / height))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, lw=0.6)
    axes.set_axisbelow(True)
    return figure, axes
