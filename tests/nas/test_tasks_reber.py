"""Reber strings: the grammar, parts without overlap, legal sets, corruptions, and what n-grams reach."""

import numpy as np
import pytest

from nas.errors import UsageError
from nas.tasks import Split, load_task
from nas.tasks.grammar import EMBEDDED_REBER, REBER, SYMBOLS, draw_strings
from nas.tasks.n_gram import next_symbol_legality, string_accuracy, symbols_of
from nas.tasks.reber import corrupt, next_symbols, one_hot

NAMES = ("reber", "embedded-reber", "reber-strings", "embedded-reber-strings")


def texts(split: Split) -> list[str]:
    return ["".join(SYMBOLS[i] for i in row if i < len(SYMBOLS)) for row in symbols_of(split)]


@pytest.mark.parametrize("string", ["BTXSE", "BPVVE", "BTSSXXTTVVE", "BPTVPXVVE", "BPVPSE"])
def test_legal_strings(string: str) -> None:
    assert REBER.accepts(string)
    for outer in "TP":
        assert EMBEDDED_REBER.accepts(f"B{outer}{string}{outer}E")
    assert not EMBEDDED_REBER.accepts(f"BT{string}PE")
    assert not EMBEDDED_REBER.accepts(f"BP{string}TE")


@pytest.mark.parametrize("string", ["", "B", "BTXS", "BTXSEE", "BTVVE", "TXSE", "BTXXE", "QTXSE"])
def test_illegal_strings(string: str) -> None:
    assert not REBER.accepts(string)


def test_strings_of_up_to_seven_symbols() -> None:
    found = dict(REBER.strings(7))
    assert set(found) == {"BTXSE", "BPVVE", "BTSXSE", "BPTVVE", "BPVPSE", "BTSSXSE", "BTXXVVE", "BPTTVVE", "BPTVPSE"}
    assert found["BTXSE"] == 1 / 8
    assert found["BTSSXSE"] == 1 / 32


def test_legal_next_symbols_of_an_embedded_string() -> None:
    assert EMBEDDED_REBER.legal_next("BTBTXSET") == ["TP", "B", "TP", "SX", "XS", "E", "T", "E"]
    assert EMBEDDED_REBER.legal_next("BPBTXSEP")[6] == "P"


def test_next_symbols_by_hand() -> None:
    examples = next_symbols(("BTXSE",), REBER, 6)
    assert examples.x.argmax(-1)[0].tolist() == [0, 1, 4, 3, 0, 0]
    assert examples.x.sum(-1)[0].tolist() == [1, 1, 1, 1, 0, 0]
    assert examples.y[0].tolist() == [1, 4, 3, 6, -1, -1]
    assert examples.legal is not None
    assert ["".join(s for s, ok in zip(SYMBOLS, step, strict=True) if ok) for step in examples.legal[0]] == [
        "TP",
        "SX",
        "SX",
        "E",
        "",
        "",
    ]


def test_one_hot_pads_before_the_string_where_it_ends_at_the_last_step() -> None:
    assert one_hot(["BT"], 3, align="right")[0].argmax(-1).tolist()[1:] == [0, 1]
    assert one_hot(["BT"], 3, align="right")[0].sum(-1).tolist() == [0, 1, 1]
    assert one_hot(["BT"], 3, align="left")[0].sum(-1).tolist() == [1, 1, 0]


@pytest.mark.parametrize("embedded", [False, True])
def test_no_string_is_in_two_parts(embedded: bool) -> None:
    sets = draw_strings(embedded=embedded, max_length=22, n_train=1000, n_held=300, rng=np.random.default_rng(1))
    grammar = EMBEDDED_REBER if embedded else REBER
    for part in (sets.train, sets.validation, sets.test):
        assert all(grammar.accepts(string) and len(string) <= 22 for string in part)
    assert (len(sets.train), len(set(sets.validation)), len(set(sets.test))) == (1000, 300, 300)
    assert not set(sets.train) & set(sets.validation)
    assert not set(sets.train) & set(sets.test)
    assert not set(sets.validation) & set(sets.test)
    if embedded:
        assert sum(string[1] == "T" for string in sets.test) == 150
        assert not {s[2:-2] for s in sets.train} & {s[2:-2] for s in sets.test}


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_makes_the_strings(name: str) -> None:
    first, again, other = (load_task(name, seed=seed) for seed in (0, 0, 1))
    assert first.fingerprint == again.fingerprint != other.fingerprint
    for part in (first.train, first.validation, first.test):
        assert part.x.dtype == np.float32
        assert part.y.dtype == np.int64
        assert part.x.flags.c_contiguous
        assert part.x.shape[1:] == first.signature.input_shape


@pytest.mark.parametrize("name", ["reber", "embedded-reber"])
def test_every_answer_of_a_next_symbol_task_is_legal(name: str) -> None:
    task = load_task(name)
    assert (task.metric, task.signature.per_step, task.signature.outputs) == ("legality", True, 7)
    for part in (task.train, task.validation, task.test):
        assert part.legal is not None
        assert part.legal.shape == (*part.y.shape, 7)
        real = part.y >= 0
        assert (real == part.x.any(-1)).all()
        assert np.take_along_axis(part.legal, np.maximum(part.y, 0)[..., None], -1)[..., 0][real].all()
        assert not part.legal[~real].any()


@pytest.mark.parametrize("name", ["reber-strings", "embedded-reber-strings"])
def test_half_of_the_strings_are_corrupted_in_one_symbol(name: str) -> None:
    task = load_task(name)
    grammar = EMBEDDED_REBER if name.startswith("embedded") else REBER
    for part in (task.train, task.validation, task.test):
        strings = texts(part)
        assert part.y.mean() == 0.5
        assert [grammar.accepts(string) for string in strings] == (part.y == 1).tolist()
        for legal, corrupted in zip(strings[::2], strings[1::2], strict=True):
            assert len(legal) == len(corrupted)
            assert sum(a != b for a, b in zip(legal, corrupted, strict=True)) == 1
        assert part.x[:, -1].any(-1).all()
    parts = [set(texts(part)) for part in (task.train, task.validation, task.test)]
    assert not parts[0] & parts[1]
    assert not parts[0] & parts[2]
    assert not parts[1] & parts[2]


def test_the_outer_corruption_changes_one_of_two_places() -> None:
    rng = np.random.default_rng(0)
    assert {corrupt("BTBTXSETE", True, rng, outer=True) for _ in range(50)} == {"BPBTXSETE", "BTBTXSEPE"}
    assert all(corrupt("BTBTXSETE", True, rng, outer=False).startswith("BT") for _ in range(50))


@pytest.mark.parametrize("seed", [0, 1])
def test_n_grams_solve_plain_reber_and_fail_on_the_embedded_one(seed: int) -> None:
    plain, embedded = load_task("reber", seed=seed), load_task("embedded-reber", seed=seed)
    assert next_symbol_legality(plain.train, plain.test, 3) > 0.999
    found = [next_symbol_legality(embedded.train, embedded.test, n) for n in (2, 3, 4, 5, 6)]
    assert max(found) < 0.98
    assert found[1] < 0.93
    steps = (embedded.test.y >= 0).sum(1)
    without_memory = 1 - 0.5 * len(steps) / steps.sum()
    assert without_memory < 0.98
    assert max(found) <= without_memory + 1e-9


@pytest.mark.parametrize("seed", [0, 1])
def test_n_grams_are_at_chance_where_an_outer_symbol_was_changed(seed: int) -> None:
    task = load_task("embedded-reber-strings", seed=seed)
    strings = texts(task.test)
    pairs = zip(strings[::2], strings[1::2], strict=True)
    outer = np.repeat([legal[2:-2] == corrupted[2:-2] for legal, corrupted in pairs], 2)
    assert outer.mean() == 0.5
    remembered = Split(task.test.x[outer], task.test.y[outer])
    for n in (2, 3):
        assert string_accuracy(task.train, remembered, n) == pytest.approx(0.5, abs=0.01)
        assert string_accuracy(task.train, task.test, n) < 0.76
    plain = load_task("reber-strings", seed=seed)
    assert string_accuracy(plain.train, plain.test, 3) > 0.99


def test_legality_of_a_classification_task_is_an_error() -> None:
    task = load_task("reber-strings", subset=100)
    with pytest.raises(ValueError, match="next-symbol"):
        next_symbol_legality(task.train, task.test, 2)


def test_subset_of_strings() -> None:
    task = load_task("embedded-reber", subset=100)
    assert (len(task.train), len(task.validation), len(task.test)) == (80, 20, 100)
    assert task.train.legal is not None
    assert len(task.train.legal) == 80
    with pytest.raises(UsageError, match="at least"):
        load_task("reber-strings", subset=3)
