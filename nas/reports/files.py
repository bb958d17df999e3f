"""The files of a report: the page and the picture."""

from pathlib import Path

from nas.errors import write_failure
from nas.reports.page import page
from nas.reports.picture import picture
from nas.reports.report import Report
from nas.study.run_folder import RunFolder, write_bytes, write_text


def render(folder: RunFolder, report: Report, out: Path | None = None) -> None:
    """Write ``report.html`` and ``pareto.png`` into the run, or into the folder `out`, which is created if it does not exist.

    Drawings of the winner are made from the run's ``best.onnx``.
    """
    there = folder if out is None else RunFolder(out)
    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_failure(out, error) from error
    write_bytes(there.picture, picture(report))
    write_text(there.page, page(report, folder))
