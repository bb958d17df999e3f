"""A finished run that others changed: edited, read only, on a full disk, with names that affect terminals and figures."""

import copy
import ctypes
import errno
import json
import os
import shutil
from collections.abc import Iterator

import numpy as np
import onnx
import onnx.parser
import pytest

import nas.cli
from nas.cli.main import main
from nas.errors import RunError
from nas.reports.report import read
from nas.study.run_folder import RunFolder
from onnx_graph.files import durable_file

QUICK = ("--task", "digits", "--subset", "200", "--epochs", "1", "--repeats", "1", "-q")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of three short trainings."""
    path = tmp_path_factory.mktemp("runs") / "run"
    assert main(["search", *QUICK, "--constraint", "nnz<=300", "--trainings", "3", "--out", str(path)]) == 0
    return path


@pytest.fixture
def run_copy(finished, tmp_path):
    return RunFolder(shutil.copytree(finished, tmp_path / "run"))


@pytest.fixture
def unprivileged() -> Iterator[None]:
    """Permissions count for root too: the right to override them is given up for the test."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    before = (ctypes.c_uint32 * 6)()
    if libc.capget(header, before):
        pytest.skip("the capabilities of this process cannot be read")
    reduced = (ctypes.c_uint32 * 6)(*before)
    reduced[0] &= ~0b110  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, of the effective ones
    assert libc.capset(header, reduced) == 0
    yield
    assert libc.capset(header, before) == 0


@pytest.fixture
def read_only(run_copy, unprivileged) -> Iterator[RunFolder]:
    folders = [run_copy.path, run_copy.models, run_copy.predictor]
    for folder in filter(os.path.isdir, folders):
        os.chmod(folder, 0o555)
    yield run_copy
    for folder in filter(os.path.isdir, folders):
        os.chmod(folder, 0o755)


def content(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_report_of_a_read_only_run_is_shown_and_its_pages_go_elsewhere(read_only, tmp_path, capsys):
    before = content(read_only.path)
    assert main(["report", str(read_only.path)]) == 0
    shown = capsys.readouterr()
    assert "Pareto front" in shown.out
    assert "report.html and pareto.png are not written anew" in shown.err
    assert "Permission denied" in shown.err
    assert "--out FOLDER" in shown.err
    assert main(["report", str(read_only.path), "--out", str(tmp_path / "pages")]) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert str(tmp_path / "pages" / "report.html") in shown.out
    assert (tmp_path / "pages" / "report.html").read_bytes() == before[(read_only.page).relative_to(read_only.path)]
    assert (tmp_path / "pages" / "pareto.png").exists()
    assert content(read_only.path) == before


def test_networks_of_a_read_only_run_are_exported(read_only, tmp_path, capsys):
    before = content(read_only.path)
    for words in ([], ["--trial", "0"]):
        assert main(["export", str(read_only.path), *words, "-o", str(tmp_path / "out.onnx")]) == 0
    capsys.readouterr()
    assert content(read_only.path) == before
    assert main(["resume", str(read_only.path), "-q"]) == 2
    assert "cannot write" in capsys.readouterr().err
    assert main(["export", str(read_only.path), "-o", str(read_only.path / "here.onnx")]) == 1
    line = capsys.readouterr().err
    assert "here.onnx: Permission denied; choose a place that can be written to" in line
    assert line.count("\n") == 1


def test_a_full_disk_is_named_with_the_file_and_the_remedy(run_copy, tmp_path, capsys, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(durable_file.os, "fsync", full)
    assert main(["export", str(run_copy.path), "-o", str(tmp_path / "out.onnx")]) == 1
    assert capsys.readouterr().err == (
        f"nas: error: {tmp_path / 'out.onnx'}: No space left on device; free some space there and run the command again\n"
    )
    assert main(["report", str(run_copy.path)]) == 2
    line = capsys.readouterr().err
    assert f"cannot write {run_copy.picture}: No space left on device; free some space there" in line
    assert not [path for path in tmp_path.rglob("*") if path.suffix == ".tmp"]


EDITS = {
    "no best": (lambda r: r.pop("best"), "it has no 'best'"),
    "front of texts": (lambda r: r.update(front=["x"]), "row 0 of 'front' is damaged: it must be an object, not 'x'"),
    "no trials": (lambda r: r.update(trials=[]), r"'trials' must be a list of at least 1, not \[\]"),
    "a text for a number": (
        lambda r: r["best"].update(nnz="many"),
        "'best' is damaged: 'nnz' must be a whole number from 0 on, not 'many'",
    ),
    "yes for a number": (lambda r: r["best"].update(bytes=True), "'bytes' must be a whole number from 0 on, not True"),
    "negative spread": (
        lambda r: r["front"][0].update(score={"mean": 0.5, "std": -1}),
        "row 0 of 'front', 'score' is damaged: 'std' must be",
    ),
    "too large": (
        lambda r: r["trials"][1].update(accuracy=1e300),
        r"row 1 of 'trials' is damaged: 'accuracy' must be a finite number, not 1e\+300",
    ),
    "no count": (
        lambda r: r["trials"][0].update(metrics={}),
        "row 0 of 'trials', 'metrics' is damaged: it has no 'nnz'",
    ),
    "no task": (lambda r: r.update(task=None), "'task' is damaged: it must be an object, not None"),
    "no seconds": (lambda r: r.update(seconds=[1]), r"'seconds' must be an object, not \[1\]"),
    "baseline": (
        lambda r: r["baselines"].update(dense={"name": "dense"}),
        "baseline 'dense' is damaged: it has no 'digest'",
    ),
    "other version": (lambda r: r.update(format=99), "is of format 99; this version reads format 1"),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_report_is_one_clear_error(run_copy, capsys, name):
    edit, message = EDITS[name]
    report = json.loads(run_copy.report.read_text())
    edit(report)
    run_copy.report.write_text(json.dumps(report))
    with pytest.raises(RunError, match=message):
        read(run_copy.report)
    assert main(["report", str(run_copy.path)]) == 2
    line = capsys.readouterr().err
    assert line.startswith(f"nas: error: {run_copy.report}")
    assert "nas resume" in line
    assert line.count("\n") == 1


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"format": NaN}', '{"a":' * 300 + "1" + "}" * 300])
def test_a_report_that_is_no_json_is_one_clear_error(run_copy, text):
    run_copy.report.write_text(text)
    with pytest.raises(RunError, match=r"report\.json.*write it anew with `nas resume"):
        read(run_copy.report)


def test_a_report_may_hold_more_than_is_known(run_copy):
    report = json.loads(run_copy.report.read_text())
    more = copy.deepcopy(report) | {"invented": {"later": [1]}}
    run_copy.report.write_text(json.dumps(more))
    assert read(run_copy.report).to_json() == report


ESCAPE = "\x1b[2J"
NAMES = [r"$\frac{$", f"{ESCAPE}w\n", "[/red]"]


@pytest.fixture
def strange_model(tmp_path):
    """An MLP for digits whose weights have names that are formulas, orders to the terminal, markup."""
    text = """
    <ir_version: 8, opset_import: ["" : 17]>
    net (float[N, 1, 8, 8] x) => (float[N, 10] y)
    { f = Flatten(x)  h = MatMul(f, a)  r = Relu(h)  g = MatMul(r, b)  s = Relu(g)  y = MatMul(s, c) }
    """
    model = onnx.parser.parse_model(text)
    rng = np.random.default_rng(0)
    for old, new, shape in zip("abc", NAMES, ((64, 8), (8, 8), (8, 10)), strict=True):
        model.graph.initializer.append(onnx.numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), new))
        for node in model.graph.node:
            node.input[:] = [new if name == old else name for name in node.input]
    path = tmp_path / f"model{ESCAPE}.onnx"
    onnx.save(model, path)
    return path


def test_a_search_over_strange_names_ends_in_a_report(strange_model, tmp_path, capsys):
    run = tmp_path / "run"
    words = ["--space", "onnx", "--model", str(strange_model), "--constraint", "nnz<=50%", "--trainings", "1"]
    assert main(["search", *QUICK, *words, "--out", str(run)]) == 0
    page = (run / "report.html").read_text()
    assert r"$\frac{$" in page
    assert ESCAPE not in capsys.readouterr().out


def test_names_cannot_send_orders_to_the_terminal(strange_model, tmp_path, capsys):
    assert main(["inspect", str(strange_model)]) == 0
    shown = capsys.readouterr().out
    assert r"\x1b[2Jw\n" in shown
    assert "[/red]" in shown
    table = tmp_path / f"table{ESCAPE}.csv"
    table.write_text(f"a,{ESCAPE}b\n1,2\n")
    assert main(["search", "--task", str(table), "--target", "c", "--dry-run"]) == 2
    assert main(["search", "--task", str(table) + "x", "--dry-run"]) == 2
    with pytest.raises(SystemExit):
        main(["inspect", str(strange_model), f"--{ESCAPE}"])
    captured = capsys.readouterr()
    assert ESCAPE not in shown + captured.out + captured.err
    assert captured.err.count(r"\x1b[2J") >= 4


def test_everything_that_is_printed_goes_through_one_place():
    folder = os.path.dirname(nas.cli.__file__)
    for name in os.listdir(folder):
        if name.endswith(".py") and name != "output.py":
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                text = file.read()
            assert "print(" not in text.replace("console.print(", ""), name
            assert "stderr.write" not in text, name
            assert "stdout.write" not in text, name
