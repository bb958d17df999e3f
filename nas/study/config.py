"""The configuration of a search: the same names on the command line, in a TOML file and in the library."""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from nas.errors import UsageError
from nas.names import nearest
from nas.training.options import TrainingOptions

if TYPE_CHECKING:
    from nas.training.methods.method import Method

ALIASES = {"n_trials": "trainings"}
"""Other names of options, as users of Optuna know them."""

FREE = ("trainings", "timeout", "repeats", "random_baseline", "device", "data_dir")
"""Options that do not decide what is tried: how much of it, where, and what is compared with it."""

STEPS, FEWEST_EPOCHS, MOST_EPOCHS = 1700, 10, 100
"""Default length of a training. On digits, sparse networks gain nothing from twice the 1,700 steps that 100 epochs are."""


def _option(default: Any, help_: str) -> Any:
    metadata = {"help": help_}
    if isinstance(default, tuple):
        return field(default=default, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """Everything that decides a search. Checked where it is made; every field's meaning is its `help`."""

    task: str = _option("digits", "task name (see `nas list tasks`), or a .npz or .csv file")
    space: str = _option("mlp", "search space (see `nas list spaces`)")
    model: str | None = _option(None, "the architecture of the space `onnx`: a .onnx file")
    space_option: tuple[str, ...] = _option((), "option of the space as NAME=VALUE; repeatable")
    data_dir: str | None = _option(None, "folder of the image data sets (default: $NAS_DATA_DIR)")
    target: str | None = _option(None, "column of a .csv task to predict")
    subset: int | None = _option(None, "use that many training and validation examples only")
    objective: tuple[str, ...] = _option(("accuracy",), "accuracy, or a cost to make small such as -nnz; repeatable")
    constraint: tuple[str, ...] = _option(
        (), "hard bound such as 'nnz<=600', 'nnz<=10%' (of dense) or 'bytes<=20000'; repeatable"
    )
    strategy: str = _option("evolution", "how candidates are proposed (see `nas list strategies`)")
    predictor: str = _option("quick", "what screens them before training (see `nas list predictors`), or none")
    trainings: int = _option(48, "real trainings in all, resumed ones counted")
    timeout: float | None = _option(None, "stop after that many seconds (the round in work is finished)")
    round: int = _option(8, "trainings between two refits of the predictor")
    screen: int = _option(64, "candidates built, encoded and scored in a round (tpe and nsga2: 32 at the most)")
    explore: float = _option(0.125, "share of a round taken at random, past the predictor")
    confirm: float = _option(0.2, "share of the trainings spent on training the leading candidates again")
    repeats: int = _option(3, "trainings of the winner and of each baseline for the report")
    random_baseline: bool = _option(False, "also run random search with as many trainings, for the report")
    seed: int = _option(0, "seed of everything random")
    epochs: int | None = _option(None, "epochs of a training (default: about 1,700 steps, from 10 to 100 epochs)")
    batch_size: int = _option(64, "examples in a training step")
    optimizer: Literal["adam", "sgd"] = _option("adam", "optimiser of a training")
    learning_rate: float = _option(1e-2, "learning rate at the start")
    schedule: Literal["cosine", "constant"] = _option("cosine", "learning-rate schedule")
    weight_decay: float = _option(0.0, "decoupled weight decay")
    patience: int | None = _option(None, "stop a training after that many epochs without a better validation metric")
    method: str = _option("static", "how mask and weights are trained (see `nas list methods`)")
    method_option: tuple[str, ...] = _option((), "option of the method as NAME=VALUE; repeatable")
    init: Literal["auto", "fan-in", "keep"] = _option(
        "auto", "initial weights: drawn for the masked fan-in, the model's own, or (auto) own for the space onnx"
    )
    device: str = _option("cpu", "cpu or cuda")

    def __post_init__(self) -> None:
        """Refuse values that no search can have."""
        _at_least("trainings", self.trainings, 1)
        _at_least("round", self.round, 1)
        _at_least("screen", self.screen, self.round)
        _at_least("repeats", self.repeats, 1)
        _at_least("seed", self.seed, 0)
        if not 0 <= self.explore <= 1 or not 0 <= self.confirm < 1:
            raise UsageError(f"explore must lie in [0, 1] and confirm in [0, 1), got {self.explore} and {self.confirm}")
        if self.timeout is not None and not self.timeout > 0:
            raise UsageError(f"timeout must be positive seconds, got {self.timeout}")
        if (self.space == "onnx") != (self.model is not None):
            raise UsageError("the space onnx needs a model (--model FILE.onnx), and only that space takes one")
        if self.init not in ("auto", "fan-in", "keep"):
            raise UsageError(f"init must be auto, fan-in or keep, got {self.init!r}")
        self.training_options()

    def resolved(self, examples: int) -> "SearchConfig":
        """With paths made absolute, and every choice that was left open made for a training split of so many examples."""
        steps = -(-examples // self.batch_size)
        epochs = min(MOST_EPOCHS, max(FEWEST_EPOCHS, round(STEPS / steps)))
        return replace(
            self,
            epochs=epochs if self.epochs is None else self.epochs,
            task=_absolute(self.task) if self.task.endswith((".npz", ".csv")) else self.task,
            model=None if self.model is None else _absolute(self.model),
            data_dir=None if self.data_dir is None else _absolute(self.data_dir),
        )

    def training_options(self) -> TrainingOptions:
        """The part that concerns one training; a number of epochs that is still open counts as the fewest."""
        shared = {name: getattr(self, name) for name in (f.name for f in fields(TrainingOptions)) if name != "init"}
        shared["epochs"] = FEWEST_EPOCHS if self.epochs is None else self.epochs
        init = ("keep" if self.space == "onnx" else "fan-in") if self.init == "auto" else self.init
        return TrainingOptions(**shared, init=init)

    def training_method(self) -> "Method":
        """The mask method with its options; `UsageError` where there is none of that name or it cannot take them."""
        from nas.training.methods.registry import create

        options = {}
        for text in self.method_option:
            name, sign, value = text.partition("=")
            if not sign or not name.strip():
                raise UsageError(f"method option {text!r} must be NAME=VALUE")
            options[name.strip()] = value.strip()
        return create(self.method, options)

    def to_json(self) -> dict[str, Any]:
        """All options by name; tuples as lists."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    def identity(self) -> dict[str, Any]:
        """The options that decide which trials there are; the others may change when a run goes on."""
        return {name: value for name, value in self.to_json().items() if name not in FREE}

    def to_toml(self) -> str:
        """The resolved configuration; `from_mapping(tomllib.loads(...))` gives it back."""
        import tomli_w

        return tomli_w.dumps({name: value for name, value in self.to_json().items() if value is not None})

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any], *, source: str = "the configuration") -> "SearchConfig":
        """Strictly: an unknown name or a value of the wrong type is a `UsageError` with the nearest name."""
        types = get_type_hints(cls)
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
    """The options in a TOML file, unchecked; `UsageError` where it cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from error


def _absolute(path: str) -> str:
    return str(Path(path).resolve())


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise UsageError(f"{name} must be at least {least}, got {value}")


def _coerce(where: str, value: Any, type_: Any) -> Any:
    """The value in the field's type, or a `UsageError`. A whole number is a fine float; true is no number."""
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
        elif option is float and isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        elif option in (int, str, bool) and type(value) is option:
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
