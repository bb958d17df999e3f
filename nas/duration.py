"""Durations as text for people."""


def duration(seconds: float) -> str:
    """A duration in seconds, minutes or hours: ``45 s``, ``12 min``, ``2.5 h``."""
    if seconds < 119.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 119.5 * 60 else f"{seconds / 3600:.1f} h"
