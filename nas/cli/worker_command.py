"""`nas worker`."""

import argparse

from nas.cli import output
from nas.cli.service_flags import add_place, add_searches, settings_of

EXAMPLES = """\
examples:
  NAS_DATABASE=postgresql://nas:secret@db/nas nas worker --data /shared/service
  nas worker --data service --searches 2

workers and servers share the queue in the database, and the data folder
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the verb."""
    add_place(parser)
    add_searches(parser, 1)


def run(args: argparse.Namespace) -> int:
    """Run searches until the process is told to stop."""
    settings = settings_of(args)
    from nas.service.logs import configure
    from nas.service.server import work

    configure(verbose=args.verbose)
    output.remark(f"nas: a worker on {settings.data} (stop with Ctrl-C)")
    work(settings)
    return 0
