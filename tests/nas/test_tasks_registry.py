"""The table of tasks: every name loads, wrong names and options say what would be right."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nas.tasks
from nas.errors import DataError, UsageError
from nas.tasks import TASKS, Task, load_task
from nas.verbs.plugins import listed

FILES = ("mnist", "fashion-mnist", "cifar10")


@pytest.mark.parametrize("name", [name for name in TASKS if name not in FILES])
def test_every_task_without_files_keeps_the_contract(name: str) -> None:
    task = load_task(name)
    assert task.name == name
    assert task.description
    assert len(task.classes) == task.signature.outputs
    assert len(task.fingerprint) == 64
    for part in (task.train, task.validation, task.test):
        assert part.x.dtype == np.float32
        assert part.x.flags.c_contiguous
        assert part.x.shape == (len(part), *task.signature.input_shape)
        assert part.y.dtype == np.int64
        assert part.y.max() == task.signature.outputs - 1


def test_digits_are_split_60_20_20_with_every_class_in_proportion() -> None:
    task = load_task("digits")
    assert task.signature.input_shape == (1, 8, 8)
    assert [len(part) for part in (task.train, task.validation, task.test)] == [1079, 359, 359]
    assert (task.train.x.min(), task.train.x.max()) == (0, 1)
    for part in (task.train, task.validation, task.test):
        assert np.abs(np.bincount(part.y) / len(part) - 0.1).max() < 0.01
    assert load_task("digits").fingerprint == task.fingerprint != load_task("digits", seed=1).fingerprint
    rows = [part.x.reshape(len(part), -1) for part in (task.train, task.validation, task.test)]
    assert len(np.unique(np.concatenate(rows), axis=0)) == 1797


def test_digits_normalisation_gives_back_the_raw_pixels() -> None:
    task = load_task("digits", subset=100)
    assert task.normalisation is not None
    raw = task.train.x / task.normalisation.scale + task.normalisation.offset
    assert set(np.unique(raw).tolist()) <= set(range(17))
    np.testing.assert_array_equal(task.normalisation.apply(raw), task.train.x)


def test_every_task_is_described_without_importing_it() -> None:
    assert all(listed.summary.endswith(".") for listed in TASKS.listed())
    rows, problems = listed("tasks")
    assert problems == []
    assert [row["name"] for row in rows] == [*TASKS, "FILE.npz", "FILE.csv"]
    assert {row["name"] for row in rows if row["needs"]} == {*FILES, "FILE.npz", "FILE.csv"}


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown task 'digit'; did you mean 'digits'"):
        load_task("digit")
    with pytest.raises(UsageError, match="'embedded-reber', ".replace("', ", "'")):
        load_task("embeded-reber")


@pytest.mark.parametrize("name", FILES)
def test_a_task_that_reads_files_asks_for_their_folder(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("NAS_DATA_DIR", raising=False)
    with pytest.raises(UsageError, match=f"{name} reads files.*--data-dir or NAS_DATA_DIR"):
        load_task(name)
    monkeypatch.setenv("NAS_DATA_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match="nowhere"):
        load_task(name)


def test_options_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="column of a csv file"):
        load_task("digits", target="y")
    with pytest.raises(UsageError, match="got -1"):
        load_task("digits", subset=-1)
    with pytest.raises(UsageError, match="seed"):
        load_task("digits", seed=-1)
    with pytest.raises(DataError, match="no such file"):
        load_task(str(tmp_path / "data.parquet"))
    (tmp_path / "data.txt").write_text("a")
    with pytest.raises(DataError, match=r"expected a \.npz or \.csv file"):
        load_task(str(tmp_path / "data.txt"))


def test_the_package_is_lazy_and_lists_what_is_public() -> None:
    code = "import sys, nas.tasks as t; t.TASKS.listed(); print(any(m in sys.modules for m in ('sklearn', 'torch', 'onnx')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    assert all(getattr(nas.tasks, name) for name in nas.tasks.__all__)
    assert nas.tasks.Task is Task
    with pytest.raises(AttributeError, match="nothing"):
        _ = nas.tasks.nothing
