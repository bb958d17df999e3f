"""Turns raw examples into a task with normalised float32 splits and a fingerprint of the data."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from nas.errors import DataError
from nas.tasks.split import Examples
from nas.tasks.task import Normalisation, Split, Task
from search_spaces import Signature

Parts = tuple[Examples, Examples, Examples]


def pixel_normalisation(rank: int, *, largest: int = 255) -> Normalisation:
    """Scales whole numbers 0..largest to [0, 1], for examples of the given rank."""
    return Normalisation(np.zeros((1,) * rank, np.float32), np.full((1,) * rank, 1 / largest, np.float32))


def standard_normalisation(x: NDArray[np.generic], *, feature_axis: int) -> Normalisation:
    """Gives each feature or channel mean 0 and standard deviation 1; a feature that is constant in `x` becomes 0.

    Args:
        x: the training rows ``(N, *input_shape)``, finite.
        feature_axis: the axis of `x` that keeps its own mean; all others are averaged over.
    """
    axes = tuple(axis for axis in range(x.ndim) if axis != feature_axis % x.ndim)
    with np.errstate(over="ignore", invalid="ignore"):  # `prepare` refuses what is not finite
        values = x.astype(np.float32)
        mean = values.mean(axes, dtype=np.float64, keepdims=True)[0]
        std = values.std(axes, dtype=np.float64, keepdims=True)[0]
    varies = std > np.maximum(1e-6 * np.abs(mean), 1e-30)  # smaller differences cannot be told from float32 rounding
    return Normalisation(mean.astype(np.float32), np.where(varies, 1 / np.where(varies, std, 1), 1).astype(np.float32))


def prepare(
    name: str,
    parts: Parts,
    *,
    outputs: int,
    metric: str = "accuracy",
    normalisation: Normalisation | None = None,
    classes: tuple[str, ...] = (),
    features: tuple[str, ...] = (),
    description: str = "",
) -> Task:
    """The task of three parts; `outputs` is the number of outputs, per step if `y` has a step axis.

    Raises:
        DataError: some values are so large that they are not finite in float32.
    """
    splits = [_split(part, normalisation, name) for part in parts]
    shape = tuple(splits[0].x.shape[1:])
    return Task(
        name=name,
        signature=Signature(input_shape=shape, outputs=outputs, per_step=splits[0].y.ndim == 2),
        train=splits[0],
        validation=splits[1],
        test=splits[2],
        metric=metric,
        normalisation=normalisation,
        classes=classes,
        features=features,
        fingerprint=fingerprint(splits, classes),
        description=description,
    )


def _split(part: Examples, normalisation: Normalisation | None, name: str) -> Split:
    with np.errstate(over="ignore", invalid="ignore"):
        x = np.ascontiguousarray(part.x, np.float32) if normalisation is None else normalisation.apply(part.x)
    if part.x.dtype.kind == "f" and not np.isfinite(x).all():
        raise DataError(f"{name}: values of x are too large for float32 after normalisation; scale the columns first")
    return Split(
        x, np.ascontiguousarray(part.y, np.int64), None if part.legal is None else np.ascontiguousarray(part.legal)
    )


def fingerprint(splits: list[Split], classes: tuple[str, ...]) -> str:
    """SHA-256 (hex) of all arrays of the splits, their types and shapes, and the class names."""
    digest = hashlib.sha256(repr(classes).encode())
    for split in splits:
        for array in (split.x, split.y, split.legal):
            if array is not None:
                digest.update(f"{array.dtype.str}{array.shape}".encode())
                digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
