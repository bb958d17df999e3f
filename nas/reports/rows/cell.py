"""Cells of tables, shared by the terminal and the page."""

from collections.abc import Mapping
from dataclasses import dataclass

from nas.study.trial import Score

Cells = Mapping[str, "Cell"]
"""One row of a table by column."""


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Attributes:
        text: text for people.
        order: sort key of the row; None comes last.
    """

    text: str
    order: float | str | None

    @classmethod
    def count(cls, number: int) -> "Cell":
        """A whole number with digits in groups of three."""
        return cls(f"{number:,}", number)

    @classmethod
    def label(cls, text: str) -> "Cell":
        """Text that is sorted alphabetically."""
        return cls(text, text)

    @classmethod
    def number(cls, value: float, format_: str) -> "Cell":
        """A number in this format."""
        return cls(format(value, format_), value)

    @classmethod
    def score(cls, score: Score | None) -> "Cell":
        """A prediction with its standard deviation; empty if there is none."""
        return cls("", None) if score is None else cls(f"{score.mean:.2%} ± {score.std:.2%}", score.mean)
