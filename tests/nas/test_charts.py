"""Charts: scales, and the series behind them."""

import pytest

from nas.reports.charts.axis_scale import Scale
from nas.reports.charts.best_so_far import leader_means
from nas.reports.charts.frame import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Frame, counts, shares
from nas.reports.charts.predicted import Forecasts
from nas.reports.rows.trial_row import TrialRow
from nas.study.trial import Score


def test_ticks_are_round_numbers_inside_the_scale():
    assert Scale(0.31, 0.97).ticks == pytest.approx([0.4, 0.6, 0.8])
    assert Scale(180, 6000, log=True).ticks == [200, 500, 1000, 2000, 5000]
    assert Scale(10, 1e9, log=True).ticks[0] == 10
    assert len(Scale(10, 1e9, log=True).ticks) <= 6
    assert len(Scale(300, 340, log=True).ticks) >= 2


def test_a_scale_of_one_value_has_room_on_both_sides():
    for scale in (Scale.around([5.0]), Scale.around([5.0], log=True), Scale.around([])):
        assert scale.low < scale.high
    assert Scale.around([0.999, 1.0], most=1.0).high == 1.0


def test_points_lie_inside_the_frame_and_high_is_up():
    frame = Frame(Scale(1, 100, log=True), Scale(0, 1), "x", "y")
    assert frame.point(1, 0) == (LEFT, HEIGHT - BOTTOM)
    assert frame.point(100, 1) == (WIDTH - RIGHT, TOP)
    assert frame.point(10, 0.5) == ((LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2)


def test_numbers_on_axes_are_short():
    assert [counts(value) for value in (500, 2000, 1.5e6)] == ["500", "2k", "1.5M"]
    assert [shares(value) for value in (0.5, 0.955)] == ["50%", "95.5%"]


def test_the_leader_falls_where_it_does_worse_the_second_time(make_trial):
    first, second = make_trial(0, 0.75), make_trial(1, 1.0)
    again = make_trial(2, 0.5, candidate=second.candidate, repeat=1)
    failed = make_trial(3, None)
    assert leader_means([TrialRow.of(one) for one in (first, second, again, failed)]) == [0.75, 1.0, 0.75, 0.75]
    assert leader_means([TrialRow.of(failed)]) == [None]


def test_forecasts_tell_how_good_they_were():
    told = Forecasts([(Score(0.8, 0.1), 0.85), (Score(0.9, 0.1), 0.7)])
    assert str(told) == (
        "The results are 12.5 points away from the prediction on average, 1 of 2 within one stated standard deviation "
        "(10.0 points on average)."
    )
