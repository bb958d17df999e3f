"""The result in words: the headline of the page and the sentence with all figures."""

from collections.abc import Sequence

from nas.reports.rows.network_row import NetworkRow
from nas.reports.verdict import Verdict

_FOUND = {
    "dense": "its dense reference, trained the same way,",
    "random": "random search with as many trainings found",
    "by hand": "the best network of those that one would train by hand first has",
}
_SHORT = {"dense": "its dense reference", "random": "random search", "by hand": "the best by hand"}


def headline(best: NetworkRow, baselines: Sequence[NetworkRow], task: str, metric: str, sign: float = 1.0) -> str:
    """One sentence with the result and whether it beats the baselines."""
    found = f"A network with {best.nnz:,} non-zero weights reaches {best.mean:.1%} {metric} on {task}"
    against = [_against(Verdict.of(best, other, sign), _SHORT.get(other.name, other.name)) for other in baselines]
    return f"{found}{': ' if against else ''}{', and '.join(against)}."


def sentence(best: NetworkRow, baselines: Sequence[NetworkRow], task: str, metric: str, sign: float = 1.0) -> str:
    """All figures of the winner and the baselines, with spread, and with a verdict for each baseline."""
    text = f"On the test split of {task} the winner reaches {_figures(best, metric)}"
    for other in baselines:
        text += f"; {_FOUND.get(other.name, other.name)} {_figures(other, metric)} ({Verdict.of(best, other, sign)})"
    return text + "." + size_remark(best, baselines)


def size_remark(best: NetworkRow, baselines: Sequence[NetworkRow]) -> str:
    """Remark for a file that did not become smaller, because dense tensors store zeros; else empty."""
    dense = next((baseline for baseline in baselines if baseline.name == "dense"), None)
    if dense is None or best.bytes < 0.95 * dense.bytes:
        return ""
    return (
        " The mask makes this file no smaller than the dense one, since dense tensors store their zeros: "
        'for fewer bytes bound them (--constraint bytes<=N) or let masks remove whole units (--space-option patterns=["channel"]).'
    )


def _against(verdict: Verdict, other: str) -> str:
    points = f"{abs(verdict.difference) * 100:.1f} points"
    if verdict.kind == "same":
        return f"which is {other}"
    if verdict.kind == "within noise":
        return f"as good as {other} within the noise"
    if verdict.kind == "unknown":
        return f"{points} {'above' if verdict.difference >= 0 else 'below'} {other} in single trainings"
    return f"{points} {verdict.kind} than {other}"


def _figures(row: NetworkRow, metric: str) -> str:
    trainings = f"{len(row.accuracies)} trainings" if len(row.accuracies) > 1 else "1 training"
    return (
        f"{row.measured} {metric} ({trainings}) with {row.nnz:,} non-zeros, "
        f"{row.bytes:,} bytes and {row.latency:.3f} ms"
    )
