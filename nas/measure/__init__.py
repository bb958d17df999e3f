"""What is measured on a finished network: metrics, outputs in onnxruntime, latency, counts of layers."""
