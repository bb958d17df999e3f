"""Learning curves in the run folder."""

import json

import pytest

from nas.errors import RunError
from nas.study.learning_curves import LearningCurve, file_name, from_text, to_text
from nas.study.run_folder import RunFolder


def test_curves_come_back_as_they_were():
    curves = {
        3: LearningCurve.of([2.0, 1.23456789], [0.5, 0.75]),
        4: LearningCurve.of([float("nan"), float("inf")], [0.1, 0.1]),
    }
    assert curves[3].losses == (2.0, 1.23457), "six digits are kept"
    assert curves[4].losses == (None, None)
    assert from_text(to_text(curves)) == curves


def test_a_round_is_one_file_and_is_replaced_when_it_is_trained_again(tmp_path):
    folder = RunFolder(tmp_path)
    for accuracy in (0.5, 0.75):
        folder.write_curves(2, {7: LearningCurve.of([1.0], [accuracy])})
    (file,) = (tmp_path / "curves").iterdir()
    assert file == tmp_path / file_name(2)
    assert from_text(file.read_text())[7].accuracies == (0.75,)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 1, "trials": {"x": 1}}', '{"version": 2, "trials": {}}'])
def test_a_damaged_file_is_an_error(text):
    with pytest.raises(ValueError, match=r"curves|Expecting|invalid"):
        from_text(text)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "curves").write_text("in the way")
    with pytest.raises(RunError, match="curves"):
        RunFolder(tmp_path).write_curves(0, {})


def test_the_text_is_plain_json():
    assert json.loads(to_text({})) == {"version": 1, "trials": {}}
