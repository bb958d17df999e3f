"""Output of a command: tables for people and JSON for programs on stdout, progress and remarks on stderr.

All output goes through this module, so that a name in a foreign file cannot send control characters to the terminal.
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
    """Print `data` as JSON or `rows` as a table, depending on `--format`."""
    if args.format == "json":
        show_json(data)
    else:
        table(rows, title=title)


def table(rows: Sequence[Mapping[str, Any]], title: str = "") -> None:
    """A table with the keys of the first row as its header; numbers are aligned right."""
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
    # Piped output keeps all columns, because there is no terminal width.
    Console(width=None if sys.stdout.isatty() else 160, highlight=False, markup=False).print(grid)


def text(value: Any) -> str:
    """The text of a cell: empty for None, whole numbers with grouped digits, fractions with four digits."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def line(message: str = "") -> None:
    """Print a line of the result on stdout."""
    print(visible(message))


def remark(message: str) -> None:
    """Print a line for people on stderr."""
    print(visible(message), file=sys.stderr, flush=True)


def error(message: str) -> None:
    """Print an error for people, always as one line on stderr."""
    remark(f"nas: error: {' '.join(message.split())}")


def show_json(data: Any) -> None:
    """Print a result for programs on stdout. JSON escapes control characters."""
    print(json.dumps(data, indent=1, allow_nan=False))


def _looks_numeric(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value[:1].isdigit())
