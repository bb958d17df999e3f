"""MNIST (LeCun et al. 1998) and Fashion-MNIST (Xiao et al. 2017, arXiv:1708.07747) from their IDX files.

The official test set is the test split; validation is a seeded, stratified tenth of the official training set.
"""

from pathlib import Path

import numpy as np

from nas.errors import DataError, UsageError
from nas.tasks.idx import read_idx
from nas.tasks.preparation import pixel_normalisation, prepare
from nas.tasks.split import Examples, divide
from nas.tasks.task import Task

FOLDERS = {
    "mnist": ("mnist", "images/mnist", "MNIST/raw", "."),
    "fashion-mnist": (
        "fashion_mnist",
        "fashion-mnist",
        "images/fashion_mnist",
        "images/fashion-mnist",
        "FashionMNIST/raw",
        ".",
    ),
}
CLASSES = {
    "mnist": tuple("0123456789"),
    "fashion-mnist": (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
}


def mnist(*, data_dir: Path | None = None, subset: int | None = None, seed: int = 0) -> Task:
    """Handwritten digits, 28×28 grey pixels, 10 classes, 60,000 + 10,000 images."""
    return _image_task("mnist", data_dir, subset, seed)


def fashion_mnist(*, data_dir: Path | None = None, subset: int | None = None, seed: int = 0) -> Task:
    """Articles of clothing, 28×28 grey pixels, 10 classes, 60,000 + 10,000 images."""
    return _image_task("fashion-mnist", data_dir, subset, seed)


def _image_task(name: str, data_dir: Path | None, subset: int | None, seed: int) -> Task:
    folder = _folder(name, data_dir)
    train, test = _read_part(folder, "train"), _read_part(folder, "t10k")
    return prepare(
        name,
        divide(train, test=test, where=name, seed=seed, subset=subset, share=0.1),
        outputs=10,
        normalisation=pixel_normalisation(3),
        classes=CLASSES[name],
        description=f"{name}, 1×28×28, 10 classes",
    )


def _folder(name: str, data_dir: Path | None) -> Path:
    """The first folder that holds the training images."""
    if data_dir is None:
        raise UsageError(f"task {name} reads files: give their folder by --data-dir or NAS_DATA_DIR")
    folders = [data_dir / folder for folder in FOLDERS[name]]
    for folder in folders:
        if _find(folder, "train-images", 3) is not None:
            return folder
    places = ", ".join(str(folder) for folder in folders)
    raise DataError(
        f"{name}: train-images-idx3-ubyte(.gz) is in none of {places}; put the four IDX files into one of them"
    )


def _find(folder: Path, stem: str, rank: int) -> Path | None:
    names = (f"{stem}-idx{rank}-ubyte", f"{stem}.idx{rank}-ubyte")
    paths = [folder / f"{name}{suffix}" for name in names for suffix in ("", ".gz")]
    return next((path for path in paths if path.is_file()), None)


def _read_part(folder: Path, part: str) -> Examples:
    paths = [_find(folder, f"{part}-{kind}", rank) for kind, rank in (("images", 3), ("labels", 1))]
    if paths[0] is None or paths[1] is None:
        kind, rank = ("images", 3) if paths[0] is None else ("labels", 1)
        raise DataError(f"{folder}: {part}-{kind}-idx{rank}-ubyte(.gz) is missing")
    images, labels = read_idx(paths[0], 3), read_idx(paths[1], 1)
    if images.shape[1:] != (28, 28):
        raise DataError(f"{paths[0]}: expected images of 28 × 28, found {images.shape[1]} × {images.shape[2]}")
    if len(images) != len(labels):
        raise DataError(f"{paths[1]}: expected {len(images)} labels, one for each image, found {len(labels)}")
    if labels.max() > 9:
        raise DataError(
            f"{paths[1]}: expected labels 0 to 9, found {labels.max()} at index {int((labels > 9).argmax())}"
        )
    return Examples(x=images[:, None], y=labels.astype(np.int64))
