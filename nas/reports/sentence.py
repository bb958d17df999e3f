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
    remark = "" if best.finish is None else f" {best.finish.remark}"
    return text + "." + remark + size_remark(best, baselines)


def looked_up_headline(best: NetworkRow, metric: str, count: int) -> str:
    """One sentence with the result of a search in a table."""
    return f"The best of {count:,} networks looked up has {_looked_up(best, metric)}; nothing was trained."


def looked_up_sentence(best: NetworkRow, baselines: Sequence[NetworkRow], table: str, metric: str) -> str:
    """All figures of a search in a table."""
    text = f"Looked up, not trained ({table}): the winner has {_looked_up(best, metric)}"
    for other in baselines:
        text += f"; {_FOUND.get(other.name, other.name)} {_looked_up(other, metric)}"
    return (
        f"{text}. It has {best.nnz:,} weights, {best.bytes:,} bytes and takes {best.latency:.3f} ms; the weights in "
        f"{best.file} are untrained."
    )


def looked_up_verdict(best: NetworkRow, baselines: Sequence[NetworkRow]) -> str:
    """The comparison with random search in the same table, if there was one."""
    random = next((row for row in baselines if row.name == "random"), None)
    if random is None:
        return (
            "Verdict: accuracies were looked up, and there is nothing to compare the winner with (--random-baseline)."
        )
    points = 100 * (best.validation[0] - random.validation[0])
    return f"Verdict: accuracies were looked up; the winner is {points:+.2f} points above that of random search in validation accuracy."


def _looked_up(row: NetworkRow, metric: str) -> str:
    """Both accuracies; one of them where the table has no other."""
    if row.mean == row.validation[0]:
        return f"{row.mean:.2%} {metric}"
    return f"{row.mean:.2%} test {metric} ({row.validation[0]:.2%} validation)"


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
