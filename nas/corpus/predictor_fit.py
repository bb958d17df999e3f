"""Fits a predictor on a corpus. With several tasks, the predictor also reads the description of each task."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from nas.corpus.corpus import Corpus
from nas.corpus.examples import architecture_of, examples
from nas.errors import UsageError
from predictors import (
    BoostedOptions,
    EnsembleOptions,
    EnsemblePredictor,
    FittedPredictor,
    ForestOptions,
    GaussianProcessOptions,
    GNNOptions,
    Json,
    OriginsPredictor,
    Predictor,
    StructureGraph,
    TaskDescription,
    create,
    encode,
    needs_task,
    require_free,
    save,
)

MANY = 2000
"""From this number of networks on, the ensemble gets options for large data."""


def fit(corpus: Corpus, folder: Path, name: str = "ensemble", *, seed: int = 0) -> FittedPredictor:
    """Fit a predictor on all networks of a corpus and save it, with the descriptions of its tasks by name."""
    if needs_task(name):
        raise UsageError(
            f"{name!r} starts from the shipped predictor, so it cannot be fitted as a new one; take another predictor"
        )
    require_free(folder)
    known = descriptions(corpus)
    encoded = [encode(corpus.model(row)) for row in range(len(corpus))]
    found = examples(corpus, encoded, _dense(corpus), seed=seed)
    methods = sorted({one.learned.method for one in corpus.networks if one.learned is not None})
    several = bool(methods) and name in OriginsPredictor.MEMBERS
    predictor: Predictor = OriginsPredictor(partial(_of_question, name)) if several else _fresh(name, len(found.graphs))
    predictor = predictor.fit(found.graphs, found.accuracies, seed=seed)
    provenance: dict[str, Json] = {
        "corpus": {domain: len(corpus.of(domain)) for domain in corpus.domains},
        "trainings": sum(map(len, corpus.trainings)) + sum(one.learned is not None for one in corpus.networks),
        "seed": seed,
        **({"methods": list(methods)} if methods else {}),
    }
    save(predictor, folder, provenance=provenance, tasks=known)
    return FittedPredictor(predictor=predictor, training_graphs=len(corpus), provenance=provenance, tasks=known)


def _dense(corpus: Corpus) -> dict[str, StructureGraph]:
    """The encoded dense network of every architecture in which methods found masks, by its architecture."""
    rows = {architecture_of(corpus, row): row for row, one in enumerate(corpus.networks) if one.learned is not None}
    return {name: encode(corpus.dense_model(row)) for name, row in rows.items()}


def descriptions(corpus: Corpus) -> Mapping[str, TaskDescription]:
    """Descriptions by task name; a task of several domains gets the description with the most examples."""
    ascending = sorted(corpus.domains, key=lambda name: corpus.examples[name].description.samples)
    return {corpus.domains[name].task: corpus.examples[name].description for name in ascending}


def _of_question(name: str, networks: int) -> Predictor:
    """A predictor for one kind of question; ensembles are small, as there are three of them in one file."""
    if name != "ensemble" or networks >= MANY:
        return _fresh(name, networks)
    return EnsemblePredictor(
        EnsembleOptions(
            forest=ForestOptions(trees=60, min_leaf=2),
            process=GaussianProcessOptions(scaled=600, inducing=350),
            boosted=BoostedOptions(trees=300),
            network=GNNOptions(hidden=24, unit_hidden=12, most_steps=1500, batch_size=32),
        )
    )


def _fresh(name: str, networks: int) -> Predictor:
    if name != "ensemble" or networks < MANY:
        return create(name)
    return EnsemblePredictor(
        EnsembleOptions(
            forest=ForestOptions(trees=60, min_leaf=4),
            process=GaussianProcessOptions(scaled=800, inducing=500),
            boosted=BoostedOptions(trees=800),
            network=GNNOptions(hidden=48, unit_hidden=24, most_steps=2500, batch_size=32),
        )
    )
