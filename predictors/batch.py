"""Encoding many networks, files on as many processes as one likes."""

import multiprocessing
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from os import PathLike
from typing import TYPE_CHECKING

from predictors.encoder import encode
from predictors.errors import PredictorError
from predictors.structure_graph import StructureGraph

if TYPE_CHECKING:
    import onnx
    import onnx_ir as ir

CHUNK = 16
"""Files that a process takes at a time."""


def encode_all(
    models: "Iterable[str | PathLike[str] | ir.Model | onnx.ModelProto | StructureGraph]", *, workers: int = 1
) -> list[StructureGraph]:
    """The structure graphs of networks, in order; structure graphs stay as they are.

    Args:
        models: as for `predictors.encode`.
        workers: processes for files, ≥ 1; they are worth their start, a second or two, from some hundred files on. Models in memory
            are encoded here. A script that asks for several must guard its main part (``if __name__ == "__main__":``), as
            `multiprocessing` imports it anew.

    Raises:
        ValueError: no worker.
        PredictorError: a process died; else as `predictors.encode`, of a network that fails.
    """
    if workers < 1:
        raise ValueError(f"workers must be ≥ 1, got {workers}")
    several = list(models)
    paths = [place for place, one in enumerate(several) if isinstance(one, str | PathLike)]
    if min(workers, len(paths)) < 2:
        return [one if isinstance(one, StructureGraph) else encode(one) for one in several]
    try:
        with _processes(workers) as pool:
            files = dict(
                zip(paths, pool.map(encode, [several[place] for place in paths], chunksize=CHUNK), strict=True)
            )
    except BrokenProcessPool as error:
        raise PredictorError(
            "a process that encodes died: out of memory (try fewer workers), or a script without a guarded main part"
        ) from error
    others = iter(encode_all([one for place, one in enumerate(several) if place not in files]))
    return [files[place] if place in files else next(others) for place in range(len(several))]


@contextmanager
def _processes(workers: int) -> Iterator[ProcessPoolExecutor]:
    context = multiprocessing.get_context("spawn")  # a fork would inherit torch's threads in an unusable state
    pool = ProcessPoolExecutor(workers, mp_context=context)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
