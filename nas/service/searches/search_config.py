"""From a stored request to the configuration of a run: names of uploads become paths in the data folder."""

import os
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from nas.service.data_folder import SHA256, DataFolder, plain_name
from nas.service.problems import unprocessable
from nas.service.settings import Settings
from nas.service.store.search_store import StoredSearch
from nas.service.store.upload_store import DATASETS, MODEL, find_upload, lock_upload
from nas.tasks.registry import TASKS
from onnx_graph import nearest


def checked_request(connection: Connection, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options with ``uploads``: what the names of uploads stand for.

    Raises:
        Problem: 422 if the task is neither a known name nor an uploaded data set, or the model is not uploaded.
    """
    found: dict[str, Any] = dict(options)
    uploads: dict[str, str] = {}
    task = str(options.get("task", "digits"))
    if SHA256.fullmatch(task):
        data = find_upload(connection, task, DATASETS)
        if data is None:
            raise unprocessable(f"there is no uploaded data set {task}; post it to /v1/datasets first")
        uploads["task"], uploads["task_name"] = data.kind, plain_name(data.name, data.kind, task)
        if data.kind == "csv":
            found["target"] = options.get("target") or data.facts.get("target")
    elif task not in TASKS:
        raise unprocessable(unknown_task(task))
    if "model" in options:
        model = str(options["model"])
        file = find_upload(connection, model, (MODEL,)) if SHA256.fullmatch(model) else None
        if file is None:
            raise unprocessable("model must be the sha256 of an uploaded ONNX file; post it to /v1/models first")
        uploads["model_name"] = plain_name(file.name, MODEL, model)
    return {name: value for name, value in found.items() if value is not None} | (
        {"uploads": uploads} if uploads else {}
    )


def lost_uploads(connection: Connection, request: Mapping[str, Any]) -> list[str]:
    """Hashes of the uploads that a checked request names and that are deleted. None can be deleted until the transaction ends."""
    named = [
        (str(request[name]), kinds) for name, kinds in (("task", DATASETS), ("model", (MODEL,))) if name in request
    ]
    named = sorted(one for one in named if SHA256.fullmatch(one[0]))
    for sha256, _ in named:
        lock_upload(connection, sha256)
    return [sha256 for sha256, kinds in named if find_upload(connection, sha256, kinds) is None]


def unknown_task(task: str) -> str:
    """The error for a task that is neither a name nor an upload."""
    close = nearest(task[:100], TASKS)[0]
    return f"unknown task {task[:100]!r}; did you mean {close!r}? GET /v1/tasks lists the names; a data set is named by its sha256"


def config_of(request: Mapping[str, Any], folder: DataFolder, settings: Settings) -> dict[str, Any]:
    """The configuration of the command line for a stored request."""
    config = {name: value for name, value in request.items() if name != "uploads"}
    kind = request.get("uploads", {}).get("task")
    if kind is not None:
        config["task"] = str(folder.dataset(str(request["task"]), kind))
    if "model" in config:
        config["model"] = str(folder.model(str(config["model"])))
    most = settings.limits.search_seconds * 0.9
    config["timeout"] = min(float(config.get("timeout", most)), most)
    return config


def run_config(search: StoredSearch, folder: DataFolder, settings: Settings) -> dict[str, Any]:
    """The configuration of a run, with its present total of trainings.

    Uploads are linked into the working folder of the search, under the names that their users gave them. So the files of the run tell no
    path of the server, and the configuration can be used where the user has the files.
    """
    config = config_of(search.request, folder, settings) | {"trainings": search.trainings}
    place = folder.input(search.id)
    place.mkdir(mode=0o700, exist_ok=True)
    uploads = search.request.get("uploads", {})
    for option in ("task", "model"):
        name = uploads.get(f"{option}_name")
        if name is not None:
            link = place / name
            if not link.is_symlink():
                link.symlink_to(os.path.relpath(config[option], place))
            config[option] = name
    return config
