"""The command that repeats a run: `nas search` with a flag for every option that differs from its default."""

import shlex
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from nas.study.config import SearchConfig

FIRST = ("task", "space")
"""Options that are written even if they have their default values."""


def words(config: Mapping[str, Any], out: str) -> list[list[str]]:
    """The command as groups of words that belong together; `config` is the configuration in a report, `out` the folder of the new run."""
    found = [["nas", "search"]]
    for field in fields(SearchConfig):
        value = config.get(field.name, field.default)
        default = list(field.default) if isinstance(field.default, tuple) else field.default
        if value != default or field.name in FIRST:
            found += _flag(field.name, value)
    return [*found, ["--out", out]]


def command(config: Mapping[str, Any], out: str = "runs/again") -> str:
    """The command for a shell, one option per line."""
    lines = [" ".join(map(shlex.quote, group)) for group in words(config, out)]
    return " \\\n  ".join(lines)


def _flag(name: str, value: Any) -> list[list[str]]:
    flag = "--" + name.replace("_", "-")
    if isinstance(value, bool):
        return [[flag if value else "--no-" + flag[2:]]]
    if isinstance(value, list | tuple):
        return [[f"{flag}={one}"] if str(one).startswith("-") else [flag, str(one)] for one in value]
    return [] if value is None else [[flag, str(value)]]
