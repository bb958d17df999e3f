"""Numbers of a JSON body: 3 and 3.0 are whole numbers, "3" and true are not."""

from typing import Annotated, Any

from pydantic import BeforeValidator


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number")
    return value


Whole = Annotated[int, BeforeValidator(_number)]
"""A whole number."""
Real = Annotated[float, BeforeValidator(_number)]
"""A number."""
