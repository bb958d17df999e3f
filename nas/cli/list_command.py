"""`nas list`."""

import argparse

from nas.cli import output
from nas.verbs.plugins import KINDS, listed

EXAMPLES = """\
examples:
  nas list tasks
  nas list masks --format json

names of other installed packages are listed with the package that they come from
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the verb."""
    parser.add_argument("what", choices=sorted(KINDS), help="what to list")
    output.add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Print the names with origin and meaning; warn about names that cannot be used."""
    rows, problems = listed(args.what)
    output.emit(args, rows, rows, title=args.what)
    for problem in problems:
        output.remark(f"nas: warning: {' '.join(problem.split())}")
    return 0
