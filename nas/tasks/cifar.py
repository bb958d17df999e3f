"""CIFAR-10 (Krizhevsky 2009) from its binary batches or an npz file.

Files are tried in this order: ``data_batch_1.bin`` … and ``test_batch.bin``; ``cifar10*.npz`` with uint8 arrays ``x_train``,
``y_train``, ``x_test``, ``y_test``. The python batches are pickles and are not read.
The official test set is the test split; validation is a seeded, stratified tenth of the training set.

Pixels are scaled to [0, 1], as in all image tasks here, and not standardised by channel: users' own models mostly expect
[0, 1] too, and batch normalisation in a network makes standardising unnecessary.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas.errors import DataError, UsageError
from nas.input_file import read_bytes
from nas.tasks.npz import read_npz
from nas.tasks.preparation import pixel_normalisation, prepare
from nas.tasks.split import Examples, divide
from nas.tasks.task import Task

SHAPE = (3, 32, 32)
RECORD = 1 + 3 * 32 * 32
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FOLDERS = (".", "images", "cifar10", "images/cifar10")
BATCHES = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
MOST_RECORDS = 10_000
"""Number of images in one official file."""
DOWNLOAD = "the binary version, cifar-10-binary.tar.gz, from https://www.cs.toronto.edu/~kriz/cifar.html"


def cifar10(*, data_dir: Path | None = None, subset: int | None = None, seed: int = 0) -> Task:
    """Photographs of animals and vehicles, 32×32 colour pixels, 10 classes, 50,000 + 10,000 images."""
    if data_dir is None:
        raise UsageError("task cifar10 reads files: give their folder by --data-dir or NAS_DATA_DIR")
    train, test = _read(data_dir)
    return prepare(
        "cifar10",
        divide(train, test=test, where="cifar10", seed=seed, subset=subset, share=0.1),
        outputs=10,
        normalisation=pixel_normalisation(3),
        classes=CLASSES,
        description="CIFAR-10, 3×32×32, 10 classes",
    )


def _read(data_dir: Path) -> tuple[Examples, Examples]:
    folders = [data_dir / folder for folder in FOLDERS]
    for folder in [*folders, *(f / "cifar-10-batches-bin" for f in folders)]:
        if (folder / BATCHES[0]).is_file():
            return _read_batches(folder)
    for folder in folders:
        for path in sorted(folder.glob("cifar10*.npz")):
            return _read_npz(path)
    for folder in [*folders, *(f / "cifar-10-batches-py" for f in folders)]:
        if (folder / "data_batch_1").is_file():
            raise DataError(
                f"{folder}: holds the python version of CIFAR-10, pickles that are not read; take {DOWNLOAD}"
            )
    places = ", ".join(str(folder) for folder in folders)
    raise DataError(f"cifar10: found neither data_batch_1.bin nor cifar10*.npz in {places}; take {DOWNLOAD}")


def _read_batches(folder: Path) -> tuple[Examples, Examples]:
    missing = [name for name in (*BATCHES, "test_batch.bin") if not (folder / name).is_file()]
    if missing:
        raise DataError(f"{folder}: {', '.join(missing)} missing, expected data_batch_1.bin to 5 and test_batch.bin")
    train = [_read_binary(folder / name) for name in BATCHES]
    whole = Examples(x=np.concatenate([part.x for part in train]), y=np.concatenate([part.y for part in train]))
    return whole, _read_binary(folder / "test_batch.bin")


def _read_binary(path: Path) -> Examples:
    """Images and labels from records of one label and the three channels of an image."""
    data = np.frombuffer(read_bytes(path, MOST_RECORDS * RECORD), np.uint8)
    if len(data) == 0 or len(data) % RECORD:
        raise DataError(f"{path}: expected records of {RECORD} bytes, found {len(data)} bytes; fetch it again")
    records = data.reshape(-1, RECORD)
    return _examples(path, records[:, 1:].reshape(-1, *SHAPE), records[:, 0])


def _read_npz(path: Path) -> tuple[Examples, Examples]:
    arrays = read_npz(path, frozenset(("x_train", "y_train", "x_test", "y_test")))
    missing = [name for name in ("x_train", "y_train", "x_test", "y_test") if name not in arrays]
    if missing:
        raise DataError(f"{path}: no array {', '.join(missing)}; expected x_train, y_train, x_test, y_test")
    parts = []
    for part in ("train", "test"):
        x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
        if x.dtype != np.uint8 or x.ndim != 4 or x.shape[1:] not in (SHAPE, (32, 32, 3)):
            raise DataError(f"{path}: x_{part} is {x.dtype} {x.shape}, expected uint8 (N, 32, 32, 3) or (N, 3, 32, 32)")
        if y.dtype.kind not in "iu":
            raise DataError(f"{path}: y_{part} is {y.dtype}, expected whole numbers 0 to 9")
        parts.append(_examples(path, x if x.shape[1:] == SHAPE else x.transpose(0, 3, 1, 2), y))
    return parts[0], parts[1]


def _examples(path: Path, x: NDArray[np.generic], y: NDArray[np.generic]) -> Examples:
    labels = np.asarray(y, np.int64).reshape(-1)
    if len(labels) != len(x) or len(x) == 0:
        raise DataError(f"{path}: expected one label for each image, found {len(labels)} labels and {len(x)} images")
    wrong = (labels < 0) | (labels > 9)
    if wrong.any():
        raise DataError(f"{path}: expected labels 0 to 9, found {labels[wrong][0]} at index {int(wrong.argmax())}")
    return Examples(x=x, y=labels)
