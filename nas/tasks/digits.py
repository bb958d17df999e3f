"""Handwritten digits of 8×8 pixels, 1,797 of them, that come with scikit-learn (UCI optical recognition, test part)."""

from pathlib import Path

import numpy as np

from nas.tasks.preparation import pixel_normalisation, prepare
from nas.tasks.split import Examples, divide
from nas.tasks.task import Task


def digits(*, data_dir: Path | None = None, subset: int | None = None, seed: int = 0) -> Task:
    """Handwritten digits, 8×8 grey pixels, 10 classes, 1,797 images split 60/20/20."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = Examples(x=bunch.images[:, None].astype(np.float32), y=bunch.target.astype(np.int64))
    return prepare(
        "digits",
        divide(images, where="digits", seed=seed, subset=subset),
        outputs=10,
        normalisation=pixel_normalisation(3, largest=16),
        classes=tuple("0123456789"),
        description="handwritten digits, 1×8×8, 10 classes",
    )
