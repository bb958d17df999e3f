"""The section about the winner: its layers, its masks, its confusions, and the explanation of its prediction."""

from collections.abc import Mapping
from typing import Any

import onnx_ir as ir

import onnx_graph
from nas.measure.inspection import inspect
from nas.percent import percent
from nas.reports.drawing.mask_picture import mask_picture
from nas.reports.drawing.network import drawing
from nas.reports.explained import feature_rows, layer_rows
from nas.reports.markup import Markup, joined, tag
from nas.reports.page.confusion_table import confusion_matrix
from nas.reports.page.family_tree import family_tree
from nas.reports.page.html_table import table
from nas.reports.report import Report
from nas.reports.rows.cell import Cell, Cells
from nas.study.run_folder import RunFolder

MOST_MASKS = 24


def winner(report: Report, folder: RunFolder, model: ir.Model) -> Markup:
    """The section."""
    best = report.best
    lead = f"Candidate {best.digest[:8]}, {best.nnz:,} non-zero weights. Units without input or output are removed."
    confusion = report.confusion
    return tag(
        "section",
        tag("h2", "The winning network"),
        tag("p", lead),
        tag(
            "div",
            _drawing(model),
            None if confusion is None else tag("div", tag("h3", "Confusion matrix"), confusion_matrix(confusion)),
            class_="grid",
        ),
        _family(report),
        tag("div", tag("h3", "Weights"), _layers(folder), _masks(model), _explained(folder), class_="stack"),
    )


def _family(report: Report) -> Markup | None:
    """Where the winner comes from: a drawing and a table."""
    if not report.family:
        return None
    drawn = family_tree(report.family)
    caption = "Every training below those whose masks and weights it inherits; the winner is the last. Metric on the validation split."
    figure = None if drawn is None else tag("figure", tag("div", drawn, class_="drawing"), tag("figcaption", caption))
    return tag(
        "div",
        tag("h3", "Where it comes from"),
        figure,
        table([row.cells() for row in report.family]),
        class_="stack",
    )


def _drawing(model: ir.Model) -> Markup:
    drawn = drawing(model)
    if drawn is None:
        return tag("p", "The network has too many layers to draw.", class_="note")
    caption = "Layers with their units and how many of their weights are non-zero; the bar is that share."
    return tag("figure", tag("div", drawn, class_="drawing"), tag("figcaption", caption))


def _layers(folder: RunFolder) -> Markup:
    return table([_layer(layer) for layer in inspect(folder.best)["layers"]])


def _layer(layer: Mapping[str, Any]) -> Cells:
    return {
        "weight": Cell.label(layer["weight"]),
        "operator": Cell.label(layer["operator"]),
        "shape": Cell.label(layer["shape"]),
        "non-zeros": Cell.count(layer["non-zeros"]),
        "density": Cell.number(layer["density"], ".1%"),
        "inputs per unit": Cell.number(layer["fan-in mean"], ".1f"),
        "most inputs": Cell.count(layer["fan-in max"]),
    }


def _masks(model: ir.Model) -> Markup | None:
    masks = {name: mask for name, mask in onnx_graph.masks(model).items() if mask.size}
    if not masks:
        return None
    pictures = [mask_picture(mask, name) for name, mask in list(masks.items())[:MOST_MASKS]]
    left = len(masks) - len(pictures)
    caption = "One row for each output, one column for each input." + (f" {left} more are not shown." if left else "")
    return tag(
        "details",
        tag("summary", "Masks: which connections are kept"),
        tag("p", caption, class_="note"),
        tag("div", joined(pictures), class_="grid masks"),
    )


def _explained(folder: RunFolder) -> Markup | None:
    """The explanation of the winner's prediction; empty if the run has no predictor that can explain it."""
    import predictors
    from predictors import PredictorError

    if not folder.predictor.is_dir():
        return None
    try:
        found = predictors.load(folder.predictor).explain(folder.best)
    except PredictorError:
        return None
    lead = (
        f"The predictor that the run ended with says {percent(found.predicted)}. Layers: how the prediction changes with all "
        "connections of a layer, and against random patterns of the same count. Features: how much each group moves the "
        f"prediction away from {percent(found.typical)}, that of the typical features of the run (Shapley values)."
    )
    return tag(
        "details",
        tag("summary", "What moved its prediction"),
        tag("p", lead, class_="note"),
        table(_cells(layer_rows(found))),
        tag("div", table(_cells(feature_rows(found))), class_="narrow"),
    )


def _cells(rows: list[dict[str, str]]) -> list[Cells]:
    return [{name: Cell.label(text) for name, text in row.items()} for row in rows]
