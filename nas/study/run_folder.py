"""The folder of a run: configuration, journal, tables, models and reports."""

import csv
import fcntl
import io
import json
import os
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.errors import RunError, UsageError
from nas.study.config import SearchConfig
from nas.study.trial import Trial


@dataclass(frozen=True)
class RunFolder:
    """Paths of a run. Every file is written under a temporary name and renamed, the journal by Optuna line by line."""

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
        """The winner, shrunk, with provenance."""
        return self.path / "best.onnx"

    @property
    def report(self) -> Path:
        """The report for programs."""
        return self.path / "report.json"

    @property
    def page(self) -> Path:
        """The report for people."""
        return self.path / "report.html"

    @property
    def picture(self) -> Path:
        """The Pareto front."""
        return self.path / "pareto.png"

    @property
    def predictor(self) -> Path:
        """Folder of the fitted predictor."""
        return self.path / "predictor"

    def config(self) -> SearchConfig:
        """The run's configuration; `RunError` where the folder is none of a run."""
        if not self.config_file.is_file():
            raise RunError(f"{self.path} is not the folder of a run: it has no config.toml")
        try:
            data = tomllib.loads(self.config_file.read_text(encoding="utf-8"))
            return SearchConfig.from_mapping(data, source=str(self.config_file))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, UsageError) as error:
            raise RunError(f"{self.config_file} is damaged: {error}") from error

    def create(self, config: SearchConfig) -> None:
        """Begin a run; an existing one is a `RunError` that names `nas resume`."""
        if self.config_file.exists():
            raise RunError(
                f"{self.path} already holds a run: continue it with `nas resume {self.path}` or choose another --out"
            )
        if self.path.exists() and (not self.path.is_dir() or any(map(_is_foreign, self.path.iterdir()))):
            raise RunError(f"{self.path} exists and is not an empty folder; choose another --out")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            write_text(self.config_file, config.to_toml())
            self.models.mkdir(exist_ok=True)
        except OSError as error:
            raise RunError(f"cannot make {self.path}: {error.strerror}") from error

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep every other process out of the run. The system frees the lock of a killed process."""
        with (self.path / ".lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise RunError(f"{self.path} is in use by another process") from error
            yield

    def write_trials(self, trials: Sequence[Trial]) -> None:
        """The trials as CSV: measured and predicted in columns of their own."""
        columns = [
            "number",
            "round",
            "repeat",
            "digest",
            "accuracy",
            "score",
            "score_std",
            "nnz",
            "params",
            "macs",
            "bytes",
            "latency",
            "dead_units",
            "seconds",
            "seed",
            "error",
            "candidate",
        ]
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


def _is_foreign(path: Path) -> bool:
    """Not something that a killed `create` left."""
    return not (path.name.startswith(".") and path.name.endswith(".tmp"))


def write_text(path: Path, text: str) -> None:
    """Write a whole file durably: temporary name, flush to disk, rename. Nothing half-written is ever seen."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """As `write_text`, for bytes."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise RunError(f"cannot write {path}: {error.strerror}") from error
