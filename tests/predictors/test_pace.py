"""The progress of an evaluation, with a clock that the test controls."""

from predictors.library.pace import Evaluating, Pace


def test_time_left_is_told_once_every_predictor_was_fitted_once():
    now, told = [0.0], []
    pace = Pace(("constant", "ensemble"), 3, told.append, clock=lambda: now[0])
    for name, took in (("constant", 1.0), ("ensemble", 40.0), ("constant", 3.0)):
        with pace.fit(name):
            now[0] += took
    assert told == [
        Evaluating(fitted=0, fits=6, predictor="", left=None),
        Evaluating(fitted=1, fits=6, predictor="constant", left=None),
        Evaluating(fitted=2, fits=6, predictor="ensemble", left=2 * 1.0 + 2 * 40.0),
        Evaluating(fitted=3, fits=6, predictor="constant", left=1 * 2.0 + 2 * 40.0),
    ]
