"""Mask recipes: a distribution says how many connections every layer keeps, a pattern says which.

Both are looked up by name, in `DISTRIBUTIONS` and `PATTERNS`, to which other packages add through the entry points
``search_spaces.distributions`` and ``search_spaces.patterns``. Their keyword-only parameters are the names allowed in a
recipe's options, besides ``share_gates`` (default true: all gates of a recurrent layer have one structure).

A distribution is ``function(layers, **options)`` → relative densities > 0, float64 ``(layers,)``.
A pattern is ``function(layer, nnz, rng, **options)`` → bool mask of the layer's shape with `nnz` True; `layer` has one
gate there. A pattern that cannot fill every layer has a function of the same name in `CAPACITIES` as well (entry points
``search_spaces.capacities``): ``function(layer, **options)`` → the most connections that it can place.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from onnx_graph import Builtin, Registry
from search_spaces.candidate import MaskRecipe
from search_spaces.errors import InvalidOptionError, InvalidPluginError, UnknownNameError
from search_spaces.masks.allocation import allocate
from search_spaces.masks.gates import place
from search_spaces.masks.keywords import check_names, keywords
from search_spaces.masks.layer import Mask, MaskLayer
from search_spaces.masks.option_checks import require, require_fraction, require_seed
from search_spaces.masks.streams import stream


def _fault(found: Any, name: str) -> str:
    return "" if callable(found) else "it must be a function"


DISTRIBUTIONS: Registry[Callable[..., Any]] = Registry(
    "distribution",
    {
        "uniform": "search_spaces.masks.uniform:uniform",
        "er": "search_spaces.masks.erdos_renyi:erdos_renyi",
        "erk": "search_spaces.masks.erk:erk",
        "per-layer": "search_spaces.masks.per_layer:per_layer",
    },
    "search_spaces.distributions",
    fault=_fault,
    unknown=UnknownNameError,
    broken=InvalidPluginError,
)
PATTERNS: Registry[Callable[..., Any]] = Registry(
    "pattern",
    {
        "random": "search_spaces.masks.random_pattern:random",
        "watts-strogatz": "search_spaces.masks.watts_strogatz:watts_strogatz",
        "barabasi-albert": "search_spaces.masks.barabasi_albert:barabasi_albert",
        "erdos-renyi": "search_spaces.masks.erdos_renyi_graph:erdos_renyi_graph",
        "expander": "search_spaces.masks.expander:expander",
        "ramanujan": "search_spaces.masks.ramanujan:ramanujan",
        "full-spectrum": "search_spaces.masks.full_spectrum:full_spectrum",
        "theme": "search_spaces.masks.theme:theme",
        "fixed-fan-in": "search_spaces.masks.fixed_fan_in:fixed_fan_in",
        "block": "search_spaces.masks.block:block",
        "n:m": "search_spaces.masks.n_m:n_m",
        "channel": "search_spaces.masks.channel:channel",
    },
    "search_spaces.patterns",
    fault=_fault,
    unknown=UnknownNameError,
    broken=InvalidPluginError,
)
CAPACITIES: Registry[Callable[..., int]] = Registry(
    "capacity of a pattern",
    {"n:m": Builtin("search_spaces.masks.n_m:capacity", told_by="search_spaces.masks.n_m:capacity")},
    "search_spaces.capacities",
    fault=_fault,
    unknown=UnknownNameError,
    broken=InvalidPluginError,
)

SHARE_GATES = "share_gates"


def draw(recipe: MaskRecipe, layers: Sequence[MaskLayer]) -> dict[str, Mask]:
    """The mask of every layer by name, in canonical orientation, True = kept.

    A layer's mask depends on the recipe, the layer and its count of non-zeros alone, so that it stays as it is while
    other layers change without changing its count. The counts are those of `counts`.

    Raises:
        InvalidOptionError: see `check`; or two layers of one name.
        UnknownNameError: see `check`.
    """
    nnz = counts(recipe, layers)
    pattern, options = PATTERNS.load(recipe.pattern), _options_of(PATTERNS, recipe.pattern, recipe)
    shared = bool(recipe.options.get(SHARE_GATES, True))
    return {
        layer.name: place(
            pattern, layer, nnz[layer.name], stream(recipe.seed, layer.name), share_gates=shared, options=options
        )
        for layer in layers
    }


def counts(recipe: MaskRecipe, layers: Sequence[MaskLayer]) -> dict[str, int]:
    """Non-zeros of every layer by name; their sum is round(density · weights), or what the pattern can hold if less.

    No layer gets 0 where the sum allows one each.
    """
    check(recipe)
    names = [layer.name for layer in layers]
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise InvalidOptionError(
            f"layers named {', '.join(map(repr, twice))} come twice; give every layer its own name"
        )
    sizes = [layer.size for layer in layers]
    capacities = _capacity(recipe, layers)
    total = min(round(recipe.density * sum(sizes)), sum(capacities))
    shares = DISTRIBUTIONS.load(recipe.distribution)(layers, **_options_of(DISTRIBUTIONS, recipe.distribution, recipe))
    return dict(zip(names, allocate(shares, sizes, capacities, total), strict=True))


def check(recipe: MaskRecipe) -> None:
    """Raise before anything is drawn if `recipe` is wrong.

    Raises:
        UnknownNameError: no such distribution or pattern.
        InvalidOptionError: density, seed, or an option that is unknown to both or out of range.
    """
    known = accepted_options(recipe.distribution, recipe.pattern)
    require_fraction("density of the mask recipe", recipe.density)
    require_seed("seed of the mask recipe", recipe.seed)
    if not isinstance(recipe.options, Mapping):
        raise InvalidOptionError(f"options of the mask recipe are {recipe.options!r}; give names with values")
    place = f"mask recipe of distribution {recipe.distribution!r} and pattern {recipe.pattern!r}"
    check_names(place, recipe.options, known)
    shared = recipe.options.get(SHARE_GATES, True)
    require(isinstance(shared, bool), f"option {SHARE_GATES!r} of the mask recipe", shared, "true or false")
    # Distribution and pattern check their own values, so they are asked for a network of one weight.
    probe = MaskLayer(name="probe", shape=(1, 1))
    DISTRIBUTIONS.load(recipe.distribution)([probe], **_options_of(DISTRIBUTIONS, recipe.distribution, recipe))
    PATTERNS.load(recipe.pattern)(probe, 1, stream(0, "probe"), **_options_of(PATTERNS, recipe.pattern, recipe))


def accepted_options(distribution: str, pattern: str) -> Mapping[str, bool]:
    """Names allowed in the options of a recipe of these two, True where one must be given."""
    known = {**keywords(DISTRIBUTIONS.load(distribution)), **keywords(PATTERNS.load(pattern))}
    return {**known, SHARE_GATES: False}


def _options_of(registry: Registry[Callable[..., Any]], name: str, recipe: MaskRecipe) -> dict[str, Any]:
    """The recipe's options that concern `name`."""
    own = keywords(registry.load(name))
    return {option: value for option, value in recipe.options.items() if option in own}


def _capacity(recipe: MaskRecipe, layers: Sequence[MaskLayer]) -> list[int]:
    """The most non-zeros that the pattern can place in every layer."""
    if recipe.pattern not in CAPACITIES:
        return [layer.size for layer in layers]
    options = _options_of(CAPACITIES, recipe.pattern, recipe)
    capacity = CAPACITIES.load(recipe.pattern)
    return [capacity(layer, **options) for layer in layers]
