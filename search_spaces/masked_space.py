"""The part that all spaces share: genes and masks are drawn, kept within the budget, changed, crossed, and built.

A space adds its genes (`design`) and its graph (`network`).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from threading import get_ident
from typing import ClassVar, Generic, Protocol, TypeVar

import numpy as np
import onnx_ir as ir

import onnx_graph
from search_spaces import genes, mask_genes
from search_spaces.candidate import Candidate, InheritedMask, LearnedMask, MaskEdit, MaskRecipe, MaskSource
from search_spaces.errors import InvalidCandidateError, InvalidOptionError
from search_spaces.genes import Gene, InheritedTrial, PreferredTrial, RandomTrial, RecordedTrial, Recorder
from search_spaces.mask_genes import Budget
from search_spaces.masks import edits as mask_edits
from search_spaces.masks import recipe as mask_recipe
from search_spaces.masks.crossing import from_first
from search_spaces.masks.layer import Mask, MaskLayer
from search_spaces.options import SpaceOptions, to_json
from search_spaces.signature import Signature
from search_spaces.space import TrialLike
from search_spaces.ticket import Ticket

OptionsT = TypeVar("OptionsT", bound=SpaceOptions)
DesignT = TypeVar("DesignT")

_EDIT_SHARE = 0.4
_MOST_PRESCRIBED = 0.8
_ATTEMPTS = 50
_DRAWS = 20
_RAISES = 3
_SPENT = 0.95
"""Share of the wanted live weights that is near enough."""
_STEEPEST = 3.0
"""Largest factor by which the density is raised at once, since the live share grows faster than the density."""


class OpenNetwork(Protocol):
    """A network whose masks are not drawn yet.

    Attributes:
        structure: masks that the architecture prescribes, by layer.
    """

    structure: dict[str, Mask]

    @property
    def layers(self) -> list[MaskLayer]:
        """All maskable weights."""

    def model(self, masks: Mapping[str, Mask]) -> ir.Model:
        """The network with the canonical mask of every layer; may be called once only."""


@dataclass(frozen=True, eq=False)
class _Draft:
    """A candidate with its network, built and trimmed to see what it keeps.

    Attributes:
        candidate: the candidate.
        model: its network.
        kept: non-zero weights before trimming.
        live: non-zero weights after it.
    """

    candidate: Candidate
    model: ir.Model
    kept: int
    live: int


class MaskedSpace(ABC, Generic[OptionsT, DesignT]):
    """A search space of masked networks; see `search_spaces.space.SearchSpace`.

    Attributes:
        settings: the options.
        signature: input and output of the networks.
    """

    name: ClassVar[str]
    options_type: ClassVar[type[SpaceOptions]]
    constant_genes: ClassVar[frozenset[str]] = frozenset()
    """Genes of the architecture that have only one possible value."""
    live_when_whole: ClassVar[bool] = False
    """Whether every unit of a network with all its weights lies on a path from input to output, so that nothing needs to be trimmed."""
    sizes: ClassVar[tuple[str, ...]] = ()
    """Beginnings of the names of genes that are widths."""

    def __init__(self, signature: Signature, settings: OptionsT) -> None:
        """Raises `InvalidOptionError` where the space has no network of that signature."""
        self.signature = signature
        self.settings = settings
        self._drafted: dict[int, _Draft] = {}  # the last one of each thread, which may change the model that it gets

    @abstractmethod
    def design(self, trial: TrialLike) -> DesignT:
        """Ask a trial for the architecture; `InvalidCandidateError` if an answer is impossible."""

    @abstractmethod
    def network(self, design: DesignT) -> OpenNetwork:
        """The unmasked network of a design."""

    def structured(self, design: DesignT) -> bool:
        """Whether `network` gives the design prescribed connections; a space that knows it without making the network says so."""
        return bool(self.network(design).structure)

    def unstructured(self, design: DesignT) -> dict[str, Gene]:
        """Genes of the same network without prescribed connections; called only if `network` gives it a structure."""
        raise NotImplementedError(
            f"space {self.name!r} gives its network a structure, so it must define `unstructured`"
        )

    def sample(self, rng: np.random.Generator) -> Candidate:
        """A random candidate, drawn again (20 times at most) while too much of it is dead: see `SpaceOptions.min_live`."""
        trial = RandomTrial(rng)
        candidate = self._propose(trial)
        for _ in range(_DRAWS if self.settings.min_live else 0):
            if self._is_alive(self._draft(candidate)):
                break
            candidate = self._propose(trial)
        return candidate

    def sample_dense(self, rng: np.random.Generator) -> Candidate:
        """A random architecture without a mask, whatever its number of weights."""
        return self._unmasked(RandomTrial(rng))

    def suggest(self, trial: TrialLike) -> Candidate:
        """The candidate that an Optuna trial proposes."""
        return self._propose(trial)

    def mutate(self, candidate: Candidate, rng: np.random.Generator) -> Candidate:
        """A neighbour: one gene changed or one mask edit more (it replaces another if there are `max_edits` already).

        A mask that is still to be learned has no edits, and an inherited one belongs to its architecture: there it is always the other.
        """
        for _ in range(_ATTEMPTS):
            if isinstance(candidate.mask, InheritedMask) or (
                isinstance(candidate.mask, MaskRecipe) and self.settings.max_edits and rng.random() < _EDIT_SHARE
            ):
                neighbour = self._edited(candidate, rng)
            else:
                neighbour = self._changed(candidate, rng)
            if neighbour.digest != candidate.digest:
                return neighbour
        raise InvalidOptionError(
            f"space {self.name!r} has no neighbour of {candidate.digest}; give its options wider ranges"
        )

    def crossover(self, first: Candidate, second: Candidate, rng: np.random.Generator) -> Candidate:
        """A child: every gene comes from one of the parents; every edit of either parent is kept with probability 1/2.

        Two inherited masks of one architecture give one, with layers or units of either. In all other cases a mask that is not drawn
        gives a mask that its method has still to find.
        """
        if not (isinstance(first.mask, MaskRecipe) and isinstance(second.mask, MaskRecipe)):
            return self._crossed_masks(first, second, rng)
        child = InheritedTrial(genes.cross(self._genes(first), self._genes(second), rng), rng)
        edits = [edit for edit in (*first.edits, *second.edits) if rng.random() < 0.5]
        return self._propose(child, tuple(edits[: self.settings.max_edits]))

    def remask(self, candidate: Candidate, rng: np.random.Generator, *, edits: int = 0) -> Candidate:
        """The same architecture with a new random mask recipe and `edits` random edits; drawn again as in `sample`."""
        for _ in range(_DRAWS):
            inherited = self._genes(candidate)
            of_recipe = {name for name in inherited if name.startswith(mask_genes.PREFIX)}
            kept = {name: gene for name, gene in inherited.items() if name not in of_recipe}
            masked = self._propose(InheritedTrial(kept, rng))
            for _ in range(edits):
                masked = self._edited(masked, rng)
            if not self.settings.min_live or self._is_alive(self._draft(masked)):
                break
        return masked

    def build(self, candidate: Candidate) -> ir.Model:
        """The untrained masked network, trimmed."""
        model = self._draft(candidate).model
        self._drafted.pop(get_ident(), None)  # a model is handed out once: the caller may change it
        return model

    def dense(self, candidate: Candidate) -> Candidate:
        """The same layers with all their connections."""
        design = self._design(candidate)
        architecture = self.unstructured(design) if self.structured(design) else candidate.architecture
        return Candidate(space=self.name, architecture=architecture, mask=MaskRecipe())

    def plain(self, scale: float = 1.0) -> list[Candidate]:
        """The dense networks that an expert would try first, within the ranges of the space, all different.

        `scale` multiplies their widths, so that smaller ones can be had.
        """
        found: dict[str, Candidate] = {}
        for preferred in self.preferred():
            candidate = self._resized(preferred, scale)
            found.setdefault(candidate.digest, candidate)
        return list(found.values())

    def resized(self, candidate: Candidate, scale: float) -> Candidate:
        """The dense network of a candidate with its widths multiplied by `scale`, within the ranges of the space."""
        return self._resized(self.dense(candidate).architecture, scale)  # type: ignore[arg-type]

    def preferred(self) -> Sequence[Mapping[str, Gene]]:
        """Genes of `plain` networks; genes that are missing have the middle of their range or the first choice."""
        return ({},)

    def options(self) -> dict[str, object]:
        """The resolved options as JSON values."""
        return to_json(self.settings)

    def _unmasked(self, trial: TrialLike) -> Candidate:
        """The architecture with the trial's genes, dense."""
        recorder = Recorder(trial)
        design = self.design(recorder)
        architecture = self.unstructured(design) if self.structured(design) else recorder.genes
        return Candidate(space=self.name, architecture=architecture, mask=MaskRecipe())

    def _resized(self, genes: Mapping[str, Gene], scale: float) -> Candidate:
        sized = {
            name: max(1, round(gene * scale)) if name.startswith(self.sizes) and isinstance(gene, int) else gene
            for name, gene in genes.items()
        }
        return self._unmasked(PreferredTrial(sized))

    def _propose(self, trial: TrialLike, edits: tuple[MaskEdit, ...] = ()) -> Candidate:
        """A candidate with the trial's genes, made to fit the budget."""
        recorder = Recorder(trial)
        design = self.design(recorder)
        network, architecture = self.network(design), recorder.genes
        budget = self._budget(network)
        if budget.fixed > _MOST_PRESCRIBED * budget.limit:
            architecture = self.unstructured(design)
            network = self.network(self.design(RecordedTrial(architecture)))
            budget = self._budget(network)
        recipe = mask_genes.suggest(trial, self.settings, budget)
        candidate = Candidate(space=self.name, architecture=architecture, mask=recipe, edits=edits)
        return candidate if self.settings.max_nnz is None else self._settled(candidate, budget)

    def _settled(self, candidate: Candidate, budget: Budget) -> Candidate:
        """The candidate, changed so that it has as many live weights as its recipe is meant to keep.

        Weights that are kept but dead do not count, so the density is raised until the budget is spent on live weights.
        Edits that exceed the budget are dropped, the last ones first.
        """
        draft = self._draft(candidate)
        while draft.candidate.edits and draft.live > budget.limit:
            draft = self._draft(replace(draft.candidate, edits=draft.candidate.edits[:-1]))
        recipe = candidate.mask
        assert isinstance(recipe, MaskRecipe)
        wanted = round(recipe.density * budget.free) + budget.fixed
        for _ in range(_RAISES):
            if draft.live >= _SPENT * wanted or recipe.density >= 1:
                break
            density = min(1.0, recipe.density * min(wanted / max(draft.live, 1), _STEEPEST))
            denser = self._draft(replace(draft.candidate, mask=replace(recipe, density=density)))
            if denser.live > budget.limit:
                break
            draft, recipe = denser, replace(recipe, density=density)
        self._drafted[get_ident()] = draft
        return draft.candidate

    def _draft(self, candidate: Candidate) -> _Draft:
        """Build and trim; the last draft is kept, since a candidate that was just made is built next."""
        draft = self._drafted.get(get_ident())
        if draft is None or draft.candidate != candidate:
            network = self._open(candidate)
            masks = _masks(network, candidate.mask, candidate.edits)
            model = network.model(masks)
            whole = self.live_when_whole and all(mask.all() for mask in masks.values())
            cut = 0 if whole else onnx_graph.trim(model)
            live = onnx_graph.count(model).nnz
            draft = self._drafted[get_ident()] = _Draft(candidate, model, kept=live + cut, live=live)
        return draft

    def _is_alive(self, draft: _Draft) -> bool:
        """Whether every output depends on the input and a share `min_live` of the kept weights lies on a path between them."""
        if draft.live < self.settings.min_live * draft.kept:
            return False
        reached = onnx_graph.liveness(draft.model).forward.get(draft.model.graph.outputs[0].name or "")
        return reached is not None and bool(reached.all())

    def _edited(self, candidate: Candidate, rng: np.random.Generator) -> Candidate:
        """The candidate with one more random edit; the candidate itself if no edit fits."""
        network = self._open(candidate)
        edits = candidate.edits
        if len(edits) >= self.settings.max_edits:
            dropped = int(rng.integers(len(edits)))
            edits = edits[:dropped] + edits[dropped + 1 :]
        masks = _masks(network, candidate.mask, edits)
        edit = mask_edits.random_edit(masks, network.layers, rng, operators=self.settings.edits)
        if edit is None:
            return candidate
        edited = replace(candidate, edits=(*edits, edit))
        over = self._draft(edited).live > self._budget(network).limit
        return candidate if over else edited

    def _crossed_masks(self, first: Candidate, second: Candidate, rng: np.random.Generator) -> Candidate:
        """The child of two candidates of which at least one mask is not drawn."""
        one, two = first.mask, second.mask
        if isinstance(one, InheritedMask) and isinstance(two, InheritedMask) and _same_architecture(first, second):
            return self._crossed_tickets(first, second, rng)
        genes_ = genes.cross(dict(first.architecture), dict(second.architecture), rng)  # type: ignore[arg-type]
        sources = [_to_learn(mask) for mask in (one, two) if not isinstance(mask, MaskRecipe)]
        return self._to_be_learned(InheritedTrial(genes_, rng), sources[int(rng.integers(len(sources)))])

    def _crossed_tickets(self, first: Candidate, second: Candidate, rng: np.random.Generator) -> Candidate:
        """One inherited mask of two; connections beyond the budget are dropped at random."""
        one, two = first.mask, second.mask
        assert isinstance(one, InheritedMask)
        assert isinstance(two, InheritedMask)
        network = self._open(first)
        mine, other = (_masks(network, candidate.mask, candidate.edits) for candidate in (first, second))
        masks = [np.where(part, mine[name], other[name]) for name, part in from_first(mine, rng).items()]
        ticket = Ticket.of(masks)
        limit = ticket.nnz if self.settings.max_nnz is None else self.settings.max_nnz
        if ticket.nnz > limit:
            ticket = ticket.without(rng.choice(ticket.nnz, ticket.nnz - limit, replace=False))
        parents = tuple(dict.fromkeys((*one.parents, *two.parents)))
        return replace(first, mask=replace(one, ticket=ticket.text, weights=ticket.size, parents=parents), edits=())

    def _to_be_learned(self, trial: TrialLike, source: LearnedMask) -> Candidate:
        """The architecture of a trial, dense, with a mask that is still to be learned."""
        return replace(self._unmasked(trial), mask=source)

    def _changed(self, candidate: Candidate, rng: np.random.Generator) -> Candidate:
        """The candidate with one gene changed, of the architecture or of the recipe with probability 1/2 each."""
        if isinstance(candidate.mask, LearnedMask):
            names = [name for name in candidate.architecture if name not in self.constant_genes]
            if not names:
                return candidate
            changed = names[int(rng.integers(len(names)))]
            kept: dict[str, Gene] = dict(candidate.architecture)  # type: ignore[arg-type]
            return self._to_be_learned(InheritedTrial(kept, rng, {changed}), candidate.mask)
        inherited = self._genes(candidate)
        of_recipe = [name for name in inherited if name.startswith(mask_genes.PREFIX)]
        of_architecture = [name for name in inherited if name not in self.constant_genes and name not in of_recipe]
        names = of_architecture if of_architecture and rng.random() < 0.5 else of_recipe
        changed = names[int(rng.integers(len(names)))]
        return self._propose(InheritedTrial(inherited, rng, {changed}), candidate.edits)

    def _genes(self, candidate: Candidate) -> dict[str, Gene]:
        """All genes of a candidate by name, including the genes of its recipe."""
        if not isinstance(candidate.mask, MaskRecipe):
            raise InvalidCandidateError(f"candidate {candidate.digest} has no recipe: its mask is not drawn")
        recipe = mask_genes.read(candidate.mask, self.settings, self._budget(self._open(candidate)))
        return {**candidate.architecture, **recipe}  # type: ignore[dict-item]

    def _design(self, candidate: Candidate) -> DesignT:
        if candidate.space != self.name:
            raise InvalidCandidateError(
                f"candidate {candidate.digest} is of the space {candidate.space!r}, not of {self.name!r}"
            )
        recorder = Recorder(RecordedTrial(candidate.architecture))
        design = self.design(recorder)
        surplus = sorted(set(candidate.architecture) - set(recorder.genes))
        if surplus:
            raise InvalidCandidateError(
                f"candidate {candidate.digest} has genes that mean nothing here: {', '.join(surplus)}; drop them"
            )
        return design

    def _open(self, candidate: Candidate) -> OpenNetwork:
        return self.network(self._design(candidate))

    def _budget(self, network: OpenNetwork) -> Budget:
        """How many weights of that network a recipe may keep."""
        total = sum(layer.size for layer in network.layers)
        limit = max(1, int(self.settings.max_density * total))
        if self.settings.max_nnz is not None:
            limit = min(limit, self.settings.max_nnz)
        free = _free(network)
        return Budget(
            free=sum(layer.size for layer in free),
            fixed=sum(int(mask.sum()) for mask in network.structure.values()),
            limit=limit,
            layers=len(free),
            gated=any(layer.gates > 1 for layer in free),
        )


def _same_architecture(first: Candidate, second: Candidate) -> bool:
    return (first.space, dict(first.architecture)) == (second.space, dict(second.architecture))


def _to_learn(mask: LearnedMask | InheritedMask) -> LearnedMask:
    """The mask that the method of an inherited one would find anew."""
    if isinstance(mask, LearnedMask):
        return mask
    return LearnedMask(method=mask.method, keep=max(Ticket(mask.ticket, mask.weights).nnz, 1))


def _free(network: OpenNetwork) -> list[MaskLayer]:
    """Layers that follow the recipe."""
    return [layer for layer in network.layers if layer.name not in network.structure]


def _masks(network: OpenNetwork, source: MaskSource, edits: Sequence[MaskEdit]) -> dict[str, Mask]:
    """The masks that the source gives, changed by the edits; of a mask that is still to be learned, all weights."""
    dense = {layer.name: np.ones(layer.shape, np.bool_) for layer in network.layers}
    if isinstance(source, LearnedMask):
        return dense
    if isinstance(source, InheritedMask):
        masks = Ticket(source.ticket, source.weights).masks(dense)
    else:
        masks = {**mask_recipe.draw(source, _free(network)), **network.structure}
    return mask_edits.apply(edits, masks, network.layers)
