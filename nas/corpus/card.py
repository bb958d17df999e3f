"""The data card of a corpus: how it was made, its columns and contents, its noise, and how to divide it."""

from typing import Any

import numpy as np

from nas.corpus.ceiling import ceiling
from nas.corpus.corpus import BAND_NAMES, Corpus
from nas.corpus.domain import CHILDREN, METHODS_OF_SHARD, RUNS
from nas.corpus.learned_plan import BUDGETS
from nas.corpus.shard_plan import FEW, MANY

LICENCE = "Apache-2.0, as the project. The images are not in here; MNIST, Fashion-MNIST and the digits have licences of their own."


def domain_rows(corpus: Corpus) -> list[dict[str, Any]]:
    """One row per domain: size, accuracies, noise, and the rank correlation of a perfect predictor inside its cells."""
    rows = [_row(corpus.of(name), {"domain": name}) for name in corpus.domains]
    return sorted(
        rows, key=lambda row: row["networks"] == 0
    )  # the columns of the first row are the columns of the table


def cell_rows(corpus: Corpus) -> list[dict[str, Any]]:
    """One row per cell."""
    rows = []
    for name in corpus.domains:
        for band in BAND_NAMES:
            inside = [row for row, cell in enumerate(corpus.cells) if cell == (name, band)]
            if inside:
                rows.append(_row(corpus.take(inside), {"domain": name, "density": band}))
    return rows


def _row(corpus: Corpus, names: dict[str, str]) -> dict[str, Any]:
    if not len(corpus):
        return {**names, "networks": 0}
    low, middle, high = np.quantile(corpus.accuracies, (0.1, 0.5, 0.9))
    found = ceiling(corpus.trainings, corpus.cells)
    return {
        **names,
        "networks": len(corpus),
        "trainings": sum(map(len, corpus.trainings)),
        "accuracy 10 %": _fraction(low),
        "50 %": _fraction(middle),
        "90 %": _fraction(high),
        "sd of a training": _fraction(found.noise),
        "τ of two trainings": _fraction(found.agreement),
        "τ attainable": _fraction(found.tau),
    }


def _fraction(value: float) -> float | None:
    return None if value != value else round(float(value), 3)


def card(corpus: Corpus) -> str:
    """The card as Markdown."""
    learned = [one.learned for one in corpus.networks if one.learned is not None]
    trainings = sum(map(len, corpus.trainings)) + len(learned)
    hours = sum(one.seconds * (len(one.seeds) + (one.learned is not None)) for one in corpus.networks) / 3600
    drawn = [one for one in corpus.networks if one.learned is None]
    edited = np.mean([bool(one.candidate.edits) for one in drawn]) if drawn else 0.0
    return f"""# Corpus of sparse networks with measured accuracies

{len(corpus):,} networks, {trainings:,} trainings, {hours:.1f} hours of training. Made by `nas corpus build`; this page by
`nas corpus card`.

## How it was made
A network with a **drawn mask** is a candidate of a search space: an architecture and a mask recipe, drawn at random, and in
{edited:.0%} of them edits of the mask. Recipes have all distributions and patterns; half of them have exactly one of a few
densities, the others one drawn log-uniformly. Networks in a row share an architecture and differ in their masks. Each is
trained {FEW} times with other seeds, every tenth {MANY} times, its mask fixed.

A **learned mask** was found by a training: {METHODS_OF_SHARD} methods prune every architecture of a shard {RUNS} times each, to
one number of weights for all of them (half of these numbers are one of {", ".join(map(str, BUDGETS))}). {CHILDREN} children
follow: a mask with random edits, and two masks crossed by layers or by units. A child inherits its parents' weights and is
trained once from them. Each mask has two kinds of accuracy: **own**, with the weights of the training that ended with it, and
**again**, trained from fresh weights as a drawn mask is.

Nothing was selected: a network is in the corpus because it was drawn. `nnz` counts the weights on live paths.

{_table(_domains(corpus))}

## What is in it
A cell is a domain and a band of densities (`nnz / weights`). "τ of two trainings" is Kendall's between two trainings of the same
networks inside a cell; "τ attainable" what a perfect predictor would reach against the mean of the trainings there.

{_table(domain_rows(corpus))}

{_table(cell_rows(corpus))}

{_counted("Drawn masks by pattern", [one.recipe for one in drawn])}
{_counted("Learned masks by method", [one.method for one in learned])}
{_counted("Learned masks by origin", [one.origin for one in learned])}

## Files
`<domain>/<number>.jsonl.gz`, gzipped JSON lines. The first line of a file: the domain (task, space, training), the shape of
inputs and outputs, the description of the task without relevance, the numbers of validation and test examples, a hash of the
data. Every other line:

| column | meaning |
|---|---|
| `candidate` | architecture, mask recipe and mask edits; `search_spaces` rebuilds the network from it |
| `structure` | hash of the network's operators and masks: a rebuilt network must have it |
| `seeds` | one a training |
| `validation`, `test` | the task's metric of every training on either split (nothing was chosen by them); null where it diverged |
| `nnz`, `weights` | weights kept on live paths, and all of them |
| `seconds` | of one training, in its population |
| `learned` | only for learned masks; see below |

Columns of `learned`:

| column | meaning |
|---|---|
| `origin` | `learned`, `edited` or `crossed` |
| `method`, `density` | the method, and the share of the weights that it had to keep; of a child, those of its first parent |
| `ticket` | the mask: distances between its non-zeros |
| `parents` | `structure` of the parents, in the same file |
| `seed`, `validation`, `test` | of the training that ended with the mask |

`<domain>/task.json` describes the domain's task, with the relevance of every input.

`nas.corpus.corpus.Corpus.read(folder)` reads them; its `accuracies` are means over trainings from fresh weights, of validation
and test together; `own_accuracies` are those of the trainings that found the masks.

## Divisions
`nas.corpus.splits`: at random, leave-recipe-out (pattern), leave-density-out (band), leave-task-out.

## Licence
{LICENCE}
"""


def _counted(title: str, names: list[str]) -> str:
    """One line: how often every name occurs."""
    counts = ", ".join(f"{name} {names.count(name)}" for name in sorted(set(names)))
    return f"{title}: {counts}." if names else ""


def _domains(corpus: Corpus) -> list[dict[str, Any]]:
    rows = []
    for name, domain in corpus.domains.items():
        examples = corpus.examples[name]
        training = ", ".join(f"{key} {value}" for key, value in domain.training.items())
        rows.append(
            {
                "domain": name,
                "task": domain.task + (f", {domain.subset} examples" if domain.subset else ""),
                "space": domain.space,
                "held-out examples": examples.validation + examples.test,
                "1-NN": examples.description.one_nn,
                "linear": examples.description.linear_probe,
                "training": training or "default",
            }
        )
    return rows


def _table(rows: list[dict[str, Any]]) -> str:
    lines = ["| " + " | ".join(rows[0]) + " |", "|" + "---|" * len(rows[0])]
    lines += [
        "| " + " | ".join("" if row.get(name) is None else str(row[name]) for name in rows[0]) + " |" for row in rows
    ]
    return "\n".join(lines)
