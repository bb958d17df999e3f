"""Measurements of a finished network: costs, outputs in onnxruntime, latency, layers."""
