"""Space of multilayer perceptrons: depth, widths, activation, skip weights, random-graph wiring (arXiv:2107.12917).

Further wirings, activations and scalings, which a search draws only if its options name them:

- ``auto-compressing`` (arXiv:2506.09714): the head reads the sum of all hidden layers, which have one width; the deepest can be
  cut off after training (`onnx_graph.cutting.layer_cutting`).
- ``dynamical`` (arXiv:2210.02373): a first layer without activation, then `depth` non-expansive blocks of one width.
- ``tailored`` (arXiv:2203.08120): leaky rectifiers whose slope follows from the depth, for deep plain networks.
- ``mup``, maximal update parametrisation (arXiv:2203.03466), so that the best learning rate of Adam does not depend on the width.
  A layer whose fan-in n is a hidden width computes α·W·x with α = base width / n. In the paper's notation (weight n⁻ᵃ·w with
  w ~ N(0, n⁻²ᵇ), learning rate η·n⁻ᶜ) such layers have a = 1, c = 0, and b = −½ (hidden layers) or b = 0 (the head); layers that
  read the input have a = b = c = 0. Adam's steps have size η for any gradient, so the product changes by η/n, as with the paper's
  c = 1. `nas.training.stack.initialisation` draws the weights for the kept fan-in (arXiv:2405.15743). That paper divides α by the
  density too; here α depends on the dense width only, so that the mask does not change the scale.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import onnx_ir as ir

from search_spaces import genes, random_graph
from search_spaces.candidate import Candidate
from search_spaces.errors import InvalidCandidateError, InvalidOptionError
from search_spaces.masked_space import MaskedSpace
from search_spaces.masks.layer import Mask
from search_spaces.network_builder import ACTIVATIONS, NetworkBuilder, size
from search_spaces.non_expansive import FALLING, non_expansive_block
from search_spaces.options import DEEPEST, MOST_VERTICES, SpaceOptions, check_names, check_range
from search_spaces.signature import Signature
from search_spaces.space import TrialLike
from search_spaces.tailored_rectifier import tailored_slope

_DRAWN = ("plain", "skips", *random_graph.GRAPHS)
_OF_ONE_WIDTH = ("auto-compressing", "dynamical")
WIRINGS = (*_DRAWN, random_graph.THEME, *_OF_ONE_WIDTH)
MLP_ACTIVATIONS = (*ACTIVATIONS, "tailored")
SCALINGS = ("standard", "mup")


@dataclass(frozen=True, kw_only=True)
class MLPOptions(SpaceOptions):
    """Ranges of the architecture; all bounds are included.

    Attributes:
        depth: number of hidden layers; for a random graph the largest number that it may have, 2 or more.
        width: units of a hidden layer, drawn log-uniformly under `max_nnz`, else uniformly.
        activations: names of `MLP_ACTIVATIONS`.
        wirings: ``plain`` layers, ``skips`` between any two layers that are not neighbours, a family of random graphs,
            ``auto-compressing`` or ``dynamical``.
        vertices: number of units of all hidden layers together, for a random graph; for a ``theme`` the approximate number.
        degree: mean degree of a random graph, even numbers; not used by themes.
        scalings: ``standard`` or ``mup``, or both.
        base_width: fan-in at which both scalings are the same.
    """

    depth: tuple[int, int] = (1, 4)
    width: tuple[int, int] = (8, 300)
    activations: tuple[str, ...] = ("relu", "tanh", "leaky-relu", "elu")
    wirings: tuple[str, ...] = _DRAWN
    vertices: tuple[int, int] = (16, 128)
    degree: tuple[int, int] = (2, 8)
    scalings: tuple[str, ...] = ("standard",)
    base_width: int = 64

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        check_range("depth", self.depth, 1, DEEPEST)
        check_range("width", self.width, 1)
        check_range("degree", self.degree, 2)
        check_range("vertices", self.vertices, self.degree[1] + 1, MOST_VERTICES)
        check_range("base_width", (self.base_width, self.base_width), 1)
        check_names("activations", self.activations, MLP_ACTIVATIONS)
        check_names("wirings", self.wirings, WIRINGS)
        check_names("scalings", self.scalings, SCALINGS)
        falling = sorted(FALLING.intersection(self.activations))
        if falling and "dynamical" in self.wirings:
            raise InvalidOptionError(
                f"activation {falling[0]!r} falls somewhere, which wiring 'dynamical' cannot have; leave one of them out"
            )


@dataclass(frozen=True, kw_only=True)
class MLPDesign:
    """A perceptron without its masks.

    Attributes:
        widths: widths of the hidden layers.
        activation: activation after every hidden layer.
        skips: pairs of layers that are joined in addition to the chain; 0 is the input, ``len(widths) + 1`` the output.
        structure: prescribed connections between layers, by the same kind of pairs.
        wiring: a wiring whose layers have one width, or empty for layers with skips.
        base_width: base width of the scaling ``mup``; None: ``standard``.
    """

    widths: tuple[int, ...]
    activation: str
    skips: tuple[tuple[int, int], ...] = ()
    structure: Mapping[tuple[int, int], Mask] = field(default_factory=dict)
    wiring: str = ""
    base_width: int | None = None

    def alpha(self, x: ir.Value) -> float:
        """Factor of a layer that reads a hidden layer."""
        return 1.0 if self.base_width is None else self.base_width / size(x)

    def activate(self, builder: NetworkBuilder, x: ir.Value, name: str) -> ir.Value:
        """Append the activation."""
        if self.activation == "tailored":
            return builder.leaky_relu(x, tailored_slope(len(self.widths)), name)
        return builder.activation(x, self.activation, name)


class MLPSpace(MaskedSpace[MLPOptions, MLPDesign]):
    """Perceptrons; an input of any shape is flattened."""

    name = "mlp"
    live_when_whole = True
    options_type = MLPOptions
    constant_genes = frozenset({"base_width"})
    sizes = ("width_",)

    def __init__(self, signature: Signature, settings: MLPOptions) -> None:
        """Raises `InvalidOptionError` if the signature has an output per time step."""
        super().__init__(signature, settings)
        if signature.per_step:
            raise InvalidOptionError("space 'mlp' gives one output per example, not one per time step; take 'rnn'")

    def design(self, trial: TrialLike) -> MLPDesign:
        """Ask for the architecture."""
        wiring = genes.choice(trial, "wiring", self.settings.wirings)
        activation = genes.choice(trial, "activation", self.settings.activations)
        return replace(self._wired(trial, wiring, activation), base_width=self._base_width(trial))

    def _wired(self, trial: TrialLike, wiring: str, activation: str) -> MLPDesign:
        if wiring in random_graph.FAMILIES:
            return self._random_graph(trial, wiring, activation)
        if wiring not in WIRINGS:
            raise InvalidCandidateError(f"unknown wiring {wiring!r}; known: {', '.join(WIRINGS)}")
        if wiring == "dynamical" and activation in FALLING:
            raise InvalidCandidateError(
                f"activation {activation!r} falls somewhere, which wiring 'dynamical' cannot have; take another"
            )
        depth = genes.integer(trial, "depth", self.settings.depth)
        log = self.settings.max_nnz is not None
        if wiring in _OF_ONE_WIDTH:
            width = genes.integer(trial, "width_1", self.settings.width, log=log)
            return MLPDesign(widths=(width,) * depth, activation=activation, wiring=wiring)
        widths = tuple(
            genes.integer(trial, f"width_{number}", self.settings.width, log=log) for number in range(1, depth + 1)
        )
        pairs = [(source, target) for target in range(2, depth + 2) for source in range(target - 1)]
        skips = tuple(pair for pair in pairs if genes.flag(trial, _skip(pair, depth))) if wiring == "skips" else ()
        return MLPDesign(widths=widths, activation=activation, skips=skips)

    def preferred(self) -> list[dict[str, genes.Gene]]:
        """Two hidden layers: 300 and 100 units as in LeNet-300-100 for images, 100 and 100 for fewer inputs."""
        first = 300 if math.prod(self.signature.input_shape) >= 256 else 100
        return [{"wiring": "plain", "activation": "relu", "depth": 2, "width_1": first, "width_2": 100}]

    def network(self, design: MLPDesign) -> NetworkBuilder:
        """Gemm layers, activations, and the sums of the wiring."""
        builder = NetworkBuilder(self.signature.input_shape, "mlp")
        x = builder.flatten(builder.input)
        if design.wiring == "auto-compressing":
            return self._finish(builder, design, _auto_compressing(builder, design, x))
        if design.wiring == "dynamical":
            return self._finish(builder, design, _dynamical(builder, design, x))
        return self._layers(builder, design, x)

    def _finish(self, builder: NetworkBuilder, design: MLPDesign, x: ir.Value) -> NetworkBuilder:
        return builder.finish(builder.gemm(x, self.signature.outputs, "head", alpha=design.alpha(x)))

    def _layers(self, builder: NetworkBuilder, design: MLPDesign, x: ir.Value) -> NetworkBuilder:
        """One layer after another; the products of the skip weights are added before the activation."""
        values = [x]
        depth = len(design.widths)
        for number, width in enumerate([*design.widths, self.signature.outputs], 1):
            last = number > depth
            label = "head" if last else f"hidden_{number}"
            value = builder.gemm(values[-1], width, label, alpha=design.alpha(values[-1]) if number > 1 else 1.0)
            if (number - 1, number) in design.structure:
                builder.structure[f"{label}.weight"] = design.structure[number - 1, number]
            for source in (source for source, target in design.skips if target == number):
                skip = _skip((source, number), depth)
                value = builder.add(value, _product(builder, design, values, source, width, skip), f"{skip}.sum")
                if (source, number) in design.structure:
                    builder.structure[f"{skip}.weight"] = design.structure[source, number]
            values.append(value if last else design.activate(builder, value, f"{label}.activation"))
        return builder.finish(values[-1])

    def structured(self, design: MLPDesign) -> bool:
        """Whether the wiring is a random graph with edges."""
        return bool(design.structure)

    def unstructured(self, design: MLPDesign) -> dict[str, genes.Gene]:
        """The same layers and skip weights, without prescribed connections."""
        depth = len(design.widths)
        pairs = [(source, target) for target in range(2, depth + 2) for source in range(target - 1)]
        return {
            "wiring": "skips" if design.skips else "plain",
            "activation": design.activation,
            "depth": depth,
            **{f"width_{number}": width for number, width in enumerate(design.widths, 1)},
            **({_skip(pair, depth): pair in design.skips for pair in pairs} if design.skips else {}),
            **self._scaling_genes(design),
        }

    def _base_width(self, trial: TrialLike) -> int | None:
        """Ask for the scaling if there is a choice; candidates of searches that allow only ``standard`` have no such gene."""
        if self.settings.scalings == SCALINGS[:1]:
            return None
        scaling = genes.choice(trial, "scaling", self.settings.scalings)
        if scaling not in SCALINGS:
            raise InvalidCandidateError(f"unknown scaling {scaling!r}; known: {', '.join(SCALINGS)}")
        width = self.settings.base_width
        return genes.integer(trial, "base_width", (width, width)) if scaling == "mup" else None

    def _scaling_genes(self, design: MLPDesign) -> dict[str, genes.Gene]:
        if design.base_width is not None:
            return {"scaling": "mup", "base_width": design.base_width}
        return {} if self.settings.scalings == SCALINGS[:1] else {"scaling": "standard"}

    def _design(self, candidate: Candidate) -> MLPDesign:
        """Read the design; the candidate decides whether there is a gene for the scaling, not the options of this space."""
        scalings = SCALINGS if "scaling" in candidate.architecture else SCALINGS[:1]
        if (
            scalings == self.settings.scalings
        ):  # what follows costs 10 ms: names are looked up in all installed packages
            return super()._design(candidate)
        reader = MLPSpace(self.signature, replace(self.settings, scalings=scalings))
        return super(MLPSpace, reader)._design(candidate)

    def _random_graph(self, trial: TrialLike, family: str, activation: str) -> MLPDesign:
        """A vertex is a hidden unit; sources read the input, sinks feed the output."""
        low, high = self.settings.vertices
        if self.settings.max_nnz is not None:
            # Half of the budget is kept for the connections of input and output.
            high = max(low, min(high, random_graph.affordable(family, self.settings.max_nnz, self.settings.degree[1])))
        shallow, deep = self.settings.depth
        # In a single layer a graph has no edges.
        depth = genes.integer(trial, "graph_depth", (max(shallow, min(2, deep)), deep))
        graph = random_graph.draw(trial, family, (low, high), self.settings.degree, depth)
        last = len(graph.widths) + 1
        jumps = [pair for pair in graph.masks if pair[1] - pair[0] > 1]
        to_output = [(source, last) for source in graph.sinks]
        skips = tuple(sorted(jumps + to_output, key=lambda pair: pair[::-1]))
        return MLPDesign(widths=graph.widths, activation=activation, skips=skips, structure=graph.masks)


def _auto_compressing(builder: NetworkBuilder, design: MLPDesign, x: ir.Value) -> ir.Value:
    """The sum of the hidden layers, each of which reads the one before; added up in order, so that the end can be cut off."""
    total: ir.Value | None = None
    for number, width in enumerate(design.widths, 1):
        alpha = 1.0 if total is None else design.alpha(x)
        value = builder.gemm(x, width, f"hidden_{number}", alpha=alpha)
        x = design.activate(builder, value, f"hidden_{number}.activation")
        total = x if total is None else builder.add(total, x, f"sum_{number}")
    return x if total is None else total


def _dynamical(builder: NetworkBuilder, design: MLPDesign, x: ir.Value) -> ir.Value:
    """A linear layer, then the blocks."""
    x = builder.gemm(x, design.widths[0], "lifting")
    for number in range(1, len(design.widths) + 1):
        x = non_expansive_block(
            builder, x, design.activation, partial(design.activate, builder), f"block_{number}", alpha=design.alpha(x)
        )
    return x


def _product(
    builder: NetworkBuilder, design: MLPDesign, values: list[ir.Value], source: int, width: int, name: str
) -> ir.Value:
    """The product of a skip weight; a Gemm if there is a factor, since a MatMul cannot hold one."""
    if source == 0 or design.base_width is None:
        return builder.matmul(values[source], width, name)
    return builder.gemm(values[source], width, name, alpha=design.alpha(values[source]), bias=False)


def _skip(pair: tuple[int, int], depth: int) -> str:
    """Name of a skip; it does not depend on the depth, so that parents of different depths share it."""
    source, target = pair
    return f"skip_{source}_{'head' if target == depth + 1 else target}"
