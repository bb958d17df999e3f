"""Predictions for uploaded models, remembered: in memory, and in the database for the next start and for other servers."""

import hashlib
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from nas import __version__
from nas.service.clock import now
from nas.service.data_folder import DataFolder
from nas.service.problems import not_found, unprocessable
from nas.service.processes.call_pool import CallPool, problem_of
from nas.service.store.database import Database
from nas.service.store.schema import predictions as table
from nas.service.store.upload_store import DATASETS, MODEL, StoredUpload, find_upload

log = logging.getLogger(__name__)

FRESH = 60.0
"""Seconds for which an answer is given without a look into the database, where another server may have deleted the model."""
MOST = 20_000
"""Answers in memory; one takes about a kilobyte."""
DATASET = "dataset"
"""Name of the question's entry for an uploaded data set, in the place of the name of a task."""


class Predictions:
    """Answers by question. A question is a mapping of plain JSON values: task, method, nnz, weights, explain."""

    def __init__(self, database: Database, folder: DataFolder, pool: CallPool) -> None:
        """Nothing is remembered yet."""
        self._database, self._folder, self._pool = database, folder, pool
        self._answers: OrderedDict[str, tuple[str, float, str]] = OrderedDict()
        self._lock = Lock()

    def remembered(self, sha256: str, question: Mapping[str, Any]) -> str | None:
        """The answer as JSON if it is in memory, and new enough."""
        key = _key(sha256, question)
        with self._lock:
            answer, at, _ = self._answers.get(key, (None, 0.0, ""))
            if answer is None or time.monotonic() - at > FRESH:
                return None
            self._answers.move_to_end(key)
            return answer

    def forget(self, sha256: str) -> None:
        """Forget the answers in memory about a file that was deleted."""
        with self._lock:
            for key in [key for key, (_, _, about) in self._answers.items() if sha256 in about]:
                del self._answers[key]

    def ask(self, sha256: str, question: Mapping[str, Any]) -> str:
        """The answer as JSON: from the database, or computed in a process of its own.

        Raises:
            Problem: 404 for an unknown model, 422 for one that cannot be predicted, 503 if no process is free.
        """
        data = self._require(sha256, question)
        lasting = _key(sha256, question, None if data is None else [data.kind, data.facts.get("target")])
        answer = self._stored(lasting)
        if answer is None:
            answer = self._computed(sha256, question, data)
            self._store(lasting, answer)
        self._remember(_key(sha256, question), answer, f"{sha256} {question.get(DATASET, '')}")
        return answer

    def _require(self, sha256: str, question: Mapping[str, Any]) -> StoredUpload | None:
        """The data set of the question, if it names one; `Problem` if the model or the data set is not there (any more)."""
        with self._database.read() as connection:
            if find_upload(connection, sha256, (MODEL,)) is None:
                raise not_found(f"model {sha256}; post it to /v1/models first")
            data = find_upload(connection, str(question.get(DATASET)), DATASETS)
        if DATASET in question and data is None:
            raise unprocessable(f"there is no uploaded data set {question[DATASET]}; post it to /v1/datasets first")
        return data

    def _stored(self, key: str) -> str | None:
        with self._database.read() as connection:
            found = connection.execute(select(table.c.answer).where(table.c.key == key)).scalar_one_or_none()
        return None if found is None else str(found)

    def _computed(self, sha256: str, question: Mapping[str, Any], data: StoredUpload | None) -> str:
        path = str(self._folder.model(sha256))
        asked = {name: value for name, value in question.items() if name != DATASET}
        if data is not None:
            asked["dataset"] = self._file_of(data)
        found = self._pool.call("predict", models=[path], **asked)
        if path in found["errors"]:
            raise problem_of(found["errors"][path])
        return json.dumps(_answer(sha256, found["rows"], question))

    def _file_of(self, data: StoredUpload) -> dict[str, Any]:
        return {"file": str(self._folder.dataset(data.sha256, data.kind)), "target": data.facts.get("target")}

    def _store(self, key: str, answer: str) -> None:
        try:
            with self._database.write() as connection:
                connection.execute(insert(table).values(key=key, answer=answer, created=now()))
        except IntegrityError:  # another request had the same question
            return
        except DBAPIError as error:  # a full disk: the answer is good, it is only not remembered
            log.warning("a prediction is not stored: %s", error.orig)

    def _remember(self, key: str, answer: str, about: str) -> None:
        with self._lock:
            self._answers[key] = answer, time.monotonic(), about
            self._answers.move_to_end(key)
            while len(self._answers) > MOST:
                self._answers.popitem(last=False)


def _key(sha256: str, question: Mapping[str, Any], data: Sequence[Any] | None = None) -> str:
    """`data` is how the data set is read: a file that was deleted can come back with another target."""
    return hashlib.sha256(json.dumps([__version__, sha256, question, data], sort_keys=True).encode()).hexdigest()


def _answer(sha256: str, rows: list[dict[str, Any]], question: Mapping[str, Any]) -> dict[str, Any]:
    """The first row, with the model in front and the other rows behind."""
    shown = [_shown(row, question) for row in rows]
    return {"model": sha256} | shown[0] | {"others": shown[1:]}


def _shown(row: dict[str, Any], question: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `nas predict` in the words of the API."""
    support = (
        "outside" if row["outside"] else "unseen" if row["unseen"] else "doubtful" if row["doubtful"] else "inside"
    )
    return {
        "task": question.get(DATASET, row["task"]),
        "accuracy": row["score"],
        "std": row["std"],
        "interval": [row["low"], row["high"]],
        "support": support,
        "why": row.get("why") or WHY[support],
        "weights": row.get("weights"),
        "explanation": row.get("explanation"),
    }


WHY = {
    "outside": "unlike every network that the predictor was fitted on; do not trust the number",
    "unseen": "a task, or a kind of network for it, that the predictor was not fitted on; trust the order more than the numbers",
    "doubtful": "the interval is wide, the true accuracy may lie far from the number; train such a network to know",
    "inside": "the predictor was fitted on networks like this one",
}
"""What a word of support means."""
