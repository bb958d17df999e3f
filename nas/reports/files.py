"""The files that a report is drawn into: the page and the picture."""

from nas.reports.page import page
from nas.reports.picture import picture
from nas.reports.report import Report
from nas.study.run_folder import RunFolder, write_bytes, write_text


def render(folder: RunFolder, report: Report) -> None:
    """Write ``report.html`` and ``pareto.png``; drawings of the winner are made from ``best.onnx``."""
    write_bytes(folder.picture, picture(report))
    write_text(folder.page, page(report, folder))
