"""What a finished search tells: for programs (report.json) and for people (report.html, pareto.png)."""
