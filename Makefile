# make demo: the main job, end to end.  make test: lint, types, import contracts, all tests.
PYTHON ?= python3
BIN := .venv/bin
RUN ?= runs/demo

.PHONY: install demo test test-slow lint types contracts unit benchmarks clean

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

demo: install
	rm -rf $(RUN)
	$(BIN)/nas search --config demo.toml --out $(RUN)

test: install lint types contracts unit

lint:
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types:
	$(BIN)/mypy

contracts:
	$(BIN)/lint-imports

unit:
	$(BIN)/pytest -m "not slow" --numprocesses auto --dist loadfile

test-slow: install
	$(BIN)/pytest -m slow

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache
