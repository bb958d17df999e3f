"""The JSON of a script that measures several parts: a part that was measured with the same settings is not measured again."""

import argparse
import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from benchmarks.support.places import RESULTS
from benchmarks.support.service_process import machine_load


class StoredParts:
    """Parts of an answer by name, each with its settings and the load of the machine before and after."""

    def __init__(self, script: str, question: str, *, quick: bool = False, again: bool = False) -> None:
        """Read what is stored for a script. `quick` takes a file of its own; `again` measures everything anew."""
        self._path = RESULTS / f"{script}{'_quick' if quick else ''}.json"
        self._question, self._again = question, again
        self.parts: dict[str, dict[str, Any]] = {}
        if self._path.exists():
            self.parts = json.loads(self._path.read_text())["parts"]

    def measure(self, name: str, settings: Mapping[str, Any], work: Callable[[], Mapping[str, Any]]) -> None:
        """Measure a part and store it, unless it is stored with these settings."""
        if not self._again and self.parts.get(name, {}).get("settings") == dict(settings):
            print(f"{name}: stored already", flush=True)
            return
        print(f"{name}: begins", flush=True)
        before, began = machine_load(), time.monotonic()
        found = dict(work())
        facts = {
            "settings": dict(settings),
            "date": datetime.now(UTC).date().isoformat(),
            "seconds": round(time.monotonic() - began, 1),
            "machine_load": [round(before, 2), round(machine_load(), 2)],
        }
        self.parts[name] = facts | found
        self._write()

    def _write(self) -> None:
        content = {"question": self._question, "parts": self.parts}
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text(json.dumps(content, indent=1) + "\n")
        temporary.replace(self._path)


def arguments(document: str) -> argparse.ArgumentParser:
    """A parser with the flags that every script of a stored answer has."""
    parser = argparse.ArgumentParser(description=document, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a smoke test of a minute, with a file of its own")
    parser.add_argument("--print", action="store_true", help="measure nothing, print the stored answer")
    parser.add_argument("--again", action="store_true", help="measure also what is stored with the same settings")
    return parser
