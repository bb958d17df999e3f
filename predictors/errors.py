"""Errors of the predictors."""


class PredictorError(Exception):
    """Base of every error raised by `predictors`."""


class NotFittedError(PredictorError, RuntimeError):
    """`predict` or `save` before `fit`."""


class InvalidTrainingSetError(PredictorError, ValueError):
    """Graphs and accuracies that no predictor can be fitted on; the message says which network is wrong."""


class ModelTypeError(PredictorError, TypeError):
    """Something that is not a network, or not in an accepted form; the message names what is accepted."""


class InvalidPredictorError(PredictorError, ValueError):
    """A folder that does not hold a saved predictor, or holds one of another version."""


class InvalidTableError(PredictorError, ValueError):
    """A table of models and accuracies that cannot be used; the message names the row and column."""


class UnknownPredictorError(PredictorError, KeyError):
    """A predictor name that no table holds; the message lists the known ones, nearest first."""

    def __str__(self) -> str:
        """The message itself: KeyError would print its repr."""
        return str(self.args[0])


class InvalidPluginError(PredictorError, RuntimeError):
    """A name that two packages offer, or a plug-in that cannot be imported or is of the wrong type; the message names the places."""


class InvalidTaskError(PredictorError, ValueError):
    """A task that a predictor cannot use: an unknown name, or an incomplete or impossible description."""


class InvalidTargetError(PredictorError, ValueError):
    """Something that cannot be predicted; the message says what is missing."""
