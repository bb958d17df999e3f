"""Models in onnxruntime, on one CPU thread, with its refusals as errors of ours."""

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
        batch: examples that it takes at a time; None where that is free.
        shape: of one example; 1 where an axis is free.
    """

    def __init__(self, model: ir.Model) -> None:
        """`ExportError` where onnxruntime refuses the model."""
        import onnxruntime as ort
        from onnxruntime.capi import onnxruntime_pybind11_state as state

        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        content = ir.to_proto(model).SerializeToString()
        # onnxruntime's errors share no base class of their own.
        self._errors = (
            state.Fail,
            state.InvalidArgument,
            state.InvalidGraph,
            state.NotImplemented,
            state.RuntimeException,
        )
        try:
            self._session: onnxruntime.InferenceSession = ort.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except self._errors as error:
            raise _refused(error) from error
        value = self._session.get_inputs()[0]
        first, *rest = value.shape or [None]
        self._name = value.name
        self.batch: int | None = first if isinstance(first, int) else None
        self.shape = tuple(size if isinstance(size, int) else 1 for size in rest)

    def __call__(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """First output for one batch."""
        try:
            output: NDArray[np.float32] = self._session.run(None, {self._name: x})[0]
        except self._errors as error:
            raise _refused(error) from error
        return output


def _refused(error: Exception) -> ExportError:
    return ExportError(f"onnxruntime refuses the model: {str(error).splitlines()[0]}")
