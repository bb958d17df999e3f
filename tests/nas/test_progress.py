"""The messages of a search while it runs."""

from nas.cli.progress_display import describe
from nas.metrics.accuracy import ACCURACY
from nas.study.progress import Fall, Progress
from nas.study.trial import CandidateResult
from search_spaces.candidate import Candidate


def result(name, *accuracies):
    return CandidateResult(
        candidate=Candidate(space="mlp", architecture={"name": name}),
        accuracy=sum(accuracies) / len(accuracies),
        accuracies=accuracies,
        metrics={"nnz": 5},
        score=None,
        number=0,
    )


def progress(**changes):
    data = {
        "round": 3,
        "trainings": 20,
        "budget": 24,
        "screened": 60,
        "failed": 0,
        "best": 0.951,
        "best_nnz": 577,
        "best_trainings": 2,
        "elapsed": 12.0,
        "left": 170.0,
    }
    return Progress(**(data | changes))


def test_a_best_that_rises_is_no_fall():
    assert Fall.between([result("a", 0.9)], [result("b", 0.95), result("a", 0.9)], ACCURACY) is None
    assert Fall.between([], [result("a", 0.9)], ACCURACY) is None


def test_a_leader_that_does_worse_the_second_time_is_told():
    fall = Fall.between([result("a", 0.958)], [result("a", 0.958, 0.944)], ACCURACY)
    assert fall == Fall(accuracy=0.958, trainings=1, same=True)
    assert "best 95.10% (mean of 2; was 95.80% after 1) with 577 non-zeros" in describe(progress(fall=fall))


def test_another_leader_after_a_fall_is_told():
    fall = Fall.between([result("a", 0.958)], [result("b", 0.951), result("a", 0.958, 0.9)], ACCURACY)
    assert fall == Fall(accuracy=0.958, trainings=1, same=False)
    told = describe(progress(fall=fall, best_trainings=1))
    assert "best 95.10% (the former best, 95.80% after 1, was trained again and did worse) with" in told


def test_a_single_training_needs_no_remark():
    assert "best 95.10% with 577 non-zeros · 12 s, about 3 min left" in describe(progress(best_trainings=1))
