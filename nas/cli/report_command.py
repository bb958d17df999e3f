"""`nas report`."""

import argparse
import json
from pathlib import Path

from nas.cli import output
from nas.cli.search_command import show
from nas.errors import RunError

EXAMPLES = """\
examples:
  nas report runs/digits
  nas report runs/digits --format json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the verb."""
    parser.add_argument("run", metavar="RUN", help="folder of a finished run")
    output.add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Print the report and write the page and the picture anew."""
    from nas.reports.conclusion import render
    from nas.reports.report import VERSION
    from nas.study.run_folder import RunFolder

    folder = RunFolder(Path(args.run))
    folder.config()
    try:
        report = json.loads(folder.report.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"{folder.path} has no report yet: finish it with `nas resume {folder.path}`") from None
    except ValueError as error:
        raise RunError(
            f"{folder.report} is damaged ({error}): write it anew with `nas resume {folder.path}`"
        ) from error
    if (
        not isinstance(report, dict)
        or report.get("format") != VERSION
        or not {"best", "front", "trials"} <= set(report)
    ):
        raise RunError(f"{folder.report} is no report of this version: write it anew with `nas resume {folder.path}`")
    render(folder, report)
    show(args, report, folder.path)
    return 0
