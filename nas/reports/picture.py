"""`pareto.png`: the Pareto front as a separate picture, drawn with matplotlib's object interface (no global state, no window)."""

import io

from matplotlib.figure import Figure

from nas.reports.charts.pareto import ParetoData
from nas.reports.report import Report

INK, WINNER, PALE = "#1f2937", "#c2410c", "#94a3b8"


def picture(report: Report) -> bytes:
    """The Pareto front of a report as PNG."""
    data = ParetoData.of(report)
    figure = Figure(figsize=(6.4, 3.6))
    axes = figure.add_axes((0.12, 0.15, 0.85, 0.8))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, lw=0.6)
    axes.set_axisbelow(True)
    axes.scatter(*_columns(data.trials), s=18, color=PALE, label="trial")
    axes.plot(*_columns(data.front), color=INK, lw=1.2, marker="o", ms=4, label="front")
    axes.scatter(*_columns([data.winner]), s=90, marker="*", color=WINNER, zorder=3, label="winner")
    axes.set_xscale("log")
    axes.set_xlabel("non-zero weights")
    axes.set_ylabel(f"{report.task.metric}, validation (measured)", parse_math=False)
    axes.legend(frameon=False, loc="lower right")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    return buffer.getvalue()


def _columns(points: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]
