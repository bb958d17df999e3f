"""The row and the file of a network whose accuracies were looked up in a table: its graph, with untrained weights."""

from pathlib import Path

import onnx_graph
from nas.engine.search_loop import Engine
from nas.exporters.onnx_export import as_exported, export_untrained
from nas.exporters.provenance import provenance
from nas.measure.costs.latency import latency
from nas.reports.rows.front_row import FrontRow
from nas.reports.rows.network_row import NetworkRow
from nas.study.trial import CandidateResult, Score
from nas.tasks.accuracy_table import AccuracyTable
from search_spaces import Candidate

RUNS = 5
"""Timed runs of a network of the front: networks of benchmarks take up to a second each."""


def untrained_row(
    engine: Engine, table: AccuracyTable, candidate: Candidate, name: str, path: Path, *, score: Score | None = None
) -> NetworkRow:
    """Write the graph of a candidate and read its test accuracy in the table."""
    place, task = table.place(candidate), engine.plan.task
    validation, test = float(table.validation[place]), float(table.test[place])
    training = engine.trainer.train([candidate], [0], engine.plan.method)[0]
    origin = provenance(task, candidate, validation, training.seed)
    origin |= {"test_" + task.metric: f"{test:.6f}", "looked_up": str(table)}
    exported = export_untrained(engine.plan.space.build(candidate), path, task=task, origin=origin)
    return NetworkRow(
        name=name,
        digest=candidate.digest,
        candidate=candidate.to_json(),
        accuracies=(test,),
        validation=(validation,),
        seeds=(training.seed,),
        nnz=exported.nnz,
        bytes=exported.bytes,
        latency=exported.latency,
        largest_error=exported.largest_error,
        file=str(path.relative_to(engine.folder.path)),
        score=score,
    )


def front_row(engine: Engine, result: CandidateResult) -> FrontRow:
    """A row of the front, measured on the untrained network."""
    model = as_exported(engine.plan.space.build(result.candidate), engine.plan.task, result.candidate)
    known = result.metrics.get("latency") or latency(model, repeats=RUNS)
    return FrontRow.of(result, bytes_=onnx_graph.size(model), latency=known)
