"""Errors of the search spaces."""


class SpaceError(Exception):
    """Base of every error raised by `search_spaces`."""


class InvalidCandidateError(SpaceError, ValueError):
    """A candidate that does not describe a network of its space."""


class InvalidOptionError(SpaceError, ValueError):
    """An option of a space, recipe or edit that is out of range or unknown."""


class UnknownNameError(SpaceError, KeyError):
    """A name that is not in the table; the message lists the known ones, nearest first."""

    def __str__(self) -> str:
        """The message itself; `KeyError` would print its repr."""
        return str(self.args[0])


class InvalidPluginError(SpaceError, RuntimeError):
    """A name that two packages offer, or a plug-in that cannot be imported or is of the wrong type; the message names the places."""
