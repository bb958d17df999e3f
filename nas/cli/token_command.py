"""`nas token create`, `list` and `revoke`."""

import argparse
from pathlib import Path
from typing import Any

from nas.cli import output
from nas.cli.service_flags import add_place, require_service
from nas.errors import UsageError
from nas.ranges import require_number

EXAMPLES = """\
examples:
  nas token create laptop --data service
  nas token create dashboard --scope read --days 30 --data service
  nas token list --data service
  nas token revoke 0123456789abcdef --data service

scopes: read looks, run also asks for searches and predictions, admin also changes what others asked for
"""
DAYS = 365.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Flags of the verb and its actions."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    create = actions.add_parser("create", help="make a token, and print it once")
    create.add_argument("name", metavar="NAME", help="what it is for")
    create.add_argument("--scope", choices=("read", "run", "admin"), default="run", help="default: run")
    create.add_argument("--days", type=float, default=DAYS, metavar="N", help=f"until it expires (default: {DAYS:g})")
    revoke = actions.add_parser("revoke", help="make a token useless")
    revoke.add_argument("id", metavar="ID", help="as `nas token list` shows it")
    for action in (create, revoke, actions.add_parser("list", help="all tokens; only their hashes are stored")):
        add_place(action)
        output.add_format(action)


def run(args: argparse.Namespace) -> int:
    """Do the action."""
    require_service()
    from nas.service.server import opened
    from nas.service.settings import Settings

    database = opened(Settings(data=Path(args.data).absolute(), database=args.database))
    with database.write() as connection:
        result = {"create": _create, "list": _list, "revoke": _revoke}[args.action](args, connection)
    database.close()
    return result


def _create(args: argparse.Namespace, connection: Any) -> int:
    from nas.service.clock import iso
    from nas.service.security.tokens import create_token

    require_number("--days", args.days, 0, 36_500, above=True)
    if not args.name.isprintable() or not 1 <= len(args.name) <= 100:
        raise UsageError("the name of a token has 1 to 100 printable characters")
    token, text = create_token(connection, args.name, args.scope, args.days)
    row = {"token": text, "id": token.id, "scope": token.scope, "expires": iso(token.expires)}
    if args.format == "json":
        output.show_json(row)
    else:
        output.line(text)
        output.remark(f"nas: token {token.id}, scope {token.scope}, until {row['expires']}; it is not shown again")
    return 0


def _list(args: argparse.Namespace, connection: Any) -> int:
    from nas.service.clock import iso, now
    from nas.service.security.tokens import list_tokens

    rows = [
        {
            "id": token.id,
            "name": token.name,
            "scope": token.scope,
            "created": iso(token.created),
            "expires": iso(token.expires),
            "state": "valid" if token.valid(now()) else "expired" if token.revoked is None else "revoked",
        }
        for token in list_tokens(connection)
    ]
    output.emit(args, rows, rows, title="tokens")
    return 0


def _revoke(args: argparse.Namespace, connection: Any) -> int:
    from nas.service.security.tokens import revoke_token

    if not revoke_token(connection, args.id):
        raise UsageError(f"there is no usable token {args.id}; see `nas token list`")
    output.remark(f"nas: token {args.id} is revoked; servers notice within seconds")
    return 0
