"""Small things that several tests of the service use."""

from collections.abc import Callable

import optuna
import pytest

from nas.study.trial import Proposal, Score, Trial
from search_spaces.candidate import Candidate


@pytest.fixture
def make_trial() -> Callable[..., Trial]:
    """`make_trial(number, accuracy, **changes)`: a recorded training."""

    def make(number: int = 0, accuracy: float | None = 0.9, **changes: object) -> Trial:
        candidate = Candidate(space="mlp", architecture={"widths": [number]})
        distributions = {"depth": optuna.distributions.IntDistribution(1, 4)}
        data = {
            "number": number,
            "round": 0,
            "repeat": 0,
            "candidate": candidate,
            "accuracy": accuracy,
            "score": Score(0.8, 0.1),
            "metrics": {"nnz": 100 + number},
            "seconds": 1.5,
            "seed": 7,
            "error": "" if accuracy is not None else "loss is nan",
            "proposal": Proposal(candidate=candidate, params={"depth": 2}, distributions=distributions),
        }
        return Trial(**(data | changes))  # type: ignore[arg-type]

    return make
