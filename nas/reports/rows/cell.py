"""One cell of a table: made once, shown by the terminal and by the page."""

from collections.abc import Mapping
from dataclasses import dataclass

from nas.study.trial import Score

Cells = Mapping[str, "Cell"]
"""One row of a table by column."""


@dataclass(frozen=True)
class Cell:
    """What a cell shows.

    Attributes:
        text: for people.
        order: what rows are sorted by; None sorts last.
    """

    text: str
    order: float | str | None

    @classmethod
    def count(cls, number: int) -> "Cell":
        """A whole number, its digits in groups of three."""
        return cls(f"{number:,}", number)

    @classmethod
    def label(cls, text: str) -> "Cell":
        """Words, sorted by the alphabet."""
        return cls(text, text)

    @classmethod
    def number(cls, value: float, format_: str) -> "Cell":
        """A number in this format."""
        return cls(format(value, format_), value)

    @classmethod
    def score(cls, score: Score | None) -> "Cell":
        """A prediction with its standard deviation; empty where none was made."""
        return cls("", None) if score is None else cls(f"{score.mean:.2%} ± {score.std:.2%}", score.mean)
