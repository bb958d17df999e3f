"""The fuzz test of the benchmarks, small: it judges outcomes correctly, and finds no error in the project."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks" / "support"
FORMATS = ("npz", "packed npz", "csv", "idx", "idx.gz", "cifar batch", "plan", "table")


def test_a_hundred_broken_files_end_in_one_clear_line_each(tmp_path):
    # About 8 seconds, most of them to start the process that reads; the formats of a finished run need a search as well.
    words = [word for name in FORMATS for word in ("--only", name)]
    output = tmp_path / "found.json"
    done = subprocess.run(
        [sys.executable, FOLDER / "fuzz_data_files.py", "--mutants", "104", "--first", "6", "--output", output, *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(output.read_text())["formats"]
    assert [row["format"] for row in rows] == list(FORMATS)
    assert sum(row["read"] + row["refused"] for row in rows) == 104
    assert all(row["refused"] >= 5 for row in rows)


@pytest.fixture
def fuzz(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    import fuzz_data_files

    return fuzz_data_files


@pytest.mark.parametrize(
    ("code", "out", "err", "kind"),
    [
        (0, "table\n", "", "read"),
        (2, "", "nas: error: wrong\n", "refused"),
        (None, "", "Traceback", "untyped"),
        (2, "", "nas: error: a\nnas: error: b\n", "several lines"),
        (1, "", "", "several lines"),
        (0, "name\x1b[2J\n", "", "control characters"),
        (2, "", "nas: error: \x9b\n", "control characters"),
    ],
)
def test_what_a_command_said_is_judged(fuzz, code, out, err, kind):
    assert fuzz.judge(code, out, err) == kind


def test_a_mutant_can_be_made_again(fuzz, tmp_path):
    sound = fuzz.sound_files(tmp_path, ["csv"])
    for number in range(6, 12):
        names = {fuzz.Mutant(3, "csv", number).write(sound, tmp_path / place) for place in ("a", "b")}
        assert len(names) == 1
        assert (tmp_path / "a" / "data.csv").read_bytes() == (tmp_path / "b" / "data.csv").read_bytes()
