"""Who makes and who reads each value of a canonical graph."""

from collections.abc import Iterator, Sequence

from predictors.reading.canonical_graph import Operator


class Links:
    """The producer and the readers of every value."""

    def __init__(self, found: Sequence[Operator]) -> None:
        self.maker = {value: operator for operator in found for value in operator.outputs}
        self.readers: dict[int, list[Operator]] = {}
        for operator in found:
            for value in operator.inputs:
                self.readers.setdefault(value, []).append(operator)

    def made_by(self, value: int, *names: str) -> Operator | None:
        """The producer of a value if it has one of these names."""
        maker = self.maker.get(value)
        return maker if maker is not None and maker.name in names else None

    def closed(self, parts: Sequence[Operator], last: Operator) -> bool:
        """Whether nothing outside `parts` reads their outputs, except the outputs of `last`."""
        own = {id(part) for part in parts}
        inner = (value for part in parts if part is not last for value in part.outputs)
        return all(id(reader) in own for value in inner for reader in self.readers.get(value, ()))

    def scalings(self, operator: Operator, *names: str) -> Iterator[Operator]:
        """The chain of operators with a constant, each the only reader of the one before, at most one of each name."""
        for name in names:
            readers = self.readers.get(operator.outputs[0], ())
            if len(readers) != 1 or readers[0].name != name or len(readers[0].inputs) != 1 or not readers[0].constants:
                return
            operator = readers[0]
            yield operator
