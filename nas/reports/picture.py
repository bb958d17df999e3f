"""`pareto.png`."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas.reports import figures
from nas.study.run_folder import write_bytes


def write(path: Path, report: Mapping[str, Any]) -> None:
    """Draw the Pareto front of a report."""
    buffer = io.BytesIO()
    figures.pareto(report).savefig(buffer, format="png", dpi=130)
    write_bytes(path, buffer.getvalue())
