"""The Reber grammar (Reber 1967) and its embedded form (Cleeremans et al. 1989) as finite automata.

A Reber string is a walk over seven states, each branch taken with probability ½. An embedded string is
``B c <Reber string> c E`` with ``c`` T or P: the last symbol but one must be the second one, whatever stands between.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SYMBOLS = "BTPSXVE"
OUTER = "TP"


@dataclass(frozen=True)
class Grammar:
    """A deterministic automaton. `transitions[state][symbol]` is the next state; state 0 begins, the last state ends."""

    transitions: tuple[dict[str, int], ...]

    def states(self, string: str) -> list[int]:
        """The states after each symbol; shorter than the string where a symbol is illegal."""
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
        """Every legal string up to that length with the probability of a random walk to write it."""
        stack = [("", 0, 1.0)]
        while stack:
            string, state, probability = stack.pop()
            branches = self.transitions[state]
            if not branches:
                yield string, probability
            elif len(string) < max_length:
                stack += [(string + symbol, after, probability / len(branches)) for symbol, after in branches.items()]


def embed(inner: Grammar) -> Grammar:
    """The grammar of ``B c <inner> c E``: one copy of the inner automaton for each c, so that the state remembers c."""
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
    """Legal strings for training and to judge by; no string of one part is in another.

    Attributes:
        train: drawn as a random walk draws, so that short strings repeat.
        validation: distinct, none of them in train.
        test: distinct, none of them in train or validation.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


def draw_strings(*, embedded: bool, max_length: int, n_train: int, n_held: int, rng: np.random.Generator) -> StringSets:
    """Draw the three parts.

    Four in ten of the Reber strings of each length (rounded down: the very short ones are all for training) are set
    aside, validation and test are drawn from these without repetition. In the embedded form the inner strings are set
    aside, and each is in its part with T and with P around it: a reader without memory is right on exactly half.

    Args:
        embedded: ``B c <Reber string> c E`` instead of plain Reber strings.
        max_length: of the strings, the outer symbols included.
        n_train: strings for training.
        n_held: strings in each of validation and test, even where embedded.
        rng: draws all.
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
    """Four in ten of the words of each length, rounded down."""
    held = np.zeros(len(lengths), bool)
    for length in np.unique(lengths):
        rows = rng.permutation(np.flatnonzero(lengths == length))
        held[rows[: len(rows) * 4 // 10]] = True
    return held


def _wrap(word: str, c: str) -> str:
    return f"B{c}{word}{c}E"
