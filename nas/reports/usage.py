"""Python code that calls an exported model; it runs unchanged in the folder of the file."""

import onnx_ir as ir


def usage(model: ir.Model, file: str = "best.onnx") -> str:
    """The code, with an input of zeros in the model's own shape."""
    value = next(value for value in model.graph.inputs if not value.is_initializer())
    dims = [dim if isinstance(dim, int) else 1 for dim in value.shape or (1,)]
    shape = ", ".join(map(str, dims)) + ("," if len(dims) == 1 else "")
    return "\n".join(
        [
            "import numpy as np",
            "import onnxruntime as ort",
            "",
            f"session = ort.InferenceSession({file!r})",
            f"x = np.zeros(({shape}), np.float32)  # raw values",
            f"outputs = session.run(None, {{{value.name!r}: x}})[0]",
            "print(outputs.argmax(axis=-1))  # the class",
        ]
    )
