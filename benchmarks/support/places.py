"""Paths of the benchmarks' files."""

from pathlib import Path

BENCHMARKS = Path(__file__).parents[1]
RESULTS = BENCHMARKS / "results"
"""One JSON per script, with the script's name."""
CORPUS = BENCHMARKS / "corpus"
"""The networks with measured accuracies on which the shipped predictor was fitted."""
CACHE = BENCHMARKS / "cache"
"""Cache of encoded networks; it is not in the repository and may be deleted."""
