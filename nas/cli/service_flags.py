"""Flags that `nas serve`, `nas worker` and `nas token` share, and the settings that they give."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from nas.errors import UsageError
from nas.ranges import require_number, require_whole

if TYPE_CHECKING:
    from nas.service.settings import Settings

GIB = 1 << 30


def add_place(parser: argparse.ArgumentParser) -> None:
    """Where the data is."""
    parser.add_argument(
        "--data",
        metavar="FOLDER",
        default="service",
        help="folder of uploads, runs and the database (default: service)",
    )
    parser.add_argument(
        "--database",
        metavar="URL",
        default=os.environ.get("NAS_DATABASE"),
        help="postgresql://… for several servers and workers on one queue; $NAS_DATABASE keeps a password out of the list of "
        "processes (default: SQLite in the data folder)",
    )


def add_searches(parser: argparse.ArgumentParser, default: int) -> None:
    """How many searches run, and their limits."""
    parser.add_argument(
        "--searches", type=int, default=default, metavar="N", help=f"searches at the same time (default: {default})"
    )
    parser.add_argument(
        "--search-memory", type=float, default=8.0, metavar="GIB", help="memory of a search (default: 8)"
    )
    parser.add_argument(
        "--search-hours", type=float, default=168.0, metavar="H", help="time of a search (default: 168)"
    )
    parser.add_argument(
        "--lease",
        type=float,
        default=30.0,
        metavar="S",
        help="seconds without a sign of life after which the search of another worker is taken over (default: 30)",
    )


def settings_of(args: argparse.Namespace) -> "Settings":
    """The settings that the flags give; `UsageError` for values that are not allowed."""
    require_service()
    from nas.service.settings import Limits, Settings

    require_whole("--searches", args.searches, 0, 1024)
    require_number("--search-memory", args.search_memory, 0, 1e6, above=True)
    require_number("--search-hours", args.search_hours, 0, 1e6, above=True)
    require_number("--lease", args.lease, 1, 1e6)
    limits = {"search_memory": round(args.search_memory * GIB), "search_seconds": args.search_hours * 3600}
    given = vars(args)
    limits |= {name: given[name] for name in ("trainings", "daily_trainings", "queue", "rate") if name in given}
    limits |= {name: round(given[name] * GIB) for name in ("stored", "model", "dataset") if name in given}
    others = {name: given[name] for name in ("host", "port", "root_path", "callers", "require_token") if name in given}
    return Settings(
        data=Path(args.data).absolute(),
        database=args.database,
        searches=args.searches,
        lease=args.lease,
        limits=Limits(**limits),
        allowed_hosts=tuple(given.get("allow_host") or ()),
        **others,
    )


def require_service() -> None:
    """`UsageError` with the remedy if the libraries of the service are not installed."""
    try:
        import fastapi  # noqa: F401
        import prometheus_client  # noqa: F401
        import sqlalchemy  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise UsageError(f"the service needs {error.name}: pip install 'nas-sparse[service]'") from error
