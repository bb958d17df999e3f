"""Damaged ONNX files: an answer or one typed error, for any damage. The whole run is `benchmarks/support/fuzz_onnx_files.py`."""

import importlib
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks" / "support"


@pytest.fixture
def fuzz(monkeypatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("fuzz_onnx_files")


def test_the_same_number_is_the_same_damage_and_others_are_others(fuzz):
    models = fuzz.sound_models(None, exports=False)
    files = [fuzz.mutant(models, 14, number)[1] for number in (3, 4, 3)]
    assert files[0] == files[2] != files[1]
    assert fuzz.mutant(models, 15, 3)[1] != files[0]


def test_sound_models_are_accepted_and_damage_is_refused_or_read(fuzz, tmp_path, monkeypatch):
    models = fuzz.sound_models(None, exports=False)
    stages, promised = fuzz.stages()
    stages = {name: stages[name] for name in ("load", "count", "simplify", "encode", "shrink", "trim", "import")}
    monkeypatch.chdir(tmp_path)
    fuzz.onnx_zoo.write_external(tmp_path)
    path, found = tmp_path / "model.onnx", Counter[str]()
    for number in range(12):
        path.write_bytes(fuzz.mutant(models, 7, number)[1])
        for stage in stages.values():
            found[fuzz.limited_workers.outcome(stage, promised, path)[0]] += 1
    assert found["untyped"] == found["too large"] == 0
    assert found["accepted"] > 10
    assert found["refused"] > 2


@pytest.mark.slow  # three minutes of processor time: every file in processes with limits, the command line included
def test_damaged_files_end_in_an_answer_or_one_line_in_bounded_time_and_memory(fuzz):
    models = fuzz.sound_models(None, exports=False)
    outcomes = [verdicts for _, _, verdicts in fuzz.run(models, range(150), seed=7, workers=2)]
    counts = fuzz.table(outcomes)
    assert len(outcomes) == 150
    assert all(not counts[stage][verdict] for stage in counts for verdict in fuzz.limited_workers.WRONG), counts
    assert counts["load"]["accepted"] > 50
    assert counts["load"]["refused"] > 20
    assert set(counts) == {
        "load",
        "count",
        "simplify",
        "encode",
        "predict",
        "shrink",
        "trim",
        "import",
        "nas inspect",
        "nas predict",
    }


BAD_STAGES = """
import ctypes, time

def slow(path):
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass

def refuses(path):
    raise OSError("no")

def fails(path):
    raise KeyError("no")

def start():
    return {
        "fine": lambda path: None,
        "refuses": refuses,
        "fails": fails,
        "slow": slow,
        "large": lambda path: bytearray(3 * 10**8),
        "dies": lambda path: ctypes.string_at(0),
    }, lambda error: isinstance(error, OSError)
"""


def test_a_process_that_dies_or_takes_too_much_is_told_by_its_stage(fuzz, tmp_path, monkeypatch):
    (tmp_path / "bad_stages.py").write_text(BAD_STAGES)
    monkeypatch.syspath_prepend(str(tmp_path))
    start = importlib.import_module("bad_stages").start
    jobs = [(0, tmp_path), (1, tmp_path)]  # after a crash, the next file gets a new process
    for number, verdicts in fuzz.limited_workers.tried(jobs, start, workers=1, seconds=0.2, limit=10**8):
        assert [(one.stage, one.verdict) for one in verdicts] == [
            ("fine", "accepted"),
            ("refuses", "refused"),
            ("fails", "untyped"),
            ("slow", "too slow"),
            ("large", "too large"),
            ("dies", "crash"),
        ], number
