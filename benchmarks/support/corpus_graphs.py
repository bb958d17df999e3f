"""Structure graphs of a corpus of labelled networks, encoded once and cached."""

from collections.abc import Mapping
from functools import partial

import onnx_ir as ir

from benchmarks.support import encoding_cache
from benchmarks.support.encoding_cache import Networks
from benchmarks.support.places import CORPUS
from nas import Corpus
from nas.corpus.examples import architecture_of
from predictors import StructureGraph


def corpus_graphs(corpus: Corpus, workers: int) -> list[StructureGraph]:
    """One graph per network, with the description of its task; if a domain has grown, only the new networks are encoded."""
    found = {}
    for name in domains_of(corpus):
        part, signature = corpus.of(name), corpus.examples[name].signature
        networks = Networks(
            name=f"corpus-{name}",
            # The size of an image is in the signature, not in the structure.
            specs=[(row, one.structure, signature) for row, one in enumerate(part.networks)],
            build=partial(_rebuilt, part),
            sources=("search_spaces",),
        )
        found[name] = iter(encoding_cache.graphs(networks, workers=workers, told=partial(print, flush=True)))
    return [next(found[one.domain]).on(corpus.examples[one.domain].description) for one in corpus.networks]


def dense_graphs(corpus: Corpus, workers: int) -> dict[str, StructureGraph]:
    """The dense network of every architecture in which methods found masks, by its architecture; without a task."""
    rows: dict[str, int] = {}
    for row, one in enumerate(corpus.networks):
        if one.learned is not None:
            rows.setdefault(architecture_of(corpus, row), row)
    networks = Networks(
        name="dense",
        specs=[(name, corpus.examples[corpus.networks[row].domain].signature) for name, row in rows.items()],
        build=partial(_dense, corpus, rows),
        sources=("search_spaces",),
    )
    found = encoding_cache.graphs(networks, workers=workers, told=partial(print, flush=True))
    return dict(zip(rows, found, strict=True))


DRAWN = ("mlp-digits", "mlp-mnist", "mlp-fashion", "cnn-digits", "cnn-fashion", "rnn-reber")
"""Domains of drawn masks that keep 2 to 30 % of the weights."""


def drawn_corpus() -> Corpus:
    """The networks with drawn masks, with which predictors are compared since there are no others."""
    return Corpus.read(CORPUS).of(*DRAWN)


def domains_of(corpus: Corpus) -> list[str]:
    """The names of the domains that have networks, in the order of the corpus."""
    return list(dict.fromkeys(one.domain for one in corpus.networks))


def _rebuilt(corpus: Corpus, row: int, *_spec: object) -> ir.Model:
    """The network of a row. The rest of the spec is only part of the cache key, so that a changed network is encoded again."""
    return corpus.model(row)


def _dense(corpus: Corpus, rows: Mapping[str, int], name: str, *_spec: object) -> ir.Model:
    """The dense network of an architecture; the rest of the spec is only part of the cache key."""
    return corpus.dense_model(rows[name])
