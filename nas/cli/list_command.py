"""`nas list`."""

import argparse
from collections.abc import Callable

from nas.cli import output

EXAMPLES = """\
examples:
  nas list tasks
  nas list masks --format json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the verb."""
    parser.add_argument("what", choices=sorted(KINDS), help="what to list")
    output.add_format(parser)


def run(args: argparse.Namespace) -> int:
    """Print the names and what they mean."""
    rows = KINDS[args.what]()
    output.emit(args, rows, rows, title=args.what)
    return 0


def _tasks() -> list[dict[str, str]]:
    from nas.tasks.registry import describe

    return [{"name": name, "meaning": meaning, "needs": needs} for name, meaning, needs in describe()]


def _first_lines(table: "dict[str, str]") -> list[dict[str, str]]:
    """Each name with the first line of the module that holds it."""
    from importlib import import_module

    rows = []
    for name, place in table.items():
        module = import_module(place.partition(":")[0])
        rows.append({"name": name, "meaning": (module.__doc__ or "").strip().splitlines()[0]})
    return rows


def _spaces() -> list[dict[str, str]]:
    from search_spaces.registry import SPACES

    return _first_lines(dict(SPACES))


def _strategies() -> list[dict[str, str]]:
    from nas.engine.strategies import STRATEGIES

    return _first_lines(dict(STRATEGIES))


def _predictors() -> list[dict[str, str]]:
    from predictors.registry import PREDICTORS

    return _first_lines(dict(PREDICTORS))


def _masks() -> list[dict[str, str]]:
    from search_spaces.masks.edits import EDITS
    from search_spaces.masks.recipe import DISTRIBUTIONS, PATTERNS

    tables = {"distribution": DISTRIBUTIONS, "pattern": PATTERNS, "edit": EDITS}
    return [{"kind": kind, **row} for kind, table in tables.items() for row in _first_lines(dict(table))]


def _methods() -> list[dict[str, str]]:
    from nas.training.methods.registry import describe

    return describe()


def _metrics() -> list[dict[str, str]]:
    from nas.measure.metrics import DESCRIPTIONS

    return [{"name": name, "meaning": meaning} for name, meaning in DESCRIPTIONS.items()]


KINDS: dict[str, Callable[[], list[dict[str, str]]]] = {
    "tasks": _tasks,
    "spaces": _spaces,
    "strategies": _strategies,
    "predictors": _predictors,
    "masks": _masks,
    "methods": _methods,
    "metrics": _metrics,
}
