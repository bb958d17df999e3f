"""Wall time of a run by kind of work."""

from dataclasses import dataclass


@dataclass
class Seconds:
    """Wall time of this process by kind of work, including retrainings and baselines.

    `total` ends before the report is drawn.
    """

    training: float = 0.0
    screening: float = 0.0
    fitting: float = 0.0
    recording: float = 0.0
    total: float = 0.0
