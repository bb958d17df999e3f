"""The user's own csv: numbers standardised, texts one-hot, and one clear line for each fault."""

import os
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from nas.errors import DataError, UsageError
from nas.tasks import Task, load_task


def load(tmp_path: Path, text: str, target: str | None = "class") -> Task:
    path = tmp_path / "data.csv"
    path.write_text(text, encoding="utf-8")
    return load_task(str(path), target=target)


def table(n: int = 40, separator: str = ",") -> str:
    lines = [separator.join(("age", "job", "class"))]
    lines += [
        separator.join((str(20 + i), ("nurse", "cook", "pilot")[i % 3], "yes" if i % 2 else "no")) for i in range(n)
    ]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_numbers_are_standardised_and_texts_one_hot(tmp_path: Path, separator: str) -> None:
    task = load(tmp_path, table(separator=separator))
    assert task.features == ("age", "job=cook", "job=nurse", "job=pilot")
    assert task.classes == ("no", "yes")
    assert task.signature.input_shape == (4,)
    assert [len(part) for part in (task.train, task.validation, task.test)] == [24, 8, 8]
    np.testing.assert_allclose(task.train.x[:, 0].mean(), 0, atol=1e-6)
    np.testing.assert_allclose(task.train.x[:, 0].std(), 1, atol=1e-6)
    for part in (task.train, task.validation, task.test):
        assert set(np.unique(part.x[:, 1:]).tolist()) == {0, 1}
        assert (part.x[:, 1:].sum(1) == 1).all()
    assert task.normalisation is not None
    assert task.normalisation.scale[1:].tolist() == [1, 1, 1]
    raw = task.test.x / task.normalisation.scale + task.normalisation.offset
    ages = np.round(raw[:, 0]).astype(int) - 20
    assert (ages % 2 == task.test.y).all()
    assert (raw[:, 1:].argmax(1) == np.array([1, 0, 2])[ages % 3]).all()


def test_the_target_may_stand_anywhere_and_be_numbers(tmp_path: Path) -> None:
    text = "label,a\n" + "".join(f"{9 + i % 2},{i}\n" for i in range(20))
    task = load(tmp_path, text, "label")
    assert task.classes == ("9", "10")
    assert task.features == ("a",)


def test_quotes_byte_order_mark_and_blank_lines(tmp_path: Path) -> None:
    text = '\ufeff"a","class"\n\n' + "".join(f'" {i}","c, {i % 2}"\n\n' for i in range(20))
    assert load(tmp_path, text).classes == ("c, 0", "c, 1")


def test_the_target_must_be_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--target COLUMN; the columns are age, job, class"):
        load(tmp_path, table(), None)
    with pytest.raises(UsageError, match=r"unknown target column of data\.csv 'clas'; did you mean 'class'"):
        load(tmp_path, table(), "clas")


HEAD = "a,b,class\n"
GOOD = "".join(f"{i},{i % 5},{'xy'[i % 2]}\n" for i in range(40))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an empty file"),
        (HEAD, "a header only"),
        (HEAD + GOOD + "1,,x\n,NaN,x\n", "column 'a' has 1 missing values, the first in line 43"),
        (HEAD + GOOD + "1,,x\n1,NaN,x\n", "column 'b' has 2 missing values, the first in line 42"),
        (HEAD + GOOD + "1,2,\n", "column 'class' has 1 missing values"),
        (HEAD + GOOD + "1,2\n", "line 42 has 2 values, expected 3"),
        (HEAD + GOOD + "1,2,x,4\n", "line 42 has 4 values, expected 3"),
        (HEAD + GOOD + "1,inf,x\n", "column 'b', line 42: 'inf' is not finite"),
        (HEAD + GOOD + "1,2o,x\n", "column 'b', line 42: '2o' is not a number"),
        ("a,a,class\n" + GOOD, "column name 'a' is there twice"),
        ("a,,class\n" + GOOD, "column name '' is empty"),
        (HEAD + "".join(f"{i},1,x\n" for i in range(40)), "all labels of class are 'x'"),
        (
            HEAD + "".join(f"{i},1,{i / 7}\n" for i in range(40)),
            "target column 'class' holds numbers such as .*regression is not supported",
        ),
        (HEAD + "".join(f"{i},1,{i}\n" for i in range(40)), "too few rows"),
        (HEAD + "".join(f"name {i},1,{i % 2}\n" for i in range(40)), "column 'a' has 40 different texts"),
        ("class\n" + "x\ny\n" * 10, "no column beside the target"),
        (HEAD + GOOD + '1,"2,x\n', "not a csv file"),
    ],
)
def test_faults_of_the_table(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        load(tmp_path, text)
    assert "data.csv" in str(error.value)
    assert "\n" not in str(error.value)


def test_files_that_are_no_csv(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    with pytest.raises(DataError, match="no such file"):
        load_task(str(path), target="class")
    path.write_bytes(b"\x89PNG\x00\xff\xfe")
    with pytest.raises(DataError, match="not a text file in UTF-8"):
        load_task(str(path), target="class")
    path.write_bytes(b"\x00" * 64)
    with pytest.raises(DataError, match=r"data\.csv"):
        load_task(str(path), target="class")
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match="is a folder, not a file"):
        load_task(str(path), target="class")


def test_what_is_not_a_regular_file_is_never_read(tmp_path: Path) -> None:
    for name, target in (("zero.csv", "/dev/zero"), ("terminal.csv", "/dev/tty")):
        (tmp_path / name).symlink_to(target)
    os.mkfifo(tmp_path / "pipe.csv")
    for name in ("zero.csv", "pipe.csv"):
        with pytest.raises(DataError, match=f"{name}: is not a regular file but a device, a pipe or a socket"):
            load_task(str(tmp_path / name), target="class")
    with pytest.raises(DataError, match=r"terminal\.csv"):
        load_task(str(tmp_path / "terminal.csv"), target="class")
    with pytest.raises(DataError, match=r"its name holds a zero byte"):
        load_task("da\0ta.csv", target="class")


def test_a_table_of_100_000_columns_is_read_in_seconds(tmp_path: Path) -> None:
    names = [f"c{i}" for i in range(20_000)]
    text = ",".join((*names, "class")) + "\n" + "".join("1," * 20_000 + f"{i % 2}\n" for i in range(8))
    begin = time.process_time()
    assert load(tmp_path, text).signature.input_shape == (20_000,)
    with pytest.raises(UsageError, match=r"Known: c0, .*, c19 and 19,981 more"):
        load(tmp_path, text, "klass")
    assert time.process_time() - begin < 10  # it took 20 seconds when names were counted one by one


def test_one_long_text_does_not_decide_the_memory_of_all(tmp_path: Path) -> None:
    text = "a,class\n" + "x" * 100_000 + ",u\n" + "".join(f"{'pq'[i % 2]},{'uv'[i % 2]}\n" for i in range(5_000))
    tracemalloc.start()
    with pytest.raises(DataError, match="column 'a' holds a text of 100,000 characters"):
        load(tmp_path, text)
    with pytest.raises(DataError, match="a class of a has a name of 100,000 characters"):
        load(tmp_path, text, "a")
    assert tracemalloc.get_traced_memory()[1] < 50e6  # an array of texts took 2 GB
    tracemalloc.stop()


def test_a_file_without_line_ends_is_not_read_as_one_row(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 1 begins a row of more than 16,777,216 characters"):
        load(tmp_path, "ab," * (6 << 20))


def test_a_table_too_large_for_the_memory_is_refused_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAS_DATA_MEMORY", "0.02")
    with pytest.raises(DataError, match=r"the table up to line \d+,\d+ would take .* more than the 0\.02 GiB"):
        load(tmp_path, "a,b,class\n" + "10,20,30\n" * 200_000)
    wide = ",".join(f"c{i}" for i in range(100))
    rows = "".join(",".join([f"v{i % 100}"] * 100) + f",{i % 2}\n" for i in range(1_000))
    with pytest.raises(DataError, match=r"1,000 rows of 10,000 features would take 0\.3 GiB"):
        load(tmp_path, f"{wide},class\n{rows}")
