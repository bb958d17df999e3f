"""The progress of a search: a live line on a terminal, elsewhere one plain line per round."""

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from nas.cli.output import remark
from nas.duration import duration
from nas.percent import percent
from nas.study.progress import Progress
from nas.study.way import Way
from nas.visible import visible

WAYS: dict[Way, str] = {
    "reference": "by hand",
    "discovery": "discovery",
    "evolution": "evolution",
    "random": "random search",
    "drawn": "drawn masks",
}
"""What a round does."""


class Display(Protocol):
    """Shows the progress of a search."""

    def progress(self, progress: Progress) -> None:
        """Show that a round began or ended."""

    def stage(self, text: str) -> None:
        """Show that another part of the work begins."""


class LineDisplay:
    """Display for logs and pipes: one line whenever trainings were finished."""

    def __init__(self) -> None:
        """Nothing is shown yet."""
        self._last = -1.0

    def progress(self, progress: Progress) -> None:
        """See `Display`."""
        if progress.trainings != self._last:
            self._last = progress.trainings
            remark(describe(progress))

    def stage(self, text: str) -> None:
        """See `Display`."""
        self._last = -1.0
        remark(text)


class QuietDisplay:
    """Display that shows nothing."""

    def progress(self, progress: Progress) -> None:
        """See `Display`."""

    def stage(self, text: str) -> None:
        """See `Display`."""


@contextmanager
def display(*, quiet: bool = False) -> Iterator[Display]:
    """The display that fits stderr: a terminal or not."""
    if quiet:
        yield QuietDisplay()
    elif sys.stderr.isatty():
        with _live() as live:
            yield live
    else:
        yield LineDisplay()


def paced(display: Display, *, seconds: float = 5.0) -> Callable[[str], None]:
    """`display.stage` for frequent calls: logs and pipes get the first text and then at most one in `seconds`."""
    last = -math.inf

    def say(text: str) -> None:
        nonlocal last
        if not isinstance(display, LineDisplay) or time.monotonic() - last >= seconds:
            last = time.monotonic()
            display.stage(text)

    return say


def describe(progress: Progress) -> str:
    """One line: round, trainings, what was chosen from what, best so far, the predictor's ranking, time spent and remaining time."""
    epochs = progress.epochs
    parts = [
        f"round {progress.round}: {WAYS[progress.way]}",
        f"{progress.trainings:g}/{progress.budget} trainings ({progress.trainings * epochs:,.0f}/{progress.budget * epochs:,} epochs)",
        _choice(progress),
    ]
    if progress.failed:
        parts.append(f"{progress.failed} failed")
    if progress.best is not None:
        parts.append(f"best {percent(progress.best)}{_mean(progress)} with {progress.best_nnz:,} non-zeros")
    if progress.agreement is not None:
        parts.append(f"predictor: {progress.agreement}")
    left = "" if progress.left is None else f", about {duration(progress.left)} left"
    parts.append(duration(progress.elapsed) + left)
    return " · ".join(parts)


def _choice(progress: Progress) -> str:
    """How many candidates were proposed, screened and chosen in the round."""
    again = f"{progress.again} trained again" if progress.again else ""
    if not progress.chosen:
        return again
    many = f"{progress.proposed:,} proposed, {progress.screened:,} screened, {progress.chosen:,} chosen"
    return f"{many} and {again}" if again else many


def _mean(progress: Progress) -> str:
    """The number of trainings in the mean of the best, and the reason of a fall."""
    remarks = [f"mean of {progress.best_trainings}"] if progress.best_trainings > 1 else []
    fall = progress.fall
    if fall is not None and fall.same:
        remarks.append(f"was {percent(fall.accuracy)} after {fall.trainings}")
    elif fall is not None:
        again = "was trained again and did worse"
        remarks.append(f"the former best, {percent(fall.accuracy)} after {fall.trainings}, {again}")
    return f" ({'; '.join(remarks)})" if remarks else ""


@contextmanager
def _live() -> Iterator[Display]:
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn
    from rich.progress import Progress as Bar

    with Bar(
        SpinnerColumn(),
        BarColumn(),
        TextColumn("{task.description}", markup=False),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("starting", total=None)

        class _Live:
            def progress(self, progress: Progress) -> None:
                bar.update(task, total=progress.budget, completed=progress.trainings, description=describe(progress))

            def stage(self, text: str) -> None:
                bar.update(task, total=None, description=visible(text))

        yield _Live()
