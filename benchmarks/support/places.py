"""Where the benchmarks keep their files."""

from pathlib import Path

BENCHMARKS = Path(__file__).parents[1]
RESULTS = BENCHMARKS / "results"
"""One JSON a script, of the script's name."""
CORPUS = BENCHMARKS / "corpus"
"""The networks with measured accuracies that the shipped predictor learnt from."""
CACHE = BENCHMARKS / "cache"
"""Encoded networks; not in the repository, may be deleted."""
