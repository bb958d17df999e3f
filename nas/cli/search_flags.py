"""Flags made from the fields of `SearchConfig`, so that the command line, the file and the library share their names."""

import argparse
from dataclasses import Field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from nas.study.config import ALIASES, SearchConfig, read

GROUPS = {
    "what": (
        "task",
        "space",
        "model",
        "preprocessing",
        "space_option",
        "data_dir",
        "target",
        "subset",
        "table",
        "column",
        "test_column",
    ),
    "goal": ("objective", "constraint"),
    "search": (
        "strategy",
        "predictor",
        "trainings",
        "timeout",
        "round",
        "screen",
        "explore",
        "confirm",
        "repeats",
        "finish",
        "random_baseline",
        "seed",
    ),
    "training": (
        "epochs",
        "batch_size",
        "optimizer",
        "learning_rate",
        "schedule",
        "weight_decay",
        "patience",
        "method",
        "method_option",
        "init",
        "device",
    ),
    "where": ("executor", "workers", "worker_memory", "address"),
}


def add_flags(parser: argparse.ArgumentParser, names: tuple[str, ...] | None = None) -> None:
    """Add the flags of these fields (default: all). A flag that is not given stays unset, so that a config file can set it."""
    by_name = {field.name: field for field in fields(SearchConfig)}
    types = get_type_hints(SearchConfig)
    for title, members in GROUPS.items():
        chosen = [name for name in members if names is None or name in names]
        if chosen:
            group = parser.add_argument_group(title)
            for name in chosen:
                _add(group, by_name[name], types[name])


def config_of(args: argparse.Namespace) -> SearchConfig:
    """The configuration: defaults, then `--config FILE`, then flags."""
    data: dict[str, Any] = {}
    if getattr(args, "config", None) is not None:
        data = {key.replace("-", "_"): value for key, value in read(Path(args.config)).items()}
    given = {field.name: getattr(args, field.name) for field in fields(SearchConfig) if hasattr(args, field.name)}
    return SearchConfig.from_mapping(data | given, source=str(args.config) if data else "command line")


def _add(group: "argparse._ArgumentGroup", field: "Field[Any]", type_: Any) -> None:
    flag = "--" + field.name.replace("_", "-")
    aliases = [f"--{alias.replace('_', '-')}" for alias, name in ALIASES.items() if name == field.name]
    default = field.default
    help_ = field.metadata["help"].replace("%", "%%")
    if default is not None and default != () and default is not False:
        help_ += f" (default: {' '.join(default) if isinstance(default, tuple) else default})"
    kind: dict[str, Any] = {"default": argparse.SUPPRESS, "help": help_}
    plain = (
        next((t for t in get_args(type_) if t is not type(None)), type_)
        if get_origin(type_) not in (Literal, tuple)
        else type_
    )
    if plain is bool:
        kind["action"] = argparse.BooleanOptionalAction
    elif get_origin(plain) is tuple:
        kind |= {"action": "append", "metavar": "TEXT"}
    elif get_origin(plain) is Literal:
        kind["choices"] = get_args(plain)
    else:
        kind |= {"type": plain, "metavar": {int: "N", float: "X"}.get(plain, "TEXT")}
    group.add_argument(flag, *aliases, dest=field.name, **kind)
