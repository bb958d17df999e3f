"""Tables of models and measured accuracies (CSV): fit a predictor on anybody's ONNX files, and judge predictors by cross-validation.

Columns: ``model`` (path of an ONNX file, relative to the table's folder), ``accuracy`` (0 to 1) and, optionally, ``cell`` (a group
such as a task or a density; networks are compared inside their group only). Other columns are ignored.
"""

import csv
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onnx_graph import GraphError
from predictors.calibration import ranking
from predictors.errors import InvalidTableError
from predictors.library.batch import encode_each
from predictors.library.fitted import FittedPredictor, Task
from predictors.library.fitting import fit, known_task
from predictors.library.loading import create
from predictors.library.pace import Evaluating, Pace
from predictors.library.persistence import Json, require_free, save
from predictors.predictor import Prediction
from predictors.registry import PREDICTORS
from predictors.structure_graph import StructureGraph

BASELINES = ("constant", "density")
MOST_LINES = 20  # lines that an error lists
FEWEST = 2  # least number of rows that a predictor can be fitted on
MOST_BYTES = 64 << 20
"""Largest size of a table: about a million rows."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a table.

    Attributes:
        model: path of the ONNX file.
        accuracy: measured accuracy, in [0, 1].
        cell: cell of the network; None if the table has no such column.
        line: line of the file; the header is line 1.
    """

    model: Path
    accuracy: float
    cell: str | None
    line: int


def read_table(path: Path | str) -> tuple[Row, ...]:
    """Read a table; `InvalidTableError` names the line and column that is wrong."""
    table = Path(path)
    _require_small_file(table)
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            columns = reader.fieldnames or []
            for column in ("model", "accuracy"):
                if columns.count(column) != 1:
                    raise InvalidTableError(
                        f"{table} needs one column {column!r}; it has {', '.join(columns[:20]) or 'none'}"
                    )
            rows = tuple(_row(table, reader.line_num, record) for record in reader)
    except OSError as error:
        raise InvalidTableError(f"{table} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidTableError(f"{table} is not a CSV file: {error}") from error
    _require_distinct(table, rows)
    if len(rows) < FEWEST:
        raise InvalidTableError(f"{table} has {len(rows)} rows, at least {FEWEST} are needed")
    return rows


def _require_small_file(table: Path) -> None:
    """Refuse pipes and devices, which could be read endlessly, and files that are too large."""
    try:
        size = table.stat().st_size
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise InvalidTableError(f"{table} cannot be read: {getattr(error, 'strerror', error)}") from error
    if not table.is_file():
        raise InvalidTableError(f"{table} cannot be read: it is not a regular file")
    if size > MOST_BYTES:
        raise InvalidTableError(f"{table} has {size:,} bytes, expected at most {MOST_BYTES:,}")


def encode_rows(path: Path | str, rows: Sequence[Row], *, workers: int = 1) -> list[StructureGraph]:
    """The structure graph of every row's model; `InvalidTableError` names all lines whose model cannot be read."""
    graphs, failed = [], []
    for row, found in zip(rows, encode_each([row.model for row in rows], workers=workers), strict=True):
        if isinstance(found, GraphError):
            failed.append((row.line, found))
        else:
            graphs.append(found)
    if failed:
        raise InvalidTableError(f"{path}, {_failures(failed)}") from failed[0][1]
    return graphs


def _failures(failed: Sequence[tuple[int, GraphError]]) -> str:
    """The first failure, and the lines of the others."""
    line, error = failed[0]
    others = [str(other) for other, _ in failed[1:]]
    listed = ", ".join(others[:MOST_LINES]) + (" …" if len(others) > MOST_LINES else "")
    further = (
        f"; {len(others)} more models cannot be read: line{'s' if len(others) > 1 else ''} {listed}" if others else ""
    )
    return f"line {line}, column 'model': {error}{further}"


def fit_table(
    path: Path | str, name: str | None, out: Path | str, seed: int = 0, *, task: Task = None, workers: int = 1
) -> FittedPredictor:
    """Fit a predictor (see `predictors.library.fitting.fit`) on all rows of a table and save it in the folder `out`."""
    if name is not None:
        PREDICTORS.load(name)
    known_task(task)
    require_free(out)
    rows = read_table(path)
    fitted = fit(encode_rows(path, rows, workers=workers), _accuracies(rows), task=task, predictor=name, seed=seed)
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    found = replace(fitted, provenance={**fitted.provenance, "table": Path(path).name, "table_sha256": digest})
    save(found, out)
    return found


def evaluate_table(
    path: Path | str,
    names: Sequence[str],
    folds: int = 5,
    seed: int = 0,
    *,
    repeats: int = 3,
    task: Task = None,
    workers: int = 1,
    progress: Callable[[Evaluating], None] = lambda evaluating: None,
) -> dict[str, Json]:
    """Judge predictors on a table by repeated k-fold cross-validation; no network is scored by a predictor that was fitted on it.

    τ and ρ are taken inside each test fold and averaged, weighted by pairs (different folds have different predictors, so
    their predictions are not ranked against one another); R², RMSE and coverage over all test folds.

    Args:
        path: the table.
        names: names of the predictors; ``constant`` and ``density`` are always judged in addition.
        folds: number of folds, ≥ 2; the table needs at least ``2 · folds`` rows.
        seed: seed of the splits and the predictors.
        repeats: number of times that the rows are split again, ≥ 1.
        task: task of the networks, for predictors that know several tasks (``warm``): a name or a description.
        workers: number of processes that read files.
        progress: called before the first fit and after every fit.

    Returns:
        ``rows``, ``cells`` (0 without the column), ``folds``, ``repeats``, ``seed`` and ``predictors``: for each ``name`` the mean
        over repeats of ``tau``, ``rho``, ``r2``, ``rmse``, ``tau_inside`` (None if no cell ranks anything) and ``coverage_90``
        (share of measurements in the stated 90 % interval), and under ``spread`` their standard deviations over repeats.
    """
    kinds = {name: PREDICTORS.load(name) for name in (*BASELINES, *names)}
    description = known_task(task)
    if folds < 2 or repeats < 1:
        raise InvalidTableError(f"need folds ≥ 2 and repeats ≥ 1, got {folds} and {repeats}")
    rows = read_table(path)
    if len(rows) < 2 * folds:
        raise InvalidTableError(f"{path} has {len(rows)} rows, {folds} folds need at least {2 * folds}")
    graphs = [graph.on(description) for graph in encode_rows(path, rows, workers=workers)]
    measured, cells = _accuracies(rows), [row.cell for row in rows]
    pace = Pace(tuple(kinds), folds * repeats, progress)
    scores: dict[str, list[dict[str, float]]] = {name: [] for name in kinds}
    for repeat in range(repeats):
        fold = np.random.default_rng([seed, repeat]).permutation(len(rows)) % folds
        for name, held in _held_out(kinds, graphs, measured, fold, seed + repeat, pace).items():
            scores[name].append(_score(measured, held, fold, cells))
    return {
        "rows": len(rows),
        "cells": len(set(cells) - {None}),
        "folds": folds,
        "repeats": repeats,
        "seed": seed,
        "predictors": [{"name": name, **_summary(found)} for name, found in scores.items()],
    }


def _held_out(
    names: Iterable[str],
    graphs: Sequence[StructureGraph],
    measured: NDArray[np.float64],
    fold: NDArray[np.int64],
    seed: int,
    pace: Pace,
) -> dict[str, Prediction]:
    """The prediction of each predictor for every network, fitted on the other folds.

    All predictors are fitted on one fold before the next fold begins, so that the time of each predictor is known early.
    """
    found = {name: _Held(len(graphs)) for name in names}
    for test in np.unique(fold):
        for name, held in found.items():
            with pace.fit(name):
                held.predict(name, graphs, measured, fold == test, seed)
    return {name: held.prediction for name, held in found.items()}


def cross_validate(
    name: str,
    graphs: Sequence[StructureGraph],
    measured: NDArray[np.float64],
    fold: NDArray[np.int64],
    *,
    seed: int = 0,
) -> Prediction:
    """The prediction of every network by a predictor fitted on the other folds; `fold` ``(networks,)`` gives each its fold."""
    found = _Held(len(graphs))
    for test in np.unique(fold):
        found.predict(name, graphs, measured, fold == test, seed)
    return found.prediction


class _Held:
    """Predictions of networks, each made by a predictor that did not see it."""

    def __init__(self, count: int) -> None:
        """Start without predictions."""
        self._parts = [np.empty(count) for _ in range(4)]

    def predict(
        self,
        name: str,
        graphs: Sequence[StructureGraph],
        measured: NDArray[np.float64],
        test: NDArray[np.bool_],
        seed: int,
    ) -> None:
        """Fit on the other networks and predict those in the test fold, bool ``(networks,)``, in the form that users get."""
        inside, outside = np.flatnonzero(test).tolist(), np.flatnonzero(~test).tolist()
        predictor = create(name).fit([graphs[row] for row in outside], measured[outside], seed=seed)
        prediction = predictor.predict([graphs[row] for row in inside]).possible()
        parts = (prediction.mean, prediction.std, prediction.low, prediction.high)
        for whole, part in zip(self._parts, parts, strict=True):
            whole[inside] = part

    @property
    def prediction(self) -> Prediction:
        """Predictions of all networks, after every fold was predicted."""
        mean, std, low, high = self._parts
        return Prediction(mean, std, low, high)


def _row(table: Path, line: int, record: Mapping[str | None, str | None]) -> Row:
    place = f"{table}, line {line}"
    model, accuracy, cell = (record.get(column) for column in ("model", "accuracy", "cell"))
    if not model:
        raise InvalidTableError(f"{place}, column 'model': it is empty")
    path = table.parent / model
    if not path.is_file():
        raise InvalidTableError(f"{place}, column 'model': no file {model!r} (paths are relative to {table.parent})")
    if "cell" in record and not cell:
        raise InvalidTableError(
            f"{place}, column 'cell': it is empty; name a cell in every row, or leave the column out"
        )
    return Row(model=path, accuracy=_accuracy(place, accuracy), cell=cell, line=line)


def _accuracy(place: str, text: str | None) -> float:
    try:
        accuracy = float(text or "")
    except ValueError:
        raise InvalidTableError(f"{place}, column 'accuracy': {text!r} is not a number") from None
    if not 0 <= accuracy <= 1:  # NaN neither
        raise InvalidTableError(f"{place}, column 'accuracy': {text} is not in [0, 1]; give shares, not per cent")
    return accuracy


def _require_distinct(table: Path, rows: Sequence[Row]) -> None:
    first: dict[Path, int] = {}
    for row in rows:
        earlier = first.setdefault(row.model.resolve(), row.line)
        if earlier != row.line:
            raise InvalidTableError(
                f"{table}, line {row.line}, column 'model': {row.model.name} is already in line {earlier};"
                " average several trainings of one model into one row"
            )


def _accuracies(rows: Sequence[Row]) -> NDArray[np.float64]:
    return np.array([row.accuracy for row in rows])


def _score(
    measured: NDArray[np.float64], predicted: Prediction, fold: NDArray[np.int64], cells: Sequence[str | None]
) -> dict[str, float]:
    inside = [(int(one), cell) for one, cell in zip(fold, cells, strict=True)]
    has_cells = any(cell is not None for cell in cells)
    return {
        "tau": ranking.kendall_inside(measured, predicted.mean, fold.tolist()),
        "rho": ranking.spearman_inside(measured, predicted.mean, fold.tolist()),
        "r2": ranking.r2(measured, predicted.mean),
        "rmse": ranking.rmse(measured, predicted.mean),
        "tau_inside": ranking.kendall_inside(measured, predicted.mean, inside) if has_cells else float("nan"),
        "coverage_90": float(np.mean((measured >= predicted.low) & (measured <= predicted.high))),
    }


def _summary(scores: Sequence[Mapping[str, float]]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    spread: dict[str, Json] = {}
    for key in scores[0]:
        values = np.array([score[key] for score in scores])
        values = values[np.isfinite(values)]
        found[key] = float(values.mean()) if len(values) else None
        spread[key] = float(values.std()) if len(values) else None
    return {**found, "spread": spread}
