"""A file format for trained networks, as an entry of a registry."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray


class Write(Protocol):
    """A function that writes a format."""

    def __call__(self, model: ir.Model, path: Path, inputs: NDArray[np.float32], /) -> int:
        """Write one file under a temporary name, rename it at the end, and return its size in bytes.

        Args:
            model: model with the content of a .onnx file: no dead units, raw inputs, metadata. It was already compared
                with the trained network.
            path: path of the file.
            inputs: raw examples ``(N, …)`` for comparing the written file with the model.

        Raises:
            ExportError: the results of the file would differ from the model.
        """


@dataclass(frozen=True, kw_only=True)
class ExportFormat:
    """An export format.

    Attributes:
        name: name in messages.
        suffix: file name suffix, such as ``.onnx``, which selects the format.
        meaning: description in one line.
        write: function that writes a file.
    """

    name: str
    suffix: str
    meaning: str
    write: Write
