"""Structure graphs of a corpus of labelled networks, encoded once and cached."""

from functools import partial

import onnx_ir as ir

from benchmarks.support import encoding_cache
from benchmarks.support.encoding_cache import Networks
from nas import Corpus
from predictors import StructureGraph


def corpus_graphs(corpus: Corpus, workers: int) -> list[StructureGraph]:
    """One graph a network, with the description of its task; where a domain has grown, only the new networks are encoded."""
    found = {}
    for name in domains_of(corpus):
        part, signature = corpus.of(name), corpus.examples[name].signature
        networks = Networks(
            name=f"corpus-{name}",
            # The structure does not say how large an image is; the signature does.
            specs=[(row, one.structure, signature) for row, one in enumerate(part.networks)],
            build=partial(_rebuilt, part),
            sources=("search_spaces",),
        )
        found[name] = iter(encoding_cache.graphs(networks, workers=workers, told=partial(print, flush=True)))
    return [next(found[one.domain]).on(corpus.examples[one.domain].description) for one in corpus.networks]


def domains_of(corpus: Corpus) -> list[str]:
    """The names of the domains that have networks, in the order of the corpus."""
    return list(dict.fromkeys(one.domain for one in corpus.networks))


def _rebuilt(corpus: Corpus, row: int, *_spec: object) -> ir.Model:
    """The network of a row. The rest of the spec only tells the cache when the network is another one."""
    return corpus.model(row)
