"""Every benchmark script states one question, starts, stores its result and has a row in the README."""

import ast
import importlib
import re
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SCRIPTS = sorted(
    path
    for folder in ("search", "predictors", "masks", "speed", "service")
    for path in (BENCHMARKS / folder).glob("[!_]*.py")
)
README = (BENCHMARKS / "README.md").read_text()


def name(path: Path) -> str:
    return ".".join(path.relative_to(BENCHMARKS.parent).with_suffix("").parts)


@pytest.mark.parametrize("path", SCRIPTS, ids=name)
def test_a_script_asks_a_question_and_its_row_and_answer_are_there(path):
    question = (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n\n")[0]
    assert question.endswith("?"), question
    assert f"python -m {name(path)}" in README
    assert (BENCHMARKS / "results" / f"{path.stem}.json").is_file()


@pytest.mark.takes(8, "the first one imports torch")
@pytest.mark.parametrize("path", SCRIPTS, ids=name)
def test_a_script_starts(path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [path.name, "--help"])
    with pytest.raises(SystemExit) as stopped:
        importlib.import_module(name(path)).main()
    assert stopped.value.code == 0
    assert "usage:" in capsys.readouterr().out


def test_the_readme_names_no_script_that_is_not_there():
    assert set(re.findall(r"python -m (benchmarks\.[\w.]+)", README)) == {name(path) for path in SCRIPTS}
