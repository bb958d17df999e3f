"""A domain of the corpus: one task, one search space, and one set of training options. Also the domains that are built by default."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from nas.errors import UsageError
from nas.ranges import LARGEST_SEED, require_whole
from nas.study import config
from nas.tasks.registry import load_task
from nas.tasks.task import Task
from nas.training.options import TrainingOptions
from onnx_graph import nearest
from search_spaces.masks import PATTERNS

LOWEST, HIGHEST = 0.02, 0.3
"""Range of the densities. Below it all masks fail; above it they differ by less than the noise of one training."""
STRATA = (0.03, 0.05, 0.1, 0.2)
"""Half of the masks have exactly one of these densities."""
MOST_NETWORKS = 100_000_000
SHARD = 64
"""Number of networks in a full shard."""


@dataclass(frozen=True, kw_only=True)
class Domain:
    """Networks of one space, trained on one task in one way.

    Attributes:
        name: name of the domain and of its folder.
        task: name from `nas list tasks`, or a file.
        space: name from `nas list spaces`.
        networks: number of networks; the last shard holds the rest after the full shards.
        subset: number of training and validation examples together; None means all.
        options: options of the space other than densities and patterns.
        masks: number of consecutive networks that share an architecture and differ only in their masks; divides `SHARD`.
        training: `TrainingOptions` by name, without `patience`: the splits that measure may not choose anything.
        target: column to predict, for a .csv task.
    """

    name: str
    task: str
    space: str
    networks: int
    subset: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    masks: int = 4
    training: Mapping[str, Any] = field(default_factory=dict)
    target: str | None = None

    def __post_init__(self) -> None:
        """Refuse values that no corpus can have."""
        if not self.name or not self.name.replace("-", "").replace("_", "").isalnum():
            raise UsageError(
                f"domain {self.name!r}: its name is that of a folder; take letters, digits, '-' and '_' alone"
            )
        require_whole(f"domain {self.name!r}: networks", self.networks, 1, MOST_NETWORKS)
        require_whole(f"domain {self.name!r}: masks", self.masks, 1, SHARD)
        if self.subset is not None:
            require_whole(f"domain {self.name!r}: subset", self.subset, 1, LARGEST_SEED)
        if SHARD % self.masks:
            raise UsageError(f"domain {self.name!r}: masks must be a divisor of {SHARD}, got {self.masks}")
        reserved = {"min_density", "max_density", "patterns", "max_nnz"} & set(self.options)
        if reserved:
            raise UsageError(f"domain {self.name!r}: the corpus itself sets {', '.join(sorted(reserved))}")
        if "patience" in self.training:
            raise UsageError(f"domain {self.name!r}: patience chooses an epoch by a split that measures; leave it out")
        try:
            _ = self.training_options
        except TypeError as error:
            known = ", ".join(one.name for one in fields(TrainingOptions))
            raise UsageError(f"domain {self.name!r}: training takes {known} ({error})") from error

    @property
    def shards(self) -> int:
        """Number of shards."""
        return -(-self.networks // SHARD)

    def shard_size(self, number: int) -> int:
        """Number of networks in a shard: `SHARD`, or fewer in the last one."""
        return min(SHARD, self.networks - number * SHARD)

    @property
    def training_options(self) -> TrainingOptions:
        """Training options of every network."""
        return TrainingOptions(**self.training)

    def is_part_of(self, other: "Domain") -> bool:
        """Whether the two differ at most in their number of networks, which may grow."""
        return replace(self, networks=1) == replace(other, networks=1)

    def load(self, data_dir: Path | None = None) -> Task:
        """The task's data."""
        return load_task(self.task, data_dir=data_dir, target=self.target, subset=self.subset)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


def from_mapping(data: Mapping[str, Any], place: str) -> Domain:
    """A domain from TOML or JSON values; `UsageError` names the wrong entry."""
    known = [one.name for one in fields(Domain)]
    for name in data:
        if name not in known:
            raise UsageError(f"{place}: a domain takes no {name!r}; did you mean {nearest(name, known)[0]!r}?")
    missing = [name for name in ("name", "task", "space", "networks") if name not in data]
    if missing:
        raise UsageError(f"{place}: a domain needs {', '.join(missing)}")
    for name, value in data.items():
        if not isinstance(value, _TYPES[name]) or isinstance(value, bool):
            raise UsageError(f"{place}: {name} of a domain cannot be {value!r}")
    return Domain(**_tuples(data))


_TYPES: Mapping[str, type[Any] | tuple[type[Any], ...]] = {
    **dict.fromkeys(("name", "task", "space"), str),
    **dict.fromkeys(("networks", "masks"), int),
    **dict.fromkeys(("options", "training"), Mapping),
    "subset": (int, type(None)),
    "target": (str, type(None)),
}


def _tuples(value: Any) -> Any:
    """Turns lists of TOML and JSON into tuples, so that a domain that was read equals the one that was written."""
    if isinstance(value, Mapping):
        return {name: _tuples(item) for name, item in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def read_plan(path: Path) -> tuple[Domain, ...]:
    """The domains of a TOML file; each is one table ``[[domain]]``."""
    data = config.read(path)
    tables = data.get("domain")
    named = isinstance(tables, list) and all(isinstance(table, dict) for table in tables)
    if not tables or not named or set(data) != {"domain"}:
        raise UsageError(f"{path} must hold tables [[domain]] and nothing else")
    return checked(tuple(from_mapping(table, str(path)) for table in tables), str(path))


def checked(domains: tuple[Domain, ...], place: str) -> tuple[Domain, ...]:
    """The domains; refuses a name that occurs twice."""
    names = [domain.name for domain in domains]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"{place}: domain {twice[0]!r} is there twice")
    return domains


_PERCEPTRON = {"depth": (1, 4), "width": (16, 128)}
DOMAINS: tuple[Domain, ...] = (
    Domain(
        name="mlp-digits",
        task="digits",
        space="mlp",
        networks=3136,
        options=_PERCEPTRON,
        training={"epochs": 25, "learning_rate": 5e-3, "schedule": "constant"},
    ),
    *(
        Domain(
            name=name,
            task=task,
            space="mlp",
            networks=1152,
            subset=5000,
            options=_PERCEPTRON,
            training={"epochs": 8, "learning_rate": 5e-3},
        )
        for name, task in (("mlp-mnist", "mnist"), ("mlp-fashion", "fashion-mnist"))
    ),
    Domain(
        name="cnn-digits",
        task="digits",
        space="cnn",
        networks=768,
        options={"channels": (12, 32), "cells": (1, 2), "nodes": (1, 3)},
        masks=16,
        training={"epochs": 15},
    ),
    Domain(
        name="cnn-fashion",
        task="fashion-mnist",
        space="cnn",
        networks=512,
        subset=2500,
        options={"channels": (8, 24), "cells": (1, 2), "nodes": (1, 3), "stem_strides": (2,)},
        masks=16,
        training={"epochs": 8},
    ),
    Domain(
        name="rnn-reber",
        task="embedded-reber",
        space="rnn",
        networks=1408,
        subset=1500,
        options={"layers": (1, 2), "hidden": (12, 40)},
        masks=8,
        training={"epochs": 10},
    ),
)
"""The domains that `nas corpus build` builds by default."""

ALL_PATTERNS = tuple(PATTERNS.builtins)
