"""The vmap rules for images equal those of torch: stacked or shared operands, nested transforms, gradients."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from nas.importer import stacking


def _draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


X, W, DEPTHWISE, B = _draw(5, 3, 4, 7, 8), _draw(5, 6, 4, 3, 3), _draw(5, 4, 1, 3, 3), _draw(5, 6)


def _conv(module, groups=1):
    return lambda x, w, b=None: module.conv2d(x, w, b, (2, 1), 1, 1, groups)


CASES = [
    ("all stacked", _conv, (X, W, B), (0, 0, 0)),
    ("x shared", _conv, (X[0], W, B), (None, 0, 0)),
    ("w and b shared", _conv, (X, W[0], B[0]), (0, None, None)),
    ("b shared", _conv, (X, W, B[0]), (0, 0, None)),
    ("stacked elsewhere", _conv, (X.movedim(0, 2), W.movedim(0, 4)), (2, 4)),
    ("depthwise", lambda module: _conv(module, 4), (X, DEPTHWISE), (0, 0)),
    ("depthwise, x shared", lambda module: _conv(module, 4), (X[0], DEPTHWISE), (None, 0)),
    ("max pool", lambda module: lambda x: module.max_pool2d(x, 3, 2, 1, 1), (X,), (0,)),
    ("average pool", lambda module: lambda x: module.avg_pool2d(x, 3, 2, 1, count_include_pad=False), (X,), (0,)),
]


@pytest.mark.parametrize(
    ("function", "operands", "dims"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_rule_equals_that_of_torch(function, operands, dims) -> None:
    leaves = [operand.clone().requires_grad_() for operand in operands]
    found = stacking.vmap(function(stacking), dims)(*leaves)
    expected = torch.func.vmap(function(functional), dims)(*leaves)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    for mine, theirs in zip(*(torch.autograd.grad(y.square().sum(), leaves) for y in (found, expected)), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-3)


def test_batch_norm_rule_equals_single_networks() -> None:
    x, scale, shift = (value.clone().requires_grad_() for value in (X, _draw(5, 4, seed=1), _draw(5, 4, seed=2)))
    y, mean, inverse = stacking.vmap(lambda x, s, b: stacking.batch_norm(x, s, b, 0.1))(x, scale, shift)
    singles = [functional.batch_norm(x[i], None, None, scale[i], shift[i], True, 0.0, 0.1) for i in range(5)]
    torch.testing.assert_close(y, torch.stack(singles), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(mean, x.mean((1, 3, 4)), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(inverse, (x.var((1, 3, 4), correction=0) + 0.1).rsqrt(), rtol=1e-4, atol=1e-5)
    leaves = [x, scale, shift]
    expected = torch.autograd.grad(torch.stack(singles).pow(3).sum(), leaves)
    for mine, theirs in zip(torch.autograd.grad(y.pow(3).sum(), leaves), expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-3)


def test_nested_vmap_equals_that_of_torch() -> None:
    x, w = _draw(2, 5, 3, 4, 7, 8), _draw(2, 5, 6, 4, 3, 3)
    found = stacking.vmap(stacking.vmap(_conv(stacking)))(x, w)
    expected = torch.func.vmap(torch.func.vmap(_conv(functional)))(x, w)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_gradient_is_the_same_inside_and_outside_of_vmap() -> None:
    def loss(w, x):
        y, _, _ = stacking.batch_norm(stacking.conv2d(x, w, None, 1, 1, 1), torch.ones(6), torch.zeros(6), 1e-5)
        return stacking.max_pool2d(y, 2, 2, 0, 1).pow(3).sum()

    w = W.clone().requires_grad_()
    (outside,) = torch.autograd.grad(stacking.vmap(loss)(w, X).sum(), w)
    inside = torch.func.vmap(torch.func.grad(loss))(W, X)
    around = torch.func.grad(lambda w: stacking.vmap(loss)(w, X).sum())(W)
    torch.testing.assert_close(inside, outside, rtol=1e-3, atol=1e-2)
    torch.testing.assert_close(around, outside, rtol=1e-3, atol=1e-2)


def test_the_rules_are_used_under_our_vmap_alone(monkeypatch) -> None:
    used = []
    rule = stacking._Convolution.vmap
    monkeypatch.setattr(stacking._Convolution, "vmap", staticmethod(lambda *args: used.append(1) or rule(*args)))
    _conv(stacking)(X[0], W[0])
    torch.func.vmap(_conv(stacking))(X, W)
    assert used == []
    stacking.vmap(_conv(stacking))(X, W)
    assert used == [1]


def test_after_an_error_under_vmap_the_functions_are_those_of_torch_again() -> None:
    with pytest.raises(RuntimeError):
        stacking.vmap(_conv(stacking))(X, W[:, :, :3])
    torch.testing.assert_close(_conv(stacking)(X[0], W[0]), _conv(functional)(X[0], W[0]))
