"""The formats that `nas` reads besides ONNX: for each a valid file, its path, and the command that reads it."""

import gzip
import io
import json
import random
import shutil
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from byte_mutations import BINARY, TEXT, Mutation

BOMB = 1 << 30
"""Size of a decompression bomb after unpacking, in bytes."""


@dataclass(frozen=True)
class Format:
    """A format.

    Attributes:
        target: path of the file to be changed, in the folder of the valid files.
        command: function from the folder with the changed file to the words of the command line that reads it.
        mutations: mutations that make sense for the format.
        unpack, pack: functions for packed files, which give the bytes to be changed and pack them again.
        bomb: a small file that unpacks to gigabytes, if the format can be packed.
    """

    target: str
    command: Callable[[Path], list[str]]
    mutations: Mapping[str, Mutation]
    unpack: Callable[[bytes], bytes] | None = None
    pack: Callable[[bytes], bytes] | None = None
    bomb: Callable[[], bytes] | None = None


def make_sound_files(folder: Path, names: list[str], *, run: Path | None, shard: Path) -> None:
    """Write a valid file of each of these formats, in a folder named after the format.

    Args:
        folder: folder to write into.
        names: names of the formats.
        run: a finished run; only formats of `OF_A_RUN` need it.
        shard: a shard of a corpus.
    """
    for name in names:
        place = folder / name
        place.mkdir(parents=True)
        if name in OF_A_RUN and run is not None:
            _take_from_run(name, place, run)
        elif name == "shard":
            (place / shard.parent.name).mkdir()
            shutil.copy(shard, place / shard.parent.name / shard.name)
        else:
            MADE[name](place)


def _take_from_run(name: str, place: Path, run: Path) -> None:
    if name == "task description":
        description = {"samples": 200, "classes": 10, "inputs": 64, "one_nn": 0.9, "linear_probe": 0.85}
        (place / "task.json").write_text(json.dumps(description))
        shutil.copy(run / "best.onnx", place / "model.onnx")
    elif name == "predictor":
        shutil.copytree(run / "predictor", place, dirs_exist_ok=True)
    else:
        shutil.copytree(run, place / "run")


CONFIG = """\
task = "digits"
space = "mlp"
subset = 300
objective = ["accuracy", "-nnz"]
constraint = ["nnz<=600", "params<=5000"]
space-option = ["depth=[1,2]"]
strategy = "evolution"
predictor = "quick"
trainings = 8
confirm = 0.2
seed = 3
epochs = 2
learning_rate = 0.01
method = "static"
timeout = 60.0
random_baseline = false
"""

PLAN = """\
[[domain]]
name = "mine"
task = "absent.csv"
target = "label"
space = "mlp"
networks = 64
masks = 4
subset = 400
training = {epochs = 2, batch_size = 32}
options = {depth = [1, 2], widths = [4, 16]}
"""


TABLE = "model,accuracy,cell\n" + "".join(f"{i}.onnx,0.{i + 10},c\n" for i in range(12))

REFUSED = ("plan", "table")
"""Formats whose valid file refers to other files that do not exist, so that nothing is trained."""


def _npz(rng: np.random.Generator, *, packed: bool) -> bytes:
    arrays = {"x": rng.normal(size=(60, 4, 3)), "y": np.arange(60) % 3, "classes": np.array(["a", "b", "c"])}
    content = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(content, **arrays)
    return content.getvalue()


def _table(rng: random.Random) -> str:
    rows = [f"{rng.gauss(0, 3):.3f},{rng.randint(0, 9)},{rng.choice('pqr')},{'uvw'[i % 3]}" for i in range(60)]
    return "\n".join(("length,count,kind,class", *rows)) + "\n"


def _write_mnist(folder: Path, *, packed: bool) -> None:
    for part, count in (("train", 60), ("t10k", 20)):
        labels = (np.arange(count) % 10).astype(np.uint8)
        images = np.broadcast_to(labels[:, None, None] * 20, (count, 28, 28)).astype(np.uint8)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            content = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
            name = f"{part}-{kind}-ubyte" + ".gz" * packed
            (folder / name).write_bytes(gzip.compress(content, mtime=0) if packed else content)


def _write_cifar(folder: Path) -> None:
    labels = (np.arange(20) % 10).astype(np.uint8)
    records = np.concatenate([labels[:, None], np.zeros((20, 3072), np.uint8) + labels[:, None]], axis=1)
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        (folder / f"{name}.bin").write_bytes(records.tobytes())


MADE: Mapping[str, Callable[[Path], object]] = {
    "npz": lambda place: (place / "data.npz").write_bytes(_npz(np.random.default_rng(0), packed=False)),
    "packed npz": lambda place: (place / "data.npz").write_bytes(_npz(np.random.default_rng(0), packed=True)),
    "csv": lambda place: (place / "data.csv").write_text(_table(random.Random(0))),
    "idx": lambda place: _write_mnist(place, packed=False),
    "idx.gz": lambda place: _write_mnist(place, packed=True),
    "cifar batch": lambda place: _write_cifar(place),
    "config": lambda place: (place / "run.toml").write_text(CONFIG),
    "plan": lambda place: (place / "plan.toml").write_text(PLAN),
    "table": lambda place: (place / "rows.csv").write_text(TABLE),
}
OF_A_RUN = ("task description", "report", "journal", "predictor")


def _npz_bomb() -> bytes:
    content = io.BytesIO()
    header = (
        b"\x93NUMPY\x01\x00\x76\x00"
        + f"{{'descr': '|u1', 'fortran_order': False, 'shape': (1024, {BOMB >> 10})}}".encode()
    )
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("x.npy", "w", force_zip64=True) as file:
            file.write(header.ljust(127) + b"\n")
            for _ in range(BOMB >> 20):
                file.write(bytes(1 << 20))
        archive.writestr("y.npy", b"")
    return content.getvalue()


def _gzip_bomb(head: bytes) -> bytes:
    """A file of several packed parts that are unpacked one after the other."""
    return gzip.compress(head) + gzip.compress(bytes(1 << 20)) * (BOMB >> 20)


def _describe(folder: Path, name: str, *words: str) -> list[str]:
    return ["predictor", "describe", str(folder / name), *words]


FORMATS: Mapping[str, Format] = {
    "npz": Format("data.npz", lambda folder: _describe(folder, "data.npz"), BINARY),
    "packed npz": Format("data.npz", lambda folder: _describe(folder, "data.npz"), BINARY, bomb=_npz_bomb),
    "csv": Format("data.csv", lambda folder: _describe(folder, "data.csv", "--target", "class"), TEXT),
    "idx": Format(
        "train-images-idx3-ubyte",
        lambda folder: ["predictor", "describe", "mnist", "--data-dir", str(folder)],
        BINARY,
    ),
    "idx.gz": Format(
        "train-images-idx3-ubyte.gz",
        lambda folder: ["predictor", "describe", "mnist", "--data-dir", str(folder)],
        BINARY,
        unpack=gzip.decompress,
        pack=gzip.compress,
        bomb=lambda: _gzip_bomb(bytes((0, 0, 8, 3)) + struct.pack(">3I", BOMB // 784, 28, 28)),
    ),
    "cifar batch": Format(
        "data_batch_2.bin",
        lambda folder: ["predictor", "describe", "cifar10", "--data-dir", str(folder)],
        BINARY,
    ),
    "config": Format("run.toml", lambda folder: ["search", "--config", str(folder / "run.toml"), "--dry-run"], TEXT),
    "plan": Format(
        "plan.toml",
        lambda folder: ["corpus", "build", str(folder / "out"), "--plan", str(folder / "plan.toml"), "-q"],
        TEXT,
    ),
    "task description": Format(
        "task.json",
        lambda folder: ["predict", str(folder / "model.onnx"), "--task", str(folder / "task.json")],
        TEXT,
    ),
    "report": Format(
        "run/report.json", lambda folder: ["report", str(folder / "run"), "--out", str(folder / "pages")], TEXT
    ),
    "journal": Format(
        "run/journal.log",
        lambda folder: ["export", str(folder / "run"), "--trial", "0", "-o", str(folder / "trial.onnx")],
        TEXT,
    ),
    "predictor": Format("predictor.json", lambda folder: ["predictor", "card", str(folder)], TEXT),
    "table": Format("rows.csv", lambda folder: ["predictor", "evaluate", "--table", str(folder / "rows.csv")], TEXT),
    "shard": Format(
        "mlp-digits/0000.jsonl.gz",
        lambda folder: ["corpus", "card", str(folder)],
        TEXT,
        unpack=gzip.decompress,
        pack=gzip.compress,
        bomb=lambda: _gzip_bomb(b'{"version": 1}\n'),
    ),
}
