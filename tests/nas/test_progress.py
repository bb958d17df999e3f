"""The messages of a search while it runs."""

from nas.cli.progress_display import describe
from nas.metrics.accuracy import ACCURACY
from nas.study.agreement import Agreement
from nas.study.progress import Fall, Progress
from nas.study.trial import CandidateResult, Score
from search_spaces.candidate import Candidate


def result(name, *accuracies):
    return CandidateResult(
        candidate=Candidate(space="mlp", architecture={"name": name}),
        accuracy=sum(accuracies) / len(accuracies),
        accuracies=accuracies,
        metrics={"nnz": 5},
        score=None,
        number=0,
        expected=accuracies,
    )


def progress(**changes):
    data = {
        "round": 3,
        "trainings": 20,
        "budget": 24,
        "epochs": 100,
        "way": "discovery",
        "proposed": 130,
        "screened": 64,
        "chosen": 3,
        "again": 1,
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


def test_the_round_is_told_with_what_it_was_chosen_from():
    told = describe(progress(trainings=7.25))
    assert told.startswith(
        "round 3: discovery · 7.25/24 trainings (725/2,400 epochs) · "
        "130 proposed, 64 screened, 3 chosen and 1 trained again · best"
    )
    assert " · 4 trained again · " in describe(progress(chosen=0, again=4))


def test_the_predictor_is_judged_by_first_trainings_with_a_score(make_trial):
    accuracies = [0.5, 0.6, 0.7, 0.8, 0.9, 0.95]
    trials = [make_trial(n, accuracy, score=Score(accuracy / 2, 0.1)) for n, accuracy in enumerate(accuracies)]
    assert str(Agreement.of(trials)) == "τ 1.00, ρ 1.00 on 6 scored trials"
    # Two neighbours exchanged: 14 of 15 pairs agree, so that τ = 13 / 15.
    exchanged = [*trials[:4], make_trial(4, 0.95, score=trials[4].score), make_trial(5, 0.9, score=trials[5].score)]
    assert str(Agreement.of(exchanged)) == "τ .87, ρ .94 on 6 scored trials"
    others = [
        make_trial(6, None),
        make_trial(7, 0.1, score=None),
        make_trial(8, 0.1, score=Score(0.9, 0.1), repeat=1),
    ]
    assert str(Agreement.of(trials + others)) == "τ 1.00, ρ 1.00 on 6 scored trials"
    assert str(Agreement.of(trials[:5] + others)) == "not judged yet, 5 of at least 6 scored trials"


def test_a_constant_score_ranks_nothing(make_trial):
    trials = [make_trial(n, 0.5 + n / 100) for n in range(8)]
    assert str(Agreement.of(trials)) == "τ .00, ρ .00 on 8 scored trials"
    assert "predictor: τ .00, ρ .00 on 8 scored trials" in describe(progress(agreement=Agreement.of(trials)))
