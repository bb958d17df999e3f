"""The folder of a run: configuration, journal, tables, models and reports."""

import csv
import fcntl
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx_graph
from nas.errors import RunError, UsageError, write_failure
from nas.input_file import read_toml
from nas.study import learning_curves
from nas.study.config import SearchConfig
from nas.study.learning_curves import LearningCurve
from nas.study.trial import COLUMNS, Trial, further


@dataclass(frozen=True)
class RunFolder:
    """Paths of a run. Every file is written under a temporary name and renamed; only the journal is written line by line."""

    path: Path

    @property
    def config_file(self) -> Path:
        """The resolved configuration."""
        return self.path / "config.toml"

    @property
    def journal(self) -> Path:
        """The record of trials, an Optuna journal."""
        return self.path / "journal.log"

    @property
    def trials_file(self) -> Path:
        """The trials as a table."""
        return self.path / "trials.csv"

    @property
    def models(self) -> Path:
        """Folder of trained networks."""
        return self.path / "models"

    @property
    def best(self) -> Path:
        """The exported winner: without dead units, with provenance."""
        return self.path / "best.onnx"

    @property
    def report(self) -> Path:
        """The report as JSON, for programs."""
        return self.path / "report.json"

    @property
    def page(self) -> Path:
        """The report as HTML, for people."""
        return self.path / "report.html"

    @property
    def picture(self) -> Path:
        """The picture of the Pareto front."""
        return self.path / "pareto.png"

    @property
    def predictor(self) -> Path:
        """Folder of the fitted predictor."""
        return self.path / "predictor"

    def config(self) -> SearchConfig:
        """The run's configuration; `RunError` if the folder is not the folder of a run."""
        if not self.config_file.is_file():
            raise RunError(f"{self.path} is not the folder of a run: it has no config.toml")
        data = read_toml(self.config_file, error=RunError)
        try:
            return SearchConfig.from_mapping(data, source=str(self.config_file))
        except UsageError as error:
            raise RunError(f"{self.config_file} is damaged: {error}") from error

    def create(self, config: SearchConfig) -> None:
        """Create the folder of a new run; for an existing run, a `RunError` names `nas resume`."""
        if self.config_file.exists():
            raise RunError(
                f"{self.path} already holds a run: continue it with `nas resume {self.path}` or choose another --out"
            )
        if self.path.exists() and (
            not self.path.is_dir() or not all(onnx_graph.is_temporary(one.name) for one in self.path.iterdir())
        ):
            raise RunError(f"{self.path} exists and is not an empty folder; choose another --out")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            write_text(self.config_file, config.to_toml())
            self.models.mkdir(exist_ok=True)
        except OSError as error:
            raise write_failure(self.path, error) from error

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep all other processes out of the run, and remove leftovers of killed ones, whose lock the system frees."""
        lock = self.path / ".lock"
        try:
            descriptor = os.open(lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise write_failure(lock, error) from error
        with self._held(descriptor, fcntl.LOCK_EX):
            parts = ("", "models", learning_curves.FOLDER)
            for folder in (*parts, *(f"random/{part}" for part in parts)):
                onnx_graph.remove_stale(self.path / folder, locked=True)
            yield

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Keep writers out of the run, but not other readers. Also works in a read-only folder."""
        try:
            descriptor = os.open(self.path / ".lock", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # a copy without this file, or a file that may not be opened: no process writes here
            yield
            return
        with self._held(descriptor, fcntl.LOCK_SH):
            yield

    @contextmanager
    def _held(self, descriptor: int, kind: int) -> Iterator[None]:
        """Holds a lock on the open file, and closes it at the end."""
        try:
            try:
                fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            except OSError as error:
                raise RunError(f"{self.path} is in use by another process") from error
            yield
        finally:
            os.close(descriptor)

    def write_curves(self, round_: int, curves: Mapping[int, LearningCurve]) -> None:
        """The learning curves of a round, by the numbers of their trials."""
        path = self.path / learning_curves.file_name(round_)
        try:
            path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise write_failure(path, error) from error
        write_text(path, learning_curves.to_text(curves))

    def write_trials(self, trials: Sequence[Trial]) -> None:
        """The trials as CSV, with separate columns for measured and predicted accuracies."""
        columns = [*COLUMNS, *further({name: 0.0 for trial in trials for name in trial.metrics})]
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, columns)
        writer.writeheader()
        for trial in trials:
            row: dict[str, Any] = {name: value for name, value in trial.to_json().items() if name in columns}
            row |= {name: value for name, value in trial.metrics.items() if name in columns}
            row["score"], row["score_std"] = (trial.score.mean, trial.score.std) if trial.score else ("", "")
            row["candidate"] = json.dumps(trial.candidate.to_json(), sort_keys=True)
            writer.writerow(row)
        write_text(self.trials_file, buffer.getvalue())


def write_text(path: Path, text: str) -> None:
    """Write a whole file durably: temporary name, flush to disk, rename. Readers never see a partly written file."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Like `write_text`, for bytes; `RunError` with the remedy if the file cannot be written."""
    try:
        onnx_graph.write_durably(path, content)
    except OSError as error:
        raise write_failure(path, error) from error
