"""Whether a run is still what it was when it was begun: the same data, and the same options that decide the trials."""

from nas.errors import RunError
from nas.study.config import SearchConfig
from nas.study.record import Record
from nas.study.run_folder import RunFolder
from nas.tasks.task import Task


def require_unchanged(record: Record, config: SearchConfig, task: Task, folder: RunFolder) -> None:
    """Remember data and options of a new run; `RunError` where those of an earlier one differ."""
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
    # A run of an earlier version does not name the options that came later: it had their defaults.
    begun = SearchConfig().identity() | record.facts["options"]
    changed = [name for name, value in options.items() if begun[name] != value]
    if changed:
        raise RunError(
            f"{', '.join(changed)} in {folder.config_file} changed since the run was begun; restore them or begin a new run"
        )
