"""`nas`: parses the verb, runs it, turns errors into one line and an exit code (2 for wrong use, 3 for unsupported input)."""

import argparse
import io
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import NoReturn

from nas.cli import output
from nas.cli.exit_code import exit_code
from nas.visible import visible

VERBS: Mapping[str, str] = {
    "search": "find the best sparse network for a task and a budget",
    "resume": "go on with a search that was stopped, or give it more trainings",
    "predict": "how good will this network get? accuracy from structure alone",
    "inspect": "layers, non-zeros and topology of an ONNX file",
    "train": "train an ONNX file's network on a task, keeping its mask",
    "export": "write a network of a run as a small, checked ONNX file",
    "report": "the result of a run again, and its page and picture anew",
    "predictor": "fit and evaluate predictors on your own ONNX files",
    "corpus": "many sparse networks with measured accuracies, to fit and judge predictors on",
    "serve": "an HTTP service for searches and predictions",
    "worker": "run searches of a service on another machine, or in another process",
    "token": "access tokens of a service",
    "list": "tasks, spaces, strategies, predictors, masks, metrics",
}

EXAMPLES = """\
examples:
  nas search --task digits --space mlp --constraint "nnz<=600" --out runs/digits
  nas resume runs/digits
  nas search --task data.csv --target label --objective accuracy --objective -bytes --out runs/mine
  nas inspect model.onnx
  nas predict model.onnx --predictor runs/digits
  nas list tasks
  nas --server http://127.0.0.1:8000 search --task digits --constraint "nnz<=300" --out runs/far
"""


def entry() -> None:
    """The console script, which runs in its own process."""
    from nas.cli.own_process import claim_process

    claim_process(_verb(sys.argv[1:]))
    sys.exit(main(sys.argv[1:]))


def main(argv: Sequence[str]) -> int:
    """Run one command; returns the exit code."""
    argv = _joined(argv)
    verb = _verb(argv)
    args = _parser(verb if verb in VERBS else None).parse_args(argv)
    if args.verb is None:
        _parser(None).print_help()
        return 2
    _quieten(args.verbose)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without the letter τ must not stop a search
    try:
        module = f"{args.verb}_command" if args.server is None else "on_server"
        return int(import_module(f"nas.cli.{module}").run(args))
    except KeyboardInterrupt:
        out = {"search": getattr(args, "out", None), "resume": getattr(args, "run", None)}.get(args.verb)
        output.remark("nas: stopped" + (f"; if {out} was begun, `nas resume {out}` goes on with it" if out else ""))
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        code = exit_code(error)
        if code is None or args.debug:
            raise
        output.error(_one_line(error))
        return code


def _one_line(error: Exception) -> str:
    """The message in one line; for an error of the operating system: the file, the fault and the remedy."""
    from nas.errors import REMEDIES

    message = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        message = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
        remedy = REMEDIES.get(error.errno or 0)
        message += f"; {remedy}" if remedy else ""
    return " ".join(message.split())


class _Parser(argparse.ArgumentParser):
    """A parser whose messages cannot send control characters to the terminal."""

    def error(self, message: str) -> NoReturn:
        """Print usage and message, and exit with 2."""
        super().error(visible(message))


def _parser(verb: str | None) -> argparse.ArgumentParser:
    """The parser with the flags of `verb` only, because the flags of other verbs need slow imports."""
    parser = _Parser(
        prog="nas",
        description="Search for sparse neural networks, architecture and mask together, by predicting accuracy from structure.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"nas {_version()}")
    parser.add_argument(
        "--server",
        metavar="URL",
        help="let a server of `nas serve` do it: search, resume, predict (token: environment variable NAS_TOKEN)",
    )
    commands = parser.add_subparsers(dest="verb", metavar="COMMAND", title="commands")
    for name, help_ in VERBS.items():
        command = commands.add_parser(
            name,
            help=help_,
            description=help_[0].upper() + help_[1:] + ".",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name == verb:
            module = import_module(f"nas.cli.{name}_command")
            command.epilog = module.EXAMPLES
            module.add_arguments(command)
            command.add_argument("-v", "--verbose", action="store_true", help="say more on stderr")
            command.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser


def _verb(argv: Sequence[str]) -> str | None:
    """The command: the first word that is no flag, nor the address behind ``--server``."""
    words = [word for word, before in zip(argv, ["", *argv], strict=False) if before != "--server"]
    return next((word for word in words if not word.startswith("-")), None)


def _joined(argv: Sequence[str]) -> list[str]:
    """Turns ``--objective -nnz`` into ``--objective=-nnz``, because argparse would read ``-nnz`` as a flag."""
    words: list[str] = []
    for word in argv:
        if words and words[-1] == "--objective":
            words[-1] += f"={word}"
        else:
            words.append(word)
    return words


def _version() -> str:
    try:
        return version("nas-sparse")
    except PackageNotFoundError:
        return "unknown"


class _OneLine(logging.Formatter):
    """A log formatter that shows control characters as text."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  the name is logging's
        """The formatted line."""
        return visible(super().formatMessage(record))


def _quieten(verbose: bool) -> None:
    """Log warnings to stderr, one line each; log information only if requested."""
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_OneLine("nas: %(message)s"))
    logging.getLogger("onnxscript").setLevel(logging.ERROR)  # it warns about every node that it does not fold
