"""Tables of accuracies: columns, units, test columns, and one clear line for every fault."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

import search_spaces
from nas.errors import DataError, UsageError
from nas.tasks import csv_file
from nas.tasks.accuracy_table import open_table
from search_spaces import Signature

SPACE = search_spaces.create("nasbench201", Signature(input_shape=(3, 32, 32), outputs=10))
TEXT = """code,cifar10_val,cifar10_test,note
222222,90.5,93.25,good
000000,70,73,small
333333,,88,not measured
212411,60,61,the same as 112111
112111,62,63,the form itself
"""
DATA = os.environ.get("NAS_DATA_DIR")


@pytest.fixture
def path(tmp_path) -> Path:
    path = tmp_path / "table.csv"
    path.write_text(TEXT)
    return path


def test_networks_with_both_accuracies_are_there_as_shares(path):
    table = open_table(path).accuracies(SPACE, "cifar10_val", None)
    assert table.test_column == "cifar10_test"
    assert table.validation.tolist() == pytest.approx([0.905, 0.7, 0.62])
    assert table.test.tolist() == pytest.approx([0.9325, 0.73, 0.63])
    assert table.place(table.candidates[1]) == 1
    assert str(table) == "column cifar10_val of table.csv, test column cifar10_test"


def test_a_network_that_is_not_there_is_an_error(path):
    table = open_table(path).accuracies(SPACE, "cifar10_val", None)
    (_, other), *_ = SPACE.rows({"code": ["333333"]})
    with pytest.raises(DataError, match="does not hold the network"):
        table.place(other)


def test_shares_stay_shares_and_the_test_column_may_be_named(path):
    path.write_text("code,a,b\n222222,0.5,50\n000000,1,100\n")
    table = open_table(path).accuracies(SPACE, "a", "b")
    assert table.validation.tolist() == table.test.tolist() == [0.5, 1.0]


def test_without_a_test_column_the_same_one_is_read_and_the_text_says_so(path):
    path.write_text("code,acc\n222222,50\n000000,60\n")
    table = open_table(path).accuracies(SPACE, "acc", None)
    assert table.test_column == "acc"
    assert "no test column" in str(table)


@pytest.mark.parametrize(
    ("column", "shape", "outputs"),
    [
        ("cifar10_val", (3, 32, 32), 10),
        ("CIFAR-100-x-valid", (3, 32, 32), 100),
        ("ImageNet16-120 x-valid", (3, 16, 16), 120),
        ("accuracy", (3, 32, 32), 10),
    ],
)
def test_the_name_of_a_column_tells_images_and_classes(path, column, shape, outputs):
    path.write_text(f"code,{column}\n222222,50\n000000,60\n")
    task = open_table(path).task(column, None)
    assert (task.signature.input_shape, task.signature.outputs) == (shape, outputs)
    assert len(task.train) == len(task.validation) == len(task.test) == 0


@pytest.mark.parametrize("column", ["cifar10-valid", "cifar10-x-valid", "cifar10_validation", "cifar10_val"])
def test_names_of_test_columns(path, column):
    test = "cifar10-test" if "-" in column and "x" not in column else "cifar10_test"
    test = "cifar10-x-test" if column == "cifar10-x-valid" else test
    path.write_text(f"code,{column},{test}\n222222,50,51\n000000,60,61\n")
    assert open_table(path).accuracies(SPACE, column, None).test_column == test


def test_the_fingerprint_changes_with_file_and_columns(path):
    first = open_table(path).task("cifar10_val", None).fingerprint
    assert open_table(path).task("cifar10_val", None).fingerprint == first
    assert open_table(path).task("cifar10_val", "cifar10_val").fingerprint != first
    path.write_text(TEXT.replace("93.25", "93.26"))
    assert open_table(path).task("cifar10_val", None).fingerprint != first


def test_an_unknown_column_lists_the_columns(path):
    with pytest.raises(
        UsageError, match=r"'cifar10_vla'; did you mean 'cifar10_val'.*Known: code, cifar10_val, cifar10_test, note"
    ):
        open_table(path).task("cifar10_vla", None)
    with pytest.raises(UsageError, match="the columns are code, cifar10_val"):
        open_table(path).task(None, None)
    with pytest.raises(UsageError, match=r"unknown column of table\.csv 'nothing'"):
        open_table(path).task("cifar10_val", "nothing")


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        (TEXT, "note", "column 'note', line 2: 'good' is not a number"),
        (TEXT.replace("90.5", "inf"), "cifar10_val", "no accuracies"),
        (TEXT.replace("90.5", "-3"), "cifar10_val", "no accuracies"),
        (TEXT.replace("90.5", "104"), "cifar10_val", "no accuracies"),
        (TEXT.replace("222222", "922222"), "cifar10_val", "no code of a cell"),
        ("name,acc\na,1\nb,2\n", "acc", "needs the column code or arch_str"),
        ("code,acc\n222222,1\n000000,\n", "acc", "1 networks have accuracies in acc and acc"),
        ("", "acc", "empty file"),
    ],
)
def test_a_faulty_csv_file_is_one_line(path, text, column, message):
    path.write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        open_table(path).accuracies(SPACE, column, None)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_packed_file_is_read_within_a_limit(tmp_path, monkeypatch):
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(TEXT.encode()))
    assert len(open_table(path).accuracies(SPACE, "cifar10_val", None).candidates) == 3
    monkeypatch.setattr(csv_file, "MOST_UNPACKED", 100)
    with pytest.raises(DataError, match="more than 100 bytes when unpacked"):
        open_table(path)


@pytest.mark.parametrize("content", [b"", b"no gz file", gzip.compress(b"code,acc\n222222,1\n", mtime=0)[:-9]])
def test_a_damaged_packed_file_is_one_line(tmp_path, content):
    path = tmp_path / "table.csv.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"gz file|empty file"):
        open_table(path)


def cells(**arrays):
    """Two cells of NAS-Bench-101: input-conv3×3-output, and input-output."""
    table = {"edge_bits": [0b101, 0b1], "ops": [[0, -1, -1, -1, -1], [-1] * 5], "n_vertices": [3, 2], "acc": [0.9, 0.5]}
    return {name: np.array(value) for name, value in (table | arrays).items()}


@pytest.fixture
def space_101():
    return search_spaces.create("nasbench101", Signature(input_shape=(3, 32, 32), outputs=10))


def test_an_npz_file_is_read(tmp_path, space_101):
    np.savez(tmp_path / "t.npz", **cells())
    table = open_table(tmp_path / "t.npz").accuracies(space_101, "acc", None)
    assert table.validation.tolist() == [0.9, 0.5]
    assert table.candidates[0].architecture == {"edges": ["0-1", "1-6"], "operations": ["conv3x3"]}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"acc": [[0.9], [0.5]]}, "'acc' is no list of numbers"),
        ({"acc": ["a", "b"]}, "'acc' is no list of numbers"),
        ({"acc": [0.9]}, "fewer rows"),
        ({"ops": [[0] * 5]}, "shorter"),
        ({"edge_bits": [[1, 2], [3, 4]]}, "t.npz"),
        ({"n_vertices": [3, 99]}, "row 1 is no cell"),
        ({"acc": np.array([None, 1], object)}, "objects"),
    ],
)
def test_a_faulty_npz_file_is_one_line(tmp_path, space_101, arrays, message):
    np.savez(tmp_path / "t.npz", **cells(**arrays))
    with pytest.raises(DataError, match=message) as caught:
        open_table(tmp_path / "t.npz").accuracies(space_101, "acc", None)
    assert "\n" not in str(caught.value)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        open_table(tmp_path / "none.csv")
    (tmp_path / "table.pth").write_bytes(b"\x80\x04")
    with pytest.raises(DataError, match=r"ends in \.csv, \.csv\.gz, \.npz"):
        open_table(tmp_path / "table.pth")
    (tmp_path / "broken.npz").write_bytes(b"PK no")
    with pytest.raises(DataError, match="not an npz file"):
        open_table(tmp_path / "broken.npz")
    with pytest.raises(DataError):
        open_table(Path("/dev/zero.csv") if Path("/dev/zero.csv").exists() else tmp_path)


@pytest.mark.skipif(DATA is None, reason="NAS_DATA_DIR is not set: no NAS-Bench tables")
@pytest.mark.takes(20, "35,000 cells are read")
def test_the_real_tables_hold_all_networks(space_101):
    nas = Path(str(DATA)) / "nas"
    table = open_table(nas / "nb201" / "nb201.csv.gz").accuracies(SPACE, "cifar10_val_200ep", None)
    assert (len(table.candidates), table.test_column) == (9445, "cifar10_test_200ep")
    assert (round(table.validation.max(), 4), round(table.test.max(), 6)) == (0.9157, 0.943733)
    assert len(open_table(nas / "nb101_20k.npz").accuracies(space_101, "test_acc", None).candidates) == 20_000
