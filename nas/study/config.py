"""The configuration of a search: the same names on the command line, in a TOML file and in the library."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from nas.errors import UsageError
from nas.input_file import read_toml
from nas.ranges import LARGEST_SEED, require_number, require_whole
from nas.training.options import TrainingOptions
from onnx_graph import nearest

AUTO = "auto"
"""Value of the options that choose for themselves."""

ALIASES = {"n_trials": "trainings"}
"""Other names of options, known from Optuna."""

FREE = (
    *("trainings", "timeout", "repeats", "finish", "random_baseline", "device", "data_dir"),
    *("executor", "workers", "worker_memory", "address"),
)
"""Options that do not change the trials, only their number, the machine and the comparisons."""

FINISHING, MOST_FINISHING = 2, 100
"""Trainings with which a winner goes on after a search on a subset, and most that can be asked for."""

MOST_WORKERS = 4096
"""Most processes of an executor."""

LONGEST = 1e9
"""Longest timeout in seconds, about thirty years."""

LOCAL = ("data_dir", "table", "column", "test_column", "device", "executor", "workers", "worker_memory", "address")
"""Options that name files, folders, devices and processes of one machine; a request to a server cannot have them."""

LOOKED_UP = "gp"
"""The predictor where a table is looked up: on hundreds of labels it is fitted in a second, and ranks as well as slower ones."""

STEPS, FEWEST_EPOCHS, MOST_EPOCHS = 1700, 10, 100
"""Default length of a training. On digits, 100 epochs are 1,700 steps; twice as many do not improve sparse networks."""


def _option(default: Any, help_: str) -> Any:
    metadata = {"help": help_}
    if isinstance(default, tuple):
        return field(default=default, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """All options of a search, checked at creation; the `help` of each field explains it."""

    task: str = _option("digits", "task name (see `nas list tasks`), or a .npz or .csv file")
    space: str = _option(
        AUTO,
        "search space (see `nas list spaces`); several are joined by +, as in mlp+cnn; auto: the model of --model, or all families that "
        "suit the task",
    )
    model: str | None = _option(None, "the architecture of the space `onnx`: a .onnx file")
    space_option: tuple[str, ...] = _option((), "option of the space as NAME=VALUE; repeatable")
    data_dir: str | None = _option(None, "folder of the image data sets (default: $NAS_DATA_DIR)")
    target: str | None = _option(None, "column of a .csv task to predict")
    preprocessing: Literal["auto", "model", "task"] = _option(
        "auto",
        "who prepares raw inputs for a model file: the model itself, or the task's normalisation; auto: the model where it "
        "says so, else what suits the weights in the file better",
    )
    table: str | None = _option(
        None,
        "accuracies that are looked up in the place of trainings: a .csv, .csv.gz or .npz file for a space such as nasbench201",
    )
    column: str | None = _option(None, "column of the table that guides the search")
    test_column: str | None = _option(
        None, "column of the table for the report (default: named like the other, with test for val; else the same)"
    )
    subset: int | None = _option(None, "use that many training and validation examples only")
    objective: tuple[str, ...] = _option(
        ("accuracy",), "accuracy, or a cost to make small such as -nnz (see `nas list metrics`); repeatable"
    )
    constraint: tuple[str, ...] = _option(
        (), "hard bound such as 'nnz<=600', 'nnz<=10%' (of dense) or 'bytes<=20000'; repeatable"
    )
    strategy: str = _option("guided", "how candidates are proposed (see `nas list strategies`)")
    predictor: str = _option(
        "auto",
        "what scores candidates before training (see `nas list predictors`), or none; auto: quick-warm for the guided strategy, quick "
        "for the others, gp with a table",
    )
    trainings: int = _option(48, "real trainings in all; those before a resume count too")
    timeout: float | None = _option(None, "start no new round after that many seconds")
    round: int = _option(8, "trainings between two refits of the predictor")
    screen: int = _option(
        64, "candidates built, encoded and scored in a round (tpe, nsga2 and nsga3: 32 at the most, gp: 16)"
    )
    explore: float = _option(0.125, "share of a round that is taken at random, without asking the predictor")
    confirm: float = _option(0.2, "share of the trainings spent on training the leading candidates again")
    repeats: int = _option(3, "trainings of the winner and of each baseline for the report")
    finish: int | None = _option(
        None,
        "trainings with which the winner goes on at the end, from its own weights, on the whole training split (default: 2 after a search "
        "with --subset, else 0)",
    )
    random_baseline: bool = _option(False, "also run random search with as many trainings, for the report")
    seed: int = _option(0, "seed of everything random")
    epochs: int | None = _option(None, "epochs of a training (default: about 1,700 steps, from 10 to 100 epochs)")
    batch_size: int = _option(64, "examples in a training step")
    optimizer: Literal["adam", "sgd"] = _option("adam", "optimiser of a training")
    learning_rate: float = _option(1e-2, "learning rate at the start")
    schedule: Literal["cosine", "constant"] = _option("cosine", "learning-rate schedule")
    weight_decay: float = _option(0.0, "decoupled weight decay")
    patience: int | None = _option(None, "stop a training after that many epochs without a better validation metric")
    method: str = _option(
        "auto",
        "how mask and weights are trained (see `nas list methods`); auto: the guided strategy chooses, the others train drawn masks "
        "as they are",
    )
    method_option: tuple[str, ...] = _option((), "option of the method as NAME=VALUE; repeatable")
    init: Literal["auto", "fan-in", "keep"] = _option(
        "auto", "initial weights: drawn for the masked fan-in, the model's own, or (auto) own for the space onnx"
    )
    device: str = _option("cpu", "cpu or cuda")
    executor: Literal["local", "processes", "ray"] = _option(
        "local", "where trainings run: in this process, in processes of this machine, or on a Ray cluster"
    )
    workers: int | None = _option(None, "processes of the executor `processes` (default: one for each CPU core)")
    worker_memory: float | None = _option(None, "GB that such a process may take (default: no limit)")
    address: str | None = _option(None, "address of a Ray cluster (default: one of this machine, for this search)")

    def __post_init__(self) -> None:
        """Refuse values that no search can have; a single text stands for a list of one."""
        for name, type_ in _types().items():
            object.__setattr__(self, name, _coerce(name, getattr(self, name), type_))
        for name, least in (("trainings", 1), ("round", 1), ("screen", 1), ("repeats", 1)):
            require_whole(name, getattr(self, name), least)
        require_whole("seed", self.seed, 0, LARGEST_SEED)
        if self.finish is not None:
            require_whole("finish", self.finish, 0, MOST_FINISHING)
        if self.screen < self.round:
            raise UsageError(f"screen must be at least {self.round}, as round is, got {self.screen}")
        if self.subset is not None:
            require_whole("subset", self.subset, 1, LARGEST_SEED)
        require_number("explore", self.explore, 0, 1)
        require_number("confirm", self.confirm, 0, 1, below=True)
        if self.workers is not None:
            require_whole("workers", self.workers, 1, MOST_WORKERS)
        if self.worker_memory is not None:
            require_number("worker_memory in GB", self.worker_memory, 0, LONGEST, above=True)
        self._require_executor("processes", "workers", "worker_memory")
        self._require_executor("ray", "address")
        if self.timeout is not None:
            require_number("timeout in seconds", self.timeout, 0, LONGEST, above=True)
        if self.space == AUTO and self.model is not None:
            object.__setattr__(self, "space", "onnx")
        if (self.space == "onnx") != (self.model is not None):
            raise UsageError("the space onnx needs a model (--model FILE.onnx), and only that space takes one")
        if self.init not in ("auto", "fan-in", "keep"):
            raise UsageError(f"init must be auto, fan-in or keep, got {self.init!r}")
        if self.table is None and (self.column is not None or self.test_column is not None):
            raise UsageError("column and test_column name columns of a table (--table FILE)")
        if self.table is not None and self.task not in ("digits", self.column):
            raise UsageError(f"a table takes the place of a task; leave --task {self.task} out")
        self.training_options()

    def _require_executor(self, executor: str, *names: str) -> None:
        """`UsageError` if options of an executor are given that is not chosen."""
        for name in names:
            if getattr(self, name) is not None and self.executor != executor:
                raise UsageError(f"{name} is an option of the executor {executor}, not of {self.executor}")

    def resolved(self, examples: int, *, families: str = AUTO, keep_paths: bool = False) -> "SearchConfig":
        """The configuration with absolute paths and all open choices made, for a training split with `examples` examples.

        `keep_paths` leaves the paths of data and model as they are.

        `families` is the space that suits the task, see `search_spaces.suited`. What is looked up in a table is the same each time, so
        that nothing is measured again.
        """
        if self.table is not None:
            looked_up: dict[str, Any] = {"table": _absolute(self.table), "task": self.column or self.task}
            looked_up |= {"epochs": 1, "confirm": 0.0, "repeats": 1, "finish": 0}
            looked_up["predictor"] = LOOKED_UP if self.predictor == "auto" else self.predictor
            return replace(self, **looked_up)
        steps = -(-examples // self.batch_size)
        epochs = min(MOST_EPOCHS, max(FEWEST_EPOCHS, round(STEPS / steps)))
        return replace(
            self,
            epochs=epochs if self.epochs is None else self.epochs,
            finish=(0 if self.subset is None else FINISHING) if self.finish is None else self.finish,
            space=families if self.space == AUTO else self.space,
            predictor=("quick-warm" if self.strategy == "guided" else "quick")
            if self.predictor == "auto"
            else self.predictor,
            task=_absolute(self.task) if self.task.endswith((".npz", ".csv")) and not keep_paths else self.task,
            model=self.model if self.model is None or keep_paths else _absolute(self.model),
            data_dir=None if self.data_dir is None else _absolute(self.data_dir),
        )

    def training_options(self) -> TrainingOptions:
        """The options of one training; an open number of epochs becomes `FEWEST_EPOCHS`."""
        shared = {name: getattr(self, name) for name in (f.name for f in fields(TrainingOptions)) if name != "init"}
        shared["epochs"] = FEWEST_EPOCHS if self.epochs is None else self.epochs
        init = ("keep" if self.space == "onnx" else "fan-in") if self.init == "auto" else self.init
        return TrainingOptions(**shared, init=init)

    @property
    def drawn_method(self) -> str:
        """Name of the method that trains drawn masks, and a model that is trained by itself."""
        return "static" if self.method == AUTO else self.method

    def to_json(self) -> dict[str, Any]:
        """All options by name; tuples as lists."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    def identity(self) -> dict[str, Any]:
        """The options that determine the trials; the others may change when a run is resumed."""
        return {name: value for name, value in self.to_json().items() if name not in FREE}

    def to_toml(self) -> str:
        """The configuration as TOML; `from_mapping(tomllib.loads(...))` restores it."""
        import tomli_w

        return tomli_w.dumps({name: value for name, value in self.to_json().items() if value is not None})

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any], *, source: str = "the configuration") -> "SearchConfig":
        """Reads a configuration strictly: an unknown name or a wrong type is a `UsageError` that names the nearest option."""
        types = _types()
        arguments = {}
        for name, value in data.items():
            known = ALIASES.get(name.replace("-", "_"), name.replace("-", "_"))
            if known not in types:
                close = nearest(known, types)
                raise UsageError(
                    f"{source}: unknown option {name!r}; did you mean {close[0]!r}? See `nas search --help`"
                )
            arguments[known] = _coerce(f"{source}: {name}", value, types[known])
        return cls(**arguments)


def read(path: Path) -> dict[str, Any]:
    """The options in a TOML file, unchecked; `UsageError` if the file cannot be read."""
    return read_toml(path, error=UsageError)


@cache
def _types() -> dict[str, Any]:
    """The type of every field."""
    return get_type_hints(SearchConfig)


def _absolute(path: str) -> str:
    return str(Path(path).resolve())


def _coerce(where: str, value: Any, type_: Any) -> Any:
    """The value in the field's type, or a `UsageError`. Accepts an int where a float is expected, but not a bool."""
    options = get_args(type_) if get_origin(type_) not in (Literal, tuple) else (type_,)
    for option in options or (type_,):
        if option is type(None) and value is None:
            return None
        if get_origin(option) is tuple:
            texts = [value] if isinstance(value, str) else value
            if isinstance(texts, list | tuple) and all(isinstance(text, str) for text in texts):
                return tuple(texts)
        elif get_origin(option) is Literal:
            if value in get_args(option):
                return value
        elif option is float and isinstance(value, Real) and not isinstance(value, bool):
            return float(value)
        elif option is int and isinstance(value, Integral) and not isinstance(value, bool):
            return int(value)
        elif option is str and isinstance(value, str | os.PathLike):
            return os.fspath(value)
        elif option is bool and isinstance(value, bool):
            return value
    raise UsageError(f"{where} must be {_described(type_)}, got {value!r}")


def _described(type_: Any) -> str:
    """A field's type in words."""
    if get_origin(type_) is Literal:
        return " or ".join(get_args(type_))
    if get_origin(type_) is tuple:
        return "a list of texts"
    names = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
    options = [option for option in get_args(type_) or (type_,) if option is not type(None)]
    return " or ".join(names.get(option, str(option)) for option in options)
