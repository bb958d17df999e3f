"""The boundary between this code and untrusted models: every failure on such a model becomes one typed error that names the node.

A file may hold an attribute of a wrong type, shapes that contradict each other, or an operator that is used against its definition.
Checks at the start find most of that. What they do not find makes the code fail somewhere with `ValueError`, `TypeError` and the
like. The functions that are wrapped here turn such an error into `UnreadableModelError`, with the original as its cause, so that
a defect of ours on a sound model can still be found (`nas --debug` shows the whole chain).
"""

import os
from collections.abc import Callable
from functools import wraps
from types import TracebackType
from typing import ParamSpec, TypeVar

import onnx_ir as ir
from google.protobuf.message import DecodeError, EncodeError  # type: ignore[import-untyped]

from onnx_graph.errors import GraphError, InvalidModelError, UnreadableModelError

P = ParamSpec("P")
R = TypeVar("R")

FAMILIES = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    AssertionError,
    DecodeError,
    EncodeError,
)
"""Errors raised by code that reads unexpected data. `OSError` is not among them: a full disk is not a fault of the model."""

_LONGEST_REASON = 200


def typed(what: str, *, passes: tuple[type[Exception], ...] = ()) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Wrap a function that reads an untrusted model.

    Args:
        what: participle for the message "cannot be …", such as ``counted``.
        passes: documented errors that are passed on unchanged, in addition to `GraphError`.

    Returns:
        A decorator. The wrapped function raises `UnreadableModelError` for `MemoryError` and for everything in `FAMILIES`. If its
        first argument is a path, the message of an `InvalidModelError` begins with this path.
    """

    promised: tuple[type[Exception], ...] = (GraphError, *passes)

    def wrap(action: Callable[P, R]) -> Callable[P, R]:
        @wraps(action)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return action(*args, **kwargs)
            except InvalidModelError as error:
                file = _file(args)
                if not file or str(error).startswith(file):
                    raise
                raise type(error)(file + str(error)) from error.__cause__
            except promised:
                raise
            except (MemoryError, *FAMILIES) as error:
                if error.__traceback__ is None or error.__traceback__.tb_next is None:
                    raise  # a call with wrong arguments: it never began
                raise UnreadableModelError(f"{_file(args)}cannot be {what}: {_reason(error)}") from error

        return wrapped

    return wrap


def _file(args: tuple[object, ...]) -> str:
    """Beginning of a message: the path, if the function was given one."""
    first = args[0] if args else None
    return f"{os.fspath(first)!s}: " if isinstance(first, str | os.PathLike) else ""


def _reason(error: BaseException) -> str:
    """The kind of error, its first line, and the node that was read when it happened."""
    root = error
    while isinstance(root, ir.serde.SerdeError) and root.__cause__ is not None:
        root = root.__cause__
    if isinstance(root, MemoryError):
        text = "there is not enough memory for it"
    else:
        lines = str(root).strip().splitlines() or [""]
        text = f"{type(root).__name__}: {lines[0][:_LONGEST_REASON]}"
    node = _node_at(error.__traceback__)
    return text if node is None else f"{text} (at node {_name(node)!r}, operator {node.op_type})"


def _node_at(trace: TracebackType | None) -> ir.Node | None:
    """The node that the innermost failed function was processing."""
    found = None
    while trace is not None:
        for name in ("node", "operator", "use", "entry"):
            held = trace.tb_frame.f_locals.get(name)
            node = held if isinstance(held, ir.Node) else getattr(held, "node", None)
            if isinstance(node, ir.Node):
                found = node
        trace = trace.tb_next
    return found


def _name(node: ir.Node) -> str:
    return node.name or next((value.name for value in node.outputs if value.name), "") or "?"
