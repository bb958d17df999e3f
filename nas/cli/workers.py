"""The flag `--workers`: number of processes that share long work."""

import argparse

from nas.ranges import require_whole

MOST = 1024


def add_workers(parser: argparse.ArgumentParser, work: str = "processes that read files") -> None:
    """Add the flag; `work` describes what the processes do."""
    parser.add_argument("--workers", type=int, default=1, metavar="N", help=f"{work} (default: 1)")


def workers(args: argparse.Namespace) -> int:
    """The number of workers; `UsageError` if it is less than one."""
    found: int = args.workers
    require_whole("--workers", found, 1, MOST)
    return found
