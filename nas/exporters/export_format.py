"""A format in which a trained network can be written, as a value that a registry holds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray


class Write(Protocol):
    """How a format is written."""

    def __call__(self, model: ir.Model, path: Path, inputs: NDArray[np.float32], /) -> int:
        """Write one file, under a temporary name that is renamed at the end, and return its bytes.

        Args:
            model: as it would stand in a .onnx file: without dead units, taking raw inputs, with its metadata. It was
                compared with the trained network.
            path: of the file.
            inputs: raw examples ``(N, …)``, to compare the written file with the model.

        Raises:
            ExportError: the file would compute something else than the model.
        """


@dataclass(frozen=True, kw_only=True)
class ExportFormat:
    """A format.

    Attributes:
        name: as messages write it.
        suffix: of its files, such as ``.onnx``; the name of a file chooses its format.
        meaning: in one line.
        write: writes a file.
    """

    name: str
    suffix: str
    meaning: str
    write: Write
