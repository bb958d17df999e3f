"""Export: a trained sparse network as a smaller ONNX file, checked in onnxruntime."""
