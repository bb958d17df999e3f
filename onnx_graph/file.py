"""ONNX files: safe reading and durable writing."""

from collections.abc import Mapping
from pathlib import Path

import onnx_ir as ir


def load(path: Path | str) -> ir.Model:
    """Read an ONNX file with shapes inferred. `InvalidModelError` for anything that is not a sound model."""
    raise NotImplementedError


def save(model: ir.Model, path: Path | str, *, metadata: Mapping[str, str] | None = None) -> int:
    """Write a model under a temporary name, then rename; returns the bytes written."""
    raise NotImplementedError


def size(model: ir.Model) -> int:
    """Bytes that `save` would write."""
    raise NotImplementedError
