"""Bounds on the results of an operator, computed from bounds of its inputs; for graphs that no library has read yet."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

SMALL = 128
"""Maximal number of numbers of a constant that are read."""

MOST_AXES = 1 << 10
"""Maximal axes of one value: more than any array can have, as the bounds are not tight."""
MOST_AXES_TOGETHER = 1 << 22
MOST_CARRIED = 1 << 18
"""Maximal length of a list that inference stores; all such lists together may have four times as many numbers."""
MOST_PARTS = 1 << 24
"""Maximal number of numbers of a tensor that is split into a sequence."""
ANY = 1 << 62  # no bound


class Bound(NamedTuple):
    """Upper bounds of a value.

    Attributes:
        axes: rank; a sequence or optional value has one more than its content.
        numbers: number of its elements as far as a library can know it; open sizes count as 1.
        longest: length of its longest axis as far as a library can know it.
        carried: number of its elements that a library stores during inference.
        largest: largest element, if all elements are known to be integers.
    """

    axes: int = 0
    numbers: int = 1
    longest: int = 1
    carried: int = 0
    largest: int = ANY


class GrowthError(Exception):
    """A bound exceeds its limit."""


class Step(Protocol):
    """The facts about a node that a rule reads."""

    @property
    def operator(self) -> str:
        """Operator type."""

    @property
    def lengths(self) -> Mapping[str, int]:
        """Length of list and text attributes and value of integer attributes, by name; for pads, twice the largest."""

    @property
    def graphs(self) -> Sequence[object]:
        """Graphs in its attributes."""

    @property
    def made(self) -> Bound | None:
        """The bound of a constant."""


def made_by(step: Step, inputs: Sequence[Bound]) -> Bound:
    """The bound of the outputs of a step."""
    if step.made is not None:
        return step.made
    if step.operator == "SplitToSequence" and inputs[0].numbers > MOST_PARTS:
        raise GrowthError(step.operator)
    axes = _AXES.get(step.operator, _most_axes)(step, inputs)
    numbers = _NUMBERS.get(step.operator, _most_numbers)(step, inputs)
    carried = _CARRIED[step.operator](step, inputs) if step.operator in _CARRIED else 0
    if not all(bound.carried for bound in inputs) and step.operator != "Shape":
        carried = 0
    largest = inputs[0].longest if step.operator == "Shape" else ANY
    if step.operator in _KEEPS_NUMBERS:
        largest = max(bound.largest for bound in inputs)
    if step.operator == "Range" and carried:
        numbers = carried
    longest = _LONGEST.get(step.operator, _most_long)(step, inputs)
    return Bound(axes, min(numbers, ANY), min(longest, numbers, ANY), carried, largest)


Rule = Callable[[Step, Sequence[Bound]], int]


def _most_axes(step: Step, inputs: Sequence[Bound]) -> int:
    return max(bound.axes for bound in inputs) + (1 if step.graphs else 0)


def _most_numbers(step: Step, inputs: Sequence[Bound]) -> int:
    return max(bound.numbers for bound in inputs)


def _most_long(step: Step, inputs: Sequence[Bound]) -> int:
    return max(bound.longest for bound in inputs) + step.lengths.get("pads", 0)


def _most_carried(step: Step, inputs: Sequence[Bound]) -> int:
    return max(bound.carried for bound in inputs)


def _same_carried(step: Step, inputs: Sequence[Bound]) -> int:
    return inputs[0].carried


def _added(step: Step, inputs: Sequence[Bound]) -> int:
    """Stored numbers of a sum; for scalars they are added up, as the name of a sum of open sizes is as long as all their names."""
    alone = all(bound.numbers <= 1 for bound in inputs)
    return sum(bound.carried for bound in inputs) if alone else _most_carried(step, inputs)


def _ranged(step: Step, inputs: Sequence[Bound]) -> int:
    """Length of a Range if all three inputs are stored; the absolute step is at least 1."""
    if not all(bound.carried for bound in inputs):
        return 0
    return min(2 * max(bound.largest for bound in inputs), ANY)


def _filled(step: Step, inputs: Sequence[Bound]) -> int:
    """Number of elements of a tensor whose shape, the first input, contains no large number."""
    shape = inputs[0]
    return int(min(shape.largest ** min(shape.numbers, 64), ANY)) if shape.largest < ANY else ANY


def _fixed(number: int) -> Rule:
    return lambda step, inputs: number


def _second(inputs: Sequence[Bound]) -> Bound:
    return inputs[1] if len(inputs) > 1 else Bound()


def _listed(name: str) -> Rule:
    """Length of a list that is an attribute in old opsets and the second input in new ones."""
    return lambda step, inputs: step.lengths.get(name, _second(inputs).numbers)


def _one_more(step: Step, inputs: Sequence[Bound]) -> int:
    return max(bound.axes for bound in inputs) + 1


def _squeezed(step: Step, inputs: Sequence[Bound]) -> int:
    return max(inputs[0].axes - step.lengths.get("axes", int(len(inputs) > 1)), 0)


def _reduced(step: Step, inputs: Sequence[Bound]) -> int:
    return max(inputs[0].axes - int(step.lengths.get("keepdims", 1) == 0), 0)


def _gathered(step: Step, inputs: Sequence[Bound]) -> int:
    data, indices = inputs[0], _second(inputs)
    return indices.numbers if data.axes <= 1 else max(data.numbers, indices.numbers)


_REDUCTIONS = (
    "ArgMax", "ArgMin", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd",
    "ReduceSum", "ReduceSumSquare",
)  # fmt: skip
_WRAPPING = (
    "OneHot", "StringSplit", "SequenceConstruct", "SequenceInsert", "SplitToSequence", "Optional", "ConcatFromSequence", "SequenceMap",
)  # fmt: skip
_NESTS = frozenset({*_WRAPPING, "Unsqueeze", "GatherND", "If", "Loop", "Scan"})
READ_ATTRIBUTES = frozenset(
    {
        "Reshape",
        "RandomNormal",
        "RandomUniform",
        "Unsqueeze",
        "Squeeze",
        "Einsum",
        "Constant",
        "Conv",
        "MaxPool",
        "AveragePool",
        "LpPool",
        *_REDUCTIONS,
    }
)
"""Operators whose rules here read attributes."""
_WINDOWS = ("HannWindow", "HammingWindow", "BlackmanWindow")  # libraries make them of a Range
MULTIPLIES = frozenset({*_NESTS, *_WINDOWS, "Concat", "Range"})
DRIVERS = {"ConstantOfShape": 0, "Expand": 1, "Reshape": 1, "Gather": 1, "Col2Im": 1}
"""Input whose elements (`Gather`: axes) determine the number of output axes, by operator."""
_AXES: dict[str, Rule] = {
    "Shape": _fixed(1),
    "Size": _fixed(0),
    "NonZero": _fixed(2),
    "Range": _fixed(1),
    "Flatten": _fixed(2),
    "Gemm": _fixed(2),
    **dict.fromkeys(("RNN", "GRU", "LSTM"), _fixed(4)),
    **dict.fromkeys(("Reshape", "RandomNormal", "RandomUniform"), _listed("shape")),
    "ConstantOfShape": lambda step, inputs: inputs[0].numbers,
    "Expand": lambda step, inputs: max(inputs[0].axes, _second(inputs).numbers),
    "Gather": lambda step, inputs: max(inputs[0].axes + _second(inputs).axes - 1, 0),
    "GatherND": lambda step, inputs: inputs[0].axes + _second(inputs).axes,
    "Unsqueeze": lambda step, inputs: inputs[0].axes + _listed("axes")(step, inputs),
    "Squeeze": _squeezed,
    **dict.fromkeys(_REDUCTIONS, _reduced),
    "Einsum": lambda step, inputs: step.lengths.get("equation", 0),
    "Col2Im": lambda step, inputs: 2 + _second(inputs).numbers,
    **dict.fromkeys(_WRAPPING, _one_more),
}
_MAKES_MUCH = (
    "Range", "Tile", "Expand", "ConstantOfShape", "Pad", "Resize", "Upsample", "OneHot", "NonZero", "CenterCropPad", "RandomNormal",
    "RandomUniform", "MelWeightMatrix", "HannWindow", "HammingWindow", "BlackmanWindow", "STFT", "DFT", "ConvTranspose", "MatMul", "Gemm",
    "Einsum", "Col2Im", "AffineGrid", "GridSample",
)  # fmt: skip
_NUMBERS: dict[str, Rule] = {
    **dict.fromkeys(_MAKES_MUCH, _fixed(ANY)),
    "ConstantOfShape": _filled,
    "Shape": lambda step, inputs: inputs[0].axes,
    "Size": _fixed(1),
    "Concat": lambda step, inputs: sum(bound.numbers for bound in inputs),
    "Reshape": lambda step, inputs: inputs[0].numbers,
    "Gather": _gathered,
}
_CARRIED: dict[str, Rule] = {
    "Shape": lambda step, inputs: inputs[0].axes,
    "Size": _fixed(1),
    "Gather": lambda step, inputs: min(_gathered(step, inputs), MOST_CARRIED + 1) if inputs[0].carried else 0,
    "Concat": lambda step, inputs: sum(bound.carried for bound in inputs),
    "Add": _added,
    **dict.fromkeys(("Range", *_WINDOWS), _ranged),
    **dict.fromkeys(("Sub", "Mul"), _most_carried),
    **dict.fromkeys(("Cast", "Slice", "Squeeze", "Unsqueeze", "Identity", "Reshape", "Abs"), _same_carried),
}
_LONGEST: dict[str, Rule] = {
    **dict.fromkeys(set(_MAKES_MUCH) - {"MatMul", "Gemm", "Einsum"}, _fixed(ANY)),
    **dict.fromkeys(("Reshape", "Flatten"), lambda step, inputs: inputs[0].numbers),
    "ConstantOfShape": lambda step, inputs: inputs[0].largest,
    "Expand": lambda step, inputs: max(inputs[0].longest, _second(inputs).largest),
    "Concat": lambda step, inputs: sum(bound.longest for bound in inputs),
}
_KEEPS_NUMBERS = frozenset({"Gather", "Slice", "Concat", "Unsqueeze", "Squeeze", "Identity", "Cast"})
DRIVEN = frozenset({*DRIVERS, "Unsqueeze", "GatherND"})
