"""Brings the tables of a database to the version of this package, with Alembic."""

from pathlib import Path

from sqlalchemy import inspect, text

from nas.service.store.database import Database

HEAD = "0003"
"""The newest migration."""
FOLDER = Path(__file__).with_name("migrations")


def upgrade(database: Database, revision: str = "head") -> None:
    """Apply the migrations that the database lacks. Several servers may start at the same time.

    Raises:
        RuntimeError: a newer version of this package changed the database.
    """
    if revision == "head" and version(database) == HEAD:
        return
    # Alembic takes half a second to import, and is needed only if there is something to do.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    with database.write() as connection:
        if not database.sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(7171301)"))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, revision)
        except CommandError as error:
            raise RuntimeError(
                f"the database is of a newer version of nas ({error}); install that version, or restore an older database"
            ) from error


def version(database: Database) -> str | None:
    """The last migration that was applied; None for an empty database."""
    with database.read() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return None if found is None else str(found)
