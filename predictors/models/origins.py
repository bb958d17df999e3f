"""A predictor for each kind of question: accuracy with fresh weights, with the weights that a method left, and of a plan.

Which features matter differs between them: after fresh training the mask decides, with its own weights also the method that left them,
and of a plan only the dense network, the method and the number of weights to keep are known. So each kind is fitted by itself.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import ClassVar, Self, get_args

import numpy as np
from numpy.typing import NDArray

from predictors.errors import InvalidOriginError, InvalidPredictorError
from predictors.models.boosted import BoostedPredictor
from predictors.models.ensemble import EnsemblePredictor
from predictors.models.forest import ForestPredictor
from predictors.models.gaussian_process import GaussianProcessPredictor
from predictors.models.gnn.gnn import GNNPredictor
from predictors.models.linear import LinearPredictor
from predictors.models.quick import QuickPredictor
from predictors.models.target_predictor import TargetPredictor
from predictors.models.warm import QuickWarmPredictor
from predictors.origin import Origin, Question
from predictors.predictor import Prediction, Predictor, WarmStarted
from predictors.state import SEPARATOR, check_training, divided, joined, require_fitted
from predictors.structure_graph import StructureGraph

EXAMPLES = "training_graphs"
FEWEST = 2
"""A kind of question with fewer networks is not learnt."""
_ASKED: dict[Question, str] = {
    "fresh": "accuracy with fresh weights",
    "own": "accuracy with own weights",
    "plan": "a method that has not run yet",
}


class OriginsPredictor:
    """One predictor for each `Question` of the fit; a network without an origin asks for fresh weights."""

    name = "origins"
    MEMBERS: ClassVar[dict[str, "type[TargetPredictor] | type[EnsemblePredictor]"]] = {
        "ensemble": EnsemblePredictor,
        "quick": QuickPredictor,
        "quick-warm": QuickWarmPredictor,
        "forest": ForestPredictor,
        "boosted": BoostedPredictor,
        "linear": LinearPredictor,
        "gp": GaussianProcessPredictor,
        "gnn": GNNPredictor,
    }
    """Predictors that may answer one kind of question, by name."""

    def __init__(self, create: Callable[[int], Predictor] = lambda _: EnsemblePredictor()) -> None:
        """Not fitted yet. `create` makes the predictor, one of `OriginsPredictor.MEMBERS`, for a kind of question with so many networks."""
        self._create = create
        self._members: Mapping[Question, Predictor] | None = None

    def fit(self, graphs: Sequence[StructureGraph], accuracies: NDArray[np.float64], *, seed: int = 0) -> Self:
        """Fit one predictor on the networks of every question; the same seed gives the same predictors."""
        self._members = dict(self._late(graphs, accuracies, seed))
        return self

    def fit_when_asked(
        self, graphs: Sequence[StructureGraph], accuracies: NDArray[np.float64], *, seed: int = 0
    ) -> Self:
        """Like `fit`, with the same predictions, but a question is not learnt before it is asked first."""
        self._members = self._late(graphs, accuracies, seed)
        return self

    def _late(self, graphs: Sequence[StructureGraph], accuracies: NDArray[np.float64], seed: int) -> "_Late":
        measured = check_training(graphs, accuracies)

        def fitted(rows: list[int]) -> Predictor:
            return self._create(len(rows)).fit([graphs[row] for row in rows], measured[rows], seed=seed)

        return _Late(
            {question: partial(fitted, rows) for question, rows in _rows(graphs).items() if len(rows) >= FEWEST}
        )

    def predict(self, graphs: Sequence[StructureGraph]) -> Prediction:
        """Every network's prediction by the predictor for its question; `InvalidOriginError` for a question that was not learnt."""
        require_fitted(self._members, self.name)
        parts = {
            question: (rows, self._member(question).predict([graphs[row] for row in rows]))
            for question, rows in _rows(graphs).items()
        }
        return Prediction.merged(list(parts.values()), len(graphs))

    @property
    def questions(self) -> tuple[Question, ...]:
        """The kinds of questions that it learnt."""
        return tuple(require_fitted(self._members, self.name))

    def answering(self, graph: StructureGraph) -> Predictor:
        """The predictor that answers for a network; `InvalidOriginError` if its question was not learnt."""
        return self._member(_question(graph))

    def _member(self, question: Question) -> Predictor:
        members = require_fitted(self._members, self.name)
        if question not in members:
            raise InvalidOriginError(
                f"this predictor has not learnt {_ASKED[question]}; it has learnt {', '.join(_ASKED[one] for one in members)}"
            )
        return members[question]

    @property
    def source_digest(self) -> bytes | None:
        """Digest of the predictor that its members start from; None without one."""
        members = require_fitted(self._members, self.name).values()
        return next((mark for one in members if isinstance(one, WarmStarted) and (mark := one.source_digest)), None)

    def attach_source(self, source: Predictor) -> None:
        """Give loaded members the predictor that they start from; `InvalidPredictorError` if they were fitted with another one."""
        for one in require_fitted(self._members, self.name).values():
            if isinstance(one, WarmStarted) and one.source_digest is not None:
                one.attach_source(source)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The arrays of the members, each under ``question/predictor/array``; ``training_graphs`` ``()``: examples of all questions."""
        members = {question: one.arrays() for question, one in require_fitted(self._members, self.name).items()}
        examples = sum(int(arrays.get(EXAMPLES, np.int64(0))) for arrays in members.values())
        names = {question: one.name for question, one in (self._members or {}).items()}
        found = joined({question: joined({names[question]: arrays}) for question, arrays in members.items()})
        return found | {EXAMPLES: np.asarray(examples)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> Self:
        """The predictor that `arrays` came from."""
        predictor = cls()
        parts = divided({key: value for key, value in arrays.items() if key != EXAMPLES}, get_args(Question))
        predictor._members = {
            question: _member_of(parts[question]) for question in get_args(Question) if parts[question]
        }
        if not predictor._members:
            raise InvalidPredictorError("saved predictor is damaged: it answers no question")
        return predictor


class _Late(Mapping[Question, Predictor]):
    """Predictors by question, each fitted when it is first needed."""

    def __init__(self, fits: Mapping[Question, Callable[[], Predictor]]) -> None:
        """`fits`: what fits the predictor for each question."""
        self._fits, self._fitted = fits, dict[Question, Predictor]()

    def __getitem__(self, question: Question) -> Predictor:
        if question not in self._fitted:
            self._fitted[question] = self._fits[question]()
        return self._fitted[question]

    def __contains__(self, question: object) -> bool:
        return question in self._fits

    def __iter__(self) -> Iterator[Question]:
        return iter(self._fits)

    def __len__(self) -> int:
        return len(self._fits)


def _question(graph: StructureGraph) -> Question:
    return (Origin() if graph.origin is None else graph.origin).question


def _rows(graphs: Sequence[StructureGraph]) -> dict[Question, list[int]]:
    """The places of the networks that ask each question; questions that nobody asks are missing."""
    found: dict[Question, list[int]] = {question: [] for question in get_args(Question)}
    for row, graph in enumerate(graphs):
        found[_question(graph)].append(row)
    return {question: rows for question, rows in found.items() if rows}


def _member_of(arrays: dict[str, NDArray[np.generic]]) -> Predictor:
    names, known = {key.partition(SEPARATOR)[0] for key in arrays}, OriginsPredictor.MEMBERS
    if len(names) != 1 or not names <= set(known):
        raise InvalidPredictorError(
            f"saved predictor is damaged: a question is answered by one of {', '.join(known)}, not by {', '.join(sorted(names))}"
        )
    name = names.pop()
    return known[name].from_arrays(divided(arrays, [name])[name])  # type: ignore[return-value]
