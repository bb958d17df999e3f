"""`nas --server URL search`, `resume` and `predict`: the same commands, done by a server."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.cli import output
from nas.cli.progress_display import display
from nas.cli.search_command import folder_of
from nas.cli.search_flags import config_of
from nas.duration import duration
from nas.errors import UsageError

if TYPE_CHECKING:
    from nas.client.client import Client

TOKEN = "NAS_TOKEN"
"""Environment variable of the token, so that it stands in no list of processes."""


def run(args: argparse.Namespace) -> int:
    """Run a command on the server."""
    command = COMMANDS.get(args.verb)
    if command is None:
        raise UsageError(f"over --server there are {', '.join(COMMANDS)}; `nas {args.verb}` works on this machine")
    try:
        from nas.client.client import Client
    except ImportError as error:
        raise UsageError(f"--server needs the client: pip install 'nas-sparse[client]' ({error})") from error
    with Client(args.server, token=os.environ.get(TOKEN)) as client:
        return int(command(client, args))


def _search(client: "Client", args: argparse.Namespace) -> int:
    config = config_of(args)
    if args.dry_run:
        return _ahead(args, client.validate(config))
    out = folder_of(args, config)
    with display(quiet=args.quiet) as shown:
        report = client.search(config, out, on_progress=shown.progress, on_stage=shown.stage)
    return _show(args, report, out)


def _resume(client: "Client", args: argparse.Namespace) -> int:
    out = Path("runs") / args.run
    with display(quiet=args.quiet) as shown:
        report = client.resume(
            args.run, out, trainings=args.trainings, on_progress=shown.progress, on_stage=shown.stage
        )
    return _show(args, report, out)


def _show(args: argparse.Namespace, report: dict[str, Any], out: Path) -> int:
    from nas.cli.result import show
    from nas.reports.report import Report

    show(args, Report.from_json(report), out)
    return 0


def _ahead(args: argparse.Namespace, found: dict[str, Any]) -> int:
    """The dry run."""
    output.emit(args, found, found["sizes"], title="random candidates")
    if args.format != "json":
        for part, title in (
            ("plain", "plain networks, without a mask"),
            ("references", "tried first, as an expert would"),
            ("methods", "methods, with their costs"),
            ("space", "the space"),
            ("budget", "budget"),
        ):
            if found[part]:
                output.table(found[part], title=title)
        output.line(f"Estimated time: {duration(found['seconds'])}. {found['how']}.")
    return 0


def _predict(client: "Client", args: argparse.Namespace) -> int:
    from nas.cli.task_file import read_task

    if args.predictor != "default" or args.latency is not None:
        raise UsageError("the server has its own predictor; --predictor and --latency name folders of this machine")
    task = read_task(args.task)
    answers = [
        {"model": model}
        | client.predict(model, task=task, method=args.method, weights=args.weights, nnz=args.nnz, explain=args.explain)
        for model in args.models
    ]
    rows = [_row(str(one["model"]), answer) for one in answers for answer in (one, *one["others"])]
    output.emit(args, answers, rows, title="predicted accuracy")
    for why in dict.fromkeys(str(one["why"]) for one in answers):
        output.remark(why)
    return 0


def _row(model: str, answer: dict[str, Any]) -> dict[str, Any]:
    low, high = answer["interval"]
    return {
        "model": model,
        "task": answer["task"] or "",
        "weights": answer["weights"] or "",
        "predicted": f"{answer['accuracy']:.2%}",
        "90 % interval": f"{low:.2%} to {high:.2%}",
        "support": answer["support"],
    }


COMMANDS = {"search": _search, "resume": _resume, "predict": _predict}
