"""`nas train`."""

import argparse
from pathlib import Path

from nas.cli import output
from nas.cli.progress_display import display, paced
from nas.cli.search_flags import GROUPS, add_flags, config_of
from nas.percent import percent

EXAMPLES = """\
examples:
  nas train model.onnx --task digits
  nas train model.onnx --task digits --init keep --epochs 50 --repeats 3 -o trained.onnx
  nas train model.onnx --task digits --method rigl --density 0.05 -o sparse.onnx
  nas train model.onnx --task digits --method sr-ste --density 0.5 --method-option n=2 --method-option m=4
"""

FLAGS = ("task", "preprocessing", "data_dir", "target", "subset", "seed", "repeats", *GROUPS["training"])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the verb."""
    parser.add_argument(
        "model_file", metavar="MODEL.onnx", help="its zeros are the mask, unless a density or a method says else"
    )
    parser.add_argument(
        "--out", "-o", metavar="FILE.onnx", help="write the trained network (best on validation), shrunk and checked"
    )
    parser.add_argument(
        "--density",
        type=float,
        metavar="X",
        help="share of the weights to end with, above 0 and 1 at most (default: the file's own non-zeros)",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress")
    output.add_format(parser)
    add_flags(parser, FLAGS)


def run(args: argparse.Namespace) -> int:
    """Train with several seeds, measure, and write the best network if requested."""
    from nas.verbs.train import train_file

    config = config_of(args)
    out = None if args.out is None else Path(args.out)
    remarks: list[str] = []

    def remark(text: str) -> None:
        remarks.append(text)
        if not args.quiet:
            output.remark(text)

    with display(quiet=args.quiet) as shown_progress:
        epochs = paced(shown_progress)
        rows, exported = train_file(
            Path(args.model_file),
            config,
            out,
            density=args.density,
            on_remark=remark,
            progress=lambda repeat, epoch, loss, accuracy: epochs(
                f"training {repeat + 1} of {config.repeats} · epoch {epoch + 1} · loss {loss:.4f} · validation {accuracy:.2%}"
            ),
        )
    shown = [
        row | {name: percent(row[name]) for name in ("before", "validation", "test") if name in row} for row in rows
    ]
    data = {"remarks": remarks, "trainings": rows, "exported": None if exported is None else exported.to_json()}
    output.emit(args, data, shown, title=f"{args.model_file} on {config.task}")
    if exported is not None and args.format == "table":
        output.line(
            f"{exported.path}: {exported.bytes:,} bytes, {exported.latency:.3f} ms, largest error {exported.largest_error:.1e}"
        )
    return 0
