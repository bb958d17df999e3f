"""Scripts that each answer one question; `python -m benchmarks.<folder>.<script>` from the root of the repository."""
