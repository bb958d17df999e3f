"""Reading files from untrusted sources: only regular files, a limited size, a limited depth."""

import os

import pytest

from nas.errors import DataError, UsageError
from nas.input_file import parse_json, read_bytes, read_json, read_toml


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data.json"


def test_pipes_devices_folders_and_absent_files_are_named(tmp_path, path):
    os.mkfifo(path)
    with pytest.raises(DataError, match=r"data\.json: is not a regular file but a device, a pipe or a socket"):
        read_json(path)
    (tmp_path / "zero").symlink_to("/dev/zero")
    with pytest.raises(UsageError, match="zero: is not a regular file"):
        read_toml(tmp_path / "zero", error=UsageError)
    with pytest.raises(DataError, match="is a folder, not a file"):
        read_json(tmp_path)
    with pytest.raises(DataError, match="no such file"):
        read_json(tmp_path / "none")
    with pytest.raises(DataError, match="cannot be read"):
        read_json(path / "below")
    with pytest.raises(DataError, match="its name holds a zero byte"):
        read_json(tmp_path / "a\0b")


def test_no_more_is_read_than_allowed(path):
    path.write_bytes(b"12345")
    assert read_bytes(path, 5) == b"12345"
    with pytest.raises(DataError, match=r"data\.json: 5 bytes, expected at most 4"):
        read_bytes(path, 4)
    os.truncate(path, 1 << 40)  # a sparse file: the limit is checked before anything is allocated
    with pytest.raises(DataError, match="1,099,511,627,776 bytes, expected at most 100"):
        read_bytes(path, 100)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "nested too deep"),
        (b"[" * 65 + b"]" * 65, "nested deeper than 64 levels"),
        (b'{"a":' * 300 + b"1" + b"}" * 300, "nested deeper than 64 levels"),
        (b"NaN", "NaN is no JSON number"),
        (b"[1e999]", "not finite"),
        (b"[-1E+0999]", "not finite"),
        (b"123456789012345678901", "more than 64 bits"),
        (b"9" * 10_000, "not JSON"),
        (b'["\\ud800"]', "half of a surrogate pair"),
        (b'{"\\uDFFF": 1}', "half of a surrogate pair"),
    ],
)
def test_json_that_would_break_later_is_refused_at_once(content, message):
    with pytest.raises(DataError, match=message) as error:
        parse_json(content, "here")
    assert str(error.value).startswith("here")


@pytest.mark.parametrize(
    "content", [b"[" * 63 + b"1" + b"]" * 63, b'"\\ud83d\\ude00"', b'{"a": [1e300, -2, "\\u00e9"]}']
)
def test_ordinary_json_is_read(content):
    assert parse_json(content, "here") is not None
