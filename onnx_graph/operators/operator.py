"""What is known of one ONNX operator."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from onnx_graph.propagation.call import Call
from onnx_graph.propagation.relation import Relation, mixing

Setting: TypeAlias = int | float | str | tuple["Setting", ...]
Rule: TypeAlias = Callable[[Call], Relation]
Role: TypeAlias = Literal[
    "weight", "bias", "scale", "shift", "mean", "variance", "slope", "table", "lengths", "state", "peephole"
]
LEARNED: frozenset[Role] = frozenset({"bias", "scale", "shift", "slope", "table", "peephole"})
"""Roles of inputs that a training changes, beside the weights."""
STATISTICS: frozenset[Role] = frozenset({"mean", "variance"})
"""Roles of inputs that hold what was measured in training."""


NOT_FOLLOWED = mixing("not followed: nothing is known of which output depends on which input")
UNFIT = mixing("its attributes and shapes contradict each other, or a rank is not known")
INDIRECT = mixing("an index, an axis or a shape depends on the data")


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Operator:
    """Facts about an ONNX operator.

    Attributes:
        name: its type, as in a node.
        kind: one of `kinds.KINDS`; empty where it is like no other.
        flow: how its outputs depend on its inputs: always the same, or a rule for each call.
        reads: how many inputs, the first ones, `flow` follows; where another one depends on data, everything mixes. None: all.
        domain: "" for operators of ONNX itself.
        ports: roles of the inputs that are learned or stand for a state.
        settings: inputs that are settings where they are constant; older operator sets have attributes of these names.
        defaults: values of attributes that are left out, where other operators have other ones.
        gates: of a recurrent operator: 1 for RNN, 3 for GRU, 4 for LSTM; else 0.
        gate_functions: activations of a recurrent operator by default, in lower case.
        zero: what zeros become: ``kept`` (zero), ``finite`` (another number, and the slope is a number), or empty: neither.
        rectifies: close to zero below zero, close to what it reads above.
        bent: not linear in positive numbers, or makes them negative; a graph that only counts paths leaves it out.
        sums: adds its inputs.
        ordered: its inputs cannot change places.
        moves: outputs are numbers of the first input in other places.
        rigid: no unit can be taken out of its inputs, as it counts them or has a constant for each that stays as it is.
        passes: does nothing at inference but hand on its first input.
        casts: hands it on as another type.
        shape_only: reads the shape of its input alone.
        folds: a constant is soon computed by the reference implementation; not so where that is slow, random or endless.
    """

    name: str = ""
    kind: str = ""
    flow: Relation | Rule = NOT_FOLLOWED
    reads: int | None = 1
    domain: str = ""
    ports: Mapping[int, Role] = field(default_factory=dict)
    settings: Mapping[int, str] = field(default_factory=dict)
    defaults: Mapping[str, Setting] = field(default_factory=dict)
    gates: int = 0
    gate_functions: tuple[str, ...] = ()
    zero: Literal["kept", "finite", ""] = ""
    rectifies: bool = False
    bent: bool = False
    sums: bool = False
    ordered: bool = False
    moves: bool = False
    rigid: bool = False
    passes: bool = False
    casts: bool = False
    shape_only: bool = False
    folds: bool = True

    def named(self, names: str) -> "tuple[Operator, ...]":
        """Operators of these names (separated by spaces) of which the same is known."""
        return tuple(replace(self, name=name) for name in names.split())

    def setting(self, name: str) -> int | None:
        """The input that holds a setting; None where only an attribute does."""
        return next((index for index, one in self.settings.items() if one == name), None)

    def port(self, role: Role) -> int | None:
        """The first input of a role; None where there is none."""
        return next(iter(self.ports_of(role)), None)

    def ports_of(self, role: Role) -> tuple[int, ...]:
        """All inputs of a role."""
        return tuple(index for index, one in self.ports.items() if one == role)

    def blocks(self, index: int) -> int:
        """Into how many gates axis 1 of an input of a recurrent operator is divided; 1 for any other."""
        if not self.gates:
            return 1
        role = self.ports.get(index)
        # A bias holds the input's and the hidden units' one after the other; three gates of an LSTM look at the cell.
        return {"weight": self.gates, "bias": 2 * self.gates, "peephole": 3}.get(role or "", 1)


def relation(operator: Operator, live: Sequence[bool], call: Callable[[], Call]) -> Relation:
    """How the outputs of a call depend on its inputs, of which some are `live`; everything mixes where that is not known."""
    if operator.reads is not None and True in live[operator.reads :]:
        return INDIRECT
    flow = operator.flow
    if isinstance(flow, Relation):
        return flow
    try:
        return flow(call())
    except (ValueError, IndexError, TypeError):
        return UNFIT  # nothing that a runtime would run, but files hold it
