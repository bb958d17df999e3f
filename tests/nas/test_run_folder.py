import csv
import subprocess
import sys

import pytest

import onnx_graph
from nas.errors import RunError
from nas.study import run_folder
from nas.study.config import SearchConfig
from nas.study.run_folder import RunFolder, write_text


def test_a_run_remembers_its_configuration(tmp_path):
    folder, config = RunFolder(tmp_path / "run"), SearchConfig(seed=4)
    folder.create(config)
    assert folder.config() == config


def test_an_existing_run_is_not_overwritten(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create(SearchConfig())
    with pytest.raises(RunError, match="nas resume"):
        folder.create(SearchConfig())


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(RunError, match="not an empty folder"):
        RunFolder(tmp_path).create(SearchConfig())
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_that_is_no_run_is_named(tmp_path):
    with pytest.raises(RunError, match=r"has no config\.toml"):
        RunFolder(tmp_path).config()


def test_two_processes_do_not_share_a_run(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create(SearchConfig())
    script = (
        "from nas.study.run_folder import RunFolder\nfrom pathlib import Path\n"
        f"with RunFolder(Path({str(folder.path)!r})).lock(): print('in')"
    )
    with folder.lock():
        blocked = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "in use by another process" in blocked.stderr
    freed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert freed.stdout == "in\n"


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "report.json"
    write_text(path, "old")

    def full_disk(fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_folder.os, "fsync", full_disk)
    with pytest.raises(RunError, match="No space left"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_trials_csv_keeps_scores_and_accuracies_apart(tmp_path, make_trial):
    folder = RunFolder(tmp_path)
    folder.write_trials([make_trial()])
    (row,) = csv.DictReader(folder.trials_file.read_text().splitlines())
    assert (row["accuracy"], row["score"], row["nnz"]) == ("0.9", "0.8", "100")


def test_what_killed_processes_left_is_removed_when_the_run_is_opened(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create(SearchConfig())
    script = (
        "import sys\nfrom pathlib import Path\nfrom onnx_graph import temporary_path\n"
        "for name in sys.argv[1:]: temporary_path(Path(name)).write_text('half')"
    )
    targets = [folder.report, folder.models / "a-0.onnx"]
    subprocess.run([sys.executable, "-c", script, *map(str, targets)], check=True)
    mine = onnx_graph.temporary_path(folder.page)
    mine.touch()
    (folder.path / "notes.tmp").touch()
    assert len(list(folder.path.rglob(".*.tmp"))) == 3
    with folder.lock():
        pass
    assert set(folder.path.rglob("*.tmp")) == {mine, folder.path / "notes.tmp"}


def test_a_writer_keeps_readers_out_but_readers_do_not(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create(SearchConfig())
    with folder.reading(), folder.reading():
        assert not (folder.path / ".lock").exists()
    with folder.lock(), pytest.raises(RunError, match="in use by another process"), folder.reading():
        pass
    with folder.reading(), folder.reading(), pytest.raises(RunError, match="in use"), folder.lock():
        pass
