"""`nas serve`."""

import argparse

from nas.cli import output
from nas.cli.service_flags import add_place, add_searches, settings_of
from nas.errors import UsageError
from nas.ranges import require_number, require_whole

EXAMPLES = """\
examples:
  nas serve
  nas serve --port 8080 --data service
  nas token create laptop --scope run --data service
  nas serve --host 0.0.0.0 --data service --root-path /nas --allow-host nas.example.org
  NAS_DATABASE=postgresql://nas:secret@db/nas nas serve --data /shared/service --searches 0
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the verb."""
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="address (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8080, metavar="N", help="port; 0 takes a free one (default: 8080)")
    add_place(parser)
    parser.add_argument(
        "--root-path", default="", metavar="PATH", help="prefix under which a proxy publishes the service"
    )
    parser.add_argument(
        "--allow-host", action="append", metavar="NAME", help="host name under which the service is called; repeatable"
    )
    parser.add_argument(
        "--require-token",
        action="store_true",
        help="every request needs a token, also on 127.0.0.1 (default: there only after the first token was made)",
    )
    add_searches(parser, 1)
    parser.add_argument(
        "--callers", type=int, default=1, metavar="N", help="processes for predictions and checks (default: 1)"
    )
    limits = parser.add_argument_group("limits of each token")
    limits.add_argument("--trainings", type=int, default=1000, metavar="N", help="of one search (default: 1000)")
    limits.add_argument(
        "--daily-trainings", type=int, default=10_000, metavar="N", help="within 24 hours (default: 10000)"
    )
    limits.add_argument("--queue", type=int, default=100, metavar="N", help="searches that wait or run (default: 100)")
    limits.add_argument("--rate", type=float, default=1000.0, metavar="N", help="requests per second (default: 1000)")
    limits.add_argument("--stored", type=float, default=8.0, metavar="GIB", help="of uploads in all (default: 8)")
    limits.add_argument("--model", type=float, default=1 / 16, metavar="GIB", help="of one ONNX file (default: 1/16)")
    limits.add_argument("--dataset", type=float, default=0.5, metavar="GIB", help="of one data set (default: 0.5)")


def run(args: argparse.Namespace) -> int:
    """Answer requests until the process is told to stop."""
    require_whole("--port", args.port, 0, 65_535)
    for name in ("trainings", "daily_trainings", "queue", "callers"):
        require_whole(f"--{name.replace('_', '-')}", getattr(args, name), 1)
    for name in ("rate", "stored", "model", "dataset"):
        require_number(f"--{name}", getattr(args, name), 0, 1e9, above=True)
    args.root_path = args.root_path.rstrip("/")
    if args.root_path and not args.root_path.startswith("/"):
        raise UsageError(f"--root-path must begin with /, got {args.root_path!r}")
    settings = settings_of(args)
    from nas.service.logs import configure
    from nas.service.server import serve

    configure(verbose=args.verbose)
    serve(settings, lambda address: output.remark(f"nas: serving on {address} (stop with Ctrl-C)"))
    return 0
