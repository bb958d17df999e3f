"""Plug-ins of every kind."""

from dataclasses import dataclass

import numpy as np

import onnx_graph
from nas.engine.strategies.random_search import RandomSearch
from nas.exporters.export_format import ExportFormat
from nas.losses import Loss
from nas.losses.cross_entropy import cross_entropy
from nas.measure.costs import Cost
from nas.metrics import Metric, mean
from nas.tasks import Split, Task
from nas.training.methods.static import Static
from predictors.models.density import DensityPredictor
from search_spaces import Signature
from search_spaces.mlp import MLPSpace


def load(data_dir):
    """Two clouds of points."""
    rng = np.random.default_rng(0)

    def split(count):
        y = np.arange(count) % 2
        x = rng.normal(size=(count, 6)) + 2.0 * y[:, None]
        return Split(x.astype(np.float32), y.astype(np.int64))

    return Task(
        name="clouds",
        signature=Signature(input_shape=(6,), outputs=2),
        train=split(96),
        validation=split(48),
        test=split(48),
        metric="error-rate",
        loss="smooth-cross-entropy",
    )


class NarrowSpace(MLPSpace):
    """Perceptrons under another name."""

    name = "narrow"


def first(layer, nnz, rng):
    """The first connections, row by row."""
    mask = np.zeros(layer.size, bool)
    mask[: min(nnz, capacity(layer))] = True
    return mask.reshape(layer.shape)


def capacity(layer):
    """All but one."""
    return max(1, layer.size - 1)


def flat(layers):
    """The same density everywhere."""
    return np.ones(len(layers))


def turn(masks, layers, seed):
    """Every mask backwards."""
    return {name: mask.reshape(-1)[::-1].reshape(mask.shape).copy() for name, mask in masks.items()}


@dataclass(frozen=True, kw_only=True)
class Plain(Static):
    """The model's own mask, trained."""

    strength: float = 0.5


class FirstComeStrategy(RandomSearch):
    """Random draws under another name."""


class SparsityPredictor(DensityPredictor):
    """A line through the densities under another name."""

    name = "sparsity"


def _recall(parts):
    """Mean over both classes of the share that is found."""
    parts = list(parts)
    found = []
    for label in (0, 1):
        right = sum(((p.logits.argmax(-1) == label) & (p.targets == label)).sum(-1).double() for p in parts)
        found.append(right / sum(int((p.targets == label).sum()) for p in parts))
    return (found[0] + found[1]) / 2


RECALL = Metric(name="balanced-accuracy", meaning="mean recall of the classes", measure=_recall)
ERRORS = Metric(
    name="error-rate",
    meaning="share of wrong answers",
    measure=lambda parts: mean(parts, lambda part: part.logits.argmax(-1) != part.targets),
    direction="minimize",
)


def _smooth(logits, targets, *, lead, padded):
    return cross_entropy(logits * 0.9, targets, lead=lead, padded=padded)


SMOOTH = Loss(name="smooth-cross-entropy", meaning="cross entropy of weaker logits", compute=_smooth)
NODES = Cost(name="nodes", meaning="nodes of the graph", measure=lambda model: sum(1 for _ in model.graph))


def _write(model, path, inputs):
    text = f"{onnx_graph.count(model).nnz} non-zeros, checked on {len(inputs)} examples"
    path.write_text(text)
    return len(text)


TEXT = ExportFormat(name="text", suffix=".txt", meaning="a sentence", write=_write)
