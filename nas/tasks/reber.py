"""Four tasks on the Reber grammar: predict the next symbol, or classify strings as legal or corrupted; plain or embedded.

Next symbol (`reber`, `embedded-reber`): ``x`` one-hot ``(T, 7)`` right padded with zeros, ``y`` the next symbol, −1 on
padding. The metric, legality, is the share of steps whose predicted symbol the grammar allows. In an embedded string one
step needs memory of the second symbol, so even a perfect reader without memory reaches less than 99 %.

Legality as classes (`reber-strings`, `embedded-reber-strings`): half of the strings are legal, the other half are the
same strings with one symbol changed so that they are illegal (checked). They are left padded, so that the last step is the
end. Half of the corruptions of embedded strings change one of the two outer symbols that must agree; a window of n symbols
cannot see both.

`nas.tasks.n_gram` has the results of readers without memory.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas.tasks.grammar import EMBEDDED_REBER, REBER, SYMBOLS, Grammar, StringSets, draw_strings
from nas.tasks.preparation import prepare
from nas.tasks.split import Examples, cut
from nas.tasks.task import Task

MAX_LENGTH = 20
MAX_LENGTH_EMBEDDED = 22
N_TRAIN = 4000
N_HELD = 400


def reber(*, data_dir: Path | None = None, subset: int | None = None, seed: int = 0) -> Task:
    """Next symbol of Reber strings, measured in legality."""
    return _next_symbol_task("reber", False, subset, seed)


def embedded_reber(*, data_dir: Path | None = None, subset: int | None = None, seed: int = 0) -> Task:
    """Next symbol of embedded Reber strings, measured in legality; 99 % needs memory of the second symbol."""
    return _next_symbol_task("embedded-reber", True, subset, seed)


def reber_strings(*, data_dir: Path | None = None, subset: int | None = None, seed: int = 0) -> Task:
    """Legal Reber strings against the same strings with one symbol changed."""
    return _string_task("reber-strings", False, subset, seed)


def embedded_reber_strings(*, data_dir: Path | None = None, subset: int | None = None, seed: int = 0) -> Task:
    """Legal embedded Reber strings against one-symbol corruptions, half of them of the symbols that need memory."""
    return _string_task("embedded-reber-strings", True, subset, seed)


def _setting(embedded: bool) -> tuple[Grammar, int]:
    return (EMBEDDED_REBER, MAX_LENGTH_EMBEDDED) if embedded else (REBER, MAX_LENGTH)


def _draw(embedded: bool, seed: int) -> StringSets:
    max_length = _setting(embedded)[1]
    return draw_strings(
        embedded=embedded, max_length=max_length, n_train=N_TRAIN, n_held=N_HELD, rng=np.random.default_rng([seed, 3])
    )


def _next_symbol_task(name: str, embedded: bool, subset: int | None, seed: int) -> Task:
    grammar, max_length = _setting(embedded)
    sets = _draw(embedded, seed)
    train, validation, test = (
        next_symbols(strings, grammar, max_length - 1) for strings in (sets.train, sets.validation, sets.test)
    )
    return prepare(
        name,
        cut(train, validation, test, subset=subset, seed=seed, where=name),
        outputs=len(SYMBOLS),
        metric="legality",
        classes=tuple(SYMBOLS),
        description=f"next symbol of {'embedded ' * embedded}Reber strings of up to {max_length} symbols",
    )


def _string_task(name: str, embedded: bool, subset: int | None, seed: int) -> Task:
    max_length = _setting(embedded)[1]
    sets, rng = _draw(embedded, seed), np.random.default_rng([seed, 4])
    judged: set[str] = (
        set()
    )  # corruptions for validation and test are drawn first, so that training never holds one of them
    test = with_corruptions(sets.test[: N_HELD // 2], embedded, judged, rng, distinct=True)
    validation = with_corruptions(sets.validation[: N_HELD // 2], embedded, judged, rng, distinct=True)
    train = with_corruptions(sets.train[: N_TRAIN // 2], embedded, judged, rng, distinct=False)
    parts = [Examples(x=one_hot(s, max_length, align="right"), y=y) for s, y in (train, validation, test)]
    return prepare(
        name,
        cut(parts[0], parts[1], parts[2], subset=subset, seed=seed, where=name),
        outputs=2,
        classes=("illegal", "legal"),
        description=f"legal {'embedded ' * embedded}Reber strings against one-symbol corruptions of the same lengths",
    )


def one_hot(strings: list[str] | tuple[str, ...], steps: int, *, align: str) -> NDArray[np.float32]:
    """One-hot strings, float32 ``(N, steps, 7)``; `align` ``left`` pads with zeros after the string, ``right`` before it."""
    x = np.zeros((len(strings), steps, len(SYMBOLS)), np.float32)
    for row, string in zip(x, strings, strict=True):
        start = steps - len(string) if align == "right" else 0
        row[np.arange(start, start + len(string)), [SYMBOLS.index(symbol) for symbol in string]] = 1
    return x


def next_symbols(strings: tuple[str, ...], grammar: Grammar, steps: int) -> Examples:
    """Inputs are all symbols except the last, answers all except the first; `legal` has all symbols that were legal."""
    allowed = np.array([[symbol in state for symbol in SYMBOLS] for state in grammar.transitions])
    y = np.full((len(strings), steps), -1, np.int64)
    legal = np.zeros((len(strings), steps, len(SYMBOLS)), bool)
    for i, string in enumerate(strings):
        y[i, : len(string) - 1] = [SYMBOLS.index(symbol) for symbol in string[1:]]
        legal[i, : len(string) - 1] = allowed[grammar.states(string[:-1])]
    return Examples(x=one_hot([string[:-1] for string in strings], steps, align="left"), y=y, legal=legal)


def with_corruptions(
    strings: tuple[str, ...], embedded: bool, judged: set[str], rng: np.random.Generator, *, distinct: bool
) -> tuple[list[str], NDArray[np.int64]]:
    """Each string followed by a corruption of it, and the classes 1, 0, 1, 0, …

    No corruption is in `judged`; if `distinct`, each new one is added to it. A pair of strings with T and with P around the
    same inner string could be corruptions of each other, so one of them is changed outside and the other inside.
    """
    out: list[str] = []
    for i, string in enumerate(strings):
        corrupted = corrupt(string, embedded, rng, outer=(i + i // 2) % 2 == 0)
        while corrupted in judged:
            corrupted = corrupt(string, embedded, rng, outer=False)
        if distinct:
            judged.add(corrupted)
        out += [string, corrupted]
    return out, np.tile(np.array([1, 0], np.int64), len(strings))


def corrupt(string: str, embedded: bool, rng: np.random.Generator, *, outer: bool) -> str:
    """The string with one symbol changed, illegal for its grammar; the first and last symbols are never changed.

    In the embedded grammar, `outer` swaps T and P at one of the two positions that must agree; otherwise a position between
    them is changed.
    """
    grammar = _setting(embedded)[0]
    if embedded and outer:
        place = int(rng.choice([1, len(string) - 2]))
        return string[:place] + ("P" if string[place] == "T" else "T") + string[place + 1 :]
    margin = 2 if embedded else 1
    while True:
        place = int(rng.integers(margin, len(string) - margin))
        corrupted = string[:place] + SYMBOLS[rng.integers(len(SYMBOLS))] + string[place + 1 :]
        if not grammar.accepts(corrupted):
            return corrupted
