"""`nas inspect`."""

import argparse

from nas.cli import output

EXAMPLES = """\
examples:
  nas inspect model.onnx
  nas inspect model.onnx --format json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the verb."""
    parser.add_argument("model", metavar="MODEL.onnx")
    output.add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Print the layers and the measures of the whole network."""
    from nas.measure.inspection import inspect

    inspection = inspect(args.model)
    output.emit(args, inspection, inspection["layers"], title=f"weights of {args.model}")
    if args.format == "table":
        output.table(
            [{"measure": name, "value": value} for name, value in inspection["model"].items()],
            title="the whole network",
        )
    return 0
