"""Lists of operators are only in the table of operators; all other code reads them from it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from nas.importer.operators import OPERATORS
from onnx_graph.operators import KINDS, TABLE

ROOT = Path(__file__).parents[2]
PACKAGES = ("onnx_graph", "predictors", "search_spaces", "nas")
HOME = ROOT / "onnx_graph" / "operators"
FILES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")) if HOME not in path.parents]


def lists_of_operators(source: str) -> Iterator[tuple[int, list[str]]]:
    """Lines and names of literals that hold two operators or more: collections, keys, words of a text.

    A dictionary from operators to code (functions, classes) is a dispatch table and no list of facts.
    """
    tree = ast.parse(source)
    texts = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
    for node in ast.walk(tree):
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            found = [one.value for one in node.elts if isinstance(one, ast.Constant)]
        elif isinstance(node, ast.Dict) and not all(isinstance(value, CODE) for value in node.values):
            found = [one.value for one in node.keys if isinstance(one, ast.Constant)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in texts:
            words = node.value.split()
            found = words if all(word in TABLE for word in words) else []
        else:
            continue
        names = [name for name in found if name in TABLE]
        if len(names) > 1:
            yield node.lineno, names


CODE = (ast.Name, ast.Attribute, ast.Lambda, ast.Call)


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ('if node.op_type in ("Gemm", "MatMul"): pass', [1]),
        ('A = frozenset({"Relu", "Elu"})', [1]),
        ('A = "Conv ConvTranspose".split()', [1]),
        ('A = {"RNN": 1, "GRU": 3}', [1]),
        ('A = {"Relu": torch.relu, "Selu": plain(selu), "Elu": lambda node: elu}', []),
        ('"""Relu Elu"""', []),
        ('if node.op_type == "Gemm": pass', []),
    ],
)
def test_lists_are_found(source, lines):
    assert [line for line, _ in lists_of_operators(source)] == lines


def test_nobody_keeps_a_list_of_operators():
    found = {
        f"{path.relative_to(ROOT)}:{line}": names
        for path in FILES
        for line, names in lists_of_operators(path.read_text())
    }
    assert found == {}


def test_every_operator_that_can_be_imported_is_in_the_table():
    assert set(OPERATORS) <= set(TABLE)
    # Every imported operator is followed, or the table gives the reason why not.
    assert all(not TABLE[name].domain for name in OPERATORS)


def test_every_operator_is_of_a_known_kind():
    assert {one.kind for one in TABLE.values()} - {""} <= set(KINDS)
