"""`nas predict`."""

import argparse

from nas.cli import output
from nas.percent import percent

EXAMPLES = """\
examples:
  nas predict model.onnx --predictor runs/digits
  nas predict a.onnx b.onnx --predictor my-predictor --format json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the verb."""
    parser.add_argument("models", nargs="+", metavar="MODEL.onnx", help="ONNX files, trained or not")
    parser.add_argument("--predictor", required=True, metavar="FOLDER", help="a run, or what `nas predictor fit` wrote")
    output.add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Print a score for every file."""
    import predictors

    predictor = predictors.load(args.predictor)
    prediction = predictor.predict(args.models)
    rows = [
        {"model": model, "score": float(mean), "std": float(std)}
        for model, mean, std in zip(args.models, prediction.mean, prediction.std, strict=True)
    ]
    shown = [{"model": row["model"], "predicted": percent(row["score"], row["std"])} for row in rows]
    output.emit(args, rows, shown, title="predicted accuracy")
    return 0
