"""Where the wall time of a run goes."""

from dataclasses import dataclass


@dataclass
class Seconds:
    """Wall time of this process by kind of work, retrainings and baselines included.

    `total` ends before the report is drawn.
    """

    training: float = 0.0
    screening: float = 0.0
    fitting: float = 0.0
    recording: float = 0.0
    total: float = 0.0
