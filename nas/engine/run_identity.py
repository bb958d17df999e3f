"""Checks that a run still has the data and the trial-deciding options that it was started with."""

from nas.errors import RunError
from nas.study.config import SearchConfig
from nas.study.record import Record
from nas.study.run_folder import RunFolder
from nas.tasks.task import Task


def require_unchanged(record: Record, config: SearchConfig, task: Task, folder: RunFolder) -> None:
    """Record data and options of a new run; `RunError` if the run was started with others."""
    options = config.identity()
    if "options" not in record.facts:
        if record.trials or folder.trials_file.exists():
            raise RunError(
                f"{folder.journal} is not the journal that this run was begun with; restore it or begin a new run"
            )
        record.remember("fingerprint", task.fingerprint)
        record.remember("options", options)
    if record.facts["fingerprint"] != task.fingerprint:
        raise RunError(
            f"the data of task {task.name} is not what {folder.path} was begun with; restore it or begin a new run"
        )
    # A run of an earlier version lacks newer options; it used what are now their defaults.
    begun = SearchConfig().identity() | record.facts["options"]
    changed = [name for name, value in options.items() if begun[name] != value]
    if changed:
        raise RunError(
            f"{', '.join(changed)} in {folder.config_file} changed since the run was begun; restore them or begin a new run"
        )
