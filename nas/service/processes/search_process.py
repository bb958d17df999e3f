"""The process of one search: `nas.search` or `nas.resume` into its run folder, with progress as lines of JSON.

The first line that it reads is the job: ``folder``, ``inputs`` (the working folder, with its uploads), ``config``, ``memory`` (bytes). It
then ends as soon as its parent does.
"""

import contextlib
import dataclasses
import logging
import os
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from nas.process_memory import limit_memory
from nas.service.processes.child import Channel, described, log_traceback

if TYPE_CHECKING:
    from nas.study.progress import Progress


def main() -> None:
    """Do the job. The last line is ``{"kind": "end", …}``."""
    channel = Channel()
    job = channel.receive()
    channel.end_with_parent()
    try:
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("500")  # the kernel shall end a search before the server
        best = _search(channel, job)
    except Exception as error:  # noqa: BLE001  every error is an answer; the traceback is logged
        log_traceback()
        channel.send({"kind": "end", "error": described(error)})
    else:
        channel.send({"kind": "end", "result": best})


def _search(channel: Channel, job: dict[str, Any]) -> dict[str, Any]:
    """The search, from its beginning or from where it stopped; returns facts about the winner."""
    import optuna
    import torch  # noqa: F401  the limit of memory counts from here

    from nas.study.config import SearchConfig
    from nas.study.run_folder import RunFolder
    from nas.verbs.search import resume, search

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[_Sent(channel)])
    logging.getLogger("onnxscript").setLevel(logging.ERROR)
    limit_memory(int(job["memory"]))
    os.chdir(job["inputs"])
    folder = RunFolder(Path(job["folder"]))
    config = SearchConfig.from_mapping(job["config"], source="the request")

    def stage(text: str) -> None:
        channel.send({"kind": "stage", "data": {"text": text}})

    def progress(state: "Progress") -> None:
        channel.send({"kind": "progress", "data": shown(state)})

    if folder.config_file.exists():
        report = resume(folder.path, trainings=config.trainings, on_progress=progress, on_stage=stage, keep_paths=True)
    else:
        report = search(config, folder.path, on_progress=progress, on_stage=stage, on_remark=stage, keep_paths=True)
    return winner(report)


def shown(progress: "Progress") -> dict[str, Any]:
    """The progress as plain JSON values, without what only the terminal shows."""
    data = dataclasses.asdict(progress)
    del data["fall"]
    return data


def winner(report: dict[str, Any]) -> dict[str, Any]:
    """The numbers of the winner in a report: mean test metric and its 95 % interval, non-zeros, bytes, milliseconds."""
    best = report["best"]
    facts = {name: best.get(name) for name in ("digest", "nnz", "bytes", "latency", "interval")}
    return facts | {"metric": report["task"]["metric"], "test": fmean(best["accuracies"])}


class _Sent(logging.Handler):
    """Sends warnings to the parent."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        self._channel.send({"kind": "log", "data": {"level": record.levelname.lower(), "text": self.format(record)}})


if __name__ == "__main__":
    main()
