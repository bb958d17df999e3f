"""Strict reading of a report from JSON: an edited or damaged file gives one clear error."""

import math
from collections.abc import Mapping
from typing import Any

from nas.errors import RunError
from nas.study.trial import Score

LARGEST = 2**53
"""Largest whole number; JSON readers in other languages cannot represent larger ones."""


class Fields:
    """The fields of one JSON object. Every method raises `RunError`, which names the field, if the value does not fit."""

    def __init__(self, data: object, place: str) -> None:
        """`place` names the object in errors."""
        if not isinstance(data, Mapping):
            raise RunError(f"{place} is damaged: it must be an object, not {_shown(data)}")
        self._data, self._place = data, place

    def __contains__(self, name: str) -> bool:
        """Whether the field exists and is not null."""
        return self._data.get(name) is not None

    def value(self, name: str) -> Any:
        """The unchecked value of the field."""
        if name not in self._data:
            raise RunError(f"{self._place} is damaged: it has no {name!r}")
        return self._data[name]

    def text(self, name: str) -> str:
        """A text."""
        value = self.value(name)
        if not isinstance(value, str):
            raise self._wrong(name, "a text")
        return value

    def number(self, name: str, *, low: float = -math.inf, high: float = math.inf) -> float:
        """A finite number in [low, high], as int or float as in the file."""
        return self._number(name, self.value(name), low, high)

    def count(self, name: str) -> int:
        """A whole number ≥ 0."""
        value = self.value(name)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < LARGEST:
            raise self._wrong(name, "a whole number from 0 on")
        return value

    def values(self, name: str) -> tuple[float, ...]:
        """A list of at least one finite number."""
        return tuple(self._number(name, value, -math.inf, math.inf) for value in self.items(name, least=1))

    def counts(self, name: str) -> tuple[int, ...]:
        """A list of whole numbers."""
        return tuple(Fields({name: value}, self._place).count(name) for value in self.items(name))

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        return tuple(Fields({name: value}, self._place).text(name) for value in self.items(name))

    def items(self, name: str, *, least: int = 0) -> list[Any]:
        """A list of at least `least` values."""
        value = self.value(name)
        if not isinstance(value, list) or len(value) < least:
            raise self._wrong(name, f"a list of at least {least}" if least else "a list")
        return value

    def mapping(self, name: str) -> dict[str, Any]:
        """A JSON object."""
        value = self.value(name)
        if not isinstance(value, Mapping):
            raise self._wrong(name, "an object")
        return dict(value)

    def numbers(self, name: str) -> dict[str, float]:
        """A JSON object of finite numbers."""
        return {key: self._number(key, value, -math.inf, math.inf) for key, value in self.mapping(name).items()}

    def score(self, name: str) -> Score | None:
        """A prediction, or null."""
        if name not in self:
            return None
        fields = Fields(self.value(name), f"{self._place}, {name!r}")
        return Score(fields.number("mean"), fields.number("std", low=0.0))

    def within(self, name: str) -> "Fields":
        """The fields of an object in this object."""
        return Fields(self.value(name), f"{self._place}, {name!r}")

    def _number(self, name: str, value: object, low: float, high: float) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) >= 1e300:
            raise self._wrong(name, "a finite number")
        if not low <= value <= high:  # written with `not` so that NaN is refused too
            raise self._wrong(name, f"a number from {low:g} to {high:g}" if math.isfinite(high) else "a finite number")
        return value

    def _wrong(self, name: str, wanted: str) -> RunError:
        return RunError(f"{self._place} is damaged: {name!r} must be {wanted}, not {_shown(self._data.get(name))}")


def _shown(value: object) -> str:
    """The beginning of a value, for errors."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
