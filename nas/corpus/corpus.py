"""The whole corpus: its networks in order, their accuracies and cells, and their rebuilt graphs."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from nas.corpus.domain import Domain
from nas.corpus.domain_description import description_file, read_description
from nas.corpus.labelled_network import MeasuredNetwork, structure_of
from nas.corpus.shard import Examples, read_shard
from nas.corpus.shard_plan import Spaces
from nas.errors import DataError
from nas.training.methods.method import masked
from onnx_graph import masks

BANDS = (0.04, 0.075, 0.15)
"""Bounds between the density bands of a cell."""
BAND_NAMES = ("<.04", ".04–.075", ".075–.15", "≥.15")


@dataclass(frozen=True, eq=False)
class Corpus:
    """Networks with measured accuracies; a network whose trainings all diverged is left out.

    Attributes:
        networks: all networks, ordered by domain, then by shard.
        domains: domains by name.
        examples: facts about the data, by name of the domain.
    """

    networks: tuple[MeasuredNetwork, ...]
    domains: Mapping[str, Domain]
    examples: Mapping[str, Examples]
    _spaces: dict[str, Spaces] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        """Number of networks."""
        return len(self.networks)

    @classmethod
    def read(cls, folder: Path | str) -> "Corpus":
        """All shards of a folder, finished or not; `DataError` if there is none or one is damaged."""
        folder = Path(folder)
        shards = [read_shard(path) for path in sorted(folder.glob("*/*.jsonl.gz"))]
        if not shards:
            raise DataError(f"{folder} holds no corpus: `nas corpus build {folder}` makes one")
        examples: dict[str, Examples] = {}
        domains: dict[str, Domain] = {}
        for shard in shards:
            name = shard.domain.name
            planned = domains.get(name, shard.domain)
            if not shard.domain.is_part_of(planned):
                raise DataError(f"shards of domain {name!r} were made by different plans; build it anew in one folder")
            if examples.setdefault(name, shard.examples) != shard.examples:
                raise DataError(f"shards of domain {name!r} were made from different data; build it anew in one place")
            domains[name] = max(planned, shard.domain, key=lambda domain: domain.networks)
        for name, known in examples.items():
            described = read_description(description_file(folder, name))
            examples[name] = known if described is None else replace(known, description=described)
        return cls(
            networks=tuple(one for shard in shards for one in shard.networks if any(v is not None for v in one.test)),
            domains=domains,
            examples=examples,
        )

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> "Corpus":
        """The corpus of these networks only."""
        return Corpus(tuple(self.networks[row] for row in rows), self.domains, self.examples, self._spaces)

    def of(self, *domains: str) -> "Corpus":
        """The networks of these domains; `DataError` for a domain that the corpus does not have."""
        for name in domains:
            if name not in self.domains:
                raise DataError(f"the corpus has no domain {name!r}; it has {', '.join(self.domains)}")
        return self.take([row for row, one in enumerate(self.networks) if one.domain in domains])

    @cached_property
    def trainings(self) -> tuple[NDArray[np.float64], ...]:
        """Metric of every training of every network, on validation and test together."""
        return tuple(
            one.accuracies(self.examples[one.domain].validation, self.examples[one.domain].test)
            for one in self.networks
        )

    @cached_property
    def accuracies(self) -> NDArray[np.float64]:
        """Mean over the trainings, ``(networks,)``."""
        return np.array([values.mean() for values in self.trainings])

    @cached_property
    def own_accuracies(self) -> NDArray[np.float64]:
        """Accuracy with the weights of the training that found the mask, ``(networks,)``; NaN for drawn masks."""
        found = np.full(len(self), np.nan)
        for row, network in enumerate(self.networks):
            if network.learned is not None:
                examples = self.examples[network.domain]
                pair = [network.learned.validation, network.learned.test]
                found[row] = np.average(pair, weights=[examples.validation, examples.test])
        return found

    @cached_property
    def cells(self) -> tuple[tuple[str, str], ...]:
        """Domain and density band of every network; networks are compared only inside a cell."""
        return tuple((one.domain, BAND_NAMES[bisect_right(BANDS, one.density)]) for one in self.networks)

    def model(self, row: int) -> ir.Model:
        """The untrained masked network, rebuilt; `DataError` if it differs from the network that was trained."""
        network, model = self.networks[row], self._built(row)
        if network.learned is not None:
            model = masked(model, network.learned.ticket.masks(masks(model)))
        if structure_of(model) != network.structure:
            raise DataError(
                f"candidate {network.candidate.digest} of domain {network.domain!r} is not rebuilt as it was trained: "
                "the search space has changed since; build the corpus anew"
            )
        return model

    def dense_model(self, row: int) -> ir.Model:
        """The dense network in which a method found the mask of that row."""
        return self._built(row)

    def _built(self, row: int) -> ir.Model:
        network = self.networks[row]
        if network.domain not in self._spaces:
            self._spaces[network.domain] = Spaces(self.domains[network.domain], self.examples[network.domain].signature)
        return self._spaces[network.domain].whole.build(network.candidate)
