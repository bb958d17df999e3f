"""Contents of an ONNX file: its weights with their masks, and topology measures of the whole network."""

from pathlib import Path
from typing import Any

import numpy as np

import onnx_graph
from onnx_graph.internals import typed


@typed("inspected", passes=(OSError,))
def inspect(path: Path | str) -> dict[str, Any]:
    """Layers and whole-network measures as plain JSON values. Raises the errors of `onnx_graph.load`."""
    import predictors
    from predictors import GRAPH_FEATURES

    raw = onnx_graph.load(path)
    model = onnx_graph.simplify(raw)
    masks, effective = onnx_graph.masks(model), onnx_graph.effective_masks(model)
    layers = [_layer(weight, masks[weight.name], effective[weight.name]) for weight in onnx_graph.weights(model)]
    count = onnx_graph.count(model)
    graph = predictors.encode(model)
    whole: dict[str, Any] = {
        "nodes": sum(1 for _ in raw.graph),
        "opset": raw.graph.opset_imports.get(""),
        "inputs": ", ".join(f"{value.name} {_shape(value.shape)}" for value in raw.graph.inputs),
        "outputs": ", ".join(f"{value.name} {_shape(value.shape)}" for value in raw.graph.outputs),
        "weights": count.weights,
        "non-zero weights": count.nnz,
        "density": count.nnz / max(count.weights, 1),
        "parameters": count.params,
        "multiply-accumulates": count.macs,
        "effective non-zeros": sum(layer["effective"] for layer in layers),
        "dead units": onnx_graph.dead_units(model),
        "bytes": onnx_graph.size(raw),
        "bytes without dead units": onnx_graph.size(onnx_graph.shrink(model)),
        "operators of no known class": ", ".join(graph.unknown) or "none",
    }
    features = {name: float(value) for name, value in zip(GRAPH_FEATURES, graph.summary, strict=True)}
    metadata = {name: value for name, value in raw.metadata_props.items() if name.startswith("nas.")}
    return {"model": whole | metadata, "layers": layers, "features": features}


def _layer(
    weight: onnx_graph.Weight,
    mask: "np.ndarray[Any, np.dtype[np.bool_]]",
    effective: "np.ndarray[Any, np.dtype[np.bool_]]",
) -> dict[str, Any]:
    """Facts about one weight: shape, non-zeros, degrees and dead units."""
    units = mask.reshape(mask.shape[0], -1)
    inputs = mask.reshape(*mask.shape[:2], -1).any(axis=2) if mask.ndim > 1 else units
    fan_in = units.sum(axis=1)
    return {
        "weight": weight.name,
        "operator": weight.operator,
        "shape": "×".join(str(size) for size in weight.shape),
        "non-zeros": int(mask.sum()),
        "density": float(mask.mean()) if mask.size else 0.0,
        "effective": int(effective.sum()),
        "fan-in mean": float(fan_in.mean()) if fan_in.size else 0.0,
        "fan-in max": int(fan_in.max(initial=0)),
        "empty rows": int((fan_in == 0).sum()),
        "empty columns": int((~inputs.any(axis=0)).sum()),
    }


def _shape(shape: Any) -> str:
    return "?" if shape is None else "(" + ", ".join(str(size) for size in shape) + ")"
