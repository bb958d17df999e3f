"""The name of a worker, from which other workers of the same machine see whether it still lives."""

import os
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex


@dataclass(frozen=True)
class Holder:
    """Name of a worker: ``MACHINE:PID:START:RANDOM``. START tells two processes of the same number apart."""

    name: str

    @classmethod
    def here(cls) -> "Holder":
        """The name of this process."""
        return cls(f"{_machine()}:{os.getpid()}:{_start(os.getpid()) or 0}:{token_hex(4)}")

    def knows_dead(self, other: str) -> bool:
        """Whether another holder ran on this machine, and its process is gone. False if this cannot be known."""
        machine, _, rest = other.partition(":")
        pid, _, rest = rest.partition(":")
        if machine != self.name.partition(":")[0] or not pid.isdecimal() or machine.startswith("?"):
            return False
        return _start(int(pid)) != int(rest.partition(":")[0] or 0)


def _machine() -> str:
    """A name for this start of this machine, or of this container, whose processes see each other."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}.{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return f"?{token_hex(8)}"


def _start(pid: int) -> int | None:
    """When a process started, in ticks since the start of the machine; None if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])
