"""``/v1/searches/{id}/artifacts``: the files of a run, with SHA-256, conditional requests and ranges."""

import base64
import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated, BinaryIO

from fastapi import APIRouter, Header, Path, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from nas.service.api.searches import Id, known_search
from nas.service.data_folder import ARTIFACT, opened
from nas.service.problems import Problem, not_found
from nas.service.security.access import Reader
from nas.service.service import Service, service_of

router = APIRouter(prefix="/v1", tags=["searches"])

BLOCK = 1 << 18
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".csv": "text/csv; charset=utf-8",
    ".toml": "application/toml",
    ".png": "image/png",
    ".c": "text/plain; charset=utf-8",
    ".h": "text/plain; charset=utf-8",
}
PAGE_POLICY = (
    "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
)
"""Content security policy of a report: it holds its own scripts, and may not touch the service."""
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
Name = Annotated[
    str, Path(pattern=f"^{ARTIFACT.pattern}$", max_length=100, examples=["best.onnx"], description="name of a file")
]
BINARY = {"schema": {"type": "string", "format": "binary"}}


class Artifact(BaseModel):
    """A file of a run."""

    name: str = Field(examples=["best.onnx"])
    bytes: int = Field(examples=[4096])
    sha256: str
    media_type: str = Field(examples=["application/octet-stream"])
    link: str


class Artifacts(BaseModel):
    """The files of a run."""

    items: list[Artifact]


@router.get("/searches/{id:search}/artifacts", summary="List the files of a search", operation_id="list_artifacts")
def listing(request: Request, caller: Reader, id: Id) -> Artifacts:
    """The files that the search has written so far."""
    service = service_of(request)
    known_search(service, id)
    folder = service.folder.run(id)
    root = request.scope.get("root_path", "")
    items, names = [], list[str]()
    with contextlib.suppress(FileNotFoundError):  # no file is written yet, or the search is deleted just now
        names = sorted(os.listdir(folder))
    for name in filter(ARTIFACT.fullmatch, names):
        with contextlib.suppress(FileNotFoundError):
            with opened(folder / name) as file:
                size, sha256 = os.fstat(file.fileno()).st_size, _sha256(file)
            link = f"{root}/v1/searches/{id}/artifacts/{name}"
            items.append(Artifact(name=name, bytes=size, sha256=sha256, media_type=media_type(name), link=link))
    return Artifacts(items=items)


@router.get(
    "/searches/{id:search}/artifacts/{name}",
    summary="Read a file of a search",
    operation_id="get_artifact",
    response_class=Response,
    responses={
        200: {"description": "the file", "content": {"*/*": BINARY}},
        206: {"description": "a part of the file", "content": {"*/*": BINARY}},
        304: {"description": "the file is the one that the client has"},
        416: {"description": "the range is not in the file", "content": {"application/problem+json": {}}},
    },
)
def get(
    request: Request,
    caller: Reader,
    id: Id,
    name: Name,
    range: Annotated[str | None, Header(description="bytes=FIRST-LAST")] = None,
    if_range: Annotated[str | None, Header(description="the ETag for which the range is meant")] = None,
    if_none_match: Annotated[str | None, Header(description="ETags that the client has")] = None,
) -> Response:
    """The content of a file, for example `best.onnx`, `report.html`, `report.json` or `trials.csv`.

    Of several ranges in one request, none is used: the answer is the whole file.
    """
    file = _file(service_of(request), id, name)
    size, headers = os.fstat(file.fileno()).st_size, _headers(file, name)
    if _known_to(if_none_match, headers):
        file.close()
        return Response(status_code=304, headers=headers)
    first, last, status = 0, size - 1, 200
    if range is not None and (if_range is None or if_range == headers["etag"]):
        asked = _range(range, size)
        if asked is not None:
            (first, last), status = asked, 206
            headers["content-range"] = f"bytes {first}-{last}/{size}"
    headers["content-length"] = str(last - first + 1)
    return StreamingResponse(
        _blocks(file, first, last - first + 1), status_code=status, headers=headers, media_type=media_type(name)
    )


@router.head(
    "/searches/{id:search}/artifacts/{name}",
    summary="Ask for size and hash of a file of a search",
    operation_id="head_artifact",
    response_class=Response,
    responses={
        200: {"description": "size, hash and media type of the file are in the headers"},
        304: {"description": "the file is the one that the client has"},
    },
)
def head(
    request: Request,
    caller: Reader,
    id: Id,
    name: Name,
    if_none_match: Annotated[str | None, Header(description="ETags that the client has")] = None,
) -> Response:
    """The headers of the whole file, without its content."""
    with _file(service_of(request), id, name) as file:
        headers = _headers(file, name)
        if _known_to(if_none_match, headers):
            return Response(status_code=304, headers=headers)
        headers["content-length"] = str(os.fstat(file.fileno()).st_size)
        return Response(headers=headers, media_type=media_type(name))


def _file(service: Service, id_: str, name: str) -> BinaryIO:
    """The open file; `Problem` 404 if there is none."""
    known_search(service, id_)
    try:
        return opened(service.folder.artifact(id_, name))
    except (FileNotFoundError, ValueError):
        raise not_found(f"file {name} of search {id_} (yet)") from None


def _headers(file: BinaryIO, name: str) -> dict[str, str]:
    """The headers that say what the file is, and how it may be used."""
    sha256 = _sha256(file)
    headers = {
        "etag": f'"{sha256}"',
        "repr-digest": f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:",
        "accept-ranges": "bytes",
        "cache-control": "no-cache",
    }
    if name.endswith(".html"):
        headers["content-security-policy"] = PAGE_POLICY
    elif media_type(name) == "application/octet-stream":
        headers["content-disposition"] = f'attachment; filename="{name}"'
    return headers


def _known_to(if_none_match: str | None, headers: dict[str, str]) -> bool:
    """Whether the client has this file already."""
    return if_none_match is not None and (if_none_match.strip() == "*" or headers["etag"] in if_none_match)


def media_type(name: str) -> str:
    """The media type of a file by its name."""
    return TYPES.get(os.path.splitext(name)[1], "application/octet-stream")


def _range(text: str, size: int) -> tuple[int, int] | None:
    """First and last byte of a range; None for several ranges or another unit, which may be ignored."""
    found = RANGE.fullmatch(text.strip())
    if found is None or found[0] == "bytes=-":
        return None
    if found[1] == "":
        first, last = max(size - int(found[2]), 0), size - 1
    else:
        first, last = int(found[1]), min(int(found[2] or size - 1), size - 1)
    if first > last or first >= size:
        raise Problem(416, "range", f"the file has {size} bytes", headers={"content-range": f"bytes */{size}"})
    return first, last


def _blocks(file: BinaryIO, first: int, count: int) -> Iterator[bytes]:
    with file:
        file.seek(first)
        while count > 0 and (block := file.read(min(BLOCK, count))):
            count -= len(block)
            yield block


def _sha256(file: BinaryIO) -> str:
    """The hash of an open file; remembered while the file does not change."""
    facts = os.fstat(file.fileno())
    return _hashed(os.dup(file.fileno()), facts.st_dev, facts.st_ino, facts.st_mtime_ns, facts.st_size)


def _hashed(descriptor: int, *facts: int) -> str:
    try:
        known = _known_hashes().get(facts)
        if known is None:
            digest, place = hashlib.sha256(), 0
            while block := os.pread(descriptor, BLOCK, place):
                digest.update(block)
                place += len(block)
            known = digest.hexdigest()
            if len(_known_hashes()) > 10_000:
                _known_hashes().clear()
            _known_hashes()[facts] = known
        return known
    finally:
        os.close(descriptor)


@lru_cache(maxsize=1)
def _known_hashes() -> dict[tuple[int, ...], str]:
    return {}
