"""Space of multilayer perceptrons: depth, widths, activation, skip weights, random-graph wiring (arXiv:2107.12917)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from search_spaces import genes, random_graph
from search_spaces.errors import InvalidCandidateError, InvalidOptionError
from search_spaces.masked_space import MaskedSpace
from search_spaces.masks.layer import Mask
from search_spaces.network_builder import ACTIVATIONS, NetworkBuilder
from search_spaces.options import SpaceOptions, check_names, check_range
from search_spaces.signature import Signature
from search_spaces.space import TrialLike

WIRINGS = ("plain", "skips", *random_graph.FAMILIES)


@dataclass(frozen=True, kw_only=True)
class MLPOptions(SpaceOptions):
    """Ranges of the architecture; all bounds are included.

    Attributes:
        depth: number of hidden layers; of a random graph the most that it may have, from 2 on.
        width: units of a hidden layer, drawn log-uniformly under `max_nnz`, else uniformly.
        activations: names of `ACTIVATIONS`.
        wirings: ``plain`` layers, ``skips`` between any two layers that are no neighbours, or a family of random graphs.
        vertices: units of all hidden layers together, of a random graph.
        degree: mean degree of a random graph, even numbers.
    """

    depth: tuple[int, int] = (1, 4)
    width: tuple[int, int] = (8, 128)
    activations: tuple[str, ...] = ("relu", "tanh", "leaky-relu", "elu")
    wirings: tuple[str, ...] = WIRINGS
    vertices: tuple[int, int] = (16, 128)
    degree: tuple[int, int] = (2, 8)

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        check_range("depth", self.depth, 1)
        check_range("width", self.width, 1)
        check_range("degree", self.degree, 2)
        check_range("vertices", self.vertices, self.degree[1] + 1)
        check_names("activations", self.activations, ACTIVATIONS)
        check_names("wirings", self.wirings, WIRINGS)


@dataclass(frozen=True, kw_only=True)
class MLPDesign:
    """A perceptron without its masks.

    Attributes:
        widths: of the hidden layers.
        activation: behind every hidden layer.
        skips: pairs of layers joined beside the chain; 0 is the input, ``len(widths) + 1`` the output.
        structure: prescribed connections between layers, by the same pairs.
    """

    widths: tuple[int, ...]
    activation: str
    skips: tuple[tuple[int, int], ...] = ()
    structure: Mapping[tuple[int, int], Mask] = field(default_factory=dict)


class MLPSpace(MaskedSpace[MLPOptions, MLPDesign]):
    """Perceptrons; an input of any shape is flattened."""

    name = "mlp"
    options_type = MLPOptions

    def __init__(self, signature: Signature, settings: MLPOptions) -> None:
        """Raises `InvalidOptionError` where an output per time step is wanted."""
        super().__init__(signature, settings)
        if signature.per_step:
            raise InvalidOptionError("space 'mlp' gives one output per example, not one per time step; take 'rnn'")

    def design(self, trial: TrialLike) -> MLPDesign:
        """Ask for the architecture."""
        wiring = genes.choice(trial, "wiring", self.settings.wirings)
        activation = genes.choice(trial, "activation", self.settings.activations)
        if wiring in random_graph.FAMILIES:
            return self._random_graph(trial, wiring, activation)
        if wiring not in WIRINGS:
            raise InvalidCandidateError(f"unknown wiring {wiring!r}; known: {', '.join(WIRINGS)}")
        depth = genes.integer(trial, "depth", self.settings.depth)
        log = self.settings.max_nnz is not None
        widths = tuple(
            genes.integer(trial, f"width_{number}", self.settings.width, log=log) for number in range(1, depth + 1)
        )
        pairs = [(source, target) for target in range(2, depth + 2) for source in range(target - 1)]
        skips = tuple(pair for pair in pairs if genes.flag(trial, _skip(pair, depth))) if wiring == "skips" else ()
        return MLPDesign(widths=widths, activation=activation, skips=skips)

    def network(self, design: MLPDesign) -> NetworkBuilder:
        """Gemm layers and an activation; the skip weights' products are added in front of the activation."""
        builder = NetworkBuilder(self.signature.input_shape, "mlp")
        values = [builder.flatten(builder.input)]
        depth = len(design.widths)
        for number, width in enumerate([*design.widths, self.signature.outputs], 1):
            last = number > depth
            label = "head" if last else f"hidden_{number}"
            value = builder.gemm(values[-1], width, label)
            if (number - 1, number) in design.structure:
                builder.structure[f"{label}.weight"] = design.structure[number - 1, number]
            for source in (source for source, target in design.skips if target == number):
                skip = _skip((source, number), depth)
                value = builder.add(value, builder.matmul(values[source], width, skip), f"{skip}.sum")
                if (source, number) in design.structure:
                    builder.structure[f"{skip}.weight"] = design.structure[source, number]
            values.append(value if last else builder.activation(value, design.activation, f"{label}.activation"))
        return builder.finish(values[-1])

    def unstructured(self, design: MLPDesign) -> dict[str, genes.Gene]:
        """The same layers and skip weights, with no connection prescribed."""
        depth = len(design.widths)
        pairs = [(source, target) for target in range(2, depth + 2) for source in range(target - 1)]
        return {
            "wiring": "skips" if design.skips else "plain",
            "activation": design.activation,
            "depth": depth,
            **{f"width_{number}": width for number, width in enumerate(design.widths, 1)},
            **({_skip(pair, depth): pair in design.skips for pair in pairs} if design.skips else {}),
        }

    def _random_graph(self, trial: TrialLike, family: str, activation: str) -> MLPDesign:
        """A vertex is a hidden unit; sources read the input, sinks feed the output."""
        low, high = self.settings.vertices
        if self.settings.max_nnz is not None:
            # The edges are at most vertices × degree / 2: half of the budget stays for input and output.
            high = max(low, min(high, self.settings.max_nnz // self.settings.degree[1]))
        shallow, deep = self.settings.depth
        # In a single layer a graph has no edges.
        depth = genes.integer(trial, "graph_depth", (max(shallow, min(2, deep)), deep))
        graph = random_graph.draw(trial, family, (low, high), self.settings.degree, depth)
        last = len(graph.widths) + 1
        jumps = [pair for pair in graph.masks if pair[1] - pair[0] > 1]
        to_output = [(source, last) for source in graph.sinks]
        skips = tuple(sorted(jumps + to_output, key=lambda pair: pair[::-1]))
        return MLPDesign(widths=graph.widths, activation=activation, skips=skips, structure=graph.masks)


def _skip(pair: tuple[int, int], depth: int) -> str:
    """Name of a skip, the same whatever the depth, so that parents of different depths share it."""
    source, target = pair
    return f"skip_{source}_{'head' if target == depth + 1 else target}"
