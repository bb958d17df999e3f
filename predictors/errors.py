"""Errors of the predictors."""


class PredictorError(Exception):
    """Base of every error raised by `predictors`."""


class NotFittedError(PredictorError, RuntimeError):
    """`predict` or `save` was called before `fit`."""


class InvalidTrainingSetError(PredictorError, ValueError):
    """Graphs and accuracies that no predictor can be fitted on; the message names the faulty network."""


class ModelTypeError(PredictorError, TypeError):
    """A value that is not a network in an accepted form; the message names the accepted forms."""


class InvalidMasksError(PredictorError, ValueError):
    """Masks that a network cannot have: of an unknown weight, of another shape, or of unequal number."""


class InvalidPredictorError(PredictorError, ValueError):
    """A folder that does not hold a saved predictor, or holds one of another version."""


class InvalidTableError(PredictorError, ValueError):
    """A table of models and accuracies that cannot be used; the message names the row and column."""


class UnknownPredictorError(PredictorError, KeyError):
    """An unknown predictor name; the message lists the known names, the most similar first."""

    def __str__(self) -> str:
        """The plain message: KeyError would print its repr."""
        return str(self.args[0])


class InvalidPluginError(PredictorError, RuntimeError):
    """A name that two packages offer, or a plug-in that cannot be imported or is of the wrong type; the message names the places."""


class InvalidTaskError(PredictorError, ValueError):
    """A task that a predictor cannot use: an unknown name, or an incomplete or impossible description."""


class InvalidOriginError(PredictorError, ValueError):
    """An origin of a mask that cannot be: an unknown kind of weights, or a number of weights without a method."""


class InvalidTargetError(PredictorError, ValueError):
    """A quantity that cannot be predicted; the message states what is missing."""
