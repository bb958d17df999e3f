"""Does pretraining on structures without labels help the graph network, alone and in an ensemble?

A graph network is first trained to predict properties that can be computed for any structure (effective connections, paths, reach,
live widths, spectra) from units and operators only; the features of the whole graph are hidden from it. The networks of this step
are drawn at random and never trained. Then the graph network is fitted on a few labelled networks of the corpus, from these weights
or from random ones, with the same options and epochs. The measure is Kendall's τ inside (domain, density band) cells on all other
networks of the domain; "stack" is the mean of ranks with the Gaussian process and the forest, which need no pretraining.

Usage: python -m benchmarks.predictors.label_free_pretraining [--domains NAME ...] [--seeds N] [--quick] [--print]
"""

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import mean, stdev
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.stats import rankdata
from torch import nn

from benchmarks.support import encoding_cache
from benchmarks.support.corpus_graphs import corpus_graphs
from benchmarks.support.places import CORPUS, RESULTS
from nas import Corpus
from nas.corpus import splits
from nas.corpus.shard_plan import Spaces, candidates
from predictors import StructureGraph, create, encode
from predictors.calibration import ranking
from predictors.calibration.target import to_target
from predictors.features.matrix import summary_column
from predictors.models.gnn import gnn
from predictors.models.gnn.gnn import GNNPredictor, Scaling
from predictors.models.gnn.message_passing import Batch, StructureNetwork, state_arrays

STORED = RESULTS / "label_free_pretraining.json"
LABELS = (30, 100)
FRESH = 100_000
"""Number of the first shard that is drawn for pretraining; the corpus has no shard with such a number."""
STEPS, BATCH = 1500, 64
LEFT = ("head.4", "summary")
"""Parameters that start from random values: the last layer, and the layers that read the features that were hidden."""
TARGETS = (
    *("log_nnz", "log_effective_nnz", "effective_share", "effective_density", "log_sparse_macs", "log_params"),
    *("log_live_min", "log_live_mean", "log_live_max", "log_width_min", "log_width_mean"),
    *("input_coverage", "path_fraction", "log_paths", "output_reach_min", "output_participation", "output_fan_in_min"),
    *("output_fan_in_mean", "path_sigma2", "path_stable_rank", "density_min", "density_mean", "density_std"),
)
Floats = NDArray[np.float64]


class Pretrained(GNNPredictor):
    """The graph network with weights to start from, all but those of its last layer."""

    def __init__(self, start: Mapping[str, NDArray[np.float32]], scaling: Scaling) -> None:
        """`start` holds the weights by parameter; nodes and units are scaled as in the pretraining."""
        super().__init__()
        self._start, self._before = start, scaling

    def _new_scaling(self, graphs: Sequence[StructureGraph], targets: Floats) -> Scaling:
        same = {
            f"{name}_{part}": getattr(self._before, f"{name}_{part}")
            for name in ("node", "unit")
            for part in ("centre", "spread")
        }
        return replace(super()._new_scaling(graphs, targets), **same)

    def _network(self, seed: int, scaling: Scaling) -> StructureNetwork:
        network = super()._network(seed, scaling)
        state = {name: torch.from_numpy(value) for name, value in self._start.items()}
        missing = network.load_state_dict(state, strict=False)
        if missing.unexpected_keys or not all(name.startswith(LEFT) for name in missing.missing_keys):
            raise RuntimeError(f"the pretrained weights are not those of the graph network: {missing}")
        return network


def pretrained(graphs: Sequence[StructureGraph], steps: int, seed: int) -> tuple[Pretrained, dict[str, float]]:
    """A network that predicts `TARGETS`, and the share of their variance that it explains on a held-out tenth of the structures."""
    table = np.stack([summary_column(graphs, name) for name in TARGETS], axis=1)
    table = table[:, table.std(axis=0) > 1e-6]
    scaled = ((table - table.mean(axis=0)) / table.std(axis=0)).astype(np.float32)
    plain = GNNPredictor()
    scaling = plain._new_scaling(graphs, table[:, 0])
    network = plain._network(seed, scaling)
    network.head[-1] = nn.Linear(plain.options.hidden, scaled.shape[1])
    order = np.random.default_rng(seed).permutation(len(graphs))
    held, rest = order[: len(graphs) // 10], order[len(graphs) // 10 :]
    parts = [rest[start : start + BATCH] for start in range(0, len(rest), BATCH)]
    _train(network, [(_batch(graphs, part, scaling), torch.from_numpy(scaled[part])) for part in parts], steps, seed)
    with torch.inference_mode():
        said = network.outputs(_batch(graphs, held, scaling)).numpy()
    # Relative to the variance of all structures, which is 1, since a target may hardly vary among the few held-out ones.
    explained = 1 - ((said - scaled[held]) ** 2).mean(axis=0)
    start = {name: value for name, value in state_arrays(network).items() if not name.startswith(LEFT)}
    return Pretrained(start, scaling), {"r2_least": float(explained.min()), "r2_mean": float(explained.mean())}


def _batch(graphs: Sequence[StructureGraph], rows: NDArray[np.int64], scaling: Scaling) -> Batch:
    """Some of the graphs, without the features of the whole graph."""
    batch = Batch.of(gnn._batch([graphs[row] for row in rows], scaling))
    return replace(batch, summary=torch.zeros_like(batch.summary))


def _train(network: StructureNetwork, batches: Sequence[tuple[Batch, torch.Tensor]], steps: int, seed: int) -> None:
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=5e-3, total_steps=steps)
    order: list[int] = []
    rng = np.random.default_rng(seed)
    network.train()
    for _ in range(steps):
        order = order or rng.permutation(len(batches)).tolist()
        batch, targets = batches[order.pop()]
        optimizer.zero_grad()
        nn.functional.mse_loss(network.outputs(batch), targets).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    network.eval()


def judge(
    corpus: Corpus, graphs: Sequence[StructureGraph], start: Pretrained, labels: int, seed: int
) -> dict[str, float]:
    """τ inside cells of every row of the table, for one division."""
    division = splits.random_division(corpus, labels, seed)
    fitted, judged = division.fitted.tolist(), division.judged.tolist()
    own, others = [graphs[row] for row in fitted], [graphs[row] for row in judged]
    targets = to_target(corpus.accuracies[fitted])
    warm = Pretrained(start._start, start._before)
    said = {
        name: predictor.fit_targets(own, targets, seed=seed).predict_targets(others).mean
        for name, predictor in {
            "gnn": GNNPredictor(),
            "gnn, pretrained": warm,
            "gp": create("gp"),
            "forest": create("forest"),
        }.items()
    }
    ranks = {name: rankdata(values) for name, values in said.items()}
    rest = ranks["gp"] + ranks["forest"]
    said |= {"stack": rest + ranks["gnn"], "stack, pretrained": rest + ranks["gnn, pretrained"]}
    cells = [corpus.cells[row] for row in judged]
    measured = corpus.accuracies[judged]
    return {name: ranking.kendall_inside(measured, values, cells) for name, values in said.items()}


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--domains", nargs="+", default=["mlp-digits", "cnn-digits", "rnn-reber"])
    parser.add_argument("--shards", type=int, default=40, help="of 64 structures each to pretrain on")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=STEPS, help="of pretraining")
    parser.add_argument("--quick", action="store_true", help="a smoke test")
    parser.add_argument("--print", action="store_true", help="compute nothing, print the stored table")
    args = parser.parse_args()
    path = STORED.with_name("label_free_pretraining_quick.json") if args.quick else STORED
    if args.quick:
        args.domains, args.shards, args.seeds, args.steps = args.domains[:1], 2, 1, 20
    store: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"domains": {}}
    torch.set_num_threads(1)
    for domain in [] if args.print else args.domains:
        store["domains"][domain] = _domain(domain, args)
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps({"question": (__doc__ or "").splitlines()[0], **store}, indent=1) + "\n")
        temporary.replace(path)
    _print(store)


def _domain(name: str, args: argparse.Namespace) -> dict[str, Any]:
    corpus = Corpus.read(CORPUS).of(name)
    domain, signature = corpus.domains[name], corpus.examples[name].signature
    spaces = Spaces(domain, signature)
    drawn = [one for shard in range(args.shards) for one in candidates(domain, FRESH + shard, spaces)]
    graphs = corpus_graphs(corpus, workers=1)
    structures = [encode(spaces.whole.build(one)) for one in drawn]
    rows: dict[str, list[dict[str, float]]] = {str(labels): [] for labels in LABELS}
    told = []
    for seed in range(args.seeds):
        begin = time.perf_counter()
        start, explained = pretrained(structures, args.steps, seed)
        told.append(explained | {"seconds": time.perf_counter() - begin})
        for labels in LABELS:
            rows[str(labels)].append(judge(corpus, graphs, start, labels, seed))
        print(f"{name}, seed {seed} done", flush=True)
    return {
        "networks": len(corpus),
        "structures": len(drawn),
        "steps": args.steps,
        "code": encoding_cache.code_key("search_spaces"),
        "pretraining": told,
        "rows": rows,
    }


def _print(store: Mapping[str, Any]) -> None:
    for domain, found in store["domains"].items():
        explained = mean(one["r2_mean"] for one in found["pretraining"])
        table = Table(
            title=f"{domain}, {found['networks']} networks: τ inside cells; {explained:.2f} of the targets explained"
        )
        table.add_column("ranked by")
        for labels in found["rows"]:
            table.add_column(f"{labels} labels", justify="right")
        for name in next(iter(found["rows"].values()))[0]:
            values = [[row[name] for row in rows] for rows in found["rows"].values()]
            table.add_row(name, *(_text(one) for one in values))
        Console(width=120).print(table)


def _text(values: Sequence[float]) -> str:
    return f"{mean(values):.3f}" + (f" ± {stdev(values):.3f}" if len(values) > 1 else "")


if __name__ == "__main__":
    main()
