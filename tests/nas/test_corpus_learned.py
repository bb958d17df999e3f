"""Learned masks of the corpus: found by methods, edited and crossed, stored as tickets, trained again from fresh weights."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import onnx_graph
import predictors
from nas.cli.main import main
from nas.corpus.build import build, missing
from nas.corpus.corpus import Corpus
from nas.corpus.domain import DOMAINS, LEARNED_MASKS, METHODS_OF_SHARD, Domain
from nas.corpus.examples import architecture_of, examples
from nas.corpus.labelled_network import structure_of
from nas.corpus.learned_mask import LearnedMask
from nas.corpus.learned_plan import BUDGETS, FEWEST, groups, methods_of
from nas.corpus.predictor_fit import fit
from nas.corpus.shard_plan import FEW, MANY, Spaces
from nas.errors import UsageError
from nas.tasks import load_task
from predictors import encode
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


def test_a_space_with_too_few_architectures_is_refused() -> None:
    options = {"width": (32, 32), "depth": (1, 1), "wirings": ("plain",), "activations": ("relu",)}
    domain = replace(LEARNED, networks=64, options=options)
    with pytest.raises(UsageError, match="too few architectures"):
        groups(domain, 0, Spaces(domain, load_task("digits").signature))


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
        ({"methods": ("espn", "snip", "lamp", "lamp")}, "all different"),
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


@pytest.fixture(scope="module")
def fitted(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A forest fitted on the corpus, saved."""
    folder = tmp_path_factory.mktemp("fitted") / "predictor"
    fit(corpus, folder, "forest")
    return folder


@pytest.fixture(scope="module")
def file(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first network of the corpus as a file."""
    path = tmp_path_factory.mktemp("model") / "pruned.onnx"
    onnx_graph.save(corpus.model(0), path)
    return path


def test_a_mask_gives_an_example_for_its_own_and_for_fresh_weights(corpus: Corpus) -> None:
    graphs = [encode(corpus.model(row)) for row in range(len(corpus))]
    dense = {architecture_of(corpus, row): encode(corpus.dense_model(row)) for row in range(len(corpus))}
    found = examples(corpus, graphs, dense)
    told = [graph.origin for graph in found.graphs]
    assert all(origin is not None for origin in told)
    plans = [place for place, origin in enumerate(told) if origin is not None and origin.nnz]
    assert len(plans) == 2 * METHODS_OF_SHARD  # two architectures
    assert len(told) - len(plans) == 2 * len(corpus)
    for kind, accuracies in (("fresh", corpus.accuracies), ("own", corpus.own_accuracies)):
        rows = [place for place, one in enumerate(told) if one is not None and one.weights == kind]
        np.testing.assert_array_equal(found.accuracies[rows], accuracies[found.rows[rows]])
    first = plans[0]
    network, origin = corpus.networks[found.rows[first]], told[first]
    runs = [
        row
        for row, one in enumerate(corpus.networks)
        if one.candidate == network.candidate and one.learned is not None and one.learned.origin == "learned"
        if origin is not None and one.learned.method == origin.method
    ]
    assert found.accuracies[first] == pytest.approx(corpus.own_accuracies[runs].mean())
    assert found.graphs[first].summary[0] == pytest.approx(np.log1p(network.weights), abs=1e-5)
    told_methods = [one.method is not None for one in told if one is not None and not one.nnz]
    assert 0.3 < np.mean(told_methods) < 0.9


def test_a_predictor_answers_for_own_and_fresh_weights_and_before_the_mask_exists(
    fitted: Path, file: Path, corpus: Corpus
) -> None:
    predictor = predictors.load(fitted)
    assert predictor.knows_origins
    own, fresh, both = (predictor.predict(file, method="espn", weights=kind) for kind in ("own", "fresh", None))
    assert own.mean[0] != fresh.mean[0]
    assert both.mean[0] == pytest.approx((own.mean[0] + fresh.mean[0]) / 2)
    assert both.low[0] == min(own.low[0], fresh.low[0])
    assert both.high[0] == max(own.high[0], fresh.high[0])
    dense = corpus.dense_model(0)
    few, many = (predictor.predict(dense, method="espn", nnz=nnz).mean[0] for nnz in (30, 300))
    assert few <= many + 1e-6
    with pytest.raises(predictors.InvalidOriginError, match="give the method too"):
        predictor.predict(dense, nnz=30)
    old = predictors.FittedPredictor(**{**vars(predictor), "provenance": {}})
    with pytest.raises(predictors.InvalidOriginError, match="drawn masks"):
        old.predict(file, method="espn")


def test_the_command_tells_both_accuracies_in_one_table(
    fitted: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(file), "--predictor", str(fitted), "--format", "json"]) == 0
    fresh, own = json.loads(capsys.readouterr().out)
    assert (fresh["weights"], own["weights"]) == ("fresh", "own")
    assert main(["predict", str(file), "--predictor", str(fitted), "--method", "espn"]) == 0
    shown = capsys.readouterr().out
    assert "trained again" in shown
    assert "as pruned" in shown
    arguments = ["--predictor", str(fitted), "--format", "json", "--method", "espn", "--nnz", "100"]
    assert main(["predict", str(file), *arguments]) == 0
    (planned,) = json.loads(capsys.readouterr().out)
    assert planned["weights"] == "own"
    assert main(["predict", str(file), "--predictor", str(fitted), "--nnz", "100"]) == 2
    assert "give the method too" in capsys.readouterr().err
