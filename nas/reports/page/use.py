"""The section on using the winner and repeating the run."""

import onnx_ir as ir

from nas.reports.markup import Markup, tag
from nas.reports.report import Report
from nas.reports.reproduction import command
from nas.reports.usage import usage


def use(report: Report, model: ir.Model) -> Markup:
    """The section, with lines to copy."""
    best = report.best
    file = (
        f"best.onnx takes raw inputs: {best.bytes:,} bytes, {best.latency:.3f} ms for one example on one thread. Its outputs "
        f"differ from those of the trained network by {best.largest_error:.1e} at most (checked in onnxruntime)."
    )
    if report.task.looked_up:
        file = (
            f"best.onnx is the winner's graph with untrained weights, for raw inputs: {best.bytes:,} bytes, {best.latency:.3f} ms for "
            "one example on one thread. Its accuracies were looked up; train it before you use it."
        )
    again = (
        "The same command on the same kind of machine gives the same trials. "
        f"The data had the fingerprint {report.task.fingerprint[:12]}."
    )
    return tag(
        "section",
        tag("h2", "Use it"),
        tag("p", file),
        tag(
            "div",
            tag("div", tag("h3", "Call it"), tag("pre", tag("code", usage(model)), class_="usage")),
            tag(
                "div",
                tag("h3", "Do the search again"),
                tag("pre", tag("code", command(report.config)), class_="command"),
                tag("p", again, class_="note"),
            ),
            class_="grid",
        ),
    )
