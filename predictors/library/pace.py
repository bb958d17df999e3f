"""Progress of an evaluation, and the time that it still needs."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Evaluating:
    """The state of an evaluation.

    Attributes:
        fitted: number of finished fits: one for each predictor and fold.
        fits: total number of fits.
        predictor: name of the predictor that was fitted last; empty before the first fit.
        left: estimated remaining seconds; None until every predictor was fitted once, as one may take a thousand times
            longer than another.
    """

    fitted: int
    fits: int
    predictor: str
    left: float | None


@dataclass
class Pace:
    """A counter that counts the fits of an evaluation and measures their time.

    Attributes:
        names: names of the predictors.
        each: number of fits of every predictor.
        progress: callback before the first fit and after every fit.
        clock: function that returns seconds, from any start.
    """

    names: Sequence[str]
    each: int
    progress: Callable[[Evaluating], None]
    clock: Callable[[], float] = time.perf_counter
    _seconds: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Report that no fit is finished yet."""
        self._seconds = {name: [] for name in self.names}
        self._tell("")

    @contextmanager
    def fit(self, name: str) -> Iterator[None]:
        """Time one fit."""
        start = self.clock()
        yield
        self._seconds[name].append(self.clock() - start)
        self._tell(name)

    def _tell(self, name: str) -> None:
        done = {one: len(seconds) for one, seconds in self._seconds.items()}
        left = None
        if all(done.values()):
            left = sum((self.each - done[one]) * sum(took) / done[one] for one, took in self._seconds.items())
        self.progress(
            Evaluating(fitted=sum(done.values()), fits=self.each * len(done), predictor=name, left=left),
        )
