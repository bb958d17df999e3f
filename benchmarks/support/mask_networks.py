"""The networks and splits on which mask methods are compared."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from nas import Split, Task, load_task
from search_spaces import NetworkBuilder

SPLIT_SEED = 11
"""Not 7: the split on which the methods' defaults were tuned."""


def perceptron(widths: Sequence[int], shape: tuple[int, ...], activation: str = "relu") -> ir.Model:
    """Dense layers without a mask; ``widths`` with input and output."""
    builder = NetworkBuilder(shape, "mlp")
    x = builder.flatten(builder.input)
    for layer, width in enumerate(widths[1:-1], 1):
        x = builder.activation(builder.gemm(x, width, f"hidden_{layer}"), activation, f"activation_{layer}")
    return dense(builder.finish(builder.gemm(x, widths[-1], "head")))


def gru(hidden: int = 32, cell: str = "gru") -> ir.Model:
    """One recurrent layer that predicts the next symbol of the embedded Reber grammar at every step."""
    signature = load_task("embedded-reber").signature
    builder = NetworkBuilder(signature.input_shape, "rnn")
    steps = builder.transpose(builder.input, (1, 0, 2), "time_first")
    every, _ = builder.recurrent(steps, cell, hidden, "layer", every_step=True, last_step=False)
    if every is None:
        raise RuntimeError("every step was asked for")
    x = builder.matmul(builder.transpose(every, (1, 0, 2), "batch_first"), signature.outputs, "head")
    return dense(builder.finish(builder.add(x, builder.parameter("head.bias", signature.outputs), "head.sum")))


def dense(builder: NetworkBuilder) -> ir.Model:
    """The finished network with every connection."""
    return builder.model({layer.name: np.ones(layer.shape, np.bool_) for layer in builder.layers})


def digits_70_30() -> Task:
    """Digits, 30 % for the test, which is the validation split as well: no epoch or network is chosen by it."""
    task = load_task("digits")
    whole = _joined([task.train, task.validation, task.test])
    order = np.random.default_rng(SPLIT_SEED).permutation(len(whole))
    cut = round(0.7 * len(order))
    train, test = (Split(x=whole.x[part], y=whole.y[part]) for part in (order[:cut], order[cut:]))
    return replace(task, train=train, validation=test, test=test)


def mnist_whole(name: str = "mnist", subset: int | None = None) -> Task:
    """All 60,000 training images (or `subset` of them, drawn once); the official 10,000 for the test, by which nothing is chosen."""
    task = load_task(name)
    whole = _joined([task.train, task.validation])
    if subset is not None:
        chosen = np.random.default_rng(SPLIT_SEED).permutation(len(whole))[:subset]
        whole = Split(x=whole.x[chosen], y=whole.y[chosen])
    return replace(task, train=whole, validation=task.test, test=task.test)


def _joined(splits: Sequence[Split]) -> Split:
    return Split(x=np.concatenate([split.x for split in splits]), y=np.concatenate([split.y for split in splits]))
