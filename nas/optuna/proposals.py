"""Candidates to choose the next trial from: drawn anew, and changes of the best finished ones."""

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from optuna.distributions import BaseDistribution

import onnx_graph
from nas.engine.strategies.asked_trial import AskedTrial, Param
from nas.optuna.trial_space import TrialSpace
from search_spaces import Candidate, InheritedTrial

FRESH = 0.4
"""Share of the candidates that are drawn anew; the others change one parameter of a parent."""
PATIENCE = 20
"""Attempts for each wanted candidate; a small space may have no more."""


@dataclass(frozen=True, eq=False)
class Proposed:
    """A candidate with the parameters that propose it.

    Attributes:
        candidate: the candidate.
        model: its untrained network.
        params: values of the parameters that the space asks for, by name.
        distributions: what they are drawn from, by name.
    """

    candidate: Candidate
    model: ir.Model
    params: Mapping[str, Param]
    distributions: Mapping[str, BaseDistribution]


def propose(
    space: TrialSpace,
    count: int,
    parents: Sequence[Mapping[str, Param]],
    *,
    fixed: Mapping[str, Param],
    taken: Collection[str],
    rng: np.random.Generator,
) -> list[Proposed]:
    """`count` different candidates, fewer if the space has no more. Candidates without a connection from input to output are left out.

    Args:
        space: asks for the parameters and builds the networks.
        count: wanted number.
        parents: parameters of the best finished trials.
        fixed: parameters that the user demands for this trial.
        taken: digests of candidates that must not be proposed.
        rng: draws.
    """
    found: dict[str, Proposed] = {}
    for asked, candidate in itertools.islice(_drawn(space, parents, fixed, rng), PATIENCE * count):
        if candidate.digest in taken or candidate.digest in found:
            continue
        model = space.build(candidate)
        sizes = onnx_graph.count(model)
        if sizes.nnz or not sizes.weights:  # weights that the graph itself makes are not counted
            found[candidate.digest] = Proposed(candidate, model, asked.params, asked.distributions)
        if len(found) == count:
            break
    return list(found.values())


def _drawn(
    space: TrialSpace, parents: Sequence[Mapping[str, Param]], fixed: Mapping[str, Param], rng: np.random.Generator
) -> Iterator[tuple[AskedTrial, Candidate]]:
    """Candidates without end, some equal."""
    while True:
        genes, changed = dict(fixed), set[str]()
        if parents and rng.random() >= FRESH:
            parent = parents[int(rng.integers(len(parents)))]
            free = sorted(set(parent) - set(fixed))
            changed = {free[int(rng.integers(len(free)))]} if free else changed
            genes = {**parent, **fixed}
        asked = AskedTrial(InheritedTrial(genes, rng, changed))
        yield asked, space.suggest(asked)
