"""What a command prints: tables for people, JSON for programs, both on stdout; progress and remarks on stderr."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any


def add_format(parser: argparse.ArgumentParser) -> None:
    """The flag `--format`."""
    parser.add_argument(
        "--format", choices=("table", "json"), default="table", help="how to print the result (default: table)"
    )


def emit(args: argparse.Namespace, data: Any, rows: Sequence[Mapping[str, Any]], title: str = "") -> None:
    """Print `data` as JSON or `rows` as a table, as `--format` says."""
    if args.format == "json":
        print(json.dumps(data, indent=1, allow_nan=False))
    else:
        table(rows, title=title)


def table(rows: Sequence[Mapping[str, Any]], title: str = "") -> None:
    """A table with the keys of the first row as its head; numbers to the right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    if not rows:
        print(f"{printable(title)}: none" if title else "none")
        return
    grid = Table(title=printable(title) or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in rows[0]:
        numeric = all(isinstance(row.get(name), int | float) or _looks_numeric(row.get(name)) for row in rows)
        grid.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        grid.add_row(*(text(row.get(name)) for name in rows[0]))
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
    return f"{value:.4g}" if isinstance(value, float) else printable(str(value))


def printable(words: str) -> str:
    """The same text with everything that a terminal would act on, such as escape sequences in a name, written out: ``\\x1b``."""
    if words.isprintable():
        return words
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in words)


def remark(message: str) -> None:
    """A line for people, on stderr."""
    print(printable(message), file=sys.stderr, flush=True)


def error(message: str) -> None:
    """An error for people: one line on stderr, whatever the message holds."""
    remark(f"nas: error: {' '.join(message.split())}")


def _looks_numeric(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value[:1].isdigit())
