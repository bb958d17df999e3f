"""An accuracy as people read it."""


def percent(mean: float | None, std: float | None = None) -> str:
    """In per cent, with its spread where there is one; nothing for None."""
    if mean is None:
        return ""
    return f"{mean:.2%}" if std is None else f"{mean:.2%} ± {std:.2%}"
