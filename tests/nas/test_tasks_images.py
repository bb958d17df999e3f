"""MNIST, Fashion-MNIST and CIFAR-10 in every form they come in, whole and damaged."""

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from nas.errors import DataError
from nas.tasks import load_task
from nas.tasks.idx import read_idx

DATA_DIR = os.environ.get("NAS_DATA_DIR")
needs_data = pytest.mark.skipif(not DATA_DIR, reason="NAS_DATA_DIR is not set")


def idx(array: np.ndarray) -> bytes:
    return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_mnist(folder: Path, *, packed: bool = False, n: int = 100) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for part, size in (("train", n), ("t10k", n // 2)):
        y = (np.arange(size) % 10).astype(np.uint8)
        x = np.broadcast_to(y[:, None, None] * 20, (size, 28, 28)).astype(np.uint8)
        for kind, array in (("images-idx3", x), ("labels-idx1", y)):
            data = idx(array)
            (folder / f"{part}-{kind}-ubyte{'.gz' * packed}").write_bytes(gzip.compress(data) if packed else data)


@pytest.mark.parametrize("place", ["mnist", "images/mnist", "."])
@pytest.mark.parametrize("packed", [False, True])
def test_mnist_is_found_plain_and_packed(tmp_path: Path, place: str, packed: bool) -> None:
    write_mnist(tmp_path / place, packed=packed)
    task = load_task("mnist", data_dir=tmp_path)
    assert [len(part) for part in (task.train, task.validation, task.test)] == [90, 10, 50]
    assert task.signature.input_shape == (1, 28, 28)
    for part in (task.train, task.validation, task.test):
        np.testing.assert_allclose(part.x[:, 0, 3, 5], part.y * 20 / 255, rtol=1e-6)
    assert task.test.y.tolist() == [i % 10 for i in range(50)]


def test_fashion_mnist_has_folders_and_class_names_of_its_own(tmp_path: Path) -> None:
    write_mnist(tmp_path / "images" / "fashion_mnist")
    assert load_task("fashion-mnist", data_dir=tmp_path).classes[9] == "Ankle boot"
    with pytest.raises(DataError, match="mnist: train-images-idx3-ubyte"):
        load_task("mnist", data_dir=tmp_path)


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("train-images-idx3-ubyte", lambda b: b[:-1], "expected 78400 bytes for 100 × 28 × 28, found 78399"),
        ("train-images-idx3-ubyte", lambda b: b + b"x", "found more"),
        ("train-images-idx3-ubyte", lambda b: b[:9], "cut off inside its header, 9 of 16 bytes"),
        ("train-images-idx3-ubyte", lambda b: b"", "found nothing"),
        ("train-images-idx3-ubyte", lambda b: b[:4] + bytes(12), "its header says 0 × 0 × 0, which is empty"),
        (
            "train-images-idx3-ubyte",
            lambda b: b"hello, world",
            "expected an IDX file beginning with 00 00 08 03, found 68 65 6c 6c",
        ),
        (
            "train-images-idx3-ubyte",
            lambda b: b[:4] + b"\xff" * 12,
            "4294967295 × 4294967295 × 4294967295 bytes would take",
        ),
        (
            "train-images-idx3-ubyte",
            lambda b: b[:4] + struct.pack(">3I", 100, 14, 56) + b[16:],
            "expected images of 28 × 28, found 14 × 56",
        ),
        ("t10k-labels-idx1-ubyte", lambda b: b[:4] + struct.pack(">I", 49) + b[8:-1], "expected 50 labels"),
        ("t10k-labels-idx1-ubyte", lambda b: b[:-1] + b"\x0b", "found 11 at index 49"),
        ("t10k-labels-idx1-ubyte", lambda b: idx(np.zeros((5, 1), np.uint8)), "beginning with 00 00 08 01"),
        ("t10k-labels-idx1-ubyte", lambda b: gzip.compress(b)[:-12], "damaged or cut off"),
        ("t10k-labels-idx1-ubyte", lambda b: gzip.compress(b)[:-8] + b"12345678", "damaged or cut off"),
        ("train-images-idx3-ubyte", lambda b: gzip.compress(b)[:200] + b"\xff" * 50, "damaged or cut off"),
    ],
)
def test_a_damaged_file_is_named_with_what_was_expected(tmp_path: Path, name: str, damage, message: str) -> None:  # type: ignore[no-untyped-def]
    write_mnist(tmp_path)
    path = tmp_path / name
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=message) as error:
        load_task("mnist", data_dir=tmp_path)
    assert name in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_of_four_is_named(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match="t10k-labels-idx1-ubyte"):
        load_task("mnist", data_dir=tmp_path)
    with pytest.raises(DataError, match="no such file"):
        read_idx(tmp_path / "absent", 1)


def test_a_packed_gigabyte_of_zeros_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    shape = struct.pack(">3I", 1 << 20, 32, 32)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(bytes((0, 0, 8, 3)) + shape + bytes(1000)))
    with pytest.raises(DataError, match=r"1048576 × 32 × 32 bytes would take 6\.0 GiB of memory.*NAS_DATA_MEMORY"):
        read_idx(tmp_path / "bomb.gz", 3)


@needs_data
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_the_real_images_load_whole(name: str) -> None:
    task = load_task(name, data_dir=Path(str(DATA_DIR)))
    assert len(task.train) + len(task.validation) == 60_000
    assert (len(task.validation), len(task.test)) == (pytest.approx(6000, abs=5), 10_000)
    assert set(task.validation.y.tolist()) == set(range(10))
    assert (task.train.x.min(), task.train.x.max()) == (0, 1)


def cifar(n: int, channels_last: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Image i has its label in every red pixel, 100 in every green one."""
    y = np.arange(n) % 10
    x = np.zeros((n, 3, 32, 32), np.uint8)
    x[:, 0] = y[:, None, None]
    x[:, 1] = 100
    return (x.transpose(0, 2, 3, 1) if channels_last else x), y.astype(np.uint8)


def check_cifar(folder: Path, n_train: int, n_test: int) -> None:
    task = load_task("cifar10", data_dir=folder)
    assert task.signature.input_shape == (3, 32, 32)
    assert len(task.train) + len(task.validation) == n_train
    assert len(task.test) == n_test
    for part in (task.train, task.validation, task.test):
        np.testing.assert_allclose(part.x[:, 0, 7, 9], part.y / 255, rtol=1e-6)
        np.testing.assert_allclose(part.x[:, 1], 100 / 255, rtol=1e-6)


def write_binary(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        x, y = cifar(40)
        (folder / f"{name}.bin").write_bytes(np.concatenate([y[:, None], x.reshape(40, -1)], axis=1).tobytes())


def test_cifar_from_binary_batches(tmp_path: Path) -> None:
    write_binary(tmp_path / "cifar-10-batches-bin")
    check_cifar(tmp_path, 200, 40)
    path = tmp_path / "cifar-10-batches-bin" / "data_batch_3.bin"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DataError, match=r"data_batch_3\.bin: expected records of 3073 bytes, found 122915"):
        load_task("cifar10", data_dir=tmp_path)
    path.unlink()
    with pytest.raises(DataError, match=r"data_batch_3\.bin missing"):
        load_task("cifar10", data_dir=tmp_path)


@pytest.mark.parametrize("channels_last", [False, True])
def test_cifar_from_npz_in_both_layouts(tmp_path: Path, channels_last: bool) -> None:
    (x, y), (x_test, y_test) = cifar(100, channels_last), cifar(30, channels_last)
    (tmp_path / "images").mkdir()
    np.savez(tmp_path / "images" / "cifar10_small.npz", x_train=x, y_train=y, x_test=x_test, y_test=y_test[:, None])
    check_cifar(tmp_path, 100, 30)


def test_cifar_npz_with_wrong_arrays(tmp_path: Path) -> None:
    x, y = cifar(100)
    np.savez(tmp_path / "cifar10.npz", x_train=x, y_train=y, x_test=x)
    with pytest.raises(DataError, match="no array y_test"):
        load_task("cifar10", data_dir=tmp_path)
    np.savez(tmp_path / "cifar10.npz", x_train=x / 255, y_train=y, x_test=x, y_test=y)
    with pytest.raises(DataError, match="x_train is float64"):
        load_task("cifar10", data_dir=tmp_path)
    np.savez(tmp_path / "cifar10.npz", x_train=x, y_train=y + 1, x_test=x, y_test=y)
    with pytest.raises(DataError, match="expected labels 0 to 9, found 10 at index 9"):
        load_task("cifar10", data_dir=tmp_path)
    np.savez(tmp_path / "cifar10.npz", x_train=x, y_train=y[:-1], x_test=x, y_test=y)
    with pytest.raises(DataError, match="found 99 labels and 100 images"):
        load_task("cifar10", data_dir=tmp_path)


def test_python_batches_are_not_read_and_the_right_download_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "cifar10" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    (folder / "data_batch_1").write_bytes(b"cos\nsystem\n(S'touch executed'\ntR.")  # a pickle that runs a command
    with pytest.raises(
        DataError, match=r"cifar-10-batches-py: holds the python version.*take the binary version"
    ) as error:
        load_task("cifar10", data_dir=tmp_path)
    assert "cifar-10-binary.tar.gz" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_batch_that_is_far_too_long_is_refused_by_its_size(tmp_path: Path) -> None:
    write_binary(tmp_path / "cifar-10-batches-bin")
    with (tmp_path / "cifar-10-batches-bin" / "data_batch_2.bin").open("r+b") as file:
        file.truncate(1 << 40)  # a sparse file: it takes no room on the disk
    with pytest.raises(DataError, match=r"data_batch_2\.bin: 1,099,511,627,776 bytes, expected at most 30,730,000"):
        load_task("cifar10", data_dir=tmp_path)


@needs_data
def test_the_real_cifar_subset(tmp_path: Path) -> None:
    task = load_task("cifar10", data_dir=Path(str(DATA_DIR)), subset=1000)
    assert (len(task.train), len(task.validation), len(task.test)) == (800, 200, 1000)
    assert 0.4 < task.train.x.mean() < 0.55
