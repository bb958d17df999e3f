"""Normalisation by the statistics of a batch, a layer, a group, an instance or neighbouring channels."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

from nas.importer.node import Kernel, Node, Stateful
from nas.importer.stacking import batch_norm


def _across(vector: Tensor, x: Tensor) -> Tensor:
    """A vector over the channels, shaped to broadcast over ``(N, C, *spatial)``."""
    return vector.reshape(-1, *(1,) * (x.dim() - 2))


def _batch_normalization(node: Node) -> Kernel:
    """Uses running statistics at inference and batch statistics in training; the ONNX momentum is the weight of the old value."""
    epsilon, momentum = node.number("epsilon", 1e-5), node.number("momentum", 0.9)
    if node.integer("training_mode"):
        raise node.refuse("training_mode=1 normalises by the batch at inference")
    if node.integer("spatial", 1) != 1:
        raise node.refuse("spatial=0 is not implemented")

    def run(x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        return functional.batch_norm(x, mean, variance, scale, bias, False, 0.0, epsilon)

    def train(x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        y, mu, inverse = batch_norm(x, scale, bias, epsilon)
        var = inverse.detach().square().reciprocal() - epsilon
        return y, torch.lerp(mu.detach(), mean, momentum), torch.lerp(var, variance, momentum)

    return Stateful(run, train, (3, 4))


def _layer_normalization(node: Node) -> Kernel:
    """Layer normalisation over all axes from `axis` on."""
    axis, epsilon = node.integer("axis", -1), node.number("epsilon", 1e-5)

    def run(x: Tensor, scale: Tensor, bias: Tensor | None = None) -> Tensor:
        shape = x.shape[axis:]
        if scale.shape == shape and (bias is None or bias.shape == shape):
            return functional.layer_norm(x, shape, scale, bias, epsilon)
        y = functional.layer_norm(x, shape, None, None, epsilon) * scale
        return y if bias is None else y + bias

    return run


def _rms_normalization(node: Node) -> Kernel:
    axis, epsilon = node.integer("axis", -1), node.number("epsilon", 1e-5)

    def run(x: Tensor, scale: Tensor) -> Tensor:
        first = axis + x.dim() if axis < 0 else axis
        power = x.square().mean(tuple(range(first, x.dim())), keepdim=True)
        return x * torch.rsqrt(power + epsilon) * scale

    return run


def _standardise(x: Tensor, axes: tuple[int, ...], epsilon: float) -> Tensor:
    var, mean = torch.var_mean(x, axes, correction=0, keepdim=True)
    return (x - mean) * torch.rsqrt(var + epsilon)


def _instance_normalization(node: Node) -> Kernel:
    epsilon = node.number("epsilon", 1e-5)

    def run(x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
        return _standardise(x, tuple(range(2, x.dim())), epsilon) * _across(scale, x) + _across(bias, x)

    return run


def _group_normalization(node: Node) -> Kernel:
    """Group normalisation: scale and bias have one number per group in opset 18, one per channel since 21."""
    groups, epsilon, by_group = node.integer("num_groups"), node.number("epsilon", 1e-5), node.version < 21

    def run(x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
        grouped = x.reshape(x.shape[0], groups, -1)
        y = _standardise(grouped, (2,), epsilon)
        if by_group:
            return (y * scale.reshape(-1, 1) + bias.reshape(-1, 1)).reshape(x.shape)
        return y.reshape(x.shape) * _across(scale, x) + _across(bias, x)

    return run


def _lrn(node: Node) -> Kernel:
    """Local response normalisation over `size` channels; torch's own function has another window for an even size."""
    size, alpha, beta, bias = (
        node.integer("size"),
        node.number("alpha", 1e-4),
        node.number("beta", 0.75),
        node.number("bias", 1.0),
    )
    before, after = (size - 1) // 2, size // 2

    def run(x: Tensor) -> Tensor:
        squares = functional.pad(x.square(), [0, 0] * (x.dim() - 2) + [before, after])
        channels = x.shape[1]
        total = sum(squares.narrow(1, shift, channels) for shift in range(size))
        return x / (bias + alpha / size * total) ** beta

    return run


def _lp_normalization(node: Node) -> Kernel:
    axis, p = node.integer("axis", -1), node.integer("p", 2)

    def run(x: Tensor) -> Tensor:
        norm = x.abs().sum(axis, keepdim=True) if p == 1 else x.square().sum(axis, keepdim=True).sqrt()
        # A zero vector stays zero.
        return x / torch.where(norm == 0, torch.ones_like(norm), norm)

    return run


def _mean_variance_normalization(node: Node) -> Kernel:
    axes = node.ints("axes") or (0, 2, 3)

    def run(x: Tensor) -> Tensor:
        var, mean = torch.var_mean(x, axes, correction=0, keepdim=True)
        return (x - mean) / (var.sqrt() + 1e-9)

    return run


NORMALISATION: Mapping[str, Callable[[Node], Kernel]] = {
    "BatchNormalization": _batch_normalization,
    "GroupNormalization": _group_normalization,
    "InstanceNormalization": _instance_normalization,
    "LRN": _lrn,
    "LayerNormalization": _layer_normalization,
    "LpNormalization": _lp_normalization,
    "MeanVarianceNormalization": _mean_variance_normalization,
    "RMSNormalization": _rms_normalization,
}
