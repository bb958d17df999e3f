"""`nas export`."""

import argparse
from pathlib import Path

from nas.cli import output

EXAMPLES = """\
examples:
  nas export runs/digits -o small.onnx
  nas export runs/digits --trial 17 -o seventeen.onnx
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the verb."""
    parser.add_argument("run", metavar="RUN", help="folder of a run")
    parser.add_argument("--trial", type=int, metavar="N", help="number of a trial (default: the winner)")
    parser.add_argument("--out", "-o", required=True, metavar="FILE.onnx")
    output.add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Export, and print facts about the file."""
    from nas.verbs.train import export_trial

    data = export_trial(Path(args.run), args.trial, Path(args.out)).to_json()
    output.emit(args, data, [data], title="exported")
    return 0
