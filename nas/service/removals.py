"""Removes the files of what was deleted.

The transaction that deletes a row also notes its files. They are removed afterwards, and what a kill or a fault of the disk left is
removed at the next start.
"""

import contextlib
import logging
import re
import shutil
from secrets import token_hex

from sqlalchemy.exc import SQLAlchemyError

from nas.service.data_folder import DataFolder
from nas.service.store.database import Database
from nas.service.store.removal_store import SEARCH, drop_removal, list_removals
from nas.service.store.upload_store import find_upload, lock_upload

log = logging.getLogger(__name__)

HALF = re.compile(r"[0-9a-f]{24}\.(onnx|csv|npz)")
"""Name of an upload that is not finished."""
HALF_SECONDS = 24 * 3600.0
"""Age from which on nobody writes an unfinished upload any more."""


def finish(database: Database, folder: DataFolder, kind: str, name: str) -> None:
    """Remove the files of one deletion. If the disk does not allow it now, the next start tries again."""
    try:
        if kind == SEARCH:  # ids are never used again, so nothing needs to be locked while many files are removed
            _remove_search(folder, name)
        with database.write() as connection:
            if kind != SEARCH:
                lock_upload(connection, name)  # the same content may be uploaded again at this moment
                if find_upload(connection, name, (kind,)) is None:
                    folder.upload(kind, name).unlink(missing_ok=True)
            drop_removal(connection, kind, name)
    except (OSError, SQLAlchemyError) as error:
        log.warning("the files of %s %s are removed at the next start: %s", kind, name, error)


def finish_all(database: Database, folder: DataFolder) -> None:
    """Remove what earlier servers have left: files of deletions, and old unfinished uploads."""
    try:
        with database.read() as connection:
            left = list_removals(connection)
        for kind, name in left:
            finish(database, folder, kind, name)
        _remove_half_uploads(folder)
    except (OSError, SQLAlchemyError) as error:
        log.warning("leftovers are removed at the next start: %s", error)


def _remove_search(folder: DataFolder, id_: str) -> None:
    """Remove the files of a search; `OSError` if one of them cannot be removed."""
    for path in (folder.run(id_), folder.input(id_)):
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(path)
    folder.log(id_).unlink(missing_ok=True)


def _remove_half_uploads(folder: DataFolder) -> None:
    """Ages are measured by the clock that also stamps the files, which on a network drive is that of another machine."""
    probe = folder.uploads / f".clock-{token_hex(8)}"
    probe.touch()
    now = probe.stat().st_mtime
    probe.unlink()
    for path in folder.uploads.iterdir():
        with contextlib.suppress(FileNotFoundError):
            if HALF.fullmatch(path.name) and now - path.stat().st_mtime > HALF_SECONDS:
                path.unlink()
