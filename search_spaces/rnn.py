"""Space of recurrent networks: RNN, GRU or LSTM layers, skip weights to the head, random graphs among the hidden units.

A hidden-to-hidden weight may take the adjacency of a random graph on its units as mask, as in Stier, Darji and Granitzer
2021 (arXiv:2107.12917): the graph is undirected, every unit keeps the connection to its own past, and all gates share it.
"""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from search_spaces import genes, random_graph
from search_spaces.errors import InvalidOptionError
from search_spaces.masked_space import MaskedSpace
from search_spaces.masks.layer import Mask
from search_spaces.network_builder import CELLS, NetworkBuilder, dimensions, gates_of
from search_spaces.options import DEEPEST, SpaceOptions, check_names, check_range
from search_spaces.signature import Signature
from search_spaces.space import TrialLike

RECURRENCES = ("recipe", *random_graph.GRAPHS)
"""Structures of the hidden-to-hidden weights. Themes are missing: they are the pattern ``theme`` of the recipe."""


@dataclass(frozen=True, kw_only=True)
class RNNOptions(SpaceOptions):
    """Ranges of the architecture; all bounds are included.

    Attributes:
        cells: names of `CELLS`.
        layers: number of recurrent layers.
        hidden: number of units of a layer, drawn log-uniformly.
        recurrences: structures of the hidden-to-hidden weights: ``recipe`` (like all other weights) or a family of random graphs.
        degree: mean degree of such a graph, even numbers.
    """

    cells: tuple[str, ...] = tuple(CELLS)
    layers: tuple[int, int] = (1, 3)
    hidden: tuple[int, int] = (8, 64)
    recurrences: tuple[str, ...] = RECURRENCES
    degree: tuple[int, int] = (2, 6)

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        check_names("cells", self.cells, CELLS)
        check_range("layers", self.layers, 1, DEEPEST)
        check_names("recurrences", self.recurrences, RECURRENCES)
        check_range("degree", self.degree, 2)
        check_range("hidden", self.hidden, 1 if self.recurrences == ("recipe",) else self.degree[1] + 1)


@dataclass(frozen=True, kw_only=True)
class RNNDesign:
    """A recurrent network without its masks.

    Attributes:
        cell: cell of all layers.
        hidden: numbers of units of the layers.
        skips: layers that feed the head in addition to the last one; 0 is the input.
        recurrence: ``recipe`` or a family of random graphs.
        degree: mean degree of the graphs.
        rewire: share of rewired edges of Watts–Strogatz graphs.
        seed: seed of the graphs; layer i draws from seed + i.
    """

    cell: str
    hidden: tuple[int, ...]
    skips: tuple[int, ...]
    recurrence: str
    degree: int = 2
    rewire: float = 0.0
    seed: int = 0


class RNNSpace(MaskedSpace[RNNOptions, RNNDesign]):
    """Recurrent networks for inputs ``(T, F)``, or ``(C, H, W)`` read row by row: H steps of C·W features."""

    name = "rnn"
    live_when_whole = True
    options_type = RNNOptions
    sizes = ("hidden_",)

    def __init__(self, signature: Signature, settings: RNNOptions) -> None:
        """Raises `InvalidOptionError` for inputs that are not sequences."""
        super().__init__(signature, settings)
        if len(signature.input_shape) not in (2, 3):
            raise InvalidOptionError(
                f"space 'rnn' needs examples of shape (T, F) or (C, H, W), not {signature.input_shape}; "
                "reshape them to sequences, or take 'mlp', which flattens any shape"
            )

    def preferred(self) -> list[dict[str, genes.Gene]]:
        """One layer of 32 gated units."""
        return [{"cell": "gru", "layers": 1, "hidden_1": 32, "recurrence": "recipe"}]

    def design(self, trial: TrialLike) -> RNNDesign:
        """Ask for the architecture."""
        settings = self.settings
        cell = genes.choice(trial, "cell", settings.cells)
        layers = genes.integer(trial, "layers", settings.layers)
        hidden = tuple(
            genes.integer(trial, f"hidden_{layer}", settings.hidden, log=True) for layer in range(1, layers + 1)
        )
        skips = tuple(layer for layer in range(layers) if genes.flag(trial, f"skip_{layer}_head"))
        recurrence = genes.choice(trial, "recurrence", settings.recurrences)
        if recurrence == "recipe":
            return RNNDesign(cell=cell, hidden=hidden, skips=skips, recurrence=recurrence)
        return RNNDesign(
            cell=cell,
            hidden=hidden,
            skips=skips,
            recurrence=recurrence,
            degree=genes.integer(trial, "degree", settings.degree, step=2),
            rewire=trial.suggest_float("rewire", 0.0, 1.0) if recurrence == "watts-strogatz" else 0.0,
            seed=genes.seed(trial, "graph_seed"),
        )

    def network(self, design: RNNDesign) -> NetworkBuilder:
        """Layers on the time-first sequence, head on the batch-first one or on its last step."""
        builder = NetworkBuilder(self.signature.input_shape, "rnn")
        sequence = _sequence(builder, self.signature.input_shape)
        steps = builder.transpose(sequence, (1, 0, 2), "time_first")
        features = [self._input_features(builder, sequence) if 0 in design.skips else None]
        per_step = self.signature.per_step
        for layer, hidden in enumerate(design.hidden, 1):
            last = layer == len(design.hidden)
            read = last or layer in design.skips
            name = f"layer_{layer}"
            every, end = builder.recurrent(
                steps, design.cell, hidden, name, every_step=per_step or not last, last_step=read and not per_step
            )
            steps = steps if every is None else every
            if design.recurrence != "recipe":
                builder.structure[f"{name}.recurrent_weight"] = _recurrence(design, layer, hidden)
            if read and per_step:
                end = builder.transpose(steps, (1, 0, 2), f"{name}.batch_first")
            features.append(end)
        return builder.finish(self._head(builder, features))

    def unstructured(self, design: RNNDesign) -> dict[str, genes.Gene]:
        """The same layers; hidden-to-hidden weights follow the recipe."""
        layers = len(design.hidden)
        return {
            "cell": design.cell,
            "layers": layers,
            **{f"hidden_{layer}": hidden for layer, hidden in enumerate(design.hidden, 1)},
            **{f"skip_{layer}_head": layer in design.skips for layer in range(layers)},
            "recurrence": "recipe",
        }

    def _input_features(self, builder: NetworkBuilder, sequence: ir.Value) -> ir.Value:
        """The part of the input that the head reads."""
        if self.signature.per_step:
            return sequence
        index = builder.constant("last_step", np.array(-1, np.int64))
        return builder.node(
            "Gather", [sequence, index], ["N", dimensions(sequence)[-1]], "input_end", [ir.AttrInt64("axis", 1)]
        )

    def _head(self, builder: NetworkBuilder, features: list[ir.Value | None]) -> ir.Value:
        """A dense layer on the last recurrent layer, plus a skip weight for every other layer that feeds the head."""
        outputs = self.signature.outputs
        main = features[-1]
        if main is None:
            raise RuntimeError("the last layer always feeds the head")
        if self.signature.per_step:
            x = builder.add(builder.matmul(main, outputs, "head"), builder.parameter("head.bias", outputs), "head.sum")
        else:
            x = builder.gemm(main, outputs, "head")
        for layer, value in enumerate(features[:-1]):
            if value is not None:
                x = builder.add(x, builder.matmul(value, outputs, f"skip_{layer}_head"), f"skip_{layer}_head.sum")
        return x


def _sequence(builder: NetworkBuilder, shape: tuple[int, ...]) -> ir.Value:
    """The input as ``(N, T, F)``."""
    if len(shape) == 2:
        return builder.input
    channels, rows, columns = shape
    x = builder.input if channels == 1 else builder.transpose(builder.input, (0, 2, 1, 3), "row_first")
    target = builder.constant("sequence_shape", np.array([-1, rows, channels * columns], np.int64))
    return builder.node("Reshape", [x, target], ["N", rows, channels * columns], "sequence")


def _recurrence(design: RNNDesign, layer: int, hidden: int) -> Mask:
    graph = random_graph.adjacency(
        design.recurrence, vertices=hidden, degree=design.degree, rewire=design.rewire, seed=design.seed + layer
    )
    np.fill_diagonal(graph, True)
    return np.tile(graph, (gates_of(design.cell), 1))
