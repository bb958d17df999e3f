"""Relations: how the outputs of one operator depend on its inputs, and how fields pass through them, forward and backward."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

from onnx_graph.propagation.algebra import Algebra, added, folded
from onnx_graph.propagation.field import Field, reshaped
from onnx_graph.propagation.places import Cut, Put, joined
from onnx_graph.propagation.step import Gate, Step

Fields: TypeAlias = Sequence[Field | None]
"""A field for every input or output; None for a constant input or an output that is not needed."""


class Path(NamedTuple):
    """A dependence of one output on one input through some steps."""

    output: int
    input: int
    steps: tuple[Step, ...] = ()


class Relation(NamedTuple):
    """How the outputs of an operator depend on its inputs.

    Attributes:
        stages: paths from inputs to outputs; a recurrent operator has several stages with its hidden units between them.
        mixes: whether every output depends on all content of every input; there are no stages then.
        blurs: reason why the relation connects more than the operator does; empty if it is exact.
    """

    stages: tuple[tuple[Path, ...], ...]
    mixes: bool = False
    blurs: str = ""


def paths(*found: Path, blurs: str = "") -> Relation:
    """A relation of one stage."""
    return Relation((found,), blurs=blurs)


def mixing(reason: str) -> Relation:
    """Everything depends on everything."""
    return Relation((), mixes=True, blurs=reason)


def without_gates(relation: Relation) -> Relation:
    """The same relation without products with constants that contain zeros."""
    for stage in relation.stages:
        for path in stage:
            for step in path.steps:
                if isinstance(step, Gate):
                    return relation._replace(stages=tuple(tuple(map(_ungated, one)) for one in relation.stages))
    return relation


def _ungated(path: Path) -> Path:
    return path._replace(steps=tuple(step for step in path.steps if not isinstance(step, Gate)))


KEPT = paths(Path(0, 0))
"""Every position of the output depends only on the same position of the input."""
NOTHING = Relation(((),))
"""The outputs depend on the inputs' shapes only."""


def forward(relation: Relation, inputs: Fields, algebra: Algebra) -> Fields:
    """Fields of the outputs from the fields of the inputs; nothing reaches outputs beyond the result. Not for a relation that `mixes`."""
    fields = inputs
    for stage in relation.stages:
        fields = _ahead(stage, fields, algebra)
    return fields


def backward(relation: Relation, outputs: Fields, algebra: Algebra) -> Fields:
    """Fields of the inputs from the fields of the outputs; inputs beyond the result are not needed. Not for a relation that `mixes`."""
    fields = outputs
    for stage in reversed(relation.stages):
        fields = _back(stage, fields, algebra)
    return fields


def mixed(fields: Fields, ranks: Sequence[int], algebra: Algebra) -> list[Field | None]:
    """Fields of tensors with the given ranks that all depend on all content of the given fields."""
    found = []
    for field in fields:
        if field is not None:
            rank = field.ndim - algebra.tail
            found.append(reshaped(folded(field, tuple(range(rank)), algebra), (), rank))
    if not found:
        return [None] * len(ranks)
    total = added(found, algebra)
    return [reshaped(total, (1,) * rank, 0) for rank in ranks]


def _ahead(stage: Sequence[Path], fields: Fields, algebra: Algebra) -> list[Field | None]:
    if len(stage) == 1:
        (path,) = stage
        field = fields[path.input]
        if field is not None:
            for step in path.steps:
                field = step.forward(field, algebra)
        return [*[None] * path.output, field] if path.output else [field]
    arrived: dict[int, list[tuple[Path, Field]]] = {}
    for path in stage:
        field = fields[path.input]
        if field is not None:
            arrived.setdefault(path.output, []).append((path, field))
    return _each(arrived, algebra, back=False)


def _back(stage: Sequence[Path], fields: Fields, algebra: Algebra) -> list[Field | None]:
    if len(stage) == 1:
        (path,) = stage
        field = fields[path.output] if path.output < len(fields) else None
        if field is not None:
            for step in reversed(path.steps):
                field = step.backward(field, algebra)
        return [*[None] * path.input, field] if path.input else [field]
    arrived: dict[int, list[tuple[Path, Field]]] = {}
    for path in stage:
        field = fields[path.output] if path.output < len(fields) else None
        if field is not None:
            arrived.setdefault(path.input, []).append((path, field))
    return _each(arrived, algebra, back=True)


def _each(arrived: Mapping[int, Sequence[tuple[Path, Field]]], algebra: Algebra, *, back: bool) -> list[Field | None]:
    result: list[Field | None] = [None] * (max(arrived, default=-1) + 1)
    for end, found in arrived.items():
        result[end] = _together(found, algebra, back=back)
    return result


def _together(found: Sequence[tuple[Path, Field]], algebra: Algebra, *, back: bool) -> Field:
    """The sum of the fields from several paths; parts of one axis are joined."""
    if len(found) > 1 and all(
        path.steps and isinstance(_last(path, back=back), Cut if back else Put) for path, _ in found
    ):
        return _parts(found, algebra, back=back)
    return added([_walked(path, field, algebra, back=back) for path, field in found], algebra)


def _last(path: Path, *, back: bool) -> Step:
    return path.steps[0] if back else path.steps[-1]


def _parts(found: Sequence[tuple[Path, Field]], algebra: Algebra, *, back: bool) -> Field:
    pieces = []
    for path, field in found:
        steps = path.steps[:0:-1] if back else path.steps[:-1]
        for step in steps:
            field = step.backward(field, algebra) if back else step.forward(field, algebra)
        end = _last(path, back=back)
        assert isinstance(end, Cut | Put)
        pieces.append(end.part.placed(field))
    return joined(pieces, algebra)


def _walked(path: Path, field: Field, algebra: Algebra, *, back: bool) -> Field:
    if back:
        for step in reversed(path.steps):
            field = step.backward(field, algebra)
    else:
        for step in path.steps:
            field = step.forward(field, algebra)
    return field
