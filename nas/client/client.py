"""`nas.Client`: searches and predictions on a server, with the verbs of the library."""

import hashlib
import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, Self

import onnx_graph
from nas.client.connection import Connection, Event
from nas.client.errors import ServerError
from nas.errors import RunError, UsageError
from nas.study.agreement import Agreement
from nas.study.config import LOCAL, SearchConfig
from nas.study.progress import Progress

ENDED = ("done", "failed", "cancelled")
MEDIA = {".csv": "text/csv", ".npz": "application/octet-stream"}


class Client:
    """A server of `nas serve`. It can be used as a context manager.

    ```python
    with nas.Client("http://127.0.0.1:8000") as server:
        report = server.search(nas.SearchConfig(task="digits", constraint="nnz<=300", trainings=12), "runs/far")
        answer = server.predict("model.onnx", task="digits")
    ```
    """

    def __init__(self, server: str, *, token: str | None = None, timeout: float = 60.0, **connection: Any) -> None:
        """Nothing is sent yet.

        Args:
            server: address such as ``http://127.0.0.1:8000``, with the prefix if there is one.
            token: a token that `nas token` made; a server on loopback may need none.
            timeout: seconds without an answer after which a request is sent again.
            connection: further arguments of `Connection`.
        """
        if not server.startswith(("http://", "https://")):
            raise UsageError(f"a server is an address such as http://127.0.0.1:8000, got {server!r}")
        self._connection = Connection(server, token, timeout, **connection)

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections. Searches go on."""
        self._connection.http.close()

    def search(
        self,
        config: SearchConfig,
        out: Path | str,
        *,
        on_progress: Callable[[Progress], None] = lambda progress: None,
        on_stage: Callable[[str], None] = lambda text: None,
    ) -> dict[str, Any]:
        """Search on the server, wait for the end, and fetch the files of the run; see `nas.search`.

        A data set or a model that is a file of this machine is uploaded first.

        Args:
            config: as for `nas.search`, without options that name folders or devices of this machine.
            out: a new folder for the files: `best.onnx`, `report.html`, `trials.csv` and others.
            on_progress: called after every round of trainings.
            on_stage: called with one line of text when another part of the work begins.

        Returns:
            The report, the same as in `report.json`.

        Raises:
            UsageError: an option of this machine, or a folder that is not empty.
            ServerError: the server refuses or does not answer.
            RunError: the search failed or was cancelled.
        """
        folder = _new(out)
        id_ = str(self.submit(config)["id"])
        on_stage(f"search {id_} is in the queue of the server")
        self.follow(id_, on_progress=on_progress, on_stage=on_stage)
        return self.fetch(id_, folder)

    def submit(self, config: SearchConfig) -> dict[str, Any]:
        """Ask for a search and do not wait: its resource, with ``id`` and ``state``. Errors as for `search`."""
        key = secrets.token_urlsafe(16)  # the request may arrive twice, the search is made once
        headers = {"idempotency-key": key}
        return self._connection.json("POST", "/v1/searches", json=self._request(config), headers=headers)

    def validate(self, config: SearchConfig) -> dict[str, Any]:
        """What a search would do: sizes, what is tried first, costs and time; nothing is stored. Errors as for `search`."""
        return self._connection.json("POST", "/v1/searches:validate", json=self._request(config))

    def searches(self) -> Iterator[dict[str, Any]]:
        """The searches of the server, the newest first."""
        cursor: str | None = None
        while True:
            parameters = {} if cursor is None else {"cursor": cursor}
            page = self._connection.json("GET", "/v1/searches", params=parameters)
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def get(self, id_: str) -> dict[str, Any]:
        """A search: ``state``, ``progress``, ``result`` and more."""
        return self._connection.json("GET", f"/v1/searches/{_id(id_)}")

    def cancel(self, id_: str) -> dict[str, Any]:
        """Cancel a search; what it has found is kept."""
        return self._connection.json("POST", f"/v1/searches/{_id(id_)}:cancel")

    def delete(self, id_: str) -> None:
        """Delete a search that ended, with its files; `ServerError` for one that waits or runs, and for an unknown one."""
        self._connection.send("DELETE", f"/v1/searches/{_id(id_)}")

    def delete_model(self, sha256: str) -> None:
        """Delete an uploaded model; `ServerError` while a search that waits or runs uses it, and for an unknown one."""
        self._connection.send("DELETE", f"/v1/models/{_id(sha256)}")

    def delete_dataset(self, sha256: str) -> None:
        """Delete an uploaded data set; errors as for `delete_model`."""
        self._connection.send("DELETE", f"/v1/datasets/{_id(sha256)}")

    def resume(
        self,
        id_: str,
        out: Path | str | None = None,
        *,
        trainings: int | None = None,
        on_progress: Callable[[Progress], None] = lambda progress: None,
        on_stage: Callable[[str], None] = lambda text: None,
    ) -> dict[str, Any]:
        """Go on with a search that ended, where it stopped; see `nas.resume`.

        Args:
            id_: id of the search.
            out: a new folder for the files; None: do not wait, and return the resource of the search.
            trainings: the new total number of trainings; None keeps it.
            on_progress: called after every round of trainings.
            on_stage: called with one line of text when another part of the work begins.

        Raises:
            ServerError: the server refuses or does not answer.
            RunError: the search failed or was cancelled.
        """
        folder = None if out is None else _new(out)
        body = {} if trainings is None else {"trainings": trainings}
        begun = self.get(id_)["state"] in ENDED
        found = self._connection.json("POST", f"/v1/searches/{_id(id_)}:resume", json=body) if begun else self.get(id_)
        if folder is None:
            return found
        self.follow(id_, on_progress=on_progress, on_stage=on_stage)
        return self.fetch(id_, folder)

    def events(self, id_: str) -> Iterator[Event]:
        """What has happened to a search and what happens, until it ends; a broken connection leaves no gap."""
        return self._connection.events(f"/v1/searches/{_id(id_)}/events")

    def trial(self, id_: str, number: int) -> dict[str, Any]:
        """A finished training of a search: ``trial``, and ``curve`` with ``losses`` and ``accuracies`` by epoch (or None)."""
        return self._connection.json("GET", f"/v1/searches/{_id(id_)}/trials/{number:d}")

    def follow(
        self,
        id_: str,
        *,
        on_progress: Callable[[Progress], None] = lambda progress: None,
        on_stage: Callable[[str], None] = lambda text: None,
    ) -> dict[str, Any]:
        """Wait for the end of a search; its resource. `RunError` if it failed or was cancelled."""
        for event in self.events(id_):
            if event.kind == "progress":
                on_progress(_progress(event.data))
            elif event.kind == "stage":
                on_stage(str(event.data.get("text", "")))
        found = self.get(id_)
        if found["state"] != "done":
            reason = (found.get("error") or {}).get("detail")
            raise RunError(f"search {id_} is {found['state']}" + (f": {reason}" if reason else ""))
        return found

    def fetch(self, id_: str, out: Path | str) -> dict[str, Any]:
        """Write the files of a search into a folder, each checked by its SHA-256; the report. `RunError` if there is none."""
        folder = Path(out)
        folder.mkdir(parents=True, exist_ok=True)
        for one in self._connection.json("GET", f"/v1/searches/{_id(id_)}/artifacts")["items"]:
            name = str(one["name"])
            if Path(name).name != name or name.startswith("."):
                raise ServerError(f"the server named a file {name!r}, which is no plain name")
            content = self._connection.send("GET", f"/v1/searches/{id_}/artifacts/{name}").content
            if hashlib.sha256(content).hexdigest() != one["sha256"]:
                raise ServerError(f"{name} arrived damaged; fetch it again")
            onnx_graph.write_durably(folder / name, content)
        report = folder / "report.json"
        if not report.exists():
            raise RunError(f"search {id_} has no report yet")
        found: dict[str, Any] = json.loads(report.read_text())
        return found

    def predict(
        self,
        model: Path | str,
        *,
        task: str | dict[str, Any] | None = None,
        method: str | None = None,
        weights: str | None = None,
        nnz: int | None = None,
        explain: bool = False,
    ) -> dict[str, Any]:
        """How good a network will get, by the predictor of the server.

        Args:
            model: an ONNX file, which is uploaded, or the sha256 of an uploaded one.
            task: name of a task, sha256 of an uploaded data set, or a description as `nas predictor describe` prints it.
            method: the mask method that pruned the network.
            weights: ``own`` or ``fresh``.
            nnz: the network is dense: the accuracy that `method` would reach with so many weights.
            explain: whether to say which layers and features moved the prediction.

        Returns:
            ``accuracy``, ``std``, ``interval`` (90 %), ``support``, ``why``, and ``others`` where the question left something open.

        Raises:
            ServerError: the server refuses or does not answer.
            OSError: the file cannot be read.
        """
        sha256 = str(model) if _is_sha256(str(model)) else str(self.upload_model(model)["sha256"])
        asked = {"task": task, "method": method, "weights": weights, "nnz": nnz, "explain": explain or None}
        body = {name: value for name, value in asked.items() if value is not None}
        return self._connection.json("POST", f"/v1/models/{sha256}:predict", json=body)

    def upload_model(self, path: Path | str) -> dict[str, Any]:
        """Upload an ONNX file; what the server knows of it, with ``sha256``."""
        headers, parameters = {"content-type": "application/octet-stream"}, {"name": Path(path).name[-200:]}
        content = Path(path).read_bytes()
        return self._connection.json("POST", "/v1/models", content=content, params=parameters, headers=headers)

    def upload_dataset(self, path: Path | str, *, target: str | None = None) -> dict[str, Any]:
        """Upload a .csv or .npz file, for a csv file with the column to predict; its ``sha256`` is the task of a search."""
        media = MEDIA.get(Path(path).suffix.lower())
        if media is None:
            raise UsageError(f"a data set is a .csv or .npz file, got {path}")
        parameters = {"name": Path(path).name[-200:]} | ({} if target is None else {"target": target})
        content = Path(path).read_bytes()
        return self._connection.json(
            "POST", "/v1/datasets", content=content, params=parameters, headers={"content-type": media}
        )

    def names(self, kind: str) -> list[dict[str, Any]]:
        """What the server has of a kind: ``tasks``, ``spaces``, ``methods``, ``strategies``, ``predictors`` or ``metrics``."""
        found: list[dict[str, Any]] = self._connection.json("GET", f"/v1/{kind}")["items"]
        return found

    def _request(self, config: SearchConfig) -> dict[str, Any]:
        """The body of a request: what differs from the defaults, with files of this machine uploaded."""
        defaults = {one.name: one.default for one in fields(SearchConfig)}
        changed = {name: value for name, value in vars(config).items() if value != defaults[name]}
        local = [name for name in LOCAL if name in changed]
        if local:
            raise UsageError(f"{local[0]} names something of this machine; the server chooses its own")
        if str(changed.get("task", "")).endswith((".csv", ".npz")):
            changed["task"] = self.upload_dataset(changed["task"], target=changed.pop("target", None))["sha256"]
        if "model" in changed:
            changed["model"] = self.upload_model(changed["model"])["sha256"]
        return {name: list(value) if isinstance(value, tuple) else value for name, value in changed.items()}


def _new(out: Path | str) -> Path:
    folder = Path(out)
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty; give a new folder")
    return folder


def _id(text: str) -> str:
    if not text.isalnum():
        raise UsageError(f"{text!r} is no id of a search")
    return text


def _is_sha256(text: str) -> bool:
    return len(text) == 64 and all(letter in "0123456789abcdef" for letter in text)


def _progress(data: dict[str, Any]) -> Progress:
    """The progress that an event tells; what a newer server tells more is left out."""
    names = {one.name for one in fields(Progress)} - {"fall", "agreement"}
    agreement = data.get("agreement")
    return Progress(
        **{name: value for name, value in data.items() if name in names},
        fall=None,
        agreement=None if agreement is None else Agreement(**agreement),
    )
