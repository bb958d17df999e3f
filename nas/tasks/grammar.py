"""The Reber grammar (Reber 1967) and its embedded form (Cleeremans et al. 1989) as finite automata.

A Reber string is a walk over seven states; each branch is taken with probability ½. An embedded string is
``B c <Reber string> c E`` with ``c`` T or P: the second-last symbol must equal the second one, for any string between.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SYMBOLS = "BTPSXVE"
OUTER = "TP"


@dataclass(frozen=True)
class Grammar:
    """A deterministic automaton. `transitions[state][symbol]` is the next state; state 0 is the start, the last state is the end."""

    transitions: tuple[dict[str, int], ...]

    def states(self, string: str) -> list[int]:
        """The states after each symbol; shorter than the string if a symbol is illegal."""
        state, visited = 0, []
        for symbol in string:
            if symbol not in self.transitions[state]:
                break
            state = self.transitions[state][symbol]
            visited.append(state)
        return visited

    def accepts(self, string: str) -> bool:
        """Whether the whole string is legal and complete."""
        visited = self.states(string)
        return len(visited) == len(string) > 0 and visited[-1] == len(self.transitions) - 1

    def legal_next(self, string: str) -> list[str]:
        """The symbols that may follow each prefix ``string[:1], string[:2], …`` of a legal string."""
        return ["".join(self.transitions[state]) for state in self.states(string)]

    def strings(self, max_length: int) -> Iterator[tuple[str, float]]:
        """Every legal string up to that length, with the probability that a random walk writes it."""
        stack = [("", 0, 1.0)]
        while stack:
            string, state, probability = stack.pop()
            branches = self.transitions[state]
            if not branches:
                yield string, probability
            elif len(string) < max_length:
                stack += [(string + symbol, after, probability / len(branches)) for symbol, after in branches.items()]


def embed(inner: Grammar) -> Grammar:
    """The grammar of ``B c <inner> c E``: it has one copy of the inner automaton for each c, so that the state remembers c."""
    size = len(inner.transitions)
    end = 2 + len(OUTER) * size
    transitions: list[dict[str, int]] = [{"B": 1}, {c: 2 + i * size for i, c in enumerate(OUTER)}]
    for i, c in enumerate(OUTER):
        transitions += [
            {symbol: after + 2 + i * size for symbol, after in state.items()} for state in inner.transitions[:-1]
        ]
        transitions.append({c: end})
    return Grammar((*transitions, {"E": end + 1}, {}))


REBER = Grammar(
    ({"B": 1}, {"T": 2, "P": 3}, {"S": 2, "X": 4}, {"T": 3, "V": 5}, {"X": 3, "S": 6}, {"P": 4, "V": 6}, {"E": 7}, {})
)
EMBEDDED_REBER = embed(REBER)


@dataclass(frozen=True, kw_only=True)
class StringSets:
    """Legal strings for training, validation and test; no string is in two parts.

    Attributes:
        train: strings drawn by a random walk, so that short strings repeat.
        validation: distinct strings, none of them in train.
        test: distinct strings, none of them in train or validation.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


def draw_strings(*, embedded: bool, max_length: int, n_train: int, n_held: int, rng: np.random.Generator) -> StringSets:
    """Draw the three parts.

    40 % of the Reber strings of each length are set aside (rounded down: all very short ones are for training).
    Validation and test are drawn from these without repetition. In the embedded form the inner strings are set aside, and
    each is in its part twice, with T and with P around it: a reader without memory is right on exactly half of them.

    Args:
        embedded: ``B c <Reber string> c E`` instead of plain Reber strings.
        max_length: largest length of a string, including the outer symbols.
        n_train: number of strings for training.
        n_held: number of strings in validation and in test each; an even number if embedded.
        rng: generator of all draws.
    """
    listed = list(REBER.strings(max_length - 4 if embedded else max_length))
    words = np.array([word for word, _ in listed])
    weights = np.array([probability for _, probability in listed])
    held = _set_aside(np.char.str_len(words), rng)
    n_words = n_held // 2 if embedded else n_held
    train = rng.choice(np.flatnonzero(~held), n_train, p=weights[~held] / weights[~held].sum())
    judged = rng.permutation(
        rng.choice(np.flatnonzero(held), 2 * n_words, replace=False, p=weights[held] / weights[held].sum())
    )
    validation, test = (words[rows].tolist() for rows in np.split(judged, 2))
    if not embedded:
        return StringSets(train=tuple(words[train].tolist()), validation=tuple(validation), test=tuple(test))
    outer = rng.choice(list(OUTER), n_train)
    return StringSets(
        train=tuple(_wrap(word, c) for word, c in zip(words[train].tolist(), outer.tolist(), strict=True)),
        validation=tuple(_wrap(word, c) for word in validation for c in OUTER),
        test=tuple(_wrap(word, c) for word in test for c in OUTER),
    )


def _set_aside(lengths: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Marks 40 % of the words of each length, rounded down."""
    held = np.zeros(len(lengths), bool)
    for length in np.unique(lengths):
        rows = rng.permutation(np.flatnonzero(lengths == length))
        held[rows[: len(rows) * 4 // 10]] = True
    return held


def _wrap(word: str, c: str) -> str:
    return f"B{c}{word}{c}E"
