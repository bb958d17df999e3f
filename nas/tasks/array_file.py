"""The user's own arrays: an npz file with ``x`` and ``y``, and validation and test parts if they are given.

Arrays: ``x`` (or ``x_train``) and ``y``; optional ``x_validation`` (``x_val``, ``x_valid``), ``x_test`` with their ``y_…``;
``classes``, names of the classes in sorted order of their labels; ``kind``, one of the texts below. A part that is not
given is cut from ``x``, a fifth each, stratified.

Without ``kind``, the shape of ``x`` decides: ``(N, features)`` is ``tabular``; ``(N, C, H, W)`` is ``image``, and so is uint8
``(N, H, W, C)``, which is transposed; ``(N, H, W)`` is ``image`` if it is uint8 and square, else ``(N, T, features)`` ``sequence``.
uint8 pixels are scaled to [0, 1]; all other data is standardised by the training part, each feature or channel separately.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from nas.errors import DataError
from nas.tasks.labels import number_classes
from nas.tasks.npz import read_npz
from nas.tasks.preparation import pixel_normalisation, prepare, standard_normalisation
from nas.tasks.split import Examples, divide
from nas.tasks.task import Task
from onnx_graph import nearest

Kind = Literal["tabular", "sequence", "image"]
SUFFIXES = {
    "": "train", "_train": "train", "_validation": "validation", "_val": "validation", "_valid": "validation", "_test": "test",
}  # fmt: skip
OTHERS = ("kind", "classes")
CHANNELS = (1, 3, 4)


def load_array_file(path: Path, *, name: str, subset: int | None = None, seed: int = 0) -> Task:
    """The task of an npz file.

    Raises:
        DataError: any fault of the file, in one line that names the file and the array.
        UsageError: the subset is too small.
    """
    arrays = read_npz(path)
    keys = _keys(path, arrays)
    labels, classes = number_classes(
        {keys[f"y {part}"]: _labels(path, keys[f"y {part}"], arrays) for part in _parts(keys)}, str(path)
    )
    kind = _kind(path, keys["x train"], arrays)
    examples = {}
    for part in _parts(keys):
        x_name, y_name = keys[f"x {part}"], keys[f"y {part}"]
        x = _shaped(_checked(path, x_name, arrays[x_name]), kind)
        if len(x) != len(labels[y_name]):
            raise DataError(
                f"{path}: {x_name} has {len(x)} rows and {y_name} {len(labels[y_name])}; expected one label a row"
            )
        examples[part] = Examples(x=x, y=labels[y_name])
    _require_same_shape(path, keys, examples)
    parts = divide(
        examples["train"],
        examples.get("validation"),
        examples.get("test"),
        where=str(path),
        classes=classes,
        seed=seed,
        subset=subset,
    )
    x = parts[0].x
    pixels = kind == "image" and x.dtype == np.uint8
    return prepare(
        name,
        parts,
        outputs=len(classes),
        normalisation=pixel_normalisation(3)
        if pixels
        else standard_normalisation(x, feature_axis=1 if kind == "image" else -1),
        classes=_class_names(path, arrays, classes),
        description=f"{path.name}, {kind} {'×'.join(map(str, x.shape[1:]))}, {len(classes)} classes",
    )


def _keys(path: Path, arrays: Mapping[str, object]) -> dict[str, str]:
    """``"x train" → "x_train"`` and so on: names of the arrays by their standard names."""
    known = {f"{letter}{suffix}": f"{letter} {part}" for letter in "xy" for suffix, part in SUFFIXES.items()}
    keys: dict[str, str] = {}
    for name in arrays:
        if name not in known and name.split("_")[0] in ("x", "y"):
            raise DataError(
                f"{path}: unknown array {name!r}; did you mean {nearest(name, known)[0]!r}? Known: {', '.join((*known, *OTHERS))}"
            )
        if name in known and keys.setdefault(known[name], name) != name:
            raise DataError(f"{path}: {keys[known[name]]!r} and {name!r} are the same part; keep one")
    for letter in "xy":
        if f"{letter} train" not in keys:
            raise DataError(
                f"{path}: no array {letter!r}; found {', '.join(arrays) or 'none'}; write it with numpy.savez(file, x=…, y=…)"
            )
    for key in list(keys):
        other = ("y" if key[0] == "x" else "x") + key[1:]
        if other not in keys:
            raise DataError(f"{path}: {keys[key]!r} has no {other[0]}{keys[key][1:]!s} beside it")
    return keys


def _parts(keys: Mapping[str, str]) -> list[str]:
    return [part for part in ("train", "validation", "test") if f"x {part}" in keys]


def _labels(path: Path, name: str, arrays: Mapping[str, NDArray[np.generic]]) -> NDArray[np.generic]:
    """Whole numbers, bools or texts ``(N,)``."""
    y = arrays[name]
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise DataError(f"{path}: {name} has the shape {y.shape}, expected one class a row, (N,)")
    if len(y) == 0:
        raise DataError(f"{path}: {name} is empty")
    if y.dtype.kind not in "iubUS":
        raise DataError(
            f"{path}: {name} is {y.dtype}; expected classes as whole numbers or texts (regression is not supported), such as y.astype(int)"
        )
    if y.dtype.kind == "S":
        try:
            return np.char.decode(cast("NDArray[np.bytes_]", y), "utf-8")
        except UnicodeDecodeError:
            raise DataError(f"{path}: {name} holds bytes that are no UTF-8 text") from None
    return y


def _kind(path: Path, name: str, arrays: Mapping[str, NDArray[np.generic]]) -> Kind:
    x = arrays[name]
    possible: dict[int, tuple[Kind, ...]] = {2: ("tabular",), 3: ("sequence", "image"), 4: ("image",)}
    if x.ndim not in possible:
        raise DataError(
            f"{path}: {name} has the shape {x.shape}; expected (N, features), (N, T, features), (N, H, W) or (N, C, H, W)"
        )
    if "kind" not in arrays:
        return (
            "image"
            if x.ndim == 4 or (x.ndim == 3 and x.dtype == np.uint8 and x.shape[1] == x.shape[2])
            else possible[x.ndim][0]
        )
    kind = str(arrays["kind"].item()) if arrays["kind"].size == 1 else "several values"
    for known in possible[x.ndim]:
        if kind == known:
            return known
    raise DataError(f"{path}: kind is {kind!r}, expected {' or '.join(possible[x.ndim])} for {name} of shape {x.shape}")


def _checked(path: Path, name: str, x: NDArray[np.generic]) -> NDArray[np.generic]:
    """The same array; refuses one that is empty or has values that are not real finite numbers."""
    if x.dtype.kind not in "biuf":
        raise DataError(f"{path}: {name} is {x.dtype}, expected numbers")
    if x.size == 0:
        raise DataError(f"{path}: {name} is empty, its shape is {x.shape}")
    if x.dtype.kind == "f":
        wrong = ~np.isfinite(cast("NDArray[np.float64]", x))
        if wrong.any():
            at = tuple(int(i) for i in np.unravel_index(int(wrong.argmax()), x.shape))
            raise DataError(
                f"{path}: {name}[{', '.join(map(str, at))}] is {x[at]} ({int(wrong.sum())} values are not finite); fill or drop them"
            )
    return x


def _shaped(x: NDArray[np.generic], kind: Kind) -> NDArray[np.generic]:
    """Images as ``(N, C, H, W)``; other arrays are unchanged."""
    if kind != "image":
        return x
    if x.ndim == 3:
        return x[:, None]
    channels_last = x.ndim == 4 and x.dtype == np.uint8 and x.shape[3] in CHANNELS and x.shape[1] not in CHANNELS
    return x.transpose(0, 3, 1, 2) if channels_last else x


def _require_same_shape(path: Path, keys: Mapping[str, str], examples: Mapping[str, Examples]) -> None:
    first = examples["train"].x
    for part, rows in examples.items():
        if rows.x.shape[1:] != first.shape[1:] or rows.x.dtype != first.dtype:
            raise DataError(
                f"{path}: {keys[f'x {part}']} is {rows.x.dtype} {rows.x.shape}, expected {first.dtype} rows of shape {first.shape[1:]} "
                f"as in {keys['x train']}"
            )


def _class_names(path: Path, arrays: Mapping[str, NDArray[np.generic]], classes: tuple[str, ...]) -> tuple[str, ...]:
    if "classes" not in arrays:
        return classes
    names = arrays["classes"]
    if names.shape != (len(classes),):
        raise DataError(
            f"{path}: 'classes' has the shape {names.shape}, expected one name for each of the {len(classes)} classes of y"
        )
    return tuple(str(name) for name in names)
