"""Executors: the same results wherever trainings run, whatever happens to the workers."""

import dataclasses
import itertools
import multiprocessing
import os
import signal
import threading
import time

import numpy as np
import pytest

import nas
import onnx_graph
from nas.engine.executors.chosen import executor_of
from nas.engine.executors.local import LocalExecutor
from nas.engine.executors.processes import ProcessExecutor
from nas.engine.executors.stack import SentStack, Stack
from nas.errors import RunError, UsageError
from nas.tasks import load_task
from nas.training import TrainingOptions
from nas.training.methods import create as method
from search_spaces import create

WORKERS_START = "two worker processes import torch"


@pytest.fixture(scope="module")
def task():
    return load_task("digits", subset=300)


@pytest.fixture(scope="module")
def stacks(task):
    """Two stacks of different methods, one of them of two networks."""
    space = create("mlp", task.signature)
    models = [space.build(one) for one in (*space.plain(0.3), *space.plain(0.5))]
    share = [100 / sum(mask.size for mask in onnx_graph.masks(model).values()) for model in models]
    options = TrainingOptions(epochs=3)
    return [
        Stack(models, [1, 2], method("gradual"), share, options, "cpu"),
        Stack(models[:1], [3], method("static"), None, options, "cpu"),
    ]


@pytest.fixture(scope="module")
def expected(task, stacks):
    return LocalExecutor(task).run(stacks)


def assert_equal(found, expected):
    assert [len(several) for several in found] == [len(several) for several in expected] == [2, 1]
    for one, other in zip(itertools.chain(*found), itertools.chain(*expected), strict=True):
        assert (one.accuracy, one.losses, one.seed) == (other.accuracy, other.losses, other.seed)
        assert one.weights.keys() == other.weights.keys()
        assert all(np.array_equal(one.weights[name], other.weights[name]) for name in other.weights)


def test_a_sent_stack_is_the_same_stack(task, stacks, expected):
    assert_equal([SentStack.of(stack).run(task) for stack in stacks], expected)


@pytest.mark.takes(25, WORKERS_START)
def test_processes_give_the_same_bits_and_stay_for_the_next_round(task, stacks, expected):
    executor = ProcessExecutor(task, workers=2)
    try:
        assert_equal(executor.run(stacks), expected)
        workers = {process.pid for process in multiprocessing.active_children()}
        assert_equal(executor.run(stacks), expected)
        assert {process.pid for process in multiprocessing.active_children()} == workers
    finally:
        executor.close()


@pytest.mark.takes(25, WORKERS_START)
def test_a_killed_worker_costs_time_only(task, stacks, expected):
    executor = ProcessExecutor(task, workers=1)
    slow = [dataclasses.replace(stack, options=TrainingOptions(epochs=3)) for stack in stacks]
    killed = threading.Event()

    def kill():
        end = time.monotonic() + 120
        while time.monotonic() < end and not killed.is_set():
            for process in multiprocessing.active_children():
                os.kill(process.pid, signal.SIGKILL)
                killed.set()
            time.sleep(0.05)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        assert_equal(executor.run(slow), expected)
        assert killed.is_set()
    finally:
        killed.set()
        killer.join()
        executor.close()


def test_workers_that_die_again_and_again_end_the_search(task, stacks, monkeypatch):
    from concurrent.futures import Future
    from concurrent.futures.process import BrokenProcessPool

    asked = []

    class Dying:
        def submit(self, function, stack):
            asked.append(stack)
            future = Future()
            future.set_exception(BrokenProcessPool("dead"))
            return future

    executor = ProcessExecutor(task, workers=1)
    monkeypatch.setattr(executor, "_started", Dying)
    with pytest.raises(RunError, match="died 5 times"):
        executor.run(stacks)
    assert len(asked) == 2 * 5


@pytest.mark.takes(25, WORKERS_START)
def test_a_worker_without_memory_says_so(task, stacks):
    executor = ProcessExecutor(task, workers=1, memory=0.25)
    space = create("mlp", task.signature, width=(8, 5000))
    plain = space.plain()[0]
    wide = dataclasses.replace(plain, architecture={**plain.architecture, "width_1": 5000, "width_2": 5000})
    large = Stack([space.build(wide)], [1], method("static"), None, TrainingOptions(epochs=1), "cpu")
    try:
        with pytest.raises(RunError, match="memory"):
            executor.run([large])
    finally:
        executor.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 2}, "workers is an option of the executor processes, not of local"),
        ({"executor": "ray", "worker_memory": 1.0}, "worker_memory is an option of the executor processes, not of ray"),
        ({"executor": "processes", "address": "auto"}, "address is an option of the executor ray, not of processes"),
        ({"executor": "processes", "workers": 0}, "workers"),
        ({"executor": "threads"}, "local or processes or ray"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        nas.SearchConfig(**options)


def test_the_executor_does_not_change_the_identity_of_a_run():
    one, other = nas.SearchConfig(), nas.SearchConfig(executor="processes", workers=3)
    assert one.identity() == other.identity()


def test_without_ray_the_message_says_what_to_install(task, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"nas-sparse\[ray\]"):
        executor_of(nas.SearchConfig(executor="ray"), task)


@pytest.mark.slow  # a cluster of this machine starts
def test_ray_gives_the_same_bits(task, stacks, expected):
    pytest.importorskip("ray", reason="Ray is an extra")
    executor = executor_of(nas.SearchConfig(executor="ray"), task)
    try:
        assert_equal(executor.run(stacks), expected)
    finally:
        executor.close()


@pytest.mark.slow  # a search with two worker processes
def test_a_search_in_processes_has_the_trials_of_a_local_one(tmp_path):
    config = nas.SearchConfig(
        space="mlp", constraint=("nnz<=200",), trainings=4, epochs=2, screen=8, repeats=1, predictor="none", subset=300
    )
    reports = [
        nas.search(dataclasses.replace(config, executor=name), tmp_path / name) for name in ("local", "processes")
    ]
    local, processes = (
        [(trial["digest"], trial["accuracy"], trial["train_accuracy"]) for trial in report["trials"]]
        for report in reports
    )
    assert local == processes
    assert len(local) >= 3
