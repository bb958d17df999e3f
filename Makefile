# make demo: the main job, end to end.  make serve: the service.  make test: lint, types, import contracts, all tests.  All: CONTRIBUTING.md.
PYTHON ?= python3
BIN := .venv/bin
RUN ?= runs/demo
SERVICE ?= runs/service
PORT ?= 8080
LOWEST := .venv-lowest
LOWEST_TESTS ?= tests/test_packages.py tests/onnx_graph tests/search_spaces tests/predictors/test_encoder.py \
	tests/predictors/test_forest.py tests/predictors/test_linear.py tests/predictors/test_gaussian_process.py \
	tests/predictors/test_gnn.py tests/nas/test_importer_operators.py tests/nas/test_training.py tests/nas/test_export.py \
	tests/nas/test_strategies.py tests/nas/test_record.py
# These look at operators and types that the lowest onnx and onnxruntime do not know.
LOWEST_WITHOUT := --ignore tests/onnx_graph/test_operator_conformance.py \
	--deselect tests/onnx_graph/test_file.py::test_six_bits_without_raw_data

.PHONY: install demo serve test test-slow test-lowest lint types contracts unit snippets docs clean

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

demo: install
	rm -rf $(RUN)
	$(BIN)/nas search --config demo.toml --out $(RUN)

# The page opens by itself where there is a desktop; elsewhere `nas serve` prints its address.
serve: install
	@if [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ] || [ "$$(uname)" = Darwin ]; then \
		(sleep 5; $(BIN)/python -m webbrowser http://127.0.0.1:$(PORT)/ >/dev/null 2>&1) & fi; \
	exec $(BIN)/nas serve --port $(PORT) --data $(SERVICE)

test: install lint types contracts unit

lint:
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/yamllint --config-file deploy/.yamllint.yaml --strict deploy

types:
	$(BIN)/mypy

contracts:
	$(BIN)/lint-imports

# One thread for each of the processes that test, or else they wait for each other: half the time on two cores.
unit:
	OMP_NUM_THREADS=1 $(BIN)/pytest -m "not slow" --numprocesses auto --dist loadfile

test-slow: install
	OMP_NUM_THREADS=1 $(BIN)/pytest -m slow

# Every code block of README and guides, in a shell, the slow ones too.
snippets: install
	NAS_SNIPPETS=shell $(BIN)/pytest tests/test_snippets.py

# Imports and the quick tests of all packages with the lowest versions that pyproject.toml allows.
test-lowest: $(LOWEST)/.installed
	$(LOWEST)/bin/pytest -m "not slow" -W default $(LOWEST_WITHOUT) $(LOWEST_TESTS)

$(LOWEST)/.installed: pyproject.toml constraints-lowest.txt
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/pip install --quiet --constraint constraints-lowest.txt --editable ".[test]"
	touch $@

docs: .venv/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

.venv/.docs: .venv/installed
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev,docs]"
	touch $@

clean:
	rm -rf .venv $(LOWEST) build site *.egg-info .pytest_cache .mypy_cache .ruff_cache
