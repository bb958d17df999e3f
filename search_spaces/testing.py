"""Conformance tests of a search space.

Derive a test class from `SpaceContract`, define how it makes the space, and pytest runs all tests of the contract::

    class TestMySpace(SpaceContract):
        signature = Signature(input_shape=(8,), outputs=3)

        def make(self, **options):
            return MySpace(self.signature, MyOptions(**options))
"""

import json
from dataclasses import replace

import numpy as np
import onnx
import onnx_ir as ir

import onnx_graph
from search_spaces.candidate import Candidate, InheritedMask, LearnedMask, MaskRecipe
from search_spaces.signature import Signature
from search_spaces.space import SearchSpace
from search_spaces.ticket import Ticket

DRAWS = 20


def serialized(model: ir.Model) -> bytes:
    """The bytes of a model, the same for the same model."""
    proto: bytes = ir.to_proto(model).SerializeToString(deterministic=True)
    return proto


def run(model: ir.Model, x: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """Output of a model in onnxruntime, which loads it without complaint."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(serialized(model), options, providers=["CPUExecutionProvider"])
    output: np.ndarray = session.run(None, {session.get_inputs()[0].name: x})[0]  # type: ignore[type-arg]
    return output


class DenseSpaceContract:
    """What every search space must do, also one whose networks have no masks.

    Attributes:
        signature: signature of the networks of the space under test.
    """

    signature: Signature

    def make(self, **options: object) -> SearchSpace:
        """The space under test; its options must include the keys of `options()`."""
        raise NotImplementedError

    def check_network(self, space: SearchSpace, candidate: Candidate) -> None:
        """A candidate builds into a sound, trimmed network of the right shapes."""
        model = space.build(candidate)
        onnx.checker.check_model(ir.to_proto(model), full_check=True)
        assert onnx_graph.trim(model) == 0
        signature = self.signature
        x = np.random.default_rng(0).normal(size=(2, *signature.input_shape)).astype(np.float32)
        steps = signature.input_shape[-2:-1] if signature.per_step else ()
        assert run(model, x).shape == (2, *steps, signature.outputs)

    def test_samples_build_and_run(self) -> None:
        """Sampled networks run in onnxruntime."""
        space = self.make()
        rng = np.random.default_rng(0)
        for _ in range(DRAWS // 2):
            self.check_network(space, space.sample(rng))

    def test_whole_networks_are_live(self) -> None:
        """Without a mask, every weight lies on a path from input to output, or the space trims the others."""
        space = self.make()
        rng = np.random.default_rng(7)
        for _ in range(DRAWS // 2):
            assert onnx_graph.trim(space.build(space.dense(space.sample(rng)))) == 0

    def test_samples_are_alive_and_differ(self) -> None:
        """The output depends on the input; most of many samples are different."""
        space = self.make()
        rng = np.random.default_rng(1)
        candidates = [space.sample(rng) for _ in range(DRAWS)]
        assert len({candidate.digest for candidate in candidates}) > DRAWS // 2
        assert all(onnx_graph.count(space.build(candidate)).nnz > 0 for candidate in candidates)

    def test_sample_depends_on_the_generator_only(self) -> None:
        """The same seed gives the same candidates."""
        space = self.make()
        first, second = np.random.default_rng(2), np.random.default_rng(2)
        assert [space.sample(first) for _ in range(3)] == [space.sample(second) for _ in range(3)]

    def test_json_round_trip_builds_the_same_bytes(self) -> None:
        """A candidate builds the same model, bit for bit, before and after JSON."""
        space = self.make()
        rng = np.random.default_rng(3)
        for _ in range(5):
            candidate = space.mutate(space.sample(rng), rng)
            again = Candidate.from_json(json.loads(json.dumps(candidate.to_json(), allow_nan=False)))
            assert again.digest == candidate.digest
            assert serialized(space.build(again)) == serialized(space.build(candidate))

    def test_mutation_differs_and_is_valid(self) -> None:
        """A long walk of mutations stays inside the space."""
        space = self.make()
        rng = np.random.default_rng(4)
        candidate = space.sample(rng)
        for step in range(3 * DRAWS):
            neighbour = space.mutate(candidate, rng)
            assert neighbour.digest != candidate.digest
            assert neighbour.space == space.name
            candidate = neighbour
            if step % 10 == 0:
                self.check_network(space, candidate)

    def test_children_of_two_parents_are_valid(self) -> None:
        """A child builds and is of the same space."""
        space = self.make()
        rng = np.random.default_rng(6)
        for _ in range(DRAWS // 4):
            first, second = space.mutate(space.sample(rng), rng), space.mutate(space.sample(rng), rng)
            child = space.crossover(first, second, rng)
            assert child.space == space.name
            self.check_network(space, child)

    def test_optuna_suggests_valid_candidates(self) -> None:
        """Every parameter name keeps one range, as Optuna demands."""
        space = self.make()
        import optuna

        study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        for index in range(DRAWS):
            trial = study.ask()
            candidate = space.suggest(trial)
            if index % 4 == 0:
                self.check_network(space, candidate)
            study.tell(trial, float(onnx_graph.count(space.build(candidate)).nnz))
        ranges: dict[str, object] = {}
        for frozen in study.trials:
            for name, distribution in frozen.distributions.items():
                assert ranges.setdefault(name, distribution) == distribution

    def test_dense_keeps_every_weight(self) -> None:
        """The dense candidate of a sample has the same weights, all of them kept."""
        space = self.make()
        rng = np.random.default_rng(8)
        for _ in range(5):
            candidate = space.sample(rng)
            sparse = onnx_graph.count(space.build(candidate))
            dense = onnx_graph.count(space.build(space.dense(candidate)))
            assert dense.weights == sparse.weights
            assert dense.nnz >= sparse.nnz
            assert space.dense(candidate).edits == ()

    def test_options_make_the_same_space(self) -> None:
        """Options survive JSON."""
        space = self.make()
        options = json.loads(json.dumps(space.options()))
        again = self.make(**options)
        assert again.options() == space.options()
        assert again.sample(np.random.default_rng(9)) == space.sample(np.random.default_rng(9))


class SpaceContract(DenseSpaceContract):
    """What a space of masked networks must do; the options of `make` must also include `max_nnz` and `min_live`."""

    def test_no_two_samples_are_the_same(self) -> None:
        """Masks are drawn, so that a sample never comes again."""
        space = self.make()
        rng = np.random.default_rng(1)
        assert len({space.sample(rng).digest for _ in range(DRAWS)}) == DRAWS

    def test_mutation_reaches_recipe_and_edits(self) -> None:
        """Neighbours of one candidate differ in recipe or edits, not only in architecture."""
        space = self.make()
        rng = np.random.default_rng(5)
        candidate = space.sample(rng)
        neighbours = [space.mutate(candidate, rng) for _ in range(DRAWS)]
        assert any(neighbour.mask != candidate.mask for neighbour in neighbours)
        assert any(neighbour.edits != candidate.edits for neighbour in neighbours)

    def test_crossover_is_valid(self) -> None:
        """Children build; their pattern and edits come from their parents."""
        space = self.make()
        rng = np.random.default_rng(6)
        for index in range(DRAWS):
            first, second = space.mutate(space.sample(rng), rng), space.mutate(space.sample(rng), rng)
            child = space.crossover(first, second, rng)
            assert child.space == space.name
            assert _pattern(child) in (_pattern(first), _pattern(second))
            assert all(edit in (*first.edits, *second.edits) for edit in child.edits)
            if index % 4 == 0:
                self.check_network(space, child)
            else:
                space.build(child)

    def test_a_mask_to_be_learned_is_built_dense(self) -> None:
        """The network has all its connections; neighbours and children have another architecture and the same method."""
        space = self.make()
        rng = np.random.default_rng(8)
        candidate = _to_learn(space, rng)
        assert serialized(space.build(candidate)) == serialized(space.build(replace(candidate, mask=MaskRecipe())))
        again = Candidate.from_json(json.loads(json.dumps(candidate.to_json(), allow_nan=False)))
        assert (again, again.digest) == (candidate, candidate.digest)
        if set(candidate.architecture) <= getattr(space, "constant_genes", frozenset()):
            return  # there is one architecture only
        child = space.crossover(candidate, _to_learn(space, rng), rng)
        neighbour = space.mutate(candidate, rng)
        assert neighbour.architecture != candidate.architecture
        for other in (child, neighbour):
            assert other.mask == candidate.mask
            assert space.dense(other) == replace(other, mask=MaskRecipe())

    def test_an_inherited_mask_is_built_again(self) -> None:
        """A ticket gives the masks that it was made of; its neighbours are edited, and two of them are crossed."""
        space = self.make()
        rng = np.random.default_rng(9)
        first, second = _inherited(space, space.sample(rng)), None
        masks = onnx_graph.masks(space.build(first))
        assert Ticket.of(masks.values()).text == first.mask.ticket  # type: ignore[union-attr]
        neighbour = space.mutate(first, rng)
        assert (neighbour.mask, len(neighbour.edits)) == (first.mask, 1)
        self.check_network(space, neighbour)
        second = replace(_inherited(space, neighbour), architecture=first.architecture)
        child = space.crossover(first, second, rng)
        assert isinstance(child.mask, InheritedMask)
        assert child.mask.parents == ("first-0", "second-1")
        either = Ticket(first.mask.ticket, first.mask.weights).bits()  # type: ignore[union-attr]
        either |= Ticket(second.mask.ticket, second.mask.weights).bits()  # type: ignore[union-attr]
        assert not (Ticket(child.mask.ticket, child.mask.weights).bits() & ~either).any()
        self.check_network(space, child)

    def test_budget_is_never_exceeded(self) -> None:
        """With `max_nnz`, no operator of the space keeps more weights."""
        limit = 100
        bounded = self.make(max_nnz=limit, min_live=0)
        rng = np.random.default_rng(7)
        candidates = [bounded.sample(rng) for _ in range(80)]
        for _ in range(60):
            candidates.append(bounded.mutate(candidates[int(rng.integers(len(candidates)))], rng))
            first, second = rng.integers(len(candidates), size=2)
            candidates.append(bounded.crossover(candidates[int(first)], candidates[int(second)], rng))
        assert len(candidates) == 200
        assert max(onnx_graph.count(bounded.build(candidate)).nnz for candidate in candidates) <= limit


def _to_learn(space: SearchSpace, rng: np.random.Generator) -> Candidate:
    return replace(space.dense(space.sample(rng)), mask=LearnedMask(method="espn", keep=20))


def _inherited(space: SearchSpace, candidate: Candidate) -> Candidate:
    """The candidate's masks as a ticket of its unstructured architecture."""
    ticket = Ticket.of(onnx_graph.masks(space.build(candidate)).values())
    parent = "second-1" if candidate.edits else "first-0"
    mask = InheritedMask(ticket=ticket.text, weights=ticket.size, method="espn", parents=(parent,))
    return replace(space.dense(candidate), mask=mask)


def _pattern(candidate: Candidate) -> str:
    assert isinstance(candidate.mask, MaskRecipe)
    return candidate.mask.pattern
