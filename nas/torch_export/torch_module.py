"""Turns a PyTorch module into an ONNX graph with `torch.onnx.export`."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import onnx_ir as ir
import torch
from torch import nn
from torch.nn.utils import parametrize, prune, remove_spectral_norm, remove_weight_norm

from nas.errors import UnsupportedModuleError, UsageError
from nas.torch_export.exported_graph import tidy

# The lowest opset that the exporter writes without conversion; onnxruntime and the importer also read newer ones.
_OPSET = 18


def from_torch(module: nn.Module, example_input: torch.Tensor) -> ir.Model:
    """Turn a module in evaluation mode into a graph with its weights and a free batch axis ``N``.

    Weights that `torch.nn.utils.prune`, `weight_norm`, `spectral_norm` or `parametrize` compute become constants with
    their present values. Batch normalisation stays a separate node. The module itself is not changed.

    The many warnings and log messages of `torch.onnx.export` reach the caller's handlers unfiltered.

    Args:
        module: module that takes one tensor; the first output of the graph is its output, or the first of several.
        example_input: a batch of examples along the first axis; all other sizes become fixed.

    Raises:
        UsageError: `module` is not a module, or it cannot run on `example_input`.
        UnsupportedModuleError: the module cannot be exported, for example because its flow depends on data.
    """
    if not isinstance(module, nn.Module) or not isinstance(example_input, torch.Tensor):
        got = f"{type(module).__name__} and {type(example_input).__name__}"
        raise UsageError(f"from_torch needs a torch.nn.Module and an example tensor, got {got}")
    if example_input.dim() < 1 or len(example_input) == 0:
        raise UsageError(
            f"example_input must be a batch of at least one example, got shape {tuple(example_input.shape)}"
        )
    frozen = _frozen_copy(module)
    example = example_input.detach().cpu()
    # The exporter treats an axis of size 1 as fixed.
    example = torch.cat([example, example]) if len(example) == 1 else example
    _check_runs(frozen, example, module)
    return tidy(_export(frozen, example, module))


def _frozen_copy(module: nn.Module) -> nn.Module:
    """A copy on the CPU, in evaluation mode, with computed weights as constants."""
    with _leaves_only(module):
        frozen = copy.deepcopy(module).cpu().eval()
    for part in frozen.modules():
        _bake(part)
        if parametrize.is_parametrized(part):
            _own_class(part)
            for name in list(part.parametrizations):  # type: ignore[arg-type]
                parametrize.remove_parametrizations(part, name, leave_parametrized=True)
    for parameter in frozen.parameters():
        parameter.requires_grad_(False)
    return frozen


def _bake(part: nn.Module) -> None:
    """Replace weights of pruning, spectral norm and weight norm, which are computed before each call, by their values."""
    own = {name for name, _ in (*part.named_parameters(recurse=False), *part.named_buffers(recurse=False))}
    for first, second, remove in (
        ("_orig", "_mask", prune.remove),
        ("_orig", "_u", remove_spectral_norm),
        ("_g", "_v", remove_weight_norm),
    ):
        for name in [one.removesuffix(first) for one in own if one.endswith(first)]:
            if name + second in own:
                with suppress(ValueError):  # the user's own parameters may have such names by chance
                    remove(part, name)


def _own_class(part: nn.Module) -> None:
    """Give this module its own class: parametrised weights are properties of a class, which a copy shares with its original."""
    shared = type(part)
    own = {name: value for name, value in vars(shared).items() if name not in ("__dict__", "__weakref__")}
    part.__class__ = type(shared.__name__, shared.__bases__, own)


@contextmanager
def _leaves_only(module: nn.Module) -> Iterator[None]:
    """Make `module` copyable: weights computed by hooks are results of autograd and cannot be copied."""
    computed = [
        (part, name, value)
        for part in module.modules()
        for name, value in vars(part).items()
        if isinstance(value, torch.Tensor) and not value.is_leaf
    ]
    for part, name, value in computed:
        vars(part)[name] = value.detach()
    try:
        yield
    finally:
        for part, name, value in computed:
            vars(part)[name] = value


def _check_runs(frozen: nn.Module, example: torch.Tensor, module: nn.Module) -> None:
    try:
        with torch.no_grad():
            output = frozen(example)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        shape = tuple(example.shape)
        raise UsageError(
            f"{type(module).__name__} cannot run on an example of shape {shape}, {example.dtype}: {error}"
        ) from error
    first = output[0] if isinstance(output, tuple | list) and output else output
    if not isinstance(first, torch.Tensor):
        raise UsageError(
            f"{type(module).__name__} must return a tensor, or several in a tuple, got {type(output).__name__}"
        )


def _export(frozen: nn.Module, example: torch.Tensor, module: nn.Module) -> ir.Model:
    """Export without the exporter's own optimisation, which would merge batch normalisation into convolutions."""
    try:
        program = torch.onnx.export(
            frozen,
            (example,),
            dynamo=True,
            optimize=False,
            verbose=False,
            opset_version=_OPSET,
            dynamic_shapes=({0: torch.export.Dim.DYNAMIC},),
        )
    except torch.onnx.OnnxExporterError as error:
        reason = _reason(error)
        raise UnsupportedModuleError(
            f"{type(module).__name__} cannot become a graph: {reason}; its flow and shapes must not depend on the data, "
            f"nor its code on the batch size"
        ) from error
    if program is None:
        raise UnsupportedModuleError(f"{type(module).__name__} cannot become a graph: the exporter gave no program")
    return program.model


def _reason(error: BaseException) -> str:
    """The first line of the innermost error; the outer errors are the exporter's advice."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300].rstrip(".")
