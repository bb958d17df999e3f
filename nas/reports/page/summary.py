"""The top of the page: the result in one sentence, a small table and a picture."""

from nas.reports.charts.pareto import pareto
from nas.reports.markup import Markup, joined, tag
from nas.reports.report import Report
from nas.reports.rows.cell import Cells
from nas.reports.rows.network_row import NetworkRow
from nas.reports.sentence import size_remark
from nas.reports.verdict import Verdict

NAMES = {"winner": "Winner", "dense": "Dense", "by hand": "By hand", "random": "Random"}
MEANINGS = {
    "dense": "the same architecture without a mask",
    "by hand": "the best of what an expert would run first",
    "random": "the best of random search",
}
COLUMNS = {"measured": "measured", "non-zeros": "non-zeros", "bytes": "bytes", "latency ms": "ms"}
"""Columns of a row that are shown here, with their headers."""


def summary(report: Report) -> Markup:
    """Headline, table and picture."""
    task = report.task
    space = str(report.config.get("space", ""))
    eyebrow = f"nas {report.version} · task {task.name} · space {space} · {len(report.trials)} trainings"
    remark = size_remark(report.best, report.baselines).strip()
    about = f" The task: {task.description}." if task.description else ""
    source = f"Looked up, not trained: {task.looked_up}; weights are untrained." if task.looked_up else ""
    note = source or f"{task.metric.capitalize()} on {task.test:,} test examples, read for this report only.{about}"
    facts = tag(
        "div", _networks(report), tag("p", note, class_="note"), tag("p", remark, class_="note") if remark else None
    )
    return tag(
        "header",
        tag("p", eyebrow, class_="eyebrow"),
        tag("h1", report.headline),
        tag("p", report.verdict, class_="verdict"),
        tag("div", facts, _picture(report), class_="grid"),
    )


def _networks(report: Report) -> Markup:
    """The table of the winner and the baselines."""
    heads = [tag("th", name, scope="col") for name in ("network", *COLUMNS.values())]
    rows = [_network(report, row) for row in report.networks]
    grid = tag("table", tag("thead", tag("tr", *heads)), tag("tbody", joined(rows)), class_="networks")
    return tag("div", grid, class_="scroll")


def _network(report: Report, row: NetworkRow) -> Markup:
    cells: Cells = row.cells()
    trainings = "1 training" if len(row.accuracies) == 1 else f"mean of {len(row.accuracies)} trainings"
    if row.interval is not None:
        trainings += f", 95 % interval {row.between}"
    winner = row is report.best
    meaning = f"{MEANINGS[row.name]}, " if row.name in MEANINGS else ""
    if report.task.looked_up:
        trainings = "looked up"
    remark = trainings if winner else f"{meaning}{trainings}; {Verdict.of(report.best, row, report.task.sign)}"
    name = tag("td", NAMES.get(row.name, row.name))
    figures = tag(
        "tr", name, *(tag("td", cells[column].text) for column in COLUMNS), class_="winner" if winner else None
    )
    return joined([figures, tag("tr", tag("td", remark, colspan=len(COLUMNS) + 1), class_="remark")])


def _picture(report: Report) -> Markup:
    names = {
        "pale": "trial",
        "ink": "Pareto front",
        "winner": "winner",
        "dense": "dense reference",
        "random": "random search",
    }
    known = {"pale", "ink", "winner", *(row.name for row in report.baselines)}
    keys = [tag("li", tag("i", class_=key), name) for key, name in names.items() if key in known]
    caption = "Measured on the validation split, towards the upper left is better. Baselines: mean of their trainings for this report."
    return tag("figure", tag("ul", joined(keys), class_="legend"), pareto(report), tag("figcaption", caption))
