"""Runs models in onnxruntime on one CPU thread, and turns its errors into our errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from nas.errors import ExportError

if TYPE_CHECKING:
    import onnxruntime


class Runtime:
    """A model loaded in onnxruntime.

    Attributes:
        batch: fixed batch size; None if it is free.
        shape: shape of one example, with 1 for a free axis.
    """

    def __init__(self, model: ir.Model) -> None:
        """Loads the model; `ExportError` if onnxruntime refuses it."""
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        content = ir.to_proto(model).SerializeToString()
        with _errors_as_ours():
            self._session: onnxruntime.InferenceSession = ort.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        value = self._session.get_inputs()[0]
        first, *rest = value.shape or [None]
        self._name = value.name
        self.batch: int | None = first if isinstance(first, int) else None
        self.shape = tuple(size if isinstance(size, int) else 1 for size in rest)

    def __call__(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """First output for one batch."""
        with _errors_as_ours():
            output: NDArray[np.float32] = self._session.run(None, {self._name: x})[0]
        return output


@contextmanager
def _errors_as_ours() -> Iterator[None]:
    """Turn onnxruntime's own errors into `ExportError`; they have no public name and no common base class."""
    try:
        yield
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "onnxruntime":
            raise
        raise ExportError(f"onnxruntime refuses the model: {str(error).splitlines()[0]}") from error
