"""Questions and the scripts that answer them; `python -m benchmarks.<folder>.<script>` from the root of the repository."""
