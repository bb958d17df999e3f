"""What an exported model says of itself in its metadata: candidate, task, seed, accuracy, version."""

import json

from nas import __version__
from nas.tasks.task import Task
from search_spaces.candidate import Candidate


def provenance(task: Task, candidate: Candidate, accuracy: float, seed: int) -> dict[str, str]:
    """Of a trained candidate; `accuracy` is that on the validation split."""
    return {
        "candidate": json.dumps(candidate.to_json(), sort_keys=True),
        "digest": candidate.digest,
        f"validation_{task.metric}": f"{accuracy:.6f}",
        "seed": str(seed),
    } | of_task(task)


def of_task(task: Task) -> dict[str, str]:
    """Of any network for the task: what goes in and what comes out, too."""
    names = {"classes": task.classes, "features": task.features}
    return {
        "task": task.name,
        "task_fingerprint": task.fingerprint,
        **{name: json.dumps(list(values), ensure_ascii=False) for name, values in names.items() if values},
        "version": __version__,
    }
