"""The benchmarks of predictors: they use the measures that they state, on a few networks of the committed corpus."""

import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.support import encoding_cache
from benchmarks.support.corpus_graphs import corpus_graphs
from nas.corpus.corpus import Corpus
from predictors.models.boosted import BoostedOptions
from predictors.models.ensemble import EnsembleOptions, EnsemblePredictor
from predictors.models.forest import ForestOptions
from predictors.models.gaussian_process import GaussianProcessOptions
from predictors.models.gnn.gnn import GNNOptions
from predictors.origin import Origin
from predictors.structure_graph import StructureGraph

FOLDER = Path(__file__).parents[2] / "benchmarks"
SMALL = EnsembleOptions(
    folds=2,
    forest=ForestOptions(trees=10),
    process=GaussianProcessOptions(iterations=5),
    boosted=BoostedOptions(trees=10),
    network=GNNOptions(members=2, hidden=8, layers=1, unit_hidden=4, unit_layers=1, steps=5, most_steps=5),
)


@pytest.fixture(scope="module")
def two_domains(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """A shard of each."""
    folder = tmp_path_factory.mktemp("corpus")
    for name in ("mlp-digits", "rnn-reber"):
        (folder / name).mkdir()
        shutil.copy(FOLDER / "corpus" / name / "0000.jsonl.gz", folder / name)
    return Corpus.read(folder)


@pytest.fixture(scope="module")
def graphs(two_domains: Corpus, tmp_path_factory: pytest.TempPathFactory) -> list[StructureGraph]:
    """The networks of both, encoded once for all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding_cache, "CACHE", tmp_path_factory.mktemp("cache"))
        return corpus_graphs(two_domains, 1)


@pytest.mark.takes(8, "fits four small ensembles")
def test_a_warm_start_is_judged_on_a_domain_that_its_source_has_not_seen(benchmark, monkeypatch, two_domains, graphs):
    module = benchmark("predictors.predictor_corpus")
    monkeypatch.setattr(module, "SOURCE", 40)
    fitted_on = []

    class Small(EnsemblePredictor):
        def __init__(self, *_: object, source: EnsemblePredictor | None = None) -> None:
            super().__init__(SMALL, source=source)

        def fit(self, graphs, accuracies, *, seed=0):
            fitted_on.append({tuple(graph.task) for graph in graphs})
            return super().fit(graphs, accuracies, seed=seed)

    monkeypatch.setattr(module, "EnsemblePredictor", Small)
    monkeypatch.setattr(module, "create", lambda _name: Small())
    own = {
        tuple(graph.task) for graph, one in zip(graphs, two_domains.networks, strict=True) if one.domain == "rnn-reber"
    }
    found = {
        method: module._rows("warm", two_domains, graphs, "rnn-reber", 30, method, seeds=1)
        for method in module.WARM_METHODS
    }
    assert len(fitted_on) == 3, "the source is fitted once"
    assert [tasks & own for tasks in fitted_on] == [own, set(), own]
    for rows in found.values():
        assert -1 <= rows[""][0]["tau"] <= 1
        assert rows[""][0]["judged"] == 34
    assert ":transfer" in found["warm"]
    assert ":transfer" not in found["ensemble"]
    taus = {method: rows[""][0]["tau"] for method, rows in found.items()}
    assert taus["the others alone"] != taus["ensemble"]


@pytest.mark.parametrize(
    ("section", "domain", "methods"),
    [
        ("random", "mlp-digits", ("density", "scaling law", "forest of 20 features", "linear")),
        ("recipe", "mlp-digits", ("density", "scaling law")),
        ("task", "all", ("density", "linear")),
    ],
)
def test_every_division_of_the_corpus_and_every_cheap_method(benchmark, two_domains, graphs, section, domain, methods):
    module = benchmark("predictors.predictor_corpus")
    for method in methods:
        rows = module._rows(section, two_domains, graphs, domain, 30, method, seeds=1)[""]
        assert rows
        assert all(math.isfinite(row["tau"]) for row in rows)
        assert section == "random" or all(row["left_out"] for row in rows)


def test_speeds_grow_as_a_power_of_the_length(benchmark):
    module = benchmark("speed.graph_speed")
    found = module.times(3, 1)
    assert min(found.values()) >= 0
    assert {"load a file", "encode"} <= set(found)
    squared = {length: {"job": float(length) ** 2} for length in module.LENGTHS}
    assert module.growths(squared)["job"] == pytest.approx(2.0)


def test_pretraining_tells_what_can_be_computed_and_starts_from_it(benchmark, two_domains, graphs):
    module = benchmark("predictors.label_free_pretraining")
    own = [graph for graph, one in zip(graphs, two_domains.networks, strict=True) if one.domain == "mlp-digits"]
    start, explained = module.pretrained(own, 4, seed=0)
    assert -9 < explained["r2_mean"] <= 1
    network = start._network(3, start._before)
    for name, value in start._start.items():
        np.testing.assert_array_equal(network.state_dict()[name].numpy(), value)
    assert not np.array_equal(
        network.head[-1].weight.detach().numpy(), start._network(4, start._before).head[-1].weight.detach()
    )


@pytest.mark.takes(8, "fits a graph network")
def test_the_graph_network_without_whole_graph_features_reads_task_and_origin_only(benchmark, two_domains, graphs):
    module = benchmark("predictors.predictor_gnn")
    known, unknown = Origin(method="gumbel", weights="own"), Origin(method="static", weights="fresh")
    told = [graph.of_origin(known if row % 2 else unknown) for row, graph in enumerate(graphs)]
    fitted = module.WithoutWholeGraph(SMALL.network).fit(told, two_domains.accuracies)
    asked = told[0]
    base = fitted.predict([asked]).mean
    assert fitted.predict([replace(asked, summary=asked.summary + np.float32(0.5))]).mean == base
    assert fitted.predict([replace(asked, task=told[-1].task)]).mean != base
    assert fitted.predict([asked.of_origin(known)]).mean != base
    assert fitted.predict([replace(asked, features=asked.features + np.float32(0.5))]).mean != base


def test_labels_structures_and_judged_networks_of_the_graph_network_are_apart(benchmark, two_domains, graphs):
    module = benchmark("predictors.predictor_gnn")
    judge = module.Judge(two_domains, graphs, quick=True)
    for _, division in judge.divisions("left out", 2000):
        parts = (division.fitted, division.judged, division.structures)
        rows = np.concatenate(parts)
        assert len(np.unique(rows)) == len(rows)
