import pytest

from nas.errors import ConstraintError
from nas.study import constraints
from nas.study.constraints import Constraint, parse, parse_all


def test_parse_reads_metric_operator_and_bound():
    assert parse("nnz<=600") == Constraint("nnz", "<=", 600.0)
    assert parse(" bytes >= 2e4 ") == Constraint("bytes", ">=", 20000.0)
    assert parse("nnz<=10%") == Constraint("nnz", "<=", 0.1, relative=True)


@pytest.mark.parametrize("text", ["nnz<=600", "nnz<=10%", "latency<=0.5"])
def test_a_constraint_prints_as_it_was_written(text):
    assert str(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nnz=600", "not of the form"),
        ("nnz<600", "not of the form"),
        ("nnz<=many", "not of the form"),
        ("nnz<=1e400", "beyond every number"),
        ("nonzeros<=600", "unknown metric 'nonzeros'; did you mean"),
        ("nnz<=0", "can never be met"),
        ("nnz<=-5", "not of the form"),
        ("nnz<=120%", "always met"),
        ("bytes<=10%", "only nnz"),
    ],
)
def test_a_bad_constraint_says_what_is_wrong(text, message):
    with pytest.raises(ConstraintError, match=message):
        parse(text)


def test_constraints_that_exclude_each_other_are_refused():
    with pytest.raises(ConstraintError, match="exclude each other"):
        parse_all(["nnz<=600", "nnz>=700"])
    assert len(parse_all(["nnz<=600", "nnz>=600"])) == 2


def test_excess_is_the_share_by_which_a_bound_is_missed():
    metrics = {"nnz": 660.0, "density": 0.08}
    assert parse("nnz<=600").excess(metrics) == pytest.approx(0.1)
    assert parse("nnz>=600").excess(metrics) == pytest.approx(-0.1)
    assert parse("nnz<=10%").excess(metrics) == pytest.approx(-0.2)
    assert parse("nnz<=660").excess(metrics) == 0


def test_nnz_options_take_the_tightest_bound():
    bounds = parse_all(["nnz<=600", "nnz<=500.5", "nnz<=10%", "bytes<=9"])
    assert constraints.nnz_options(bounds) == {"max_nnz": 500, "max_density": 0.1}
