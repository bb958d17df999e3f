"""What a command prints: tables for people, JSON for programs, both on stdout; progress and remarks on stderr.

Everything goes through here, so that a name in a stranger's file cannot send control characters to the terminal.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from nas.visible import visible


def add_format(parser: argparse.ArgumentParser) -> None:
    """The flag `--format`."""
    parser.add_argument(
        "--format", choices=("table", "json"), default="table", help="how to print the result (default: table)"
    )


def emit(args: argparse.Namespace, data: Any, rows: Sequence[Mapping[str, Any]], title: str = "") -> None:
    """Print `data` as JSON or `rows` as a table, as `--format` says."""
    if args.format == "json":
        show_json(data)
    else:
        table(rows, title=title)


def table(rows: Sequence[Mapping[str, Any]], title: str = "") -> None:
    """A table with the keys of the first row as its head; numbers to the right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    if not rows:
        line(f"{title}: none" if title else "none")
        return
    grid = Table(title=visible(title) or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in rows[0]:
        numeric = all(isinstance(row.get(name), int | float) or _looks_numeric(row.get(name)) for row in rows)
        grid.add_column(visible(name), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(visible(text(row.get(name))) for name in rows[0]))
    # Piped output keeps its columns whatever the width of a terminal that is not there.
    Console(width=None if sys.stdout.isatty() else 160, highlight=False, markup=False).print(grid)


def text(value: Any) -> str:
    """A cell: nothing for None, grouped whole numbers, four digits of a fraction."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def line(message: str = "") -> None:
    """A line of the result, on stdout."""
    print(visible(message))


def remark(message: str) -> None:
    """A line for people, on stderr."""
    print(visible(message), file=sys.stderr, flush=True)


def error(message: str) -> None:
    """An error for people: one line on stderr, whatever the message holds."""
    remark(f"nas: error: {' '.join(message.split())}")


def show_json(data: Any) -> None:
    """A result for programs, on stdout. JSON spells control characters out by itself."""
    print(json.dumps(data, indent=1, allow_nan=False))


def _looks_numeric(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value[:1].isdigit())
