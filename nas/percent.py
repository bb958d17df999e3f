"""Accuracies as text for people."""


def percent(mean: float | None, std: float | None = None) -> str:
    """An accuracy in per cent, with its spread if there is one; empty for None."""
    if mean is None:
        return ""
    return f"{mean:.2%}" if std is None else f"{mean:.2%} ± {std:.2%}"
