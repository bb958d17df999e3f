"""Limits the memory of this process, and tells whether an error is for want of it."""

import resource
from pathlib import Path

NO_MEMORY = ("allocate memory", "bad_alloc", "failed to map segment", "Unable to allocate")
"""What libraries say when there is no memory."""


def limit_memory(extra: int) -> None:
    """Allow this process `extra` bytes of address space more than it has now, and no core dump."""
    size = status("VmSize") + extra
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size if hard == resource.RLIM_INFINITY else min(size, hard), hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def status(name: str) -> int:
    """An entry of the kernel's status of this process, in bytes."""
    text = Path("/proc/self/status").read_text()
    return int(text.partition(f"{name}:")[2].split()[0]) * 1024


def out_of_memory(error: BaseException | None) -> bool:
    """Whether an error says that there was no memory; libraries have words of their own for that."""
    while error is not None:
        if isinstance(error, MemoryError) or any(words in str(error) for words in NO_MEMORY):
            return True
        error = error.__cause__ or error.__context__
    return False
