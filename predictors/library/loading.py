"""Getting a predictor: a saved one, the shipped one, or a new one by name."""

from functools import cache
from pathlib import Path

from predictors.library.fitted import FittedPredictor
from predictors.library.persistence import DEFAULT, read, shipped_predictor
from predictors.predictor import Predictor
from predictors.registry import PREDICTORS


def load(path: Path | str) -> FittedPredictor:
    """Read what `save` wrote.

    Args:
        path: the folder that was saved, or one that holds it as ``predictor/``, as the folder of a run does; the text
            ``default`` is the predictor that comes with this package (a folder of that name is ``./default``).

    Raises:
        InvalidPredictorError: not a saved predictor, a damaged one, or one of another format or other features.
    """
    return FittedPredictor(**vars(read(path)))


@cache
def shipped() -> FittedPredictor:
    """The predictor that comes with this package, read once."""
    return load(DEFAULT)


def create(name: str) -> Predictor:
    """A predictor by name, not fitted, with its default options; if it starts from another predictor, it gets the shipped one."""
    kind = PREDICTORS.load(name)
    if getattr(kind, "needs_source", False):
        return kind(source=shipped_predictor())  # type: ignore[call-arg]
    return kind()
