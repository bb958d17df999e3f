"""Candidates to choose from: new plans of architecture and method, and children of the masks that were found."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from nas.engine.guided.references import learned
from nas.engine.guided.surrogate import ticket_of
from nas.engine.keep import KeepRule
from nas.engine.plain_networks import plain_networks
from nas.measure.costs import counts
from nas.study.trial import Trial
from search_spaces import Candidate, InheritedMask, Json, LearnedMask, MaskRecipe, SearchSpace, SpaceError

FRESH, SWITCHED = 0.35, 0.3
"""Shares of plans with a new architecture, and of known architectures with another method; the others are neighbours and children."""
PARENTS = 6
"""Number of leading plans, and of leading masks, that have children."""
NARROWEST = 0.03
"""Smallest factor of the widths of a new architecture, where other costs than non-zeros are bound."""
CROSSED = 0.3
"""Share of plans with two parents."""
LIVE = 0.9
"""Least share of the parent's live weights that a child keeps: a mask that lost more has lost what its weights had learnt."""


def plans(
    space: SearchSpace,
    keep: KeepRule,
    methods: Sequence[str],
    leaders: Sequence[Candidate],
    rng: np.random.Generator,
    *,
    fresh: float = FRESH,
    length: float = 1.0,
) -> Iterator[Candidate | None]:
    """Plans without end, some equal: new architectures, and changes of the leading plans; None where an attempt gave no plan.

    An architecture that fits as a whole is proposed dense. Where other costs than non-zeros are bound, new architectures are also narrower
    than the space draws them. `fresh` is the share of new architectures, `length`
    that of a whole training.
    """
    leading = [one for one in leaders if isinstance(one.mask, LearnedMask)][:PARENTS]
    leading = leading or [one for dense in plain_networks(space) if (one := learned(dense, methods[0], keep))]
    while True:
        method = methods[int(rng.integers(len(methods)))]
        draw = rng.random()
        if draw < fresh or not leading:
            proposed: Candidate | None = _architecture(space, rng, narrow=keep.estimates)
        else:
            parent = leading[int(rng.integers(len(leading)))]
            if draw < fresh + SWITCHED:
                proposed = parent
            else:
                proposed = _changed(space, parent, leading, rng)
                method = _method_of(proposed, method)
        dense = None if proposed is None else _dense(space, proposed)
        yield dense if dense is None or keep.fits(dense) else learned(dense, method, keep, rng, length)


def _dense(space: SearchSpace, candidate: Candidate) -> Candidate:
    """The architecture without a mask; that of a plan is as it was proposed, and its network need not be made to see it."""
    return replace(candidate, mask=MaskRecipe()) if isinstance(candidate.mask, LearnedMask) else space.dense(candidate)


def _architecture(space: SearchSpace, rng: np.random.Generator, *, narrow: bool = False) -> Candidate:
    """A random architecture; a space that can draw one only with a mask draws it so.

    `narrow`: its widths are multiplied by a number from `NARROWEST` to 1, drawn log-uniformly, if the space can do that.
    """
    draw = getattr(space, "sample_dense", space.sample)
    found: Candidate = draw(rng)
    resized = getattr(space, "resized", None)
    if narrow and resized is not None:
        found = resized(found, float(np.exp(rng.uniform(np.log(NARROWEST), 0.0))))
    return found


def niche(candidate: Candidate) -> str:
    """What a plan has in common with those that differ from it too little to be tried beside it: whole numbers within a factor of √2."""
    mask = candidate.mask
    plan = [mask.method, _rounded(mask.keep)] if isinstance(mask, LearnedMask) else []
    genes = {name: _rounded(gene) for name, gene in candidate.architecture.items()}
    return json.dumps([candidate.space, plan, genes], sort_keys=True)


def _rounded(gene: Json) -> Json:
    return round(2 * math.log2(gene)) if isinstance(gene, int) and gene > 2 else gene


def _changed(
    space: SearchSpace, parent: Candidate, others: Sequence[Candidate], rng: np.random.Generator
) -> Candidate | None:
    """A neighbour of the parent, or its child with another leader; None if the space has no other architecture."""
    try:
        if rng.random() < CROSSED:
            return space.crossover(parent, others[int(rng.integers(len(others)))], rng)
        return space.mutate(parent, rng)
    except SpaceError:
        return None


def _method_of(candidate: Candidate | None, otherwise: str) -> str:
    return candidate.mask.method if candidate is not None and isinstance(candidate.mask, LearnedMask) else otherwise


def crossings(space: SearchSpace, parents: Sequence[Trial], rng: np.random.Generator) -> Iterator[Candidate | None]:
    """Children of two masks each, the best first, without end, some equal; None for a child with too few `LIVE` weights.

    Only relatives are crossed: in masks that were found independently, units of the same number do different things.
    """
    tickets = [ticket_of(trial) for trial in parents]
    relatives = [
        [ticket for ticket, other in zip(tickets, parents, strict=True) if _related(other, trial)] for trial in parents
    ]
    places = [place for place, several in enumerate(relatives) if several]
    weights = 1.0 / (1 + np.array(places, np.float64))
    live = {place: counts(space.build(tickets[place]))["nnz"] for place in places}
    while places:
        place = int(rng.choice(places, p=weights / weights.sum()))
        several = relatives[place]
        child = space.crossover(tickets[place], several[int(rng.integers(len(several)))], rng)
        yield child if counts(space.build(child))["nnz"] >= LIVE * live[place] else None


def _related(first: Trial, second: Trial) -> bool:
    """Whether one is the parent of the other, or both have a parent in common."""
    if first is second:
        return False
    families = [{f"{one.digest}-{one.repeat}", *_parents(one.candidate)} for one in (first, second)]
    return not families[0].isdisjoint(families[1])


def _parents(candidate: Candidate) -> tuple[str, ...]:
    return candidate.mask.parents if isinstance(candidate.mask, InheritedMask) else ()
