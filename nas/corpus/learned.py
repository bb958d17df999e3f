"""Trains a shard of learned masks: methods find masks, masks get children, and every mask is trained again from fresh weights.

A child is a mask with random edits, or two masks of one architecture crossed. It inherits the weights of its parents and is trained
once more from them, as a search does with the masks that it changes.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

import onnx_graph
from nas.corpus.domain import CHILDREN, RUNS, Domain
from nas.corpus.labelled_network import MeasuredNetwork, structure_of
from nas.corpus.learned_mask import LearnedMask
from nas.corpus.learned_plan import Group, groups, methods_of, seed_of
from nas.corpus.shard_plan import MOST_EDITS, Spaces, repeats
from nas.corpus.trainings import Outcome, metrics, train_again, train_all
from nas.seeds import generator
from nas.tasks.task import Task
from nas.training.methods.method import masked
from nas.training.stack.weight_layer import mask_layer
from onnx_graph.internals import array_of
from search_spaces import Ticket
from search_spaces.masks import Mask, apply, from_first, random_edit


@dataclass(frozen=True, eq=False, kw_only=True)
class Found:
    """A mask that a training ended with.

    Attributes:
        group: the architecture.
        trained: the network with the weights of that training.
        masks: the mask, trimmed, by name of the weight.
        row: what the corpus keeps of it.
    """

    group: Group
    trained: ir.Model
    masks: Mapping[str, Mask]
    row: LearnedMask

    @classmethod
    def of(cls, group: Group, outcome: Outcome, **facts: Any) -> "Found":
        """The mask of a training; `facts` are the attributes of `LearnedMask` that the training does not tell."""
        trimmed = outcome.trained.clone()
        onnx_graph.trim(trimmed)
        masks = onnx_graph.masks(trimmed)
        row = LearnedMask(
            density=round(group.density, 6),
            ticket=Ticket.of(masks.values()),
            validation=outcome.validation,
            test=outcome.test,
            **facts,
        )
        return cls(group=group, trained=outcome.trained, masks=masks, row=row)

    def network(self) -> ir.Model:
        """The untrained network with this mask."""
        return masked(self.group.model, self.masks)

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """The trained weights in canonical orientation, by name."""
        initializers = self.trained.graph.initializers
        return {
            one.name: np.asarray(one.canonical(array_of(initializers[one.name])), np.float32)
            for one in onnx_graph.weights(self.trained)
        }


@dataclass(frozen=True, eq=False, kw_only=True)
class Child:
    """A child before its training.

    Attributes:
        parents: one mask, or two of one architecture.
        origin: ``edited`` or ``crossed``.
        model: the network with the child's mask and the weights that it inherits.
        seed: seed of its training.
    """

    parents: tuple[Found, ...]
    origin: str
    model: ir.Model
    seed: int


def measure_learned(domain: Domain, number: int, task: Task) -> list[MeasuredNetwork]:
    """Find the masks of a shard, make their children, train all masks again, and measure every training."""
    begin = time.perf_counter()
    members = groups(domain, number, Spaces(domain, task.signature))
    found = _learned(domain, number, members, task)
    found += _children(domain, members, found, task)
    networks = [one.network() for one in found]
    structures = [structure_of(network) for network in networks]
    seeds = [
        tuple(seed_of(domain, one.group, structure, repeat) for repeat in range(repeats(number, position)))
        for position, (one, structure) in enumerate(zip(found, structures, strict=True))
    ]
    again = train_again(networks, task, domain.training_options, seeds)
    seconds = round((time.perf_counter() - begin) / max(len(found) + sum(map(len, seeds)), 1), 4)
    return [
        MeasuredNetwork(
            domain=domain.name,
            candidate=one.group.architecture,
            structure=structure,
            seeds=own,
            **metrics(outcomes),
            nnz=one.row.ticket.nnz,
            weights=one.group.weights,
            seconds=seconds,
            learned=one.row,
        )
        for one, structure, own, outcomes in zip(found, structures, seeds, again, strict=True)
    ]


def _learned(domain: Domain, number: int, members: Sequence[Group], task: Task) -> list[Found]:
    """The masks that the methods of the shard find; one whose training diverged is missing."""
    found: list[Found] = []
    for method in methods_of(domain, number):
        jobs = [(group, seed_of(domain, group, method, run)) for group in members for run in range(RUNS)]
        outcomes = train_all(
            [group.model for group, _ in jobs],
            task,
            domain.training_options,
            seeds=[seed for _, seed in jobs],
            method=method,
            density=[group.density for group, _ in jobs],
        )
        found += [
            Found.of(group, outcome, origin="learned", method=method, parents=(), seed=seed)
            for (group, seed), outcome in zip(jobs, outcomes, strict=True)
            if outcome is not None
        ]
    return found


def _children(domain: Domain, members: Sequence[Group], found: Sequence[Found], task: Task) -> list[Found]:
    """Children of the masks of every architecture, trained from their parents' weights."""
    children = [
        child for group in members for child in _planned(domain, group, [one for one in found if one.group is group])
    ]
    outcomes = train_all(
        [child.model for child in children],
        task,
        replace(domain.training_options, init="keep"),
        seeds=[child.seed for child in children],
    )
    return [
        Found.of(
            child.parents[0].group,
            outcome,
            origin=child.origin,
            method=child.parents[0].row.method,
            parents=tuple(structure_of(parent.network()) for parent in child.parents),
            seed=child.seed,
        )
        for child, outcome in zip(children, outcomes, strict=True)
        if outcome is not None
    ]


def _planned(domain: Domain, group: Group, parents: Sequence[Found]) -> list[Child]:
    """Edited and crossed children in turn; none where fewer than two masks were found."""
    rng = generator(0, "corpus", domain.name, group.architecture.digest, "children")
    children = []
    for number in range(CHILDREN if len(parents) > 1 else 0):
        first, second = (parents[place] for place in rng.permutation(len(parents))[:2].tolist())
        origin = ("edited", "crossed")[number % 2]
        seed = seed_of(domain, group, origin, number)
        if origin == "edited":
            model = masked(first.trained, _edited(first, rng), own_values=True)
            children.append(Child(parents=(first,), origin=origin, model=model, seed=seed))
        else:
            model = _crossed(first, second, rng)
            children.append(Child(parents=(first, second), origin=origin, model=model, seed=seed))
    return children


def _edited(parent: Found, rng: np.random.Generator) -> dict[str, Mask]:
    """The mask after one to `MOST_EDITS` random edits."""
    layers = [mask_layer(one) for one in onnx_graph.weights(parent.group.model)]
    masks = dict(parent.masks)
    for _ in range(int(rng.integers(1, MOST_EDITS + 1))):
        edit = random_edit(masks, layers, rng)
        masks = masks if edit is None else apply([edit], masks, layers)
    return masks


def _crossed(first: Found, second: Found, rng: np.random.Generator) -> ir.Model:
    """A network whose layers or units come from one of two networks, weights and masks alike."""
    parts = from_first(first.masks, rng)
    weights, others = first.weights(), second.weights()
    masks = {name: np.where(part, first.masks[name], second.masks[name]) for name, part in parts.items()}
    values = {name: np.where(part, weights[name], others[name]) for name, part in parts.items()}
    model = first.trained.clone()
    onnx_graph.set_weights(
        model, {one.name: np.asarray(one.stored(values[one.name]), np.float32) for one in onnx_graph.weights(model)}
    )
    return masked(model, masks, own_values=True)
