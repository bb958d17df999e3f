"""Canonical operator classes: the kinds of the table of operators, and hashed classes for unknown operators.

Operators that compute the same kind of thing share a class; the node feature ``variant`` distinguishes them. The
classes of unknown operators are chosen by a stable hash of ``domain::OpType``, so that the same operator always lands
in the same class.
"""

import zlib
from collections.abc import Mapping

from onnx_graph.operators import KINDS, TABLE, facts_of

UNKNOWN_CLASSES = 4
CLASSES: tuple[str, ...] = (*KINDS, *(f"unknown_{index}" for index in range(UNKNOWN_CLASSES)))
INDEX: Mapping[str, int] = {name: index for index, name in enumerate(CLASSES)}


def _variants() -> dict[str, float]:
    """The variant of every operator: its position among the operators of its kind in the table, divided by their number."""
    members: dict[str, list[str]] = {}
    for one in TABLE.values():
        members.setdefault(one.kind, []).append(one.name)
    return {name: index / len(names) for names in members.values() for index, name in enumerate(names)}


_VARIANT: Mapping[str, float] = _variants()


def class_of(domain: str, name: str) -> str | None:
    """The class of an operator, or None if it has no class of its own."""
    return facts_of(domain, name).kind or None


def unknown_class(name: str) -> str:
    """The class that the unknown operator ``domain::OpType`` is hashed to."""
    return f"unknown_{zlib.crc32(name.encode()) % UNKNOWN_CLASSES}"


def variant(domain: str, name: str) -> float:
    """The number of an operator within its class, scaled to [0, 1); for an unknown operator, a hash of its name."""
    if class_of(domain, name) is not None:
        return _VARIANT[name]
    return (zlib.crc32(f"{domain}::{name}".encode()) >> 8) / 2**24
