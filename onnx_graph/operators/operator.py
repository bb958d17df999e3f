"""Facts about one ONNX operator."""

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
"""Roles of inputs that training changes, in addition to the weights."""
STATISTICS: frozenset[Role] = frozenset({"mean", "variance"})
"""Roles of inputs that hold statistics measured in training."""


NOT_FOLLOWED = mixing("not followed: nothing is known of which output depends on which input")
UNFIT = mixing("its attributes and shapes contradict each other, or a rank is not known")
INDIRECT = mixing("an index, an axis or a shape depends on the data")


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Operator:
    """Facts about an ONNX operator.

    Attributes:
        name: operator type, as in a node.
        kind: one of `kinds.KINDS`; empty if it belongs to none.
        flow: dependence of its outputs on its inputs: one relation for all calls, or a rule that is applied to each call.
        reads: number of leading inputs that `flow` follows; None: all. If another input depends on data, everything mixes.
        domain: operator domain; "" for ONNX itself.
        ports: roles of the inputs that are learned or hold a state, by input number.
        settings: names of inputs that are settings if they are constant; in older operator sets, attributes of these names.
        defaults: default values of attributes, if they differ from those of other operators.
        gates: gates of a recurrent operator: 1 for RNN, 3 for GRU, 4 for LSTM; else 0.
        gate_functions: default activations of a recurrent operator, in lower case.
        zero: result for zero: ``kept`` (zero), ``finite`` (another number, with a finite slope), or empty (neither).
        rectifies: whether it is close to zero for negative inputs and close to the identity for positive ones.
        bent: whether it is nonlinear for positive numbers or makes them negative; a graph that only counts paths omits it.
        sums: whether it adds its inputs.
        ordered: whether the order of its inputs matters.
        moves: whether its outputs are numbers of the first input at other positions.
        rigid: whether no unit can be removed from its inputs, because it counts units or has a fixed constant for each.
        passes: whether it only passes on its first input at inference.
        casts: whether it passes on its first input as another type.
        shape_only: whether it reads only the shape of its input.
        folds: whether the reference implementation may compute its constants; False if that is slow, random or endless.
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
        """Operators of these names (separated by spaces) with the same facts."""
        return tuple(replace(self, name=name) for name in names.split())

    def setting(self, name: str) -> int | None:
        """The input that holds a setting; None if only an attribute can hold it."""
        return next((index for index, one in self.settings.items() if one == name), None)

    def port(self, role: Role) -> int | None:
        """The first input with a role; None if there is none."""
        return next(iter(self.ports_of(role)), None)

    def ports_of(self, role: Role) -> tuple[int, ...]:
        """All inputs with a role."""
        return tuple(index for index, one in self.ports.items() if one == role)

    def blocks(self, index: int) -> int:
        """Number of gates into which axis 1 of an input of a recurrent operator is divided; 1 for any other input."""
        if not self.gates:
            return 1
        role = self.ports.get(index)
        # A bias holds the biases of the inputs, then those of the hidden units. Three gates of an LSTM have peepholes to the cell.
        return {"weight": self.gates, "bias": 2 * self.gates, "peephole": 3}.get(role or "", 1)


def relation(operator: Operator, live: Sequence[bool], call: Callable[[], Call]) -> Relation:
    """How the outputs of a call depend on its `live` inputs; everything mixes if that is not known."""
    if operator.reads is not None and True in live[operator.reads :]:
        return INDIRECT
    flow = operator.flow
    if isinstance(flow, Relation):
        return flow
    try:
        return flow(call())
    except (ValueError, IndexError, TypeError):
        return UNFIT  # no runtime would run this, but files contain it
