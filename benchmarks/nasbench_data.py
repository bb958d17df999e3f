"""The tables of NAS-Bench-201 and NAS-Bench-101 and the structure graphs of their networks, encoded once.

Networks come in one shuffled order, the same everywhere: the first so many are a random sample. Encodings lie in
`benchmarks/cache/<key>/`, in shards of `SHARD` networks; the key is a digest of the sources that encode, so that another
encoder or builder encodes anew and an interrupted encoding goes on. A folder takes about 80 MB; old ones may be deleted.
"""

import ast
import csv
import gzip
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import nasbench
import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from predictors.encoder import encode
from predictors.structure_graph import StructureGraph

CACHE = Path(__file__).parent / "cache"
SHARD = 100
_ROOTS = ("predictors", "onnx_graph")
_STORED = {"operators", "features", "edges", "summary", "unknown"}
"""Arrays of a structure graph; networks of this size have no unit graph, and no operator of theirs is unknown."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Table:
    """Networks with what is known of them.

    Attributes:
        name: of the space, the prefix of its shards.
        specs: arguments of the builder, one tuple a network.
        build: the builder.
        accuracies: by name of the measurement, shares in [0, 1], ``(networks,)`` each.
        sizes: parameters, and MFLOPs where they are known, ``(networks, 1 or 2)``.
    """

    name: str
    specs: list[tuple[object, ...]]
    build: Callable[..., ir.Model]
    accuracies: dict[str, Floats]
    sizes: Floats


def nasbench201_table(data: Path) -> Table:
    """The 9,445 distinct valid networks, CIFAR-10, 200 epochs (mean over seeds): ``test`` and ``val``."""
    with gzip.open(data / "nas" / "nb201" / "nb201.csv.gz", "rt", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["cifar10_mflops"]]
    rows = [rows[place] for place in _order(len(rows))]
    accuracies = {
        part: np.array([float(row[f"cifar10_{part}_200ep"]) for row in rows]) / 100 for part in ("test", "val")
    }
    sizes = np.array([(float(row["cifar10_params"]), float(row["cifar10_mflops"])) for row in rows])
    return Table("nb201", [(row["code"],) for row in rows], nasbench.nasbench201, accuracies, sizes)


def nasbench101_table(data: Path) -> Table:
    """20,000 cells, CIFAR-10, 108 epochs (mean of three runs): ``test``."""
    with np.load(data / "nas" / "nb101_20k.npz", allow_pickle=False) as arrays:
        order = _order(len(arrays["params"]))
        found = {name: arrays[name][order] for name in arrays.files}
    specs: list[tuple[object, ...]] = [
        (int(bits), tuple(operations.tolist()), int(vertices))
        for bits, operations, vertices in zip(found["edge_bits"], found["ops"], found["n_vertices"], strict=True)
    ]
    accuracies = {"test": found["test_acc"].astype(np.float64)}
    return Table("nb101", specs, nasbench.nasbench101, accuracies, found["params"].astype(np.float64)[:, None])


def _order(count: int) -> NDArray[np.int64]:
    return np.random.default_rng(0).permutation(count)


def graphs(table: Table, number: int, workers: int = 1, told: Callable[[str], None] = print) -> list[StructureGraph]:
    """Structure graphs of the first `number` networks, encoded where the cache lacks them."""
    folder = CACHE / encoder_key()
    folder.mkdir(parents=True, exist_ok=True)
    starts = range(0, number, SHARD)
    paths = {start: folder / f"{table.name}_{start:05}.npz" for start in starts}
    missing = [start for start in starts if not paths[start].exists()]
    work = partial(_make_shard, table.build)
    tasks = [(table.specs[start : start + SHARD], paths[start]) for start in missing]
    if workers > 1 and len(tasks) > 1:
        with ProcessPoolExecutor(workers) as pool:
            done: Iterator[Path] = pool.map(work, *zip(*tasks, strict=True))
            _tell(done, len(tasks), told)
    else:
        _tell((work(*task) for task in tasks), len(tasks), told)
    return [graph for start in starts for graph in load_shard(paths[start])][:number]


def _tell(done: Iterator[Path], total: int, told: Callable[[str], None]) -> None:
    for place, path in enumerate(done, 1):
        told(f"encoded {path.stem}, {place} of {total} shards")


def _make_shard(build: Callable[..., ir.Model], specs: Sequence[tuple[object, ...]], path: Path) -> Path:
    save_shard(path, [encode(build(*spec)) for spec in specs])
    return path


def save_shard(path: Path, found: Sequence[StructureGraph]) -> None:
    """Graphs below one another in a compressed npz, written to a temporary name and renamed."""
    if any(set(graph.arrays()) != _STORED or graph.unknown for graph in found):
        raise ValueError(f"a graph has more than {', '.join(sorted(_STORED))}, which is all that a shard keeps")
    rows = np.concatenate([graph.features for graph in found])
    # Most nodes look like another one, in the same network or the next: distinct rows are a small part.
    distinct, place = np.unique(np.ascontiguousarray(rows).view(f"V{rows.shape[1] * 4}").ravel(), return_inverse=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        np.savez_compressed(
            file,
            operators=np.concatenate([graph.operators for graph in found]).astype(np.uint8),
            nodes=np.array([len(graph.operators) for graph in found]),
            edges=np.concatenate([graph.edges for graph in found], axis=1).astype(np.int32),
            links=np.array([graph.edges.shape[1] for graph in found]),
            rows=distinct.view(np.float32).reshape(-1, rows.shape[1]),
            place=place.astype(np.int32),
            summary=np.stack([graph.summary for graph in found]),
        )
    temporary.replace(path)


def load_shard(path: Path) -> list[StructureGraph]:
    """The graphs that `save_shard` wrote."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    nodes, links = (np.cumsum(arrays[name])[:-1] for name in ("nodes", "links"))
    parts = zip(
        np.split(arrays["operators"].astype(np.int64), nodes),
        np.split(arrays["place"], nodes),
        np.split(arrays["edges"].astype(np.int64), links, axis=1),
        arrays["summary"],
        strict=True,
    )
    return [
        StructureGraph(operators, arrays["rows"][place], edges, summary) for operators, place, edges, summary in parts
    ]


def encoder_key() -> str:
    """Digest of the source of `predictors.encoder`, of all that it imports from this project, and of the builders."""
    digest = hashlib.sha256(Path(nasbench.__file__).read_bytes())
    for name, source in sorted(_sources("predictors.encoder", {}).items()):
        digest.update(name.encode() + b"\0" + source)
    return digest.hexdigest()[:16]


def _sources(module: str, found: dict[str, bytes]) -> dict[str, bytes]:
    """Source of a module and of the modules of this project that it names in ``from … import``, by name.

    The packages' own `__init__` are left out: they name everything, for those who ask, and hold nothing.
    """
    spec = find_spec(module)
    if module in found or spec is None or spec.origin is None:
        return found
    found[module] = Path(spec.origin).read_bytes()
    for node in ast.walk(ast.parse(found[module])):
        if isinstance(node, ast.ImportFrom) and node.module in _ROOTS:
            for name in node.names:
                _sources(f"{node.module}.{name.name}", found)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in _ROOTS:
            _sources(node.module, found)
    return found
