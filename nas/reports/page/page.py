"""The whole page of a report."""

import onnx_graph
from nas.reports.markup import Markup, tag
from nas.reports.page.script import SCRIPT
from nas.reports.page.search_section import configuration, search, trials
from nas.reports.page.style import STYLE
from nas.reports.page.summary import summary
from nas.reports.page.use import use
from nas.reports.page.winner import winner
from nas.reports.report import Report
from nas.study.run_folder import RunFolder


def page(report: Report, folder: RunFolder) -> str:
    """The page of a report. The same report and the same `best.onnx` give the same page."""
    model = onnx_graph.load(folder.best)
    body = tag(
        "main",
        summary(report),
        use(report, model),
        winner(report, folder, onnx_graph.simplify(model)),
        search(report),
        trials(report),
        configuration(folder),
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"{report.task.name}: {report.best.measured} {report.task.metric}"),
        tag("style", Markup(STYLE)),
    )
    return "<!doctype html>\n" + tag("html", head, tag("body", body, tag("script", Markup(SCRIPT))), lang="en") + "\n"
