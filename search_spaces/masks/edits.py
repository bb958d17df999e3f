"""Mask edits: small changes that a search makes to masks after their recipe.

Looked up by name in `EDITS`, to which other packages add through the entry points ``search_spaces.edits``. An edit is
``function(masks, layers, seed, **arguments)`` → the changed masks, where `masks` and `layers` are by name. Its keyword-only
parameters are the names allowed in a `MaskEdit`'s arguments. An edit that names a layer which is not there does nothing: a
candidate may get it by crossover from one that had the layer.

A space draws the edits of its option ``edits`` (all built-in ones). An edit of another package is drawn without arguments,
or with those that its attribute ``draw_arguments(masks, layers, rng)`` returns; None there means that it fits no mask.

Edits move single connections (swaps: units). Blocks, and groups of N:M, do not survive all of them; `swap-rows`
keeps N:M.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from onnx_graph import Registry
from search_spaces.candidate import Json, MaskEdit
from search_spaces.errors import InvalidOptionError, InvalidPluginError, UnknownNameError
from search_spaces.masks.keywords import check_names, keywords
from search_spaces.masks.layer import Mask, MaskLayer
from search_spaces.masks.option_checks import require_seed

T = TypeVar("T")


def _fault(found: Any, name: str) -> str:
    if not callable(found):
        return "it must be a function"
    needed = [name for name, needed in keywords(found).items() if needed]
    if needed and not callable(getattr(found, "draw_arguments", None)):
        return f"it needs {', '.join(needed)}, so it must have an attribute draw_arguments"
    return ""


EDITS: Registry[Callable[..., dict[str, Mask]]] = Registry(
    "mask edit",
    {
        "rewire": "search_spaces.masks.rewire:rewire",
        "move-density": "search_spaces.masks.move_density:move_density",
        "swap-rows": "search_spaces.masks.swap_units:swap_rows",
        "swap-columns": "search_spaces.masks.swap_units:swap_columns",
    },
    "search_spaces.edits",
    fault=_fault,
    unknown=UnknownNameError,
    broken=InvalidPluginError,
)


def apply(edits: Sequence[MaskEdit], masks: Mapping[str, Mask], layers: Sequence[MaskLayer]) -> dict[str, Mask]:
    """The masks after all edits, in order, as a new dict; masks that no edit changes are the same arrays.

    Raises:
        UnknownNameError: no such edit.
        InvalidOptionError: an argument that is missing, unknown or out of range; a mask that does not fit its layer.
    """
    by_name = {layer.name: layer for layer in layers}
    known = {name: mask for name, mask in masks.items() if name in by_name}
    for name, mask in known.items() if edits else ():
        if mask.shape != by_name[name].shape:
            raise InvalidOptionError(
                f"mask of layer {name!r} has shape {mask.shape}; the layer's is {by_name[name].shape}"
            )
    for edit in edits:
        operator = EDITS.load(edit.operator)
        check_names(f"mask edit {edit.operator!r}", edit.arguments, keywords(operator))
        require_seed(f"seed of mask edit {edit.operator!r}", edit.seed)
        known |= operator(known, by_name, edit.seed, **edit.arguments)
    return {**masks, **known}


def check(edits: Sequence[MaskEdit]) -> None:
    """Raise what `apply` would for wrong names and arguments."""
    apply(edits, {}, ())


def random_edit(
    masks: Mapping[str, Mask],
    layers: Sequence[MaskLayer],
    rng: np.random.Generator,
    *,
    operators: Sequence[str] | None = None,
) -> MaskEdit | None:
    """A random edit of those that the masks leave room for; None where none of them does.

    The operator is uniform; fractions, and shares of units to swap, are log-uniform from 0.02 to 0.5. In a dense network
    ``rewire`` has no effect.

    Args:
        masks: by name of the layer.
        layers: of the network.
        rng: draws operator, arguments and seed.
        operators: names that may be drawn; None: all built-in ones.
    """
    allowed = tuple(EDITS.builtins) if operators is None else operators
    drawn = _builtin_arguments(masks, layers, rng)
    by_name = {layer.name: layer for layer in layers}
    for name in allowed:
        if name not in drawn:
            draw_arguments = getattr(EDITS.load(name), "draw_arguments", None)
            drawn[name] = {} if draw_arguments is None else draw_arguments(masks, by_name, rng)
    fitting = [name for name, arguments in drawn.items() if arguments is not None and name in allowed]
    if not fitting:
        return None
    operator = _one(fitting, rng)
    return MaskEdit(operator=operator, arguments=drawn[operator] or {}, seed=int(rng.integers(2**31)))


def _builtin_arguments(
    masks: Mapping[str, Mask], layers: Sequence[MaskLayer], rng: np.random.Generator
) -> dict[str, dict[str, Json] | None]:
    """Arguments of every built-in edit; all are drawn, so that the generator does not depend on which may be used."""
    present = [layer for layer in layers if layer.name in masks]
    if not present:
        raise InvalidOptionError("there is no masked layer to edit; give the layers whose masks were drawn")
    nnz = {layer.name: int(np.count_nonzero(masks[layer.name])) for layer in present}
    sparse = [layer for layer in present if 0 < nnz[layer.name] < layer.size]
    return {
        "rewire": _rewire_arguments(sparse, rng),
        "move-density": _move_arguments(present, nnz, rng),
        "swap-rows": _swap_arguments({layer.name: layer.shape[0] // layer.gates for layer in sparse}, rng),
        "swap-columns": _swap_arguments({layer.name: layer.shape[1] for layer in sparse}, rng),
    }


def _rewire_arguments(sparse: Sequence[MaskLayer], rng: np.random.Generator) -> dict[str, Json]:
    """All layers or one of them, all alike likely."""
    name = _one([None, *(layer.name for layer in sparse)], rng)
    return {"fraction": _fraction(rng)} | ({} if name is None else {"layer": name})


def _move_arguments(
    layers: Sequence[MaskLayer], nnz: Mapping[str, int], rng: np.random.Generator
) -> dict[str, Json] | None:
    """None where no layer can give or none can take."""
    targets = [layer.name for layer in layers if nnz[layer.name] < layer.size]
    if not targets:
        return None
    target = _one(targets, rng)
    sources = [layer.name for layer in layers if nnz[layer.name] > 1 and layer.name != target]
    return {"source": _one(sources, rng), "target": target, "fraction": _fraction(rng)} if sources else None


def _swap_arguments(units: Mapping[str, int], rng: np.random.Generator) -> dict[str, Json] | None:
    """None where no layer has two units."""
    names = [name for name, count in units.items() if count > 1]
    if not names:
        return None
    name = _one(names, rng)
    return {"layer": name, "count": max(1, round(_fraction(rng) * units[name] / 2))}


def _one(choices: Sequence[T], rng: np.random.Generator) -> T:
    return choices[int(rng.integers(len(choices)))]


def _fraction(rng: np.random.Generator) -> float:
    return round(math.exp(rng.uniform(math.log(0.02), math.log(0.5))), 3)
