"""A domain of the corpus: one task, one search space, and one set of training options. Also the domains that are built by default."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from nas.errors import UsageError
from nas.ranges import LARGEST_SEED, require_whole
from nas.study import config
from nas.tasks.registry import load_task
from nas.tasks.task import Task
from nas.training.methods import METHODS
from nas.training.options import TrainingOptions
from onnx_graph import nearest, require_name
from search_spaces.masks import PATTERNS

LOWEST, HIGHEST = 0.02, 0.3
"""Range of the densities. Below it all masks fail; above it they differ by less than the noise of one training."""
STRATA = (0.03, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Half of the drawn masks have exactly one of these densities, of those that their domain allows."""
MOST_NETWORKS = 100_000_000
SHARD = 64
"""Number of networks in a full shard."""
METHODS_OF_SHARD, RUNS, CHILDREN = 3, 2, 2
"""Learned masks: number of methods in a shard, of trainings of every architecture by each of them, and of children of the masks found."""
LEARNED_MASKS = METHODS_OF_SHARD * RUNS + CHILDREN


@dataclass(frozen=True, kw_only=True)
class Domain:
    """Networks of one space, trained on one task in one way.

    Attributes:
        name: name of the domain and of its folder.
        task: name from `nas list tasks`, or a file; a relative path that does not exist is looked for in the folder of the data files.
        space: name from `nas list spaces`.
        networks: number of networks; the last shard holds the rest after the full shards.
        subset: number of training and validation examples together; None means all.
        options: options of the space other than densities and patterns.
        masks: number of consecutive networks that share an architecture and differ only in their masks; divides `SHARD`.
        densities: least and largest share of the weights that a network keeps.
        methods: methods that find the masks; none: the masks are drawn.
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
    densities: tuple[float, float] = (LOWEST, HIGHEST)
    methods: tuple[str, ...] = ()
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
        self._check_masks()
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

    def _check_masks(self) -> None:
        low, high = self.densities
        if not 0 < low <= high <= 1:
            raise UsageError(
                f"domain {self.name!r}: densities must rise and lie above 0 and at most at 1, got {low}, {high}"
            )
        if not self.methods:
            return
        if self.masks != LEARNED_MASKS or self.networks % self.masks:
            raise UsageError(
                f"domain {self.name!r}: masks of methods come in groups; masks must be {LEARNED_MASKS}, and networks a multiple of it"
            )
        if len(self.methods) < METHODS_OF_SHARD or len(set(self.methods)) < len(self.methods):
            raise UsageError(f"domain {self.name!r}: it needs at least {METHODS_OF_SHARD} methods, all different")
        for method in self.methods:
            require_name("method", method, METHODS, UsageError)

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
        return vars(self) | {"networks": 1} == vars(other) | {"networks": 1}

    def load(self, data_dir: Path | None = None) -> Task:
        """The task's data."""
        return load_task(self._place(data_dir), data_dir=data_dir, target=self.target, subset=self.subset)

    def _place(self, data_dir: Path | None) -> str:
        folder = data_dir or Path(os.environ.get("NAS_DATA_DIR", "."))
        elsewhere = Path(self.task).suffix and not Path(self.task).exists() and (folder / self.task).is_file()
        return str(folder / self.task) if elsewhere else self.task

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
    **dict.fromkeys(("densities", "methods"), (tuple, list)),
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


DOMAINS = read_plan(Path(__file__).with_name("domains.toml"))
"""The domains that `nas corpus build` builds by default."""

ALL_PATTERNS = tuple(PATTERNS.builtins)
