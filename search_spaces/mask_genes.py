"""Genes of a mask recipe: distribution, pattern, density (or the used share of a budget), seed, options."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from search_spaces import genes
from search_spaces.candidate import Json, MaskRecipe
from search_spaces.genes import Gene
from search_spaces.masks.recipe import SHARE_GATES
from search_spaces.options import SpaceOptions
from search_spaces.space import TrialLike

PREFIX = "mask_"
"""Prefix of the name of every gene of a recipe; no gene of an architecture has it."""

N_M = ("1:2", "1:4", "2:4", "2:8", "4:8")
BLOCK_SIZES = (2, 4, 8)
SHARE_RANGE = (0.1, 10.0)
_MOST_SHARES = 8
"""Most layers with a density of their own; the distribution repeats the last density for the layers after them."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How many weights a recipe may keep.

    Attributes:
        free: weights that follow the recipe.
        fixed: further weights that are kept because the architecture prescribes them.
        limit: most weights that may be kept, `fixed` included.
        layers: number of layers that follow the recipe.
        gated: whether some of these layers have gates.
    """

    free: int
    fixed: int
    limit: int
    layers: int
    gated: bool


def suggest(trial: TrialLike, options: SpaceOptions, budget: Budget) -> MaskRecipe:
    """Ask for a recipe; it keeps at most ``limit - fixed`` weights for any answers of the trial."""
    distribution = genes.choice(trial, "mask_distribution", options.distributions)
    pattern = genes.choice(trial, "mask_pattern", options.patterns)
    if options.max_nnz is None:
        wanted = budget.free * trial.suggest_float(
            "mask_density", options.lowest_density, options.max_density, log=True
        )
    else:
        wanted = budget.limit * trial.suggest_float("mask_fill", options.min_fill, 1.0) - budget.fixed
    kept = max(1, min(round(wanted), budget.limit - budget.fixed, budget.free))
    chosen: dict[str, Json] = {}
    if distribution == "per-layer":
        chosen["densities"] = [
            trial.suggest_float(f"mask_share_{layer}", *SHARE_RANGE, log=True)
            for layer in range(1, min(budget.layers, _MOST_SHARES) + 1)
        ]
    if pattern in _PATTERN_OPTIONS:
        chosen |= _PATTERN_OPTIONS[pattern](trial)
    if budget.gated and not genes.flag(trial, "mask_share_gates"):
        chosen[SHARE_GATES] = False
    return MaskRecipe(
        distribution=distribution,
        pattern=pattern,
        density=kept / budget.free,
        seed=genes.seed(trial, "mask_seed"),
        options=chosen,
    )


def read(recipe: MaskRecipe, options: SpaceOptions, budget: Budget) -> dict[str, Gene]:
    """The genes from which `suggest` makes the same recipe again."""
    found: dict[str, Gene] = {
        "mask_distribution": recipe.distribution,
        "mask_pattern": recipe.pattern,
        "mask_seed": recipe.seed,
    }
    if options.max_nnz is None:
        found["mask_density"] = recipe.density
    else:
        found["mask_fill"] = min(1.0, (round(recipe.density * budget.free) + budget.fixed) / budget.limit)
    given = recipe.options
    densities = given.get("densities")
    if isinstance(densities, list):
        found |= {
            f"mask_share_{layer}": density for layer, density in enumerate(densities, 1) if isinstance(density, float)
        }
    if "n" in given and "m" in given:
        found["mask_n_m"] = f"{given['n']}:{given['m']}"
    for option, gene in _OPTION_GENES:
        value = given.get(option)
        if isinstance(value, (int, float)):
            found[gene] = value
    if budget.gated:
        found["mask_share_gates"] = bool(given.get(SHARE_GATES, True))
    return found


def _n_m(trial: TrialLike) -> dict[str, Json]:
    n, m = genes.choice(trial, "mask_n_m", N_M).split(":")
    return {"n": int(n), "m": int(m)}


def _block(trial: TrialLike) -> dict[str, Json]:
    return {"size": trial.suggest_categorical("mask_block_size", list(BLOCK_SIZES))}


def _watts_strogatz(trial: TrialLike) -> dict[str, Json]:
    return {"p": trial.suggest_float("mask_rewire", 0.0, 1.0)}


def _theme(trial: TrialLike) -> dict[str, Json]:
    return {
        "vertices": genes.integer(trial, "mask_theme_vertices", (4, 8)),
        "degree": genes.integer(trial, "mask_theme_degree", (1, 3)),
    }


_OPTION_GENES = (
    ("size", "mask_block_size"),
    ("p", "mask_rewire"),
    ("vertices", "mask_theme_vertices"),
    ("degree", "mask_theme_degree"),
)
_PATTERN_OPTIONS: Mapping[str, Callable[[TrialLike], dict[str, Json]]] = {
    "n:m": _n_m,
    "block": _block,
    "watts-strogatz": _watts_strogatz,
    "theme": _theme,
}
