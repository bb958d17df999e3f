"""The tables of NAS-Bench-201 and NAS-Bench-101.

Networks are in one fixed shuffled order, so the first ones are a random sample. The encoded networks take about 80 MB in the
cache.
"""

import csv
import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.support.encoding_cache import Networks, Spec
from search_spaces import nasbench101_network, nasbench201_network

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Table(Networks):
    """Networks with their measurements.

    Attributes:
        accuracies: accuracies in [0, 1] by name of the measurement, ``(networks,)`` each.
        sizes: number of parameters, and MFLOPs if they are known, ``(networks, 1 or 2)``.
    """

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
    return Table(
        name="nb201",
        specs=[(row["code"],) for row in rows],
        build=nasbench201_network,
        sources=("search_spaces.nasbench.network201",),
        accuracies=accuracies,
        sizes=sizes,
    )


def nasbench101_table(data: Path) -> Table:
    """20,000 cells, CIFAR-10, 108 epochs (mean of three runs): ``test``."""
    with np.load(data / "nas" / "nb101_20k.npz", allow_pickle=False) as arrays:
        order = _order(len(arrays["params"]))
        found = {name: arrays[name][order] for name in arrays.files}
    specs: list[Spec] = [
        (int(bits), tuple(operations.tolist()), int(vertices))
        for bits, operations, vertices in zip(found["edge_bits"], found["ops"], found["n_vertices"], strict=True)
    ]
    return Table(
        name="nb101",
        specs=specs,
        build=nasbench101_network,
        sources=("search_spaces.nasbench.network101",),
        accuracies={"test": found["test_acc"].astype(np.float64)},
        sizes=found["params"].astype(np.float64)[:, None],
    )


def _order(count: int) -> NDArray[np.int64]:
    return np.random.default_rng(0).permutation(count)
