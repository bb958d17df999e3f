"""`nas predictor fit`, `evaluate`, `card`, `describe` and `calibrate-latency`."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.cli import output
from nas.cli.task_file import read_task
from nas.cli.workers import add_workers, workers
from nas.duration import duration
from nas.ranges import LARGEST_SEED, MANY, require_whole

if TYPE_CHECKING:
    from predictors import Evaluating

EXAMPLES = """\
examples:
  nas predictor fit --table rows.csv --out my-predictor
  nas predictor fit --table rows.csv --task digits --out my-predictor
  nas predictor evaluate --table rows.csv
  nas predictor evaluate --table rows.csv --predictor forest --predictor gnn --format json
  nas predictor card my-predictor
  nas predictor describe my-data.npz > my-task.json
  nas predictor calibrate-latency --out this-machine

the table is a CSV file with the columns model (path of an ONNX file, from the table's folder), accuracy (0 to 1)
and, if you like, cell (a group inside which ranks are compared, such as task and density)
"""

LABELS = {
    "tau": "τ",
    "rho": "ρ",
    "r2": "R²",
    "rmse": "RMSE",
    "tau_inside": "τ inside cells",
    "coverage_90": "in 90 % interval",
}
"""Columns of the table by their names in the JSON."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the verbs below."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    fit = actions.add_parser("fit", help="learn from a table and save")
    fit.add_argument("--out", "-o", required=True, metavar="FOLDER")
    fit.add_argument(
        "--predictor",
        metavar="NAME",
        help="see `nas list predictors` (default: warm, which starts from the shipped predictor, where there is a --task; "
        "else ensemble)",
    )
    evaluate = actions.add_parser("evaluate", help="cross-validated rank correlation, against baselines")
    evaluate.add_argument("--predictor", action="append", metavar="NAME", help="repeatable (default: all)")
    evaluate.add_argument("--folds", type=int, default=5, metavar="N")
    evaluate.add_argument("-q", "--quiet", action="store_true", help="no progress")
    card = actions.add_parser("card", help="what a fitted predictor is, from what it learnt, how it weighs its members")
    card.add_argument("folder", metavar="FOLDER", help="a run, or what `nas predictor fit` wrote")
    describe = actions.add_parser(
        "describe", help="the description of a task that a predictor of several tasks asks for"
    )
    describe.add_argument("task", metavar="TASK", help="task name, or a .npz or .csv file")
    describe.add_argument("--data-dir", metavar="FOLDER", help="of the image data sets (default: $NAS_DATA_DIR)")
    describe.add_argument("--target", metavar="COLUMN", help="column of a .csv task to predict")
    describe.add_argument("--subset", type=int, metavar="N", help="use that many training and validation examples only")
    calibrate = actions.add_parser(
        "calibrate-latency", help="measure random networks here, to predict the latency of others without running them"
    )
    calibrate.add_argument("--out", "-o", required=True, metavar="FOLDER")
    calibrate.add_argument("--networks", type=int, default=240, metavar="N", help="how many (default: 240)")
    calibrate.add_argument("--seed", type=int, default=0, metavar="N")
    calibrate.add_argument("-q", "--quiet", action="store_true", help="no progress")
    output.add_format(card)
    output.add_format(calibrate)
    for action in (fit, evaluate):
        action.add_argument("--table", required=True, metavar="ROWS.csv")
        action.add_argument("--task", metavar="NAME", help="what the networks are for: a known name, or a .json file")
        action.add_argument("--seed", type=int, default=0, metavar="N")
        add_workers(action)
        output.add_format(action)


def run(args: argparse.Namespace) -> int:
    """Run the chosen verb."""
    for name, least, most in (("folds", 2, 1000), ("seed", 0, LARGEST_SEED), ("networks", 1, MANY)):
        if hasattr(args, name):
            require_whole(f"--{name}", getattr(args, name), least, most)
    return {"fit": _fit, "evaluate": _evaluate, "card": _card, "describe": _describe, "calibrate-latency": _calibrate}[
        args.action
    ](args)


def _fit(args: argparse.Namespace) -> int:
    from predictors import fit_table

    fitted = fit_table(
        Path(args.table),
        args.predictor,
        Path(args.out),
        seed=args.seed,
        task=read_task(args.task),
        workers=workers(args),
    )
    data = {"predictor": fitted.name, "folder": args.out}
    output.emit(args, data, [data])
    return 0


def _evaluate(args: argparse.Namespace) -> int:
    from nas.cli.progress_display import display, paced
    from predictors import PREDICTORS, evaluate_table, needs_task

    with display(quiet=args.quiet) as shown:
        say = paced(shown)
        result: dict[str, Any] = evaluate_table(
            Path(args.table),
            args.predictor or [name for name in PREDICTORS.usable() if args.task or not needs_task(name)],
            folds=args.folds,
            seed=args.seed,
            task=read_task(args.task),
            workers=workers(args),
            progress=lambda evaluating: say(_evaluating(evaluating)),
        )
    output.emit(args, result, [_row(score) for score in result["predictors"]], title=_title(args.table, result))
    return 0


def _evaluating(evaluating: "Evaluating") -> str:
    """The progress of an evaluation as one line."""
    left = "time left not known yet" if evaluating.left is None else f"about {duration(evaluating.left)} left"
    last = f" · {evaluating.predictor} fitted" if evaluating.predictor else ""
    return f"{evaluating.fitted} of {evaluating.fits} folds done{last} · {left}"


def _card(args: argparse.Namespace) -> int:
    import predictors

    fitted = predictors.load(args.folder)
    weights: dict[str, float] = getattr(fitted.predictor, "weights", {})
    data: dict[str, Any] = {
        "predictor": fitted.name,
        "training_graphs": fitted.training_graphs,
        "weights": weights,
        "tasks": {name: task.to_json() for name, task in fitted.tasks.items()},
        "provenance": dict(fitted.provenance),
    }
    shown = [
        {"": "predictor", "value": fitted.name},
        {"": "fitted on", "value": f"{fitted.training_graphs:,} networks"},
        *({"": f"weight of {name}", "value": f"{weight:.2f}"} for name, weight in weights.items()),
        *({"": f"task {name}", "value": _told(task.to_json())} for name, task in fitted.tasks.items()),
        *({"": name, "value": str(value)} for name, value in fitted.provenance.items()),
    ]
    output.emit(args, data, shown, title=str(args.folder))
    return 0


def _describe(args: argparse.Namespace) -> int:
    from nas.tasks import load_task
    from nas.tasks.description import describe

    data_dir = Path(args.data_dir) if args.data_dir else None
    task = load_task(args.task, data_dir=data_dir, target=args.target, subset=args.subset)
    output.show_json(describe(task).to_json())
    return 0


def _calibrate(args: argparse.Namespace) -> int:
    from nas.cli.progress_display import display, paced
    from nas.errors import UsageError
    from nas.measure.latency_calibration import FEWEST, calibrate

    if args.networks < FEWEST:
        raise UsageError(f"--networks must be at least {FEWEST}, got {args.networks}")
    with display(quiet=args.quiet) as shown_progress:
        say = paced(shown_progress)
        found = calibrate(
            Path(args.out),
            args.networks,
            seed=args.seed,
            progress=lambda done, of: say(f"{done} of {of} networks measured"),
        )
    data = {"folder": args.out, **asdict(found)}
    shown = {
        "folder": args.out,
        "networks": found.networks,
        "from": f"{found.least:.4f} ms",
        "to": f"{found.most:.4f} ms",
        "error on others": f"{found.error:.1%}",
    }
    output.emit(args, data, [shown], title="latency of one example in onnxruntime, one thread")
    return 0


def _told(task: dict[str, Any]) -> str:
    numbers = [f"{name} {value:g}" for name, value in task.items() if not isinstance(value, list)]
    relevance = ["relevance of every input"] if "relevance" in task else []
    return ", ".join([*numbers, *relevance])


def _title(path: str, result: dict[str, Any]) -> str:
    return f"{path}: {result['rows']} networks, {result['folds']}-fold cross-validation, mean ± deviation of {result['repeats']} splits"


def _row(score: dict[str, Any]) -> dict[str, str]:
    """The figures of a predictor with their spread; a cell is empty if there is no value."""
    shown = {"predictor": str(score["name"])}
    for name, label in LABELS.items():
        value = score[name]
        shown[label] = "" if value is None else f"{value:.3f} ± {score['spread'][name]:.3f}"
    return shown
