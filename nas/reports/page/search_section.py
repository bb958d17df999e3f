"""The section about the search: progress, predictions, front, trials and times."""

from nas.reports.charts.best_so_far import best_so_far
from nas.reports.charts.predicted import Forecasts, predicted
from nas.reports.markup import Markup, joined, tag
from nas.reports.page.html_table import table
from nas.reports.report import Report
from nas.study.run_folder import RunFolder


def search(report: Report) -> Markup:
    """Charts, front and times."""
    return tag(
        "section",
        tag("h2", "The search"),
        tag("div", _course(report), _predictions(report), class_="grid"),
        tag(
            "div",
            *_ways(report),
            tag("h3", "Pareto front"),
            table([row.cells() for row in report.front]),
            tag("p", report.leaders, class_="note") if report.leaders else None,
            tag("h3", "Where the time went"),
            tag("div", table([row.cells() for row in report.seconds]), class_="narrow"),
            class_="stack",
        ),
    )


def _ways(report: Report) -> list[Markup]:
    """What each way of searching spent; nothing where accuracies were looked up."""
    rows = [row.cells() for row in report.ways]
    return [tag("h3", "What each way of searching spent and found"), table(rows)] if rows else []


def _course(report: Report) -> Markup:
    keys = [("pale", "first training"), ("second", "trained again"), ("ink", "leader")]
    legend = tag("ul", joined(tag("li", tag("i", class_=key), name) for key, name in keys), class_="legend")
    caption = (
        "Results in the order of the trainings. The line is the best mean over the trainings of one network; it falls "
        "where a leader does worse when it is trained again."
    )
    return tag("figure", tag("h3", "Results"), legend, best_so_far(report), tag("figcaption", caption))


def _predictions(report: Report) -> Markup | None:
    forecasts = Forecasts.of(report)
    if not forecasts.pairs:
        return None
    ranks = f"Ranking of the candidates by their predictions: {report.agreement}."
    caption = f"Each dot is one candidate; on the dashed line the prediction was right. {forecasts} {ranks}"
    legend = tag("ul", tag("li", tag("i", class_="second"), "candidate"), class_="legend")
    return tag("figure", tag("h3", "Predictions"), legend, predicted(report, forecasts), tag("figcaption", caption))


def trials(report: Report) -> Markup:
    """All trials, sortable."""
    return tag(
        "section",
        tag("h2", "Trials"),
        tag("p", "A click on the name of a column sorts by it.", class_="note"),
        table([row.cells() for row in report.trials], sortable=True, tall=True),
    )


def configuration(folder: RunFolder) -> Markup:
    """The whole configuration, the same as in the folder."""
    text = folder.config_file.read_text(encoding="utf-8", errors="replace")
    return tag(
        "section",
        tag("h2", "Configuration"),
        tag("details", tag("summary", "config.toml"), tag("pre", tag("code", text))),
    )
