"""Reports of a finished search: for programs (report.json) and for people (report.html, pareto.png)."""
