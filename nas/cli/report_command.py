"""`nas report`."""

import argparse
from pathlib import Path

from nas.cli import output

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
    from nas.cli.result import show
    from nas.reports.files import render
    from nas.reports.report import read
    from nas.study.run_folder import RunFolder

    folder = RunFolder(Path(args.run))
    folder.config()
    report = read(folder.report)
    render(folder, report)
    show(args, report, folder.path)
    return 0
