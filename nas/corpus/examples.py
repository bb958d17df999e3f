"""The examples of a corpus for a predictor: a structure, what is told about its mask and its weights, and the accuracy.

A learned mask gives two examples, with its own weights and with fresh ones; a drawn mask gives one. What is told varies, so that the
predictor also answers where a user does not know the method. The trainings of a method give examples of a third kind: the dense
network, the method and the number of weights to keep tell what the method will reach.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nas.corpus.corpus import Corpus
from nas.seeds import generator
from nas.training.methods import METHODS
from predictors import Origin, StructureGraph

UNTOLD = 0.4
"""Share of the examples that do not tell the method."""


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelledGraphs:
    """Structures with accuracies.

    Attributes:
        graphs: the structures, with their task and, if the corpus has masks of several origins, their origin.
        accuracies: mean metric, float64 ``(examples,)``.
        rows: row of the corpus that every example comes from, int64 ``(examples,)``; of a plan, its first training.
    """

    graphs: tuple[StructureGraph, ...]
    accuracies: NDArray[np.float64]
    rows: NDArray[np.int64]


def examples(
    corpus: Corpus,
    graphs: Sequence[StructureGraph],
    dense: Mapping[str, StructureGraph] | None = None,
    *,
    rows: Sequence[int] | NDArray[np.int64] | None = None,
    untold: float = UNTOLD,
    seed: int = 0,
) -> LabelledGraphs:
    """Examples of some networks of a corpus.

    Args:
        corpus: the corpus.
        graphs: the encoded network of every row of the corpus.
        dense: encoded dense networks by `architecture_of` their rows; without them there are no examples of plans.
        rows: the networks to take; None: all.
        untold: share of the examples that do not tell the method.
        seed: seed of what is told.
    """
    taken = list(range(len(corpus))) if rows is None else [int(row) for row in rows]
    rng = generator(seed, "corpus", "examples")
    several = any(one.learned is not None for one in corpus.networks)
    found = [
        (row, _on_task(corpus, row, graphs[row]).of_origin(origin if several else None), accuracy)
        for row in taken
        for origin, accuracy in _measured(corpus, row, rng.random(2) < untold)
    ]
    if dense is not None:
        for row, origin, accuracy in _planned(corpus, taken):
            graph = dense[architecture_of(corpus, row)]
            found.append((row, _on_task(corpus, row, graph).of_origin(origin), accuracy))
    return LabelledGraphs(
        graphs=tuple(graph for _, graph, _ in found),
        accuracies=np.array([accuracy for *_, accuracy in found], np.float64),
        rows=np.array([row for row, *_ in found], np.int64),
    )


def architecture_of(corpus: Corpus, row: int) -> str:
    """The architecture of a network as text: its domain and the digest of its candidate, which is dense for a learned mask."""
    return f"{corpus.networks[row].domain}/{corpus.networks[row].candidate.digest}"


def _on_task(corpus: Corpus, row: int, graph: StructureGraph) -> StructureGraph:
    return graph.on(corpus.examples[corpus.networks[row].domain].description)


def _measured(corpus: Corpus, row: int, untold: NDArray[np.bool_]) -> Iterator[tuple[Origin, float]]:
    """Origin and accuracy with fresh weights and, for a learned mask, with its own weights."""
    learned = corpus.networks[row].learned
    name = "static" if learned is None else learned.method
    known, unknown = Origin(method=name, family=METHODS.load(name).kind), Origin()
    yield replace(unknown if untold[0] else known, weights="fresh"), float(corpus.accuracies[row])
    if learned is not None:
        yield replace(unknown if untold[1] else known, weights="own"), float(corpus.own_accuracies[row])


def _planned(corpus: Corpus, rows: Sequence[int]) -> Iterator[tuple[int, Origin, float]]:
    """The first row, the plan and the mean accuracy of all trainings of an architecture by one method."""
    runs: dict[tuple[str, str, int], list[int]] = {}
    for row in rows:
        network = corpus.networks[row]
        if network.learned is not None and network.learned.origin == "learned":
            keep = max(round(network.learned.density * network.weights), 1)
            runs.setdefault((architecture_of(corpus, row), network.learned.method, keep), []).append(row)
    for (_, method, keep), own in runs.items():
        origin = Origin(method=method, family=METHODS.load(method).kind, nnz=keep)
        yield own[0], origin, float(corpus.own_accuracies[own].mean())
