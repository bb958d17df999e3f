"""The body of ``POST /v1/searches``: the names of `nas.SearchConfig`, without those that name files or devices of the server."""

from dataclasses import fields
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr, create_model

from nas.service.json_numbers import Real, Whole
from nas.service.problems import unprocessable
from nas.study.config import LOCAL, SearchConfig

REASONS = {
    "data_dir": "the server knows where its data sets are",
    **dict.fromkeys(("table", "column", "test_column"), "tables of accuracies are files; use the command line"),
}
FORBIDDEN = {name: REASONS.get(name, "the server chooses where trainings run") for name in LOCAL}
"""Options of the command line that a request may not have, each with the reason."""
MEANINGS = {
    "task": "name of a task (see `GET /v1/tasks`), or the sha256 of an uploaded data set",
    "model": "sha256 of an uploaded ONNX file: the architecture of the space `onnx`",
    "target": "column of an uploaded csv file to predict (default: the one given at its upload)",
}
LARGEST = {"seed": 2**63 - 1, "trainings": 100_000, "epochs": 100_000, "batch_size": 1 << 20, "subset": 2**31 - 1}
BOUND = 10_000
"""Largest value of the other whole numbers."""
LEAST = {"seed": 0, "patience": 1, "epochs": 1, "batch_size": 1, "subset": 1}
Text = Annotated[str, Field(strict=True, max_length=300)]
EXAMPLES: list[Any] = [
    {"task": "digits", "constraint": ["nnz<=300"], "trainings": 12, "seed": 1},
    {"task": "embedded-reber", "space": "rnn", "objective": ["accuracy", "-nnz"], "trainings": 24},
]


def _field(name: str, type_: Any, default: Any, help_: str) -> tuple[Any, Any]:
    """A field of the request: the type with its bounds, the default and the meaning."""
    options = get_args(type_) if get_origin(type_) in (Union, UnionType) else (type_,)
    optional = NoneType in options
    plain = next(option for option in options if option is not NoneType)
    meaning = MEANINGS.get(name, help_)
    bounds: dict[str, Any] = {}
    allowed: Any = plain
    if get_origin(plain) is tuple:
        allowed, default = list[Text], list(default)
        bounds["max_length"] = 50
    elif plain is str:
        allowed = StrictStr
        bounds["max_length"] = 300
    elif plain is bool:
        allowed = StrictBool
    elif plain is int:
        allowed = Whole
        bounds |= {"ge": LEAST.get(name, 1), "le": LARGEST.get(name, BOUND)}
    elif plain is float:
        allowed = Real
        bounds |= {"ge": 0, "le": 1e9}
    elif get_origin(plain) is not Literal:
        raise TypeError(f"no schema for the option {name} of type {plain}")
    return (allowed | None if optional else allowed), Field(default, description=meaning, **bounds)


def _model() -> type[BaseModel]:
    types = get_type_hints(SearchConfig)
    known: dict[str, Any] = {
        field.name: _field(field.name, types[field.name], field.default, str(field.metadata["help"]))
        for field in fields(SearchConfig)
        if field.name not in FORBIDDEN
    }
    config = ConfigDict(extra="forbid", allow_inf_nan=False, json_schema_extra={"examples": EXAMPLES})
    return create_model("SearchRequest", __config__=config, __doc__="A search: what `nas search` takes.", **known)


SearchRequest = _model()


def refuse_forbidden(body: object) -> None:
    """422 with the reason for an option that names a file or a device of the server."""
    named = [name for name in FORBIDDEN if isinstance(body, dict) and name in body]
    if named:
        errors = [{"name": name, "detail": FORBIDDEN[name]} for name in named]
        raise unprocessable(f"{named[0]} cannot be set by a request: {FORBIDDEN[named[0]]}", errors)


def options(request: BaseModel) -> dict[str, Any]:
    """The options that the request sets, by name; unset ones keep their defaults."""
    return request.model_dump(exclude_unset=True, exclude_none=True)
