"""`report.html`: one self-contained page, figures inside as SVG, no script, nothing loaded from elsewhere."""

import io
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

import onnx_graph
from nas.measure.inspection import inspect
from nas.percent import percent
from nas.reports import figures
from nas.reports.explained import feature_rows, layer_rows
from nas.study.run_folder import RunFolder, write_text

STYLE = """
:root{color-scheme:light}body{font:15px/1.55 system-ui,sans-serif;color:#1f2937;max-width:62rem;margin:2.5rem auto;padding:0 1.2rem}
h1{font-size:1.5rem;margin:0 0 .3rem}h2{font-size:1.1rem;margin:2.4rem 0 .6rem}p.lead{font-size:1.05rem}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(26rem,1fr));gap:1.2rem}figure{margin:0}svg{max-width:100%;height:auto}
figcaption{color:#64748b;font-size:.85rem}.scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.88rem}
th,td{text-align:right;padding:.25rem .7rem;border-bottom:1px solid #e2e8f0}th:first-child,td:first-child{text-align:left}
thead th{border-bottom:2px solid #94a3b8}code,td:first-child{font-family:ui-monospace,monospace}
pre{background:#f8fafc;padding:1rem;overflow-x:auto;font-size:.8rem}
"""


def write(path: Any, report: Mapping[str, Any], folder: RunFolder) -> None:
    """Write the page of a report; the winner's wiring is read from `best.onnx`."""
    write_text(path, render(report, folder))


def render(report: Mapping[str, Any], folder: RunFolder) -> str:
    """The page as HTML."""
    task, best = report["task"], report["best"]
    title = f"{task['name']}: {best['test']['mean']:.2%} {task['metric']} with {best['nnz']:,} non-zeros"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="lead">{escape(report["sentence"])}</p>',
        "<h2>Search</h2>",
        '<div class="grid">',
        _figure(
            figures.pareto(report), "Every trial, the Pareto front and the winner. Measured on the validation split."
        ),
        _figure(figures.best_so_far(report), "Best measured accuracy after each training."),
        _optional(figures.predicted_against_measured(report), "Prediction before each training against its result."),
        "</div>",
        "<h2>Test split, read for this report only</h2>",
        _table(_test_rows(report)),
        "<h2>Pareto front</h2>",
        _table(_front_rows(report)),
        "<h2>The winner</h2>",
        _winner(folder),
        *_explained(folder),
        "<h2>Where the time went</h2>",
        _table([{"part": name, "seconds": f"{value:.1f}"} for name, value in report["seconds"].items()]),
        "<h2>Trials</h2>",
        _table(_trial_rows(report)),
        "<h2>Configuration</h2>",
        f"<pre>{escape(folder.config_file.read_text(encoding='utf-8'))}</pre>",
    ]
    head = f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{escape(title)}</title><style>{STYLE}</style></head>"
    return head + "<body>" + "\n".join(parts) + "</body></html>\n"


def _winner(folder: RunFolder) -> str:
    """Wiring and layer densities of the exported model."""
    model = onnx_graph.simplify(onnx_graph.load(folder.best))
    layers = inspect(folder.best)["layers"]
    return (
        '<div class="grid">'
        + _figure(figures.layer_densities(layers), "Density of every weight, dead units removed.")
        + _figure(figures.wiring(onnx_graph.masks(model)), "Wiring: outputs down, inputs across, dark = kept.")
        + "</div>"
        + _table([{name: layer[name] for name in layer if name != "effective"} for layer in layers])
    )


def _explained(folder: RunFolder) -> list[str]:
    """What moved the prediction of the winner; nothing where the run has no predictor that can tell."""
    import predictors
    from predictors.errors import PredictorError

    if not folder.predictor.is_dir():
        return []
    try:
        found = predictors.load(folder.predictor).explain(folder.best)
    except PredictorError:
        return []
    lead = (
        f"Predicted {percent(found.predicted)} by the predictor that the run ended with. Layers: the prediction with all connections of a "
        "layer, and with random patterns of the same count, against the prediction as it is. Features: their Shapley values against "
        f"{percent(found.typical)}, the prediction with the typical features of the run."
    )
    parts = [_table(layer_rows(found)), _table(feature_rows(found))]
    return ["<h2>What moved its prediction</h2>", f"<p>{escape(lead)}</p>", *parts]


def _test_rows(report: Mapping[str, Any]) -> list[dict[str, str]]:
    return [
        {
            "network": row["name"],
            "measured": percent(row["test"]["mean"], row["test"]["std"]),
            "trainings": str(row["test"]["trainings"]),
            "non-zeros": f"{row['nnz']:,}",
            "bytes": f"{row['bytes']:,}",
            "latency ms": f"{row['latency']:.3f}",
            "largest export error": f"{row['largest_error']:.1e}",
        }
        for row in (report["best"], *report["baselines"].values())
    ]


def _front_rows(report: Mapping[str, Any]) -> list[dict[str, str]]:
    return [
        {
            "candidate": row["digest"],
            "measured": f"{row['accuracy']:.2%}",
            "trainings": str(len(row["accuracies"])),
            "predicted": _score(row["score"]),
            "non-zeros": f"{row['nnz']:,}",
            "bytes": f"{row['bytes']:,}",
            "latency ms": f"{row['latency']:.3f}",
        }
        for row in report["front"]
    ]


def _trial_rows(report: Mapping[str, Any]) -> list[dict[str, str]]:
    return [
        {
            "candidate": trial["digest"],
            "trial": str(trial["number"]),
            "round": str(trial["round"]),
            "repeat": str(trial["repeat"]),
            "measured": f"{trial['accuracy']:.2%}" if trial["accuracy"] is not None else f"failed: {trial['error']}",
            "predicted": _score(trial["score"]),
            "non-zeros": f"{trial['metrics']['nnz']:,}",
            "dead units": str(trial["dead_units"]),
            "seconds": f"{trial['seconds']:.2f}",
        }
        for trial in report["trials"]
    ]


def _score(score: Mapping[str, float] | None) -> str:
    return "" if score is None else percent(score["mean"], score["std"])


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "<p>none</p>"
    head = "".join(f"<th>{escape(str(name))}</th>" for name in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(_cell(value))}</td>" for value in row.values()) + "</tr>" for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _optional(figure: Figure | None, caption: str) -> str:
    return "" if figure is None else _figure(figure, caption)


def _figure(figure: Figure, caption: str) -> str:
    buffer = io.StringIO()
    # A fixed salt and no date: the same report gives the same page.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "nas"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    svg = buffer.getvalue()
    return f"<figure>{svg[svg.index('<svg') :]}<figcaption>{escape(caption)}</figcaption></figure>"
