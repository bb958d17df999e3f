"""Measures networks of all kinds on this machine, to predict the latency of other networks without running them."""

import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

import onnx_graph
from nas.measure.costs.latency import latency
from nas.seeds import generator
from predictors import LatencyPredictor, StructureGraph, encode, require_free, save
from search_spaces import Signature, create

KINDS: tuple[tuple[str, Signature, dict[str, Any]], ...] = (
    ("mlp", Signature(input_shape=(64,), outputs=10), {"width": (8, 256)}),
    ("mlp", Signature(input_shape=(784,), outputs=10), {"width": (16, 512)}),
    ("cnn", Signature(input_shape=(1, 8, 8), outputs=10), {"channels": (4, 64)}),
    ("cnn", Signature(input_shape=(1, 28, 28), outputs=10), {"channels": (4, 48)}),
    ("cnn", Signature(input_shape=(3, 32, 32), outputs=10), {"channels": (8, 64), "cells": (2, 4)}),
    ("rnn", Signature(input_shape=(20, 7), outputs=7, per_step=True), {"hidden": (8, 128)}),
)
MASKS = {"min_density": 0.03, "max_density": 1.0}

FEWEST = 10 * len(KINDS)
"""Smallest number of networks to measure."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Result of a calibration.

    Attributes:
        networks: number of measured networks.
        error: mean absolute percentage error on left-out networks (five-fold cross-validation).
        least, most: smallest and largest measured latency in milliseconds.
    """

    networks: int
    error: float
    least: float
    most: float


def calibrate(
    folder: Path, networks: int = 240, *, seed: int = 0, progress: Callable[[int, int], None] = lambda done, of: None
) -> Calibration:
    """Measure random networks in their exported form, fit the predictor, and save it into a folder.

    The kinds of networks alternate, so that a slow minute of the machine affects all of them.
    """
    require_free(folder)
    graphs: list[StructureGraph] = []
    times: list[float] = []
    for model in _drawn(networks, seed):
        times.append(latency(model, repeats=30))
        graphs.append(encode(model))
        progress(len(times), networks)
    measured = np.array(times)
    error = _left_out(graphs, measured)
    fitted = LatencyPredictor().fit(graphs, measured)
    save(
        fitted,
        folder,
        provenance={
            "machine": platform.machine(),
            "processor": platform.processor(),
            "networks": networks,
            "error": error,
        },
    )
    return Calibration(networks=networks, error=error, least=float(measured.min()), most=float(measured.max()))


def _drawn(networks: int, seed: int) -> Iterator[ir.Model]:
    spaces = [create(name, signature, **options, **MASKS) for name, signature, options in KINDS]
    rngs = [generator(seed, "latency", kind) for kind in range(len(KINDS))]
    for number in range(networks):
        kind = number % len(KINDS)
        yield onnx_graph.shrink(spaces[kind].build(spaces[kind].sample(rngs[kind])))


def _left_out(graphs: list[StructureGraph], measured: NDArray[np.float64], folds: int = 5) -> float:
    """Mean absolute percentage error of cross-validation."""
    errors = []
    place = np.arange(len(graphs)) // len(KINDS) % folds
    for fold in range(folds):
        inside, outside = np.flatnonzero(place == fold), np.flatnonzero(place != fold)
        fitted = LatencyPredictor().fit([graphs[row] for row in outside], measured[outside])
        said = fitted.predict([graphs[row] for row in inside]).mean
        errors.append(np.abs(said / measured[inside] - 1))
    return float(np.concatenate(errors).mean())
