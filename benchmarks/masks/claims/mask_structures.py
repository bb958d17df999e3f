"""Claims about the structure of masks: what graph properties say of accuracy beyond size and density."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import RepeatedKFold, cross_val_score

import onnx_graph
import predictors
from benchmarks.support.mask_networks import digits_70_30
from nas import TrainingOptions, TrainingResult, train_population
from onnx_graph import masks
from predictors.features.matrix import matrix
from search_spaces import Candidate, MaskRecipe, create
from search_spaces.masks.spectrum import full_spectrum, imdb_gap, ramanujan_gap

NETWORKS = 240
OPTIONS = TrainingOptions(epochs=10, learning_rate=5e-3, schedule="constant")
PATTERNS = ("random", "expander", "ramanujan", "watts-strogatz", "barabasi-albert", "fixed-fan-in", "theme", "channel")
MARGIN = 0.05


def random_graph_wirings() -> tuple[str, str, bool, dict[str, Any]]:
    """Stier, Darji & Granitzer 2021: random-graph networks, accuracy from structure against accuracy from size alone."""
    task = digits_70_30()
    wirings = ("watts-strogatz", "barabasi-albert", "erdos-renyi", "theme")
    space = create("mlp", task.signature, wirings=wirings, max_nnz=1200, max_edits=0)
    rng = np.random.default_rng(11)
    models = [space.build(space.sample(rng)) for _ in range(NETWORKS // 2)]
    accuracies = _trained(models, 2)
    size = np.array([[math.log(count.nnz), math.log(count.params)] for count in map(onnx_graph.count, models)])
    structure = matrix([predictors.encode(model) for model in models])
    first, second = _explained(size, accuracies), _explained(structure, accuracies)
    text = (
        f"R² {second[0]:.3f} ± {second[1]:.3f} from structure, {first[0]:.3f} ± {first[1]:.3f} from size "
        f"({len(models)} networks, 2 trainings each)"
    )
    claim = f"random-graph networks: structure explains accuracy better than size alone, by R² of {MARGIN}"
    return claim, text, second[0] - first[0] >= MARGIN, {"structure": second, "size": first}


def spectral_gaps() -> tuple[str, str, bool, dict[str, Any]]:
    """Hoang et al. 2023: do the gaps of masks say more than the densities of the layers?"""
    models = _static_masks()
    accuracies = _trained(models, 1)
    rows = [list(masks(model).values()) for model in models]
    density = np.array([[math.log(max(mask.mean(), 1e-4)) for mask in row] for row in rows])
    rng = np.random.default_rng(3)
    spectrum = np.array(
        [np.concatenate([full_spectrum(m, m * rng.standard_normal(m.shape)) for m in row]) for row in rows]
    )
    gaps = {"gap": _mean_of(ramanujan_gap, rows), "IMDB": _mean_of(imdb_gap, rows), "density": density.mean(1)}
    ranks = {name: float(spearmanr(values, accuracies, nan_policy="omit").statistic) for name, values in gaps.items()}
    alone, both = _explained(density, accuracies), _explained(np.hstack([density, spectrum]), accuracies)
    text = (
        f"rank correlation: gap {ranks['gap']:.2f}, IMDB {ranks['IMDB']:.2f}, mean log density {ranks['density']:.2f}; "
        f"R² of densities {alone[0]:.3f} ± {alone[1]:.3f}, with spectra {both[0]:.3f} ± {both[1]:.3f}"
    )
    claim = f"the full spectrum adds to layer densities, by R² of {MARGIN} ({len(models)} static masks)"
    return claim, text, both[0] - alone[0] >= MARGIN, {"ranks": ranks, "densities": alone, "with_spectra": both}


def _static_masks() -> list[ir.Model]:
    """One architecture, 64-64-64-64-10; distributions, patterns and densities .03 to .3 at random."""
    space, rng = create("mlp", digits_70_30().signature), np.random.default_rng(12)
    architecture = {"wiring": "plain", "activation": "relu", "depth": 3, "width_1": 64, "width_2": 64, "width_3": 64}
    found = []
    for seed in range(NETWORKS):
        recipe = MaskRecipe(
            distribution=str(rng.choice(["uniform", "er", "erk"])),
            pattern=str(rng.choice(PATTERNS)),
            density=float(np.exp(rng.uniform(math.log(0.03), math.log(0.3)))),
            seed=seed,
        )
        found.append(space.build(Candidate(space="mlp", architecture=architecture, mask=recipe)))
    return found


def _trained(models: Sequence[ir.Model], repeats: int) -> NDArray[np.float64]:
    """Mean accuracy of so many trainings of each."""
    task, all_ = digits_70_30(), []
    for repeat in range(repeats):
        seeds = [1000 * repeat + index for index in range(len(models))]
        results = train_population(models, task, OPTIONS, seeds=seeds)
        all_.append([result.accuracy if isinstance(result, TrainingResult) else 0.1 for result in results])
    return np.mean(all_, axis=0)


def _explained(features: NDArray[Any], accuracies: NDArray[np.float64]) -> tuple[float, float]:
    """R² of a forest on rows that it has not seen: mean and deviation of 5 × 5 folds."""
    folds = RepeatedKFold(n_splits=5, n_repeats=5, random_state=0)
    forest = RandomForestRegressor(n_estimators=200, min_samples_leaf=2, random_state=0)
    scores = cross_val_score(forest, features, accuracies, cv=folds, scoring="r2").reshape(5, 5).mean(axis=1)
    return round(float(scores.mean()), 4), round(float(scores.std(ddof=1)), 4)


def _mean_of(measure: Any, rows: Sequence[Sequence[NDArray[np.bool_]]]) -> NDArray[np.float64]:
    """Mean over the layers in which the measure is defined."""
    table = np.array([[measure(mask) for mask in row] for row in rows])
    kept = np.isfinite(table)
    sums = np.where(kept, table, 0).sum(1)
    return np.where(kept.any(1), sums / np.maximum(kept.sum(1), 1), np.nan)
