"""Space of convolutional networks: a stem, cells whose wiring is a random DAG of convolutions and pools, a linear head.

As in CT-NAS (Stier, Darji and Granitzer 2021, arXiv:2107.12917) one small DAG is the theme that every cell repeats. Its
vertices are convolutions, depthwise-separable convolutions, pools or the identity, the inputs of a vertex are summed,
and all vertices of a cell have the same number of channels; between two cells the image may shrink and the channels grow.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

from search_spaces import genes
from search_spaces.errors import InvalidCandidateError, InvalidOptionError
from search_spaces.masked_space import MaskedSpace
from search_spaces.network_builder import ACTIVATIONS, NetworkBuilder, sizes
from search_spaces.options import MOST_NODES, SpaceOptions, check_names, check_range
from search_spaces.signature import Signature
from search_spaces.space import TrialLike

OPERATIONS = (
    "conv1x1",
    "conv3x3",
    "conv5x5",
    "separable3x3",
    "separable5x5",
    "max-pool3x3",
    "average-pool3x3",
    "identity",
)
REDUCTIONS = ("none", "stride", "max-pool", "average-pool")
HEADS = ("average-pool", "flatten")
_SMALLEST_TO_REDUCE = 4


@dataclass(frozen=True, kw_only=True)
class CNNOptions(SpaceOptions):
    """Ranges of the architecture; all bounds are included.

    Attributes:
        channels: channels of the stem and the first cell, drawn log-uniformly.
        cells: number of cells.
        nodes: vertices of a cell.
        operations: names of `OPERATIONS` that a vertex may be.
        growths: factors of the channels from one cell to the next.
        stem_strides: strides of the stem's 3×3 convolution.
        reductions: names of `REDUCTIONS`: how the image is halved between cells, while its sides are at least 4.
        activations: names of `ACTIVATIONS`.
        batch_norms: whether convolutions are followed by batch normalisation.
        heads: names of `HEADS`: the layers between the last cell and the linear layer.
    """

    channels: tuple[int, int] = (8, 32)
    cells: tuple[int, int] = (1, 3)
    nodes: tuple[int, int] = (1, 4)
    operations: tuple[str, ...] = OPERATIONS
    growths: tuple[float, ...] = (1.0, 1.5, 2.0)
    stem_strides: tuple[int, ...] = (1, 2)
    reductions: tuple[str, ...] = REDUCTIONS[1:]
    activations: tuple[str, ...] = ("relu", "leaky-relu", "silu")
    batch_norms: tuple[bool, ...] = (False, True)
    heads: tuple[str, ...] = HEADS

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        check_range("channels", self.channels, 1)
        check_range("cells", self.cells, 1)
        check_range("nodes", self.nodes, 1, MOST_NODES)
        check_names("operations", self.operations, OPERATIONS)
        check_names("reductions", self.reductions, REDUCTIONS)
        check_names("activations", self.activations, ACTIVATIONS)
        check_names("heads", self.heads, HEADS)
        if not self.batch_norms or not all(isinstance(value, bool) for value in self.batch_norms):
            raise InvalidOptionError(f"batch_norms is {self.batch_norms!r}; it must hold true, false or both")
        if not self.stem_strides or not all(stride in (1, 2) for stride in self.stem_strides):
            raise InvalidOptionError(f"stem_strides is {self.stem_strides!r}; it must hold 1, 2 or both")
        if not self.growths or not all(
            isinstance(value, (int, float)) and 0.25 <= value <= 4 for value in self.growths
        ):
            raise InvalidOptionError(f"growths is {self.growths!r}; it must hold numbers in [0.25, 4]")
        object.__setattr__(self, "growths", tuple(float(value) for value in self.growths))


@dataclass(frozen=True, kw_only=True)
class CNNDesign:
    """A convolutional network without its masks.

    Attributes:
        channels: channels of the stem.
        cells: number of cells.
        operations: operations of the vertices of a cell, in order.
        edges: pairs of vertices, source before target; vertex 0 is the cell's input.
        growth: factor of the channels from cell to cell.
        stem_stride: stride of the stem's convolution.
        reduction: how the image is halved between cells.
        activation: activation after every convolution.
        batch_norm: whether a batch normalisation lies between convolution and activation.
        head: the layers before the linear layer.
    """

    channels: int
    cells: int
    operations: tuple[str, ...]
    edges: frozenset[tuple[int, int]]
    growth: float
    stem_stride: int
    reduction: str
    activation: str
    batch_norm: bool
    head: str


class CNNSpace(MaskedSpace[CNNOptions, CNNDesign]):
    """Convolutional networks for inputs ``(C, H, W)``."""

    name = "cnn"
    live_when_whole = True
    options_type = CNNOptions
    sizes = ("channels",)

    def __init__(self, signature: Signature, settings: CNNOptions) -> None:
        """Raises `InvalidOptionError` for inputs that are not images."""
        super().__init__(signature, settings)
        if len(signature.input_shape) != 3:
            raise InvalidOptionError(
                f"space 'cnn' needs examples of shape (C, H, W), not {signature.input_shape}; "
                "reshape them to images, or take 'mlp' (any shape) or 'rnn' (sequences)"
            )
        if signature.per_step:
            raise InvalidOptionError("space 'cnn' gives one output per example, not one per time step; take 'rnn'")

    def design(self, trial: TrialLike) -> CNNDesign:
        """Ask for the architecture."""
        settings = self.settings
        nodes = genes.integer(trial, "nodes", settings.nodes)
        operations = tuple(
            genes.choice(trial, f"operation_{node}", settings.operations) for node in range(1, nodes + 1)
        )
        pairs = [(source, target) for target in range(2, nodes + 1) for source in range(target)]
        edges = frozenset(pair for pair in pairs if genes.flag(trial, f"edge_{pair[0]}_{pair[1]}"))
        return CNNDesign(
            channels=genes.integer(trial, "channels", settings.channels, log=True),
            cells=genes.integer(trial, "cells", settings.cells),
            operations=operations,
            edges=edges,
            growth=_number(trial.suggest_categorical("growth", list(settings.growths))),
            stem_stride=int(_number(trial.suggest_categorical("stem_stride", list(settings.stem_strides)))),
            reduction=genes.choice(trial, "reduction", settings.reductions),
            activation=genes.choice(trial, "activation", settings.activations),
            batch_norm=bool(trial.suggest_categorical("batch_norm", list(settings.batch_norms))),
            head=genes.choice(trial, "head", settings.heads),
        )

    def preferred(self) -> list[dict[str, genes.Gene]]:
        """As in LeNet-5: two 5×5 convolutions with a pool between them and a linear layer; and a strided one."""
        lenet: dict[str, genes.Gene] = {
            **{"nodes": 1, "operation_1": "conv5x5", "cells": 2, "channels": 16, "growth": 2.0, "stem_stride": 1},
            **{"reduction": "max-pool", "activation": "relu", "batch_norm": False, "head": "flatten"},
        }
        return [lenet, lenet | {"stem_stride": 2, "operation_1": "conv3x3", "reduction": "stride"}]

    def network(self, design: CNNDesign) -> NetworkBuilder:
        """Stem, cells with transitions between them, head."""
        _check(design)
        builder = NetworkBuilder(self.signature.input_shape, "cnn")
        blocks = _Blocks(builder, design)
        x = blocks.convolution(builder.input, design.channels, 3, "stem", stride=design.stem_stride)
        for cell in range(1, design.cells + 1):
            if cell > 1:
                x = _transition(
                    builder, blocks, x, round(design.channels * design.growth ** (cell - 1)), f"transition_{cell - 1}"
                )
            x = _cell(builder, blocks, x, f"cell_{cell}")
        if design.head == "average-pool":
            x = builder.node("GlobalAveragePool", [x], ["N", sizes(x)[0], 1, 1], "pool")
        return builder.finish(builder.gemm(builder.flatten(x), self.signature.outputs, "head"))


class _Blocks:
    """Convolutions with the normalisation and activation of one design."""

    def __init__(self, builder: NetworkBuilder, design: CNNDesign) -> None:
        self.builder = builder
        self.design = design

    def convolution(self, x: ir.Value, channels: int, kernel: int, name: str, *, stride: int = 1) -> ir.Value:
        """Convolution, normalisation, activation."""
        norm = self.design.batch_norm
        x = self.builder.convolution(x, channels, kernel, name, stride=stride, bias=not norm)
        if norm:
            x = self.builder.batch_norm(x, f"{name}.norm")
        return self.builder.activation(x, self.design.activation, f"{name}.activation")

    def separable(self, x: ir.Value, kernel: int, name: str) -> ir.Value:
        """One filter per channel, then a 1×1 convolution."""
        channels = sizes(x)[0]
        depthwise = self.builder.convolution(x, channels, kernel, f"{name}.depthwise", groups=channels, bias=False)
        return self.convolution(depthwise, channels, 1, f"{name}.pointwise")

    def operation(self, x: ir.Value, operation: str, name: str) -> ir.Value:
        """Append the operation of a vertex; its output is an image of the same shape."""
        if operation == "identity":
            return x
        if operation.startswith("conv"):
            return self.convolution(x, sizes(x)[0], int(operation[-1]), name)
        if operation.startswith("separable"):
            return self.separable(x, int(operation[-1]), name)
        return self.builder.pool(x, "MaxPool" if operation.startswith("max") else "AveragePool", 3, 1, name)


def _cell(builder: NetworkBuilder, blocks: _Blocks, x: ir.Value, name: str) -> ir.Value:
    """A vertex without source reads the cell's input; vertices without target are summed into the cell's output."""
    design = blocks.design
    values = [x]
    for node, operation in enumerate(design.operations, 1):
        sources = [source for source in range(node) if (source, node) in design.edges] or [0]
        label = f"{name}.node_{node}"
        values.append(blocks.operation(_sum(builder, [values[source] for source in sources], label), operation, label))
    used = {source for source, _ in design.edges}
    ends = [values[node] for node in range(1, len(values)) if node not in used]
    return _sum(builder, ends, f"{name}.end")


def _transition(builder: NetworkBuilder, blocks: _Blocks, x: ir.Value, channels: int, name: str) -> ir.Value:
    """Halve the image if it is large enough; a convolution is appended wherever the number of channels changes."""
    reduction = blocks.design.reduction if min(sizes(x)[1:]) >= _SMALLEST_TO_REDUCE else "none"
    if reduction == "stride":
        return blocks.convolution(x, channels, 3, name, stride=2)
    if reduction != "none":
        x = builder.pool(x, "MaxPool" if reduction == "max-pool" else "AveragePool", 2, 2, f"{name}.pool")
    return x if channels == sizes(x)[0] else blocks.convolution(x, channels, 1, name)


def _sum(builder: NetworkBuilder, values: Sequence[ir.Value], name: str) -> ir.Value:
    total = values[0]
    for number, value in enumerate(values[1:], 1):
        total = builder.add(total, value, f"{name}.sum_{number}")
    return total


def _check(design: CNNDesign) -> None:
    """Check the names and sizes of a design that was read from a candidate."""
    for kind, name, known in [
        *(("operation", operation, OPERATIONS) for operation in design.operations),
        ("reduction", design.reduction, REDUCTIONS),
        ("head", design.head, HEADS),
    ]:
        if name not in known:
            raise InvalidCandidateError(f"unknown {kind} {name!r}; known: {', '.join(known)}")
    if design.cells > 64 or not 0.25 <= design.growth <= 4 or design.stem_stride not in (1, 2):
        raise InvalidCandidateError(
            f"cells {design.cells}, growth {design.growth} or stem_stride {design.stem_stride} is out of range: "
            "at most 64 cells, growth in [0.25, 4], stride 1 or 2"
        )


def _number(value: genes.Gene) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidCandidateError(f"{value!r} is not a number")
    return value
