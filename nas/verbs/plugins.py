"""Lists everything that has a name, with its origin and meaning, for `nas list` and the service.

CONTRIBUTING.md has the table of entry-point groups (section "Add a plug-in").
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any

from onnx_graph import Listed, Registry

Row = dict[str, str]


def listed(what: str) -> tuple[list[Row], list[str]]:
    """The rows of a kind of `KINDS`, each with ``name``, ``origin`` and ``meaning``, and the problems with some of them."""
    return KINDS[what]()


def _table(
    lines: Iterable[Listed], facts: Callable[[str], Mapping[str, str]] = lambda name: {}
) -> tuple[list[Row], list[str]]:
    """One row per name; `facts` adds columns for names that can be used."""
    rows, problems = [], []
    for line in lines:
        known = {} if line.problem else dict(facts(line.name))
        meaning = line.problem or known.pop("meaning", line.summary)
        rows.append({"name": line.name, "origin": line.origin, **known, "meaning": meaning})
        if line.problem:
            problems.append(line.problem)
    columns = [*dict.fromkeys(name for row in rows for name in row if name != "meaning"), "meaning"]
    return [{name: row.get(name, "") for name in columns} for row in rows], problems


def _with_kinds(parts: Mapping[str, tuple[list[Row], list[str]]]) -> tuple[list[Row], list[str]]:
    """Several tables as one, with the additional column ``kind``."""
    rows = [{"kind": kind, **row} for kind, (rows, _) in parts.items() for row in rows]
    return rows, [problem for _, problems in parts.values() for problem in problems]


def _tasks() -> tuple[list[Row], list[str]]:
    from nas.tasks.registry import NEEDS, OWN_FILES, TASKS

    rows, problems = _table(TASKS.listed(), lambda name: {"needs": NEEDS.get(name, "")})
    own = [
        {"name": name, "origin": "your file", "needs": needs, "meaning": meaning} for name, meaning, needs in OWN_FILES
    ]
    return [*rows, *own], problems


def _spaces() -> tuple[list[Row], list[str]]:
    from search_spaces import SPACES

    return _table(SPACES.listed(), lambda name: {"options": _options(SPACES.load(name).options_type)})


def _options(options_type: Any) -> str:
    """Names and default values of the fields of an options dataclass."""
    return ", ".join(f"{field.name}={_shown(field.default)}" for field in fields(options_type))


def _shown(default: Any) -> str:
    if isinstance(default, tuple):
        return "[" + ",".join(_shown(one) for one in default) + "]"
    return "none" if default is None else str(default)


def _strategies() -> tuple[list[Row], list[str]]:
    from nas.engine.strategies import STRATEGIES

    return _table(STRATEGIES.listed())


def _predictors() -> tuple[list[Row], list[str]]:
    from predictors import COST_PREDICTORS, PREDICTORS

    return _with_kinds({"accuracy": _table(PREDICTORS.listed()), "cost": _table(COST_PREDICTORS.listed())})


def _masks() -> tuple[list[Row], list[str]]:
    from search_spaces.masks import CAPACITIES, DISTRIBUTIONS, EDITS, PATTERNS

    tables: dict[str, Registry[Any]] = {
        "distribution": DISTRIBUTIONS,
        "pattern": PATTERNS,
        "capacity": CAPACITIES,
        "edit": EDITS,
    }
    return _with_kinds({kind: _table(registry.listed(), _keywords_of(registry)) for kind, registry in tables.items()})


def _keywords_of(registry: Registry[Any]) -> Callable[[str], Mapping[str, str]]:
    from search_spaces.masks import keyword_options

    return lambda name: {"options": ", ".join(keyword_options(registry.load(name)))}


def _methods() -> tuple[list[Row], list[str]]:
    from nas.training.methods.registry import METHODS, facts

    return _table(METHODS.listed(), facts)


def _metrics() -> tuple[list[Row], list[str]]:
    from nas.losses import LOSSES
    from nas.measure.costs import COSTS
    from nas.metrics import METRICS

    return _with_kinds(
        {
            "metric": _table(METRICS.listed(), lambda name: _facts(METRICS.load(name))),
            "cost": _table(COSTS.listed(), lambda name: _facts(COSTS.load(name))),
            # A loss is not loaded: that would import torch.
            "loss": _table(LOSSES.listed(), lambda name: {"unit": "", "better": "less"}),
        }
    )


def _facts(quantity: Any) -> Row:
    better = "more" if quantity.direction == "maximize" else "less"
    return {"unit": quantity.unit, "better": better, "meaning": quantity.meaning}


def _formats() -> tuple[list[Row], list[str]]:
    from nas.exporters.registry import EXPORT_FORMATS

    return _table(EXPORT_FORMATS.listed(), lambda name: {"suffix": EXPORT_FORMATS.load(name).suffix})


KINDS: Mapping[str, Callable[[], tuple[list[Row], list[str]]]] = {
    "tasks": _tasks,
    "spaces": _spaces,
    "strategies": _strategies,
    "predictors": _predictors,
    "masks": _masks,
    "methods": _methods,
    "metrics": _metrics,
    "formats": _formats,
}
