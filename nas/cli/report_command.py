"""`nas report`."""

import argparse
from errno import EACCES, EPERM, EROFS
from pathlib import Path

from nas.cli import output
from nas.errors import RunError, UsageError

EXAMPLES = """\
examples:
  nas report runs/digits
  nas report runs/digits --format json
  nas report /read-only/runs/digits --out pages
  nas report runs/digits --mlflow http://127.0.0.1:5000 --experiment digits
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the verb."""
    parser.add_argument("run", metavar="RUN", help="folder of a finished run; it is only read where --out is given")
    parser.add_argument(
        "--out", "-o", metavar="FOLDER", help="write report.html and pareto.png there (default: into RUN)"
    )
    parser.add_argument(
        "--mlflow", metavar="URI", help="copy the run to this MLflow server: parameters, metrics, files (extra: mlflow)"
    )
    parser.add_argument("--experiment", metavar="NAME", help="experiment of MLflow (default: nas)")
    output.add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Print the report, and write the page and the picture again."""
    from nas.cli.result import show
    from nas.reports.files import render
    from nas.reports.report import read
    from nas.study.run_folder import RunFolder
    from nas.verbs.tracking import log_to_mlflow, require_mlflow

    if args.mlflow is not None:
        require_mlflow()
    elif args.experiment is not None:
        raise UsageError("--experiment is for --mlflow URI")
    folder = RunFolder(Path(args.run))
    folder.config()
    report = read(folder.report)
    out = None if args.out is None else Path(args.out)
    try:
        render(folder, report, out)
    except RunError as error:
        if out is not None or not _is_read_only(error):
            raise
        output.remark(f"report.html and pareto.png are not written anew ({error}): --out FOLDER writes them elsewhere")
    show(args, report, folder.path, pages=out)
    if args.mlflow is not None:
        made = log_to_mlflow(folder.path, args.mlflow, experiment=args.experiment or "nas")
        output.remark(f"nas: copied to MLflow, run {made}")
    return 0


def _is_read_only(error: RunError) -> bool:
    """Whether a file could not be written because its folder is read-only."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in (EACCES, EPERM, EROFS)
