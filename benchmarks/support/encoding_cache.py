"""Structure graphs of networks, encoded once and kept in `benchmarks/cache/<key>/`, in shards of `SHARD` networks.

The key is a digest of the number of the encoding and of the code that builds the networks; the name of a shard ends with a digest
of its networks' specs. Changed networks are encoded again, and an interrupted encoding continues. Folders of old keys may be
deleted.
"""

import ast
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from benchmarks.support.places import CACHE
from predictors import StructureGraph, encode
from predictors.features.encoder import ENCODING

SHARD = 100
FOLDERS = (Path(__file__).parents[2],)
"""Folder of this project's modules; the code of other packages is not in the key."""
PINNED = ("predictors", "onnx_graph")
"""Packages whose results are fixed by tests: a different encoding has a new number (`predictors.features.encoder.ENCODING`)."""

Spec = tuple[object, ...]
Arrays = Mapping[str, NDArray[np.generic]]
Piece = tuple[NDArray[np.generic], NDArray[np.generic] | None]
"""An array; or the numbers of its rows, and the distinct rows."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Networks:
    """Networks that can be built.

    Attributes:
        name: the prefix of their shards.
        specs: arguments of the builder, one tuple per network; networks with the same ``repr`` of it are the same.
        build: the builder; it must be picklable if several processes encode.
        sources: modules or whole packages with the code of the builder; modules that these import need not be named.
    """

    name: str
    specs: Sequence[Spec]
    build: Callable[..., ir.Model]
    sources: tuple[str, ...]

    @property
    def key(self) -> str:
        """The key: it is the same as long as building and encoding give the same graphs."""
        return code_key(*self.sources)


def graphs(
    networks: Networks, number: int | None = None, workers: int = 1, told: Callable[[str], None] = print
) -> list[StructureGraph]:
    """Structure graphs of the first `number` networks (default: all); those missing in the cache are encoded.

    Shards are divided as for all networks, so that a network is encoded only once even if more are requested later.
    """
    number = len(networks.specs) if number is None else number
    shards = shard_paths(networks, number)
    write_missing(networks, shards, workers, told)
    return [graph for path in shards for graph in load(path)][:number]


def shard_paths(networks: Networks, number: int) -> dict[Path, Sequence[Spec]]:
    """The shards of the first `number` networks, with their specs."""
    folder = CACHE / networks.key
    folder.mkdir(parents=True, exist_ok=True)
    shards = {}
    for start in range(0, number, SHARD):
        specs = networks.specs[start : start + SHARD]
        shards[folder / f"{networks.name}-{start:05}-{_digest(repr(list(specs)))[:8]}.npz"] = specs
    return shards


def write_missing(
    networks: Networks, shards: Mapping[Path, Sequence[Spec]], workers: int, told: Callable[[str], None]
) -> None:
    """Encode the shards that are not in the cache."""
    missing = {path: specs for path, specs in shards.items() if not path.exists()}
    for place, path in enumerate(_encoded(networks.build, missing, workers), 1):
        told(f"encoded {path.stem}, {place} of {len(missing)} shards")


class Stored(Sequence[StructureGraph]):
    """The graphs of all networks, each unpacked anew when it is asked for: they take a tenth of the memory of `graphs`."""

    def __init__(self, networks: Networks, workers: int = 1, told: Callable[[str], None] = print) -> None:
        """Networks that are missing in the cache are encoded."""
        paths = shard_paths(networks, len(networks.specs))
        write_missing(networks, paths, workers, told)
        self._pieces: list[dict[str, Piece]] = []
        for path in paths:
            with np.load(path, allow_pickle=False) as file:
                self._pieces += _pieces({name: file[name] for name in file.files})

    def __len__(self) -> int:
        """Number of networks."""
        return len(self._pieces)

    def __getitem__(self, place: int) -> StructureGraph:  # type: ignore[override]
        """The graph of a network."""
        return StructureGraph.from_arrays({name: _array(piece) for name, piece in self._pieces[place].items()})


def _encoded(build: Callable[..., ir.Model], shards: Mapping[Path, Sequence[Spec]], workers: int) -> Iterator[Path]:
    """The shards in order, each as soon as it is written."""
    work = partial(_make, build)
    if workers > 1 and len(shards) > 1:
        with ProcessPoolExecutor(workers) as pool:
            yield from pool.map(work, shards.keys(), shards.values())
    else:
        yield from map(work, shards.keys(), shards.values())


def _make(build: Callable[..., ir.Model], path: Path, specs: Sequence[Spec]) -> Path:
    save(path, [encode(build(*spec)) for spec in specs])
    return path


def save(path: Path, found: Sequence[StructureGraph]) -> None:
    """Write a shard as a compressed npz, to a temporary file that is then renamed."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        np.savez_compressed(file, **_packed(found))  # type: ignore[arg-type]
    temporary.replace(path)


def load(path: Path) -> list[StructureGraph]:
    """The graphs that `save` wrote."""
    with np.load(path, allow_pickle=False) as file:
        return _unpacked({name: file[name] for name in file.files})


def _packed(found: Sequence[StructureGraph]) -> Arrays:
    """Arrays of the same name one after another along their last axis, with the length of every graph's under ``name/lengths``.

    −1 means None. Features are stored as distinct rows, under ``name/rows``, and the number of the row for each entry.
    """
    parts = [graph.arrays() for graph in found]
    packed: dict[str, NDArray[np.generic]] = {}
    for name in sorted({name for part in parts for name in part}):
        own = [part[name] for part in parts if name in part]
        axis = 0 if name.endswith("features") else -1
        joined = np.concatenate(own, axis)
        if axis == 0:
            packed[f"{name}/rows"], joined = _distinct(joined)
        packed[name] = joined
        packed[f"{name}/lengths"] = np.array([part[name].shape[axis] if name in part else -1 for part in parts])
    return packed


def _distinct(rows: NDArray[np.generic]) -> tuple[NDArray[np.generic], NDArray[np.int64]]:
    """Distinct rows, bit for bit, and the number of each; most nodes have the same row as a node of this or another network."""
    whole = np.ascontiguousarray(rows).view(f"V{rows.itemsize * rows.shape[1]}").ravel()
    distinct, numbers = np.unique(whole, return_inverse=True)
    return distinct.view(rows.dtype).reshape(-1, rows.shape[1]), numbers


def _unpacked(packed: Arrays) -> list[StructureGraph]:
    return [
        StructureGraph.from_arrays({name: _array(piece) for name, piece in part.items()}) for part in _pieces(packed)
    ]


def _array(piece: Piece) -> NDArray[np.generic]:
    numbers, rows = piece
    return numbers if rows is None else rows[numbers]


def _pieces(packed: Arrays) -> list[dict[str, Piece]]:
    """The pieces of every graph by name."""
    parts: list[dict[str, Piece]] = [{} for _ in packed["summary/lengths"]]
    for name in (name for name in packed if "/" not in name):
        lengths = packed[f"{name}/lengths"].astype(np.int64)
        present = np.flatnonzero(lengths >= 0)
        pieces = np.split(packed[name], np.cumsum(lengths[present])[:-1], axis=-1)
        rows = packed.get(f"{name}/rows")
        for place, piece in zip(present.tolist(), pieces, strict=True):
            parts[place][name] = piece, rows
    return parts


@cache
def code_key(*sources: str) -> str:
    """Digest of the number of the encoding, the code of these modules and of this file, and all project modules they import.

    Comments and docstrings do not count, nor does the code in `PINNED`, whose results are fixed by tests. Computed once per
    process, so that editing the code during a run does not mix encodings.
    """
    found: dict[Path, str] = {}
    waiting = [path for name in sources for path in _required(name)] + [Path(__file__)]
    while waiting:
        path = waiting.pop()
        if path not in found:
            tree = ast.parse(path.read_bytes())
            inner = (name for name in _imported(tree) if name.split(".")[0] not in PINNED)
            waiting += [file for name in inner for file in _files(name)]
            found[path] = ast.dump(_Silent().visit(tree))
    return _digest(repr((ENCODING, sorted((path.stem, code) for path, code in found.items()))))[:16]


class _Silent(ast.NodeTransformer):
    """Removes docstrings."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        return None if isinstance(node.value, ast.Constant) else node


def _imported(tree: ast.AST) -> Iterator[str]:
    """Names of imported modules; a package if a name that is not a module is imported from it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if _files(inner) else node.module


def _required(name: str) -> list[Path]:
    found = _files(name)
    if not found:
        raise ModuleNotFoundError(f"no module {name!r} in {' or '.join(map(str, FOLDERS))}")
    return found


def _files(name: str) -> list[Path]:
    """The file of a module of this project, or all files of a package; no file for other modules."""
    for folder in FOLDERS:
        path = folder.joinpath(*name.split("."))
        if path.with_suffix(".py").is_file():
            return [path.with_suffix(".py")]
        if (path / "__init__.py").is_file():
            return sorted(path.rglob("*.py"))
    return []


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
