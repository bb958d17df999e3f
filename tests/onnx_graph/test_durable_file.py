"""Durable writing, and the remaining files when a process is killed."""

import errno
import os
import subprocess
import sys

import pytest

from onnx_graph import is_temporary, remove_stale, temporary_path, write_durably
from onnx_graph.files import durable_file

WRITER = """
import os, sys
from pathlib import Path
from onnx_graph import temporary_path
for name in sys.argv[2:]:
    path = temporary_path(Path(sys.argv[1]) / name.partition("/")[0], name.partition("/")[2] or "tmp")
    path.mkdir() if path.suffix != ".tmp" else path.write_text("half")
"""


def killed_writer(folder, *names):
    """A process that left temporary files of these names, and ended."""
    subprocess.run([sys.executable, "-c", WRITER, str(folder), *names], check=True)
    return sorted(path.name for path in folder.iterdir() if is_temporary(path.name))


def test_temporary_files_of_the_dead_are_removed_and_all_others_stay(tmp_path):
    assert len(killed_writer(tmp_path, "a.onnx", "b.onnx")) == 2
    mine = temporary_path(tmp_path / "a.onnx")
    mine.touch()
    others = ["a.onnx", ".a.onnx.tmp", ".hidden", ".a.1.tmp"]
    for name in others:
        (tmp_path / name).touch()
    remove_stale(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*others, mine.name])


def test_the_first_write_of_a_process_removes_what_was_left_in_the_folder(tmp_path):
    killed_writer(tmp_path, "a.onnx", "b.onnx")
    write_durably(tmp_path / "a.onnx", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"]
    assert (tmp_path / "a.onnx").read_bytes() == b"new"


def test_files_of_another_machine_are_removed_only_by_who_holds_the_lock(tmp_path, monkeypatch):
    monkeypatch.setattr(durable_file.socket, "gethostname", lambda: "elsewhere")
    foreign = temporary_path(tmp_path / "a")
    foreign.touch()
    monkeypatch.undo()
    remove_stale(tmp_path)
    assert foreign.exists()
    remove_stale(tmp_path, locked=True)
    assert not foreign.exists()


def test_a_folder_that_was_moved_aside_goes_back(tmp_path):
    names = killed_writer(tmp_path, "predictor/new", "predictor/old")
    (tmp_path / next(name for name in names if name.endswith(".old")) / "arrays.npz").write_bytes(b"whole")
    remove_stale(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["predictor"]
    assert (tmp_path / "predictor" / "arrays.npz").read_bytes() == b"whole"


@pytest.mark.parametrize("call", ["fsync", "replace", "open"])
def test_a_full_disk_names_the_file_and_leaves_nothing(tmp_path, monkeypatch, call):
    path = tmp_path / "best.onnx"
    path.write_bytes(b"old")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(durable_file.os, call, full)
    with pytest.raises(OSError, match="No space left") as error:
        write_durably(path, b"new")
    monkeypatch.undo()
    assert error.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["best.onnx"]


def test_the_longest_name_that_a_file_system_allows_can_be_written(tmp_path):
    path = tmp_path / ("x" * 255)
    write_durably(path, b"content")
    assert path.read_bytes() == b"content"
