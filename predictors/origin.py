"""The origin of a network's mask and weights: what a user may know beside the structure, and what a search plans."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from onnx_graph import nearest
from predictors.errors import InvalidOriginError

Weights = Literal["fresh", "own"]
Family = Literal["before", "after", "during"]
Question = Literal["fresh", "own", "plan"]
"""What is asked: accuracy with fresh weights, with the weights that a method left, or what a method would reach that has not run yet."""

DRAWN = "static"
"""The method of masks that were drawn at random."""
FAMILIES: dict[str, Family] = {
    **dict.fromkeys(("snip", "grasp", "synflow", DRAWN), "before"),
    **dict.fromkeys(("magnitude", "lamp", "obd", "imp", "espn", "gumbel"), "after"),
    **dict.fromkeys(("greg-1", "bingo"), "after"),
    **dict.fromkeys(("direct-sparsity-control", "set", "rigl", "iht", "gradual", "chase"), "during"),
}
"""Methods that have a feature of their own, and when each finds its mask, relative to the training of the dense network."""

ORIGIN_FEATURES: tuple[str, ...] = (
    *(f"weights_{one}" for one in get_args(Weights)),
    *(f"family_{one}" for one in get_args(Family)),
    *(f"method_{name}" for name in FAMILIES),
    "planned",
    "planned_log_nnz",
    "planned_density",
)
"""Names of the entries of `Origin.features`; all are 0 where nothing is known."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What is known about a network beside its structure. Everything is optional.

    Attributes:
        method: name of the method that found the mask; ``static`` for a drawn mask. A method without a feature of its own counts by
            its family alone.
        family: when that method finds its mask: ``before``, ``after`` or ``during`` the training of the network; only needed for
            a method that is not in `FAMILIES`.
        weights: what the accuracy is measured with: ``own``, the weights that the method left, or ``fresh`` ones, trained anew.
        nnz: number of non-zeros that the method is to keep, if it has not run yet and the network is still dense. The accuracy is
            then that with its own weights.
    """

    method: str | None = None
    family: Family | None = None
    weights: Weights | None = None
    nnz: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be; `InvalidOriginError`."""
        if self.weights not in (None, *get_args(Weights)):
            raise InvalidOriginError(f"weights are 'fresh' or 'own', not {self.weights!r}")
        if self.family not in (None, *get_args(Family)):
            raise InvalidOriginError(f"a family is {', '.join(map(repr, get_args(Family)))}, not {self.family!r}")
        if self.method is not None and self.method not in FAMILIES and self.family is None:
            near = ", ".join(nearest(self.method, FAMILIES))
            raise InvalidOriginError(f"method {self.method!r} is not known here; give its family too, or take {near}")
        if self.nnz is not None and (
            isinstance(self.nnz, bool) or not isinstance(self.nnz, int) or not 1 <= self.nnz < 2**53
        ):
            raise InvalidOriginError(f"nnz is the number of weights to keep, at least 1; got {self.nnz!r}")
        if self.nnz is not None and self.method is None and self.family is None:
            raise InvalidOriginError("nnz is what a method is to keep: give the method too")
        if self.nnz is not None and self.weights == "fresh":
            raise InvalidOriginError(
                "a method that has not run yet is predicted with its own weights, not with fresh ones"
            )

    @property
    def accuracy_with(self) -> Weights | None:
        """The weights that the accuracy is measured with; a plan is predicted with its own."""
        return "own" if self.nnz is not None else self.weights

    @property
    def question(self) -> Question:
        """The kind of question; fresh weights if nothing is said."""
        return "plan" if self.nnz is not None else self.weights or "fresh"

    def features(self, weights: float) -> NDArray[np.float32]:
        """`ORIGIN_FEATURES`, float32; `weights` is the number of maskable weights of the network."""
        found = dict.fromkeys(ORIGIN_FEATURES, 0.0)
        family = self.family if self.family is not None else FAMILIES.get(self.method or "")
        for name in (f"weights_{self.accuracy_with}", f"family_{family}", f"method_{self.method}"):
            if name in found:
                found[name] = 1.0
        if self.nnz is not None:
            found["planned"], found["planned_log_nnz"] = 1.0, float(np.log1p(self.nnz))
            found["planned_density"] = min(self.nnz / max(weights, 1.0), 1.0)
        return np.array(list(found.values()), np.float32)
