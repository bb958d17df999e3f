"""Encoding of many networks; files may be encoded by several processes."""

import multiprocessing
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from os import PathLike
from typing import TYPE_CHECKING, TypeAlias

import threadpoolctl  # type: ignore[import-untyped]

from onnx_graph import GraphError
from predictors.errors import PredictorError
from predictors.features.encoder import encode
from predictors.structure_graph import StructureGraph

if TYPE_CHECKING:
    import onnx
    import onnx_ir as ir

ModelLike: TypeAlias = "str | PathLike[str] | ir.Model | onnx.ModelProto | StructureGraph"
CHUNK = 16
"""Number of files that a process takes at a time."""


def encode_all(models: Iterable[ModelLike], *, workers: int = 1) -> list[StructureGraph]:
    """The structure graphs of networks, in order; structure graphs are returned unchanged. The first one that fails ends the batch.

    Args:
        models: as for `predictors.encode`.
        workers: processes for files, ≥ 1. Starting them takes a second or two, which is worth it from some hundred files on. Models in
            memory are encoded in this process. A script that asks for several must guard its main part
            (``if __name__ == "__main__":``), because `multiprocessing` imports it again.

    Raises:
        ValueError: `workers` is below 1.
        PredictorError: a process died.
        onnx_graph.errors.GraphError: a network cannot be read, as for `predictors.encode`.
    """
    found = []
    for one in encode_each(models, workers=workers):
        if isinstance(one, GraphError):
            raise one
        found.append(one)
    return found


def encode_each(models: Iterable[ModelLike], *, workers: int = 1) -> Iterator[StructureGraph | GraphError]:
    """The structure graphs of networks, in order, one after another; for a network that cannot be encoded, the error.

    A file that is damaged does not end the batch. Arguments are those of `encode_all`.
    """
    if workers < 1:
        raise ValueError(f"workers must be ≥ 1, got {workers}")
    several = list(models)
    paths = [one for one in several if isinstance(one, str | PathLike)]
    if min(workers, len(paths)) < 2:
        yield from map(_attempt, several)
        return
    try:
        with _processes(workers) as pool:
            files = pool.map(_attempt, paths, chunksize=CHUNK)
            for one in several:
                yield next(files) if isinstance(one, str | PathLike) else _attempt(one)
    except BrokenProcessPool as error:
        raise PredictorError(
            "a process that encodes died: out of memory (try fewer workers), or a script without a guarded main part"
        ) from error


def _attempt(model: ModelLike) -> StructureGraph | GraphError:
    if isinstance(model, StructureGraph):
        return model
    try:
        return encode(model)
    except GraphError as error:
        return error


def _compute_on_one_thread() -> None:
    """Limit a worker process to one thread; all workers together keep the processors busy."""
    threadpoolctl.threadpool_limits(limits=1, user_api="blas")


@contextmanager
def _processes(workers: int) -> Iterator[ProcessPoolExecutor]:
    context = multiprocessing.get_context("spawn")  # a fork would inherit torch's threads in an unusable state
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_compute_on_one_thread)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
