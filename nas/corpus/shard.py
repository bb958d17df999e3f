"""A shard on disk: gzipped JSON lines with a header in the first line. The same networks give the same bytes."""

import gzip
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.corpus.domain import Domain, from_mapping
from nas.corpus.labelled_network import MeasuredNetwork
from nas.errors import DataError, UsageError, write_failure
from nas.input_file import opened, parse_json
from nas.study.run_folder import write_bytes
from predictors import InvalidTaskError, TaskDescription
from search_spaces import InvalidOptionError, Signature

VERSION = 2
READ = (1, VERSION)
"""Versions that can be read: version 1 has no learned masks."""
MOST_BYTES = 32 << 20
"""Largest size of an unpacked shard in bytes; 64 networks take 100,000 to 1,000,000."""


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Facts about the data on which the networks of a domain were trained and measured.

    Attributes:
        signature: inputs and outputs of the networks, enough to rebuild them without the data.
        description: description of the task for predictors; in a shard's header without the relevance of its inputs.
        validation, test: number of examples in these splits.
        fingerprint: hash of the data.
    """

    signature: Signature
    description: TaskDescription
    validation: int
    test: int
    fingerprint: str

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            **vars(self),
            "signature": {**vars(self.signature), "input_shape": list(self.signature.input_shape)},
            "description": self.description.to_json(),
        }

    @classmethod
    def from_json(cls, data: Any) -> "Examples":
        """Read what `to_json` wrote."""
        signature = data["signature"]
        return cls(
            signature=Signature(
                input_shape=tuple(signature["input_shape"]),
                outputs=signature["outputs"],
                per_step=bool(signature["per_step"]),
            ),
            description=TaskDescription.from_json(data["description"]),
            validation=int(data["validation"]),
            test=int(data["test"]),
            fingerprint=str(data["fingerprint"]),
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Shard:
    """Contents of a shard file."""

    domain: Domain
    number: int
    examples: Examples
    networks: tuple[MeasuredNetwork, ...]


def shard_file(folder: Path, domain: str, number: int) -> Path:
    """Path of a shard."""
    return folder / domain / f"{number:04d}.jsonl.gz"


def write_shard(path: Path, shard: Shard) -> None:
    """Write a shard durably."""
    head = {
        "version": VERSION,
        "domain": shard.domain.to_json(),
        "shard": shard.number,
        "networks": len(shard.networks),
        "examples": shard.examples.to_json(),
    }
    lines = [json.dumps(row, separators=(",", ":")) for row in [head, *(one.to_json() for one in shard.networks)]]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_failure(path.parent, error) from error
    write_bytes(path, gzip.compress(("\n".join(lines) + "\n").encode(), 9, mtime=0))


def _lines(path: Path) -> list[bytes]:
    """The lines of a packed file (at least one, possibly empty); refuses a file larger than any shard."""
    with opened(path) as file:
        try:
            with gzip.open(file) as unpacked:
                content = unpacked.read(MOST_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{path} is damaged: {error}") from error
    if len(content) > MOST_BYTES:
        raise DataError(f"{path}: unpacked it has more than {MOST_BYTES:,} bytes, which is no shard")
    return content.rstrip(b"\n").split(b"\n")


def read_shard(path: Path) -> Shard:
    """The shard in a file; `DataError` if the file is damaged or has another version."""
    head, *rows = [parse_json(line, f"{path}, line {number}") for number, line in enumerate(_lines(path), start=1)]
    if not isinstance(head, dict) or head.get("version") not in READ:
        raise DataError(f"{path} is no shard of version {' or '.join(map(str, READ))}")
    if head.get("networks") != len(rows):
        raise DataError(f"{path} is damaged: it holds {len(rows)} of {head.get('networks')} networks")
    try:
        domain = from_mapping(head["domain"], str(path))
        if path != shard_file(path.parents[1], domain.name, int(head["shard"])):
            raise ValueError(f"it is shard {head['shard']} of domain {domain.name!r}, in another's place")
        return Shard(
            domain=domain,
            number=int(head["shard"]),
            examples=Examples.from_json(head["examples"]),
            networks=tuple(
                MeasuredNetwork.from_json(domain.name, row, f"{path}, line {line}") for line, row in enumerate(rows, 2)
            ),
        )
    except DataError:
        raise
    except (
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
        OverflowError,
        UsageError,
        InvalidOptionError,
        InvalidTaskError,
    ) as error:
        raise DataError(f"{path} is damaged: {error}") from error
