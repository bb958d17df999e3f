"""A network of the corpus: its candidate and the metrics of its trainings."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from nas.corpus.learned_mask import LearnedMask
from nas.errors import DataError
from onnx_graph import masks
from search_spaces import Candidate, InvalidCandidateError


@dataclass(frozen=True, kw_only=True)
class MeasuredNetwork:
    """One row of the corpus.

    Attributes:
        domain: name of its domain.
        candidate: candidate from which the network is rebuilt; for a learned mask, its dense architecture.
        structure: `structure_of` the network that was trained.
        seeds: one seed per training.
        validation: metric of every training on the validation split; None where it diverged.
        test: the same on the test split. No choice used either split, so both are unbiased.
        nnz, weights: number of maskable weights kept on live paths, and number of all maskable weights.
        seconds: mean time of one training.
        learned: the mask that a training found, with the accuracy of that training; None for a drawn mask.
    """

    domain: str
    candidate: Candidate
    structure: str
    seeds: tuple[int, ...]
    validation: tuple[float | None, ...]
    test: tuple[float | None, ...]
    nnz: int
    weights: int
    seconds: float
    learned: LearnedMask | None = None

    @property
    def density(self) -> float:
        """Share of the maskable weights that is kept on live paths."""
        return self.nnz / max(self.weights, 1)

    @property
    def recipe(self) -> str:
        """Pattern of a drawn mask, or the name of the method that found it."""
        if self.learned is not None:
            return self.learned.method
        return getattr(self.candidate.mask, "pattern", "")

    def accuracies(self, validation: int, test: int) -> NDArray[np.float64]:
        """Metric of every training that did not diverge, on both splits together.

        Args:
            validation: number of validation examples.
            test: number of test examples.
        """
        pairs = [
            (first, second)
            for first, second in zip(self.validation, self.test, strict=True)
            if first is not None and second is not None
        ]
        return np.array(
            [(validation * first + test * second) / (validation + test) for first, second in pairs], np.float64
        )

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values; without the domain, which a shard states once."""
        row = {name: value for name, value in vars(self).items() if name not in ("domain", "learned")}
        learned = {} if self.learned is None else {"learned": self.learned.to_json()}
        return row | {"candidate": self.candidate.to_json()} | learned

    @classmethod
    def from_json(cls, domain: str, data: Mapping[str, Any], place: str) -> "MeasuredNetwork":
        """Read what `to_json` wrote; anything else is a `DataError`."""
        try:
            found = cls(
                domain=domain,
                candidate=Candidate.from_json(data["candidate"]),
                structure=str(data["structure"]),
                seeds=tuple(int(seed) for seed in data["seeds"]),
                validation=_shares(data["validation"]),
                test=_shares(data["test"]),
                nnz=int(data["nnz"]),
                weights=int(data["weights"]),
                seconds=float(data["seconds"]),
                learned=LearnedMask.from_json(data["learned"]) if "learned" in data else None,
            )
            if not len(found.seeds) == len(found.validation) == len(found.test) or not found.seeds:
                raise ValueError("seeds, validation and test must tell of the same trainings")
            return found
        except (AttributeError, LookupError, OverflowError, TypeError, ValueError, InvalidCandidateError) as error:
            raise DataError(f"{place}: not a network of a corpus ({error})") from error


def structure_of(model: ir.Model) -> str:
    """Hash of operators, attributes, wiring and masks, 16 hexadecimal digits; equal if a candidate was rebuilt bit for bit."""
    found = hashlib.sha256()
    numbers: dict[ir.Value | None, int] = {None: -1}
    for value in model.graph.inputs:
        numbers[value] = len(numbers)
    for node in model.graph:
        attributes = sorted((name, str(attribute.value)) for name, attribute in node.attributes.items())
        wiring = [numbers.setdefault(value, len(numbers)) for value in node.inputs]
        numbers.update((value, len(numbers) + place) for place, value in enumerate(node.outputs))
        found.update(repr((node.op_type, attributes, wiring)).encode())
    for mask in masks(model).values():
        found.update(str(mask.shape).encode() + np.packbits(mask).tobytes())
    return found.hexdigest()[:16]


def _shares(values: Any) -> tuple[float | None, ...]:
    found = tuple(None if value is None else float(value) for value in values)
    if any(value is not None and not 0 <= value <= 1 for value in found):
        raise ValueError(f"accuracies {values} are not in [0, 1]")
    return found
