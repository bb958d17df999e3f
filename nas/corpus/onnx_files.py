"""A corpus as ONNX files with a table of accuracies, for people and tools that cannot read the corpus format."""

import csv
import io
from pathlib import Path

import onnx_graph
from nas.corpus.corpus import Corpus
from nas.study.run_folder import write_text

COLUMNS = ("model", "accuracy", "cell", "recipe", "nnz", "trainings")


def export(corpus: Corpus, folder: Path) -> Path:
    """Write ``<domain>/<number>.onnx`` (untrained, masked) and ``table.csv``, which `nas predictor` reads; returns the table."""
    folder.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(COLUMNS)
    for number, network in enumerate(corpus.networks):
        name = f"{network.domain}/{number:05d}.onnx"
        (folder / network.domain).mkdir(exist_ok=True)
        onnx_graph.save(corpus.model(number), folder / name)
        accuracy = round(float(corpus.accuracies[number]), 6)
        cell = " ".join(corpus.cells[number])
        rows.writerow([name, accuracy, cell, network.recipe, network.nnz, len(corpus.trainings[number])])
    table = folder / "table.csv"
    write_text(table, text.getvalue())
    return table
