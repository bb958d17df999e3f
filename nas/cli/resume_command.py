"""`nas resume`."""

import argparse
from pathlib import Path

from nas.cli import output
from nas.cli.progress_display import display
from nas.cli.search_command import quieten_optuna

EXAMPLES = """\
examples:
  nas resume runs/digits
  nas resume runs/digits --trainings 96
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the verb."""
    parser.add_argument("run", metavar="RUN", help="folder of a run")
    parser.add_argument(
        "--trainings", "--n-trials", type=int, metavar="N", help="new total of trainings (default: as before)"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")
    output.add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Continue the run and print the front."""
    from nas.cli.result import show
    from nas.reports.report import Report
    from nas.verbs.search import resume

    quieten_optuna(verbose=args.verbose)
    with display(quiet=args.quiet) as shown:
        report = resume(args.run, trainings=args.trainings, on_progress=shown.progress, on_stage=shown.stage)
    show(args, Report.from_json(report), Path(args.run))
    return 0
