"""The user's own npz: allowed forms of x, the parts that can be given, and one clear line for each fault."""

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from nas.errors import DataError, UsageError
from nas.tasks import Task, load_task
from nas.tasks.split import divide_groups

RNG = np.random.default_rng(0)
Y = np.arange(100) % 2


def load(tmp_path: Path, **arrays: object) -> Task:
    path = tmp_path / "data.npz"
    np.savez(path, **{name: np.asarray(array) for name, array in arrays.items()})  # type: ignore[arg-type]
    return load_task(str(path))


def refused(tmp_path: Path, message: str, **arrays: object) -> None:
    with pytest.raises(DataError, match=message) as error:
        load(tmp_path, **arrays)
    assert "data.npz" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_table_is_standardised_by_its_training_part(tmp_path: Path) -> None:
    x = RNG.normal((10, -3, 0), (5, 1, 0), (100, 3))
    task = load(tmp_path, x=x, y=Y)
    assert [len(part) for part in (task.train, task.validation, task.test)] == [60, 20, 20]
    assert task.signature.input_shape == (3,)
    assert task.signature.outputs == 2
    np.testing.assert_allclose(task.train.x.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(task.train.x.std(0), (1, 1, 0), atol=1e-5)
    assert np.abs(task.validation.x.mean(0)).max() > 1e-3
    assert task.normalisation is not None
    raw = task.test.x / task.normalisation.scale + task.normalisation.offset
    distance = np.abs(raw[:, None] - x[None]).max(-1).min(1)
    assert distance.max() < 1e-4


@pytest.mark.parametrize(
    ("x", "more", "shape"),
    [
        (np.zeros((100, 5)), {}, (5,)),
        (np.zeros((100, 5), bool), {}, (5,)),
        (np.zeros((100, 6, 4)), {}, (6, 4)),
        (np.zeros((100, 6, 6)), {}, (6, 6)),
        (np.zeros((100, 6, 4), np.uint8), {}, (6, 4)),
        (np.zeros((100, 6, 6), np.uint8), {}, (1, 6, 6)),
        (np.zeros((100, 6, 6), np.uint8), {"kind": "sequence"}, (6, 6)),
        (np.zeros((100, 6, 4)), {"kind": "image"}, (1, 6, 4)),
        (np.zeros((100, 3, 6, 4)), {}, (3, 6, 4)),
        (np.zeros((100, 6, 4, 3), np.uint8), {}, (3, 6, 4)),
        (np.zeros((100, 3, 4, 3), np.uint8), {}, (3, 4, 3)),
        (np.zeros((100, 6, 4, 3)), {}, (6, 4, 3)),
    ],
)
def test_what_x_is_taken_for(tmp_path: Path, x: np.ndarray, more: dict[str, str], shape: tuple[int, ...]) -> None:
    task = load(tmp_path, x=x, y=Y, **more)
    assert task.signature.input_shape == shape
    assert task.train.x.shape == (60, *shape)
    assert task.train.x.flags.c_contiguous


def test_pixels_are_divided_by_255(tmp_path: Path) -> None:
    task = load(tmp_path, x=np.full((100, 4, 4), 51, np.uint8), y=Y)
    np.testing.assert_allclose(task.train.x, 0.2, rtol=1e-6)
    assert task.normalisation is not None
    assert float(task.normalisation.scale.ravel()[0]) == pytest.approx(1 / 255)


@pytest.mark.parametrize(
    "names", [("x", "x_validation", "x_test"), ("x_train", "x_val", "x_test"), ("X", "x_valid", "X_test")]
)
def test_given_parts_are_kept(tmp_path: Path, names: tuple[str, ...]) -> None:
    arrays: dict[str, object] = {}
    for name, n in zip(names, (10, 6, 4), strict=True):
        arrays[name] = np.arange(n)[:, None] * 1.0
        arrays[name.replace("x", "y").replace("X", "Y")] = np.arange(n) % 2
    task = load(tmp_path, **arrays)
    assert [part.y.tolist() for part in (task.train, task.validation, task.test)] == [
        [0, 1] * 5,
        [0, 1] * 3,
        [0, 1] * 2,
    ]


def test_only_a_test_part_given(tmp_path: Path) -> None:
    task = load(tmp_path, x=RNG.random((100, 2)), y=Y, x_test=RNG.random((7, 2)), y_test=np.ones(7, int))
    assert [len(part) for part in (task.train, task.validation, task.test)] == [80, 20, 7]


def test_classes_are_sorted_labels(tmp_path: Path) -> None:
    task = load(tmp_path, x=np.arange(100.0)[:, None], y=np.where(Y, "cat", "ant"))
    assert task.classes == ("ant", "cat")
    assert load(tmp_path, x=np.zeros((100, 1)), y=np.where(Y, 10, 9)).classes == ("9", "10")
    assert load(tmp_path, x=np.zeros((100, 1)), y=np.where(Y, 1, -1)[:, None]).classes == ("-1", "1")
    assert load(tmp_path, x=np.zeros((100, 1)), y=np.where(Y, b"b", b"a")).classes == ("a", "b")
    assert load(tmp_path, x=np.zeros((100, 1)), y=Y == 1, classes=["no", "yes"]).classes == ("no", "yes")


def test_the_subset_and_the_seed(tmp_path: Path) -> None:
    load(tmp_path, x=RNG.random((100, 2)), y=Y)
    path = str(tmp_path / "data.npz")
    small = load_task(path, subset=20)
    assert [len(part) for part in (small.train, small.validation, small.test)] == [15, 5, 20]
    assert small.fingerprint == load_task(path, subset=20).fingerprint != load_task(path, subset=20, seed=1).fingerprint
    with pytest.raises(UsageError, match="at least"):
        load_task(path, subset=2)
    with pytest.raises(UsageError, match="csv"):
        load_task(path, target="y")


def test_changed_data_changes_the_fingerprint(tmp_path: Path) -> None:
    x = RNG.random((100, 2))
    first = load(tmp_path, x=x, y=Y).fingerprint
    x[3, 1] += 0.5
    assert load(tmp_path, x=x, y=Y).fingerprint != first


X = np.zeros((100, 2))


@pytest.mark.parametrize(
    ("message", "arrays"),
    [
        ("no array 'x'; found y", {"y": Y}),
        ("no array 'y'; found x", {"x": X}),
        ("unknown array 'x_vald'; did you mean 'x_val", {"x": X, "y": Y, "x_vald": X}),
        ("unknown array 'y_dev'", {"x": X, "y": Y, "y_dev": Y}),
        ("'x' and 'x_train' are the same part", {"x": X, "y": Y, "x_train": X}),
        ("'x_test' has no y_test beside it", {"x": X, "y": Y, "x_test": X}),
        ("'y_val' has no x_val beside it", {"x": X, "y": Y, "y_val": Y}),
        ("x has 100 rows and y 99", {"x": X, "y": Y[:-1]}),
        (r"x is empty, its shape is \(0, 2\)", {"x": X[:0], "y": Y}),
        (r"x is empty, its shape is \(100, 0\)", {"x": X[:, :0], "y": Y}),
        ("y is empty", {"x": X, "y": Y[:0]}),
        ("all labels of y are '0'", {"x": X, "y": Y * 0}),
        ("y is float64.*regression is not supported", {"x": X, "y": Y * 0.5}),
        (r"y has the shape \(100, 2\)", {"x": X, "y": np.zeros((100, 2), int)}),
        ("class '(1|True)' has too few rows to split, 1 of the 3", {"x": X, "y": np.arange(100) == 7}),
        ("class '0' has too few rows to split", {"x": X, "y": np.arange(100)}),
        ("y_test has the class '5' at index 1", {"x": X, "y": Y, "x_test": X[:2], "y_test": np.array([0, 5])}),
        ("y_test holds <U1 and y int64", {"x": X, "y": Y, "x_test": X[:2], "y_test": np.array(["0", "1"])}),
        (
            r"x_test is float64 \(2, 1\), expected float64 rows of shape \(2,\)",
            {"x": X, "y": Y, "x_test": X[:2, :1], "y_test": Y[:2]},
        ),
        (r"x has the shape \(100,\); expected \(N, features\)", {"x": X[:, 0], "y": Y}),
        ("x has the shape", {"x": np.zeros((100, 1, 1, 1, 1)), "y": Y}),
        ("x is complex128, expected numbers", {"x": X * 1j, "y": Y}),
        ("x is <U3, expected numbers", {"x": X.astype("U3"), "y": Y}),
        ("kind is 'text', expected tabular", {"x": X, "y": Y, "kind": "text"}),
        ("'classes' has the shape", {"x": X, "y": Y, "classes": ["a"]}),
        ("'x' holds Python objects", {"x": np.array([[None], [1]], object), "y": Y}),
        ("no UTF-8 text", {"x": X, "y": np.where(Y, b"\xff", b"a")}),
        ("too large for float32", {"x": np.where(Y, 1e300, 0.0)[:, None], "y": Y}),
    ],
)
def test_faults_of_the_arrays(tmp_path: Path, message: str, arrays: dict[str, object]) -> None:
    refused(tmp_path, message, **arrays)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_first_value_that_is_not_finite_is_named(tmp_path: Path, value: float) -> None:
    x = X.copy()
    x[17, 1] = x[40, 0] = value
    refused(tmp_path, rf"x\[17, 1\] is {value} \(2 values are not finite\)", x=x, y=Y)


def test_files_that_are_no_npz(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    for content, message in ((b"x,y\n1,2\n", "not an npz file.*x,y"), (b"", "not an npz file"), (None, "no such file")):
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(DataError, match=message):
            load_task(str(path))
    path.mkdir()
    with pytest.raises(DataError, match="is a folder"):
        load_task(str(path))


def test_a_cut_off_or_flipped_npz_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, x=RNG.random((100, 20)), y=Y)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="not an npz file"):
        load_task(str(path))
    flipped = bytearray(whole)
    flipped[1000] ^= 255
    path.write_bytes(bytes(flipped))
    with pytest.raises(DataError, match=r"damaged npz file.*CRC"):
        load_task(str(path))


def archive(path: Path, name: str, header: str, data: bytes, version: bytes = b"\x01\x00") -> None:
    text = header.encode().ljust(117) + b"\n"
    buffer = io.BytesIO(b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text + data)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(name, buffer.getvalue())


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (
            "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 3)}",
            "type float64 would take 78,231.1 GiB of memory, more than the 1.5 GiB",
        ),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (100, 3)}", "needs 2400 bytes, found 16"),
        ("{'descr': '|O', 'fortran_order': False, 'shape': (2,)}", "Python objects"),
        ("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (2,)}", "expected numbers or texts"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (-2, -1)}", "its shape is"),
        ("__import__('os').getcwd()", "damaged"),
        ("(" * 110, "damaged"),
    ],
)
def test_headers_that_lie(tmp_path: Path, header: str, message: str) -> None:
    path = tmp_path / "data.npz"
    archive(path, "x.npy", header, bytes(16))
    with pytest.raises(DataError, match=message) as error:
        load_task(str(path))
    assert "\n" not in str(error.value)


def test_a_header_of_another_version_is_refused(tmp_path: Path) -> None:
    archive(
        tmp_path / "data.npz",
        "x.npy",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2,)}",
        bytes(16),
        b"\x03\x00",
    )
    with pytest.raises(DataError, match=r"npy format 3\.0"):
        load_task(str(tmp_path / "data.npz"))


def test_a_packed_gigabyte_of_zeros_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    archive(path, "x.npy", "{'descr': '|u1', 'fortran_order': False, 'shape': (1048576, 1024)}", bytes(1 << 20))
    with pytest.raises(
        DataError, match=r"'x' of shape \(1048576, 1024\) and type uint8 would take 14\.0 GiB of memory"
    ):
        load_task(str(path))


def test_the_memory_that_data_may_take_can_be_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAS_DATA_MEMORY", "0.0001")
    with pytest.raises(DataError, match=r"more than the 0\.0001 GiB that data may take"):
        load(tmp_path, x=RNG.random((100, 50)), y=Y)
    monkeypatch.setenv("NAS_DATA_MEMORY", "0.001")
    assert len(load(tmp_path, x=RNG.random((100, 50)), y=Y).train) == 60
    monkeypatch.setenv("NAS_DATA_MEMORY", "much")
    with pytest.raises(UsageError, match="NAS_DATA_MEMORY must be a positive number of GiB, got 'much'"):
        load(tmp_path, x=RNG.random((100, 50)), y=Y)


def test_sizes_that_the_bytes_cannot_hold_are_damage(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, x=np.zeros((100, 20)), y=Y)
    content = path.read_bytes()
    directory = content.index(b"PK\x01\x02")
    stated = struct.unpack_from("<I", content, directory + 24)[0]  # size of the first array, unpacked
    path.write_bytes(content[: directory + 24] + struct.pack("<I", stated * 2) + content[directory + 28 :])
    with pytest.raises(DataError, match=r"'x' is damaged: 16,128 bytes cannot hold 32,256"):
        load_task(str(path))


def test_only_numpys_own_ways_to_pack_are_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as file:
        file.writestr("x.npy", b"")
        file.writestr("y.npy", b"")
    with pytest.raises(DataError, match="packed by another method than numpy's"):
        load_task(str(path))


def test_the_first_rows_of_many_classes_are_divided_at_once() -> None:
    groups = np.repeat(np.arange(9_000), 5)  # one comparison of all rows for each class took minutes
    parts = divide_groups(groups, (0.6, 0.2, 0.2), np.random.default_rng(0), "here")
    assert [len(part) for part in parts] == [27_000, 9_000, 9_000]
    assert all((np.bincount(groups[part], minlength=9_000) == len(part) // 9_000).all() for part in parts)
