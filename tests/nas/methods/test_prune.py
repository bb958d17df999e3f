"""Pruning of a trained network: masks and counts by hand, rewinding, and the order that theory proves."""

from collections.abc import Iterator, Sequence

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import Tensor

from nas.errors import UsageError
from nas.tasks.task import Split, Task
from nas.training.device import arithmetic
from nas.training.loop import selection
from nas.training.loop.session import Session
from nas.training.methods import create
from nas.training.methods.prune import Prune, counts_after
from nas.training.options import TrainingOptions
from nas.training.stack.stack import Member
from onnx_graph.weight import set_weights
from search_spaces.network_builder import NetworkBuilder
from search_spaces.signature import Signature

HIDDEN = [[0.1, -0.9, 0.5], [0.4, 0.05, -0.6]]
HEAD = [[0.3, -0.2], [0.8, 0.7]]
Rows = Sequence[Sequence[float]]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks as small as these lose time to a second one."""
    with arithmetic(torch.device("cpu"), 1):
        yield


class Recorder(Session):
    """A session that notes weights and masks at the start of each phase."""

    def fit(self, epochs: int | None = None, **options: object) -> None:  # type: ignore[override]
        if not hasattr(self, "starts"):
            self.starts: list[dict[str, Tensor]] = []
            self.counts: list[list[int]] = []
            self.epochs: list[int | None] = []
        if epochs != 0:
            self.starts.append({name: weight.clone() for name, weight in self.weights().items()})
            self.counts.append(selection.count(self.masks()).tolist())
            self.epochs.append(epochs)
        super().fit(epochs, **options)  # type: ignore[arg-type]


def perceptron(hidden: Rows = HIDDEN, head: Rows = HEAD) -> ir.Model:
    builder = NetworkBuilder((len(hidden[0]),), "perceptron")
    x = builder.activation(builder.gemm(builder.input, len(hidden), "hidden"), "relu", "activation")
    builder.finish(builder.gemm(x, len(head), "head"))
    model = builder.model({layer.name: np.ones(layer.shape, np.bool_) for layer in builder.layers})
    set_weights(model, {"hidden.weight": np.array(hidden, np.float32), "head.weight": np.array(head, np.float32)})
    return model


def noise(inputs: int = 3, outputs: int = 2) -> Task:
    rng = np.random.default_rng(0)
    split = Split(x=rng.standard_normal((40, inputs)).astype(np.float32), y=rng.integers(0, outputs, 40))
    signature = Signature(input_shape=(inputs,), outputs=outputs)
    return Task(name="noise", signature=signature, train=split, validation=split, test=split)


def session(
    models: Sequence[ir.Model], keep: Sequence[int], options: TrainingOptions, task: Task | None = None
) -> Recorder:
    members = [Member.of(model, seed) for seed, model in enumerate(models)]
    return Recorder(members, task or noise(), options, torch.device("cpu"), keep=keep)


def pruned(method: Prune, keep: int, model: ir.Model | None = None) -> tuple[list[list[int]], list[list[int]]]:
    """Masks of both layers after one pruning of given weights."""
    given = session([model or perceptron()], [keep], TrainingOptions(init="keep"))
    method.prune(given, given.keep)
    masks = given.masks()
    return masks["hidden.weight"][0].int().tolist(), masks["head.weight"][0].int().tolist()


def test_class_blinded_keeps_the_largest_of_all() -> None:
    # .9 .8 .7 .6 are the four largest
    assert pruned(Prune(), 4) == ([[0, 1, 0], [0, 0, 1]], [[0, 0], [1, 1]])


def test_class_uniform_keeps_the_same_share_of_each_layer() -> None:
    # half of 6 and of 4: .9 .6 .5 and .8 .7
    assert pruned(Prune(scope="layer"), 5) == ([[0, 1, 1], [0, 0, 1]], [[0, 0], [1, 1]])


def test_class_distributed_measures_each_layer_in_its_own_deviation() -> None:
    # The same network with a hidden layer a hundred times smaller: its deviation .0055 makes .009 → 1.64, that of the head
    # (.3 −.2 .8 .7: mean .4, mean square .315, deviation .394) .8 → 2.03, .7 → 1.78, .3 → .76. Of the hidden layer
    # .1 −.9 .5 .4 .05 −.6: mean −.075, mean square .2654, deviation .5097: .9 → 1.77, .6 → 1.18, .5 → .98, .4 → .78.
    small = perceptron([[weight / 100 for weight in row] for row in HIDDEN])
    method = Prune(criterion="magnitude-over-deviation")
    assert pruned(method, 5, small) == ([[0, 1, 1], [0, 0, 1]], [[0, 0], [1, 1]])
    assert pruned(method, 5) == pruned(method, 5, small)
    # Class-blinded leaves the small layer the one weight that every layer keeps.
    assert pruned(Prune(), 5, small) == ([[0, 1, 0], [0, 0, 0]], [[1, 1], [1, 1]])


@pytest.mark.parametrize("criterion", ["magnitude", "magnitude-over-deviation"])
@pytest.mark.parametrize("scope", ["global", "layer"])
@pytest.mark.parametrize("keep", [2, 3, 5, 9])
def test_ties_lose_no_weight_and_keep_none_too_many(criterion: str, scope: str, keep: int) -> None:
    same = perceptron([[0.5] * 3] * 2, [[-0.5] * 2] * 2)
    hidden, head = pruned(Prune(criterion=criterion, scope=scope), keep, same)  # type: ignore[arg-type]
    assert np.sum(hidden) + np.sum(head) == keep
    assert np.sum(hidden) >= 1 <= np.sum(head)


def test_ties_go_to_the_earlier_weight() -> None:
    assert pruned(Prune(scope="layer"), 5, perceptron([[0.5] * 3] * 2, [[0.5] * 2] * 2)) == (
        [[1, 1, 1], [0, 0, 0]],
        [[1, 1], [0, 0]],
    )


def test_class_uniform_is_exact_where_a_layer_holds_less_than_its_share() -> None:
    # Half of 10: the hidden layer's share is 3, but its own mask leaves it 1.
    assert pruned(Prune(scope="layer"), 5, perceptron([[0, 0, 2], [0, 0, 0]])) == (
        [[0, 0, 1], [0, 0, 0]],
        [[1, 1], [1, 1]],
    )


def test_counts_fall_by_the_same_factor_in_each_round() -> None:
    # 16 → 2 in three rounds: a half each time; 100 → 9 in two: by sqrt(.09) = .3
    held, keep = torch.tensor([16, 100]), torch.tensor([2, 9])
    assert [counts_after(step, 3, held[:1], keep[:1]).tolist() for step in (1, 2, 3)] == [[8], [4], [2]]
    assert [counts_after(step, 2, held, keep).tolist() for step in (1, 2)] == [[6, 30], [2, 9]]


def test_one_shot_trains_prunes_and_trains() -> None:
    given = session([perceptron()] * 2, [4, 6], TrainingOptions(epochs=2))
    Prune().run(given)
    assert given.counts == [[10, 10], [4, 6]]
    assert given.epochs == [2, None]
    history = given.finish()[1]
    assert sum(int((history.weights[name] != 0).sum()) for name in ("hidden.weight", "head.weight")) == 6


def test_iterative_prunes_in_rounds_with_training_between() -> None:
    given = session([perceptron()], [2], TrainingOptions(epochs=4))
    Prune(rounds=3, retrain=0.5).run(given)
    # 10 · .2^(1/3) = 5.8, 10 · .2^(2/3) = 3.4
    assert given.counts == [[10], [6], [3], [2]]
    assert given.epochs == [4, 2, 2, None]


def test_own_weights_are_pruned_at_once_and_rounds_start_from_the_own_mask() -> None:
    """No training before the first round; its count is taken of the 8 weights that there are."""
    own = perceptron([[0.1, -0.9, 0.0], [0.4, 0.0, -0.6]])
    given = session([own], [2], TrainingOptions(epochs=1, init="keep"))
    Prune(rounds=2).run(given)
    assert given.counts == [[4], [2]]
    assert given.starts[0]["hidden.weight"][0].tolist() == [pytest.approx([0, -0.9, 0]), pytest.approx([0, 0, -0.6])]


def test_rewound_weights_are_exactly_the_first_ones() -> None:
    given = session([perceptron()] * 2, [5, 3], TrainingOptions(epochs=2))
    first = {name: weight.clone() for name, weight in given.weights().items()}
    Prune(rounds=2, rewind="initial").run(given)
    for start in given.starts:
        assert all((start[name] == first[name] * (start[name] != 0)).all() for name in first)
    assert given.counts == [[10, 10], [7, 5], [5, 3]]
    assert any((weight != first[name]).any() for name, weight in given.weights().items())


def test_weights_rewound_early_are_exactly_those_after_that_epoch() -> None:
    given = session([perceptron()], [5], TrainingOptions(epochs=3))
    Prune(rewind="early", early=1).run(given)
    assert given.epochs == [1, 2, None]
    early, rewound = given.starts[1], given.starts[2]
    assert all((rewound[name] == early[name] * (rewound[name] != 0)).all() for name in early)
    assert any((early[name] != first).any() for name, first in given.starts[0].items())


def test_early_epochs_are_those_of_a_training_in_one_piece() -> None:
    """The pause changes neither learning rates nor momentum."""
    found = []
    for method in (Prune(rewind="early", early=2), Prune()):
        given = session([perceptron()], [10], TrainingOptions(epochs=4))
        method.run(given)
        found.append(given.histories[0].losses[:4])
    assert found[0] == found[1]


def test_weights_that_are_not_rewound_stay() -> None:
    given = session([perceptron()], [5], TrainingOptions(epochs=2))
    Prune().run(given)
    first, second = given.starts
    assert all((second[name] != first[name])[second[name] != 0].all() for name in first)


def test_fan_in_scales_the_first_values_for_the_inputs_that_are_left() -> None:
    """The weights of a unit with 4 of 64 inputs are sqrt(64 / 4) = 4 times as large as at first."""
    wide = perceptron(np.ones((8, 64)).tolist(), np.ones((2, 8)).tolist())
    given = session([wide], [70], TrainingOptions(epochs=1), noise(64))
    Prune(rewind="fan-in", scope="layer").run(given)
    dense, sparse = (start["hidden.weight"][0] for start in given.starts)
    kept = sparse != 0
    assert len(set(kept.sum(1).tolist())) > 1
    expected = dense * kept * (64 / kept.sum(1, keepdim=True).clamp(min=1)).sqrt()
    assert sparse.numpy() == pytest.approx(expected.numpy(), rel=1e-5)


def test_random_pruning_follows_the_seed_alone() -> None:
    method = create("random-pruning")
    assert isinstance(method, Prune)
    given = session([perceptron(), perceptron([[9.0] * 3] * 2, HEAD)], [5, 5], TrainingOptions(init="keep"))
    given.histories[1].seed = given.histories[0].seed
    method.prune(given, given.keep)
    same = given.masks()
    assert all((mask[0] == mask[1]).all() for mask in same.values())
    other = session([perceptron()] * 8, [5] * 8, TrainingOptions(init="keep"))
    method.prune(other, other.keep)
    assert len({str(other.masks()["hidden.weight"][row].tolist()) for row in range(8)}) > 1
    assert selection.count(other.masks()).tolist() == [5] * 8


@pytest.mark.parametrize(
    "options",
    [{"criterion": "size"}, {"scope": "row"}, {"rewind": "late"}, {"rounds": 0}, {"retrain": 0.0}, {"early": 0}],
)
def test_refuses_options_that_mean_nothing(options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=str(next(iter(options.values())))):
        Prune(**options)  # type: ignore[arg-type]


def one_hot_task(counts: Sequence[tuple[int, int]]) -> Task:
    """Feature j alone is 1 in ``sum(counts[j])`` examples: an orthogonal design; ``counts[j]`` of them are of class 0 and 1."""
    x = np.repeat(np.eye(len(counts), dtype=np.float32), [sum(pair) for pair in counts], axis=0)
    y = np.concatenate([np.repeat([0, 1], pair) for pair in counts])
    split = Split(x=x, y=y)
    signature = Signature(input_shape=(len(counts),), outputs=2)
    return Task(name="one-hot", signature=signature, train=split, validation=split, test=split)


def test_imp_prunes_an_orthogonal_logistic_regression_in_the_order_of_its_projections() -> None:
    """What arXiv:2007.08243 proves for least squares, shown in the session's own training, which is by cross entropy.

    The features are orthogonal (XᵀX = 20·I) and the second class has the only weights, so that each weight is a logistic regression
    of its own whose optimum log(n₁ / n₀) grows with |x_j·y| = |n₁ − n₀|. Networks that keep 1, 2, … 5 of 6 weights from other
    initial values, pruned in rounds and rewound each time, must keep the largest of |x_j·y|.
    """
    counts = [(18, 2), (9, 11), (15, 5), (4, 16), (7, 13), (12, 8)]
    projections = np.array([abs(second - first) for first, second in counts])  # 16 2 10 12 6 4
    builder = NetworkBuilder((6,), "regression")
    model = builder.finish(builder.gemm(builder.input, 2, "head", bias=False)).model(
        {"head.weight": np.array([[False] * 6, [True] * 6])}
    )
    options = TrainingOptions(epochs=150, batch_size=120, learning_rate=0.1, schedule="constant")
    given = session([model] * 5, [1, 2, 3, 4, 5], options, one_hot_task(counts))
    initial = given.weights()["head.weight"][:, 1].abs()
    Prune(rounds=3, rewind="initial").run(given)
    kept = given.masks()["head.weight"][:, 1]
    largest = np.argsort(-projections)
    for row in range(5):
        assert set(kept[row].nonzero().flatten().tolist()) == set(largest[: row + 1].tolist())
    # The initial values would have kept others.
    assert any(set(initial[row].topk(row + 1).indices.tolist()) != set(largest[: row + 1].tolist()) for row in range(5))


def test_imp_prunes_orthogonal_least_squares_in_the_proven_order() -> None:
    """The theorem of arXiv:2007.08243 itself: gradient descent on least squares with XᵀX = I, one weight a round, rewound.

    No session trains by squared error; this shows that `selection` and rewinding follow the proven order.
    """
    generator = torch.Generator().manual_seed(0)
    x = torch.linalg.qr(torch.randn(30, 8, generator=generator)).Q
    y = torch.randn(30, generator=generator)
    start = torch.randn(8, generator=generator)
    mask, order = torch.ones(8, dtype=torch.bool), []
    for left in range(7, 0, -1):
        weight = start * mask
        for _ in range(60):
            weight = weight - 0.5 * (x.t() @ (x @ weight - y)) * mask
        kept = selection.keep_largest({"w": weight.abs()[None]}, torch.tensor([left]), {"w": mask[None]})["w"][0]
        order += (mask & ~kept).nonzero().flatten().tolist()
        mask = kept
    assert order == (x.t() @ y).abs().argsort().tolist()[:7]
    assert order != start.abs().argsort().tolist()[:7]
