"""Benchmarks as modules."""

import importlib
from collections.abc import Callable
from types import ModuleType

import pytest


@pytest.fixture
def benchmark() -> Callable[[str], ModuleType]:
    """Imports a benchmark by its place under `benchmarks`, as in ``benchmark("support.nasbench")``."""
    return lambda name: importlib.import_module(f"benchmarks.{name}")
