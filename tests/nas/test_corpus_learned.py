"""Learned masks of the corpus: found by methods, edited and crossed, stored as tickets, trained again from fresh weights."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import onnx_graph
from nas.corpus.build import build, missing
from nas.corpus.corpus import Corpus
from nas.corpus.domain import DOMAINS, LEARNED_MASKS, METHODS_OF_SHARD, Domain
from nas.corpus.labelled_network import structure_of
from nas.corpus.learned_mask import LearnedMask
from nas.corpus.learned_plan import BUDGETS, FEWEST, groups, methods_of
from nas.corpus.shard_plan import FEW, MANY, Spaces
from nas.errors import UsageError
from nas.tasks import load_task
from search_spaces import Ticket

LEARNED = Domain(
    name="found",
    task="digits",
    space="mlp",
    networks=2 * LEARNED_MASKS,
    masks=LEARNED_MASKS,
    densities=(0.05, 0.3),
    methods=("magnitude", "espn", "rigl", "snip"),
    options={"width": (16, 32), "depth": (1, 2)},
    training={"epochs": 2},
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of one domain of learned masks, built."""
    found = tmp_path_factory.mktemp("corpus")
    build(found, [LEARNED])
    return found


@pytest.fixture(scope="module")
def corpus(folder: Path) -> Corpus:
    return Corpus.read(folder)


@pytest.fixture(scope="module")
def learned(corpus: Corpus) -> list[LearnedMask]:
    return [one.learned for one in corpus.networks if one.learned is not None]


def test_masks_are_rebuilt_bit_for_bit_without_the_data(corpus: Corpus) -> None:
    assert len(corpus) == LEARNED.networks
    for row, network in enumerate(corpus.networks):
        model = corpus.model(row)
        assert structure_of(model) == network.structure
        assert network.learned is not None
        assert onnx_graph.count(model).nnz == network.nnz == network.learned.ticket.nnz
        assert onnx_graph.trim(model) == 0


def test_every_mask_has_an_accuracy_of_its_own_weights_and_accuracies_from_fresh_ones(corpus: Corpus) -> None:
    assert {len(one.test) for one in corpus.networks} == {FEW, MANY}
    own = corpus.own_accuracies
    assert own.shape == (len(corpus),)
    examples, first = corpus.examples["found"], corpus.networks[0].learned
    assert first is not None
    expected = (examples.validation * first.validation + examples.test * first.test) / (
        examples.validation + examples.test
    )
    assert own[0] == pytest.approx(expected)
    assert abs(own - corpus.accuracies).max() > 0.01


def test_every_method_trains_every_architecture_twice(corpus: Corpus, learned: list[LearnedMask]) -> None:
    found = [(json.dumps(one.candidate.architecture), one.recipe) for one in corpus.networks if not one.learned.parents]
    assert len(found) == 2 * 2 * METHODS_OF_SHARD
    assert all(found.count(pair) == 2 for pair in found)
    assert {one.method for one in learned} == set(methods_of(LEARNED, 0))


def test_children_come_from_masks_of_the_same_architecture(corpus: Corpus, learned: list[LearnedMask]) -> None:
    owner = {one.structure: one.candidate.digest for one in corpus.networks}
    masks = {one.structure: one.learned.ticket.bits() for one in corpus.networks if one.learned is not None}
    assert {one.origin: len(one.parents) for one in learned} == {"learned": 0, "edited": 1, "crossed": 2}
    for network in corpus.networks:
        parents = network.learned.parents if network.learned is not None else ()
        assert {owner[parent] for parent in parents} <= {network.candidate.digest}
        if len(parents) == 2:
            allowed = masks[parents[0]] | masks[parents[1]]
            assert not (masks[network.structure] & ~allowed).any()


def test_the_kept_weights_are_those_of_the_plan() -> None:
    domain = replace(LEARNED, networks=64, densities=(0.01, 0.3))
    spaces = Spaces(domain, load_task("digits").signature)
    drawn = [group for shard in range(3) for group in groups(replace(domain, networks=192), shard, spaces)]
    assert all(group.keep >= FEWEST for group in drawn)
    assert all(group.density <= 0.3 or group.keep == FEWEST for group in drawn)
    assert 0.2 < np.mean([group.keep in BUDGETS for group in drawn]) < 0.8
    again = groups(replace(domain, networks=192), 2, spaces)
    assert [(one.architecture.digest, one.keep) for one in again] == [
        (one.architecture.digest, one.keep) for one in drawn[-len(again) :]
    ]


def test_all_methods_of_a_domain_take_turns() -> None:
    domain = replace(LEARNED, networks=4 * 64)
    found = [method for shard in range(4) for method in methods_of(domain, shard)]
    assert sorted(found) == sorted(3 * domain.methods)


def test_a_finished_shard_is_not_made_again(folder: Path) -> None:
    assert missing(folder, [LEARNED]) == []
    assert missing(folder, [replace(LEARNED, networks=3 * LEARNED_MASKS)]) != []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"masks": 4}, "masks must be 8"),
        ({"networks": 12}, "multiple"),
        ({"methods": ("espn", "snip")}, "at least 3 methods"),
        ({"methods": ("espn", "snip", "snipp")}, "snip"),
        ({"densities": (0.3, 0.1)}, "must rise"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(change: dict[str, object], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        replace(LEARNED, **change)


@pytest.mark.parametrize(
    "change", [{"origin": "bought"}, {"validation": 1.5}, {"ticket": {"text": "A"}}, {"density": 0}]
)
def test_a_damaged_row_is_refused(learned: list[LearnedMask], change: dict[str, object]) -> None:
    data = json.loads(json.dumps(learned[0].to_json()))
    assert LearnedMask.from_json(data) == learned[0]
    with pytest.raises((LookupError, ValueError)):
        LearnedMask.from_json(data | change)


def test_the_default_plan_has_enough_learned_masks_of_enough_methods() -> None:
    found = [domain for domain in DOMAINS if domain.methods]
    assert sum(domain.networks for domain in found) >= 5000
    assert len({method for domain in found for method in domain.methods}) >= 14
    assert {domain.space for domain in found} == {"mlp", "cnn", "rnn"}


def test_a_ticket_of_another_network_is_refused(corpus: Corpus) -> None:
    masks = onnx_graph.masks(corpus.model(0))
    with pytest.raises(ValueError, match="does not fit"):
        Ticket("A", 1).masks(masks)
