"""Division of rows: nothing shared, classes in proportion, subsets inside one another."""

import numpy as np
import pytest

from nas.errors import DataError, UsageError
from nas.tasks.preparation import fingerprint, pixel_normalisation, prepare, standard_normalisation
from nas.tasks.split import Examples, divide, divide_groups, stratified_order


def rows(counts: tuple[int, ...]) -> Examples:
    """Row i holds the number i, so that rows can be followed."""
    y = np.repeat(np.arange(len(counts)), counts).astype(np.int64)
    return Examples(x=np.arange(len(y), dtype=np.int64)[:, None], y=y)


def ids(part: Examples) -> set[int]:
    return set(part.x[:, 0].tolist())


def test_three_parts_share_no_row_and_lose_none() -> None:
    parts = divide(rows((50, 30, 20)), where="t", seed=0)
    assert [len(part) for part in parts] == [60, 20, 20]
    assert set.union(*map(ids, parts)) == set(range(100))
    assert [np.bincount(part.y).tolist() for part in parts] == [[30, 18, 12], [10, 6, 4], [10, 6, 4]]


def test_the_seed_decides_who_goes_where() -> None:
    first, again, other = (divide(rows((50, 50)), where="t", seed=seed) for seed in (1, 1, 2))
    assert [part.x.tolist() for part in first] == [part.x.tolist() for part in again]
    assert ids(first[2]) != ids(other[2])


def test_a_class_of_three_rows_is_in_every_part() -> None:
    parts = divide(rows((200, 3)), where="t", seed=5)
    assert [np.bincount(part.y).tolist()[1] for part in parts] == [1, 1, 1]


def test_a_class_of_two_rows_cannot_be_split() -> None:
    with pytest.raises(DataError, match="class number 1 has too few rows to split, 2 of the 3 needed"):
        divide(rows((200, 2)), where="t")


def test_given_parts_stay_as_they_are() -> None:
    given = rows((5, 5))
    train, validation, test = divide(rows((40, 40)), test=given, where="t", share=0.1)
    assert test is given
    assert (len(train), len(validation)) == (72, 8)
    train, validation, test = divide(rows((40, 40)), validation=given, where="t")
    assert validation is given
    assert (len(train), len(test)) == (64, 16)


def test_each_prefix_of_the_stratified_order_is_in_proportion() -> None:
    groups = np.repeat(np.arange(3), (600, 300, 100)).astype(np.int64)
    order = stratified_order(groups, np.random.default_rng(0))
    assert sorted(order.tolist()) == list(range(1000))
    assert set(groups[order[:3]].tolist()) == {0, 1, 2}
    assert np.abs(np.bincount(groups[order[:100]]) - (60, 30, 10)).max() <= 1


def test_groups_may_have_any_numbers() -> None:
    parts = divide_groups(np.array([-7] * 10 + [40] * 10), (0.5, 0.5), np.random.default_rng(0), "t")
    assert [len(part) for part in parts] == [10, 10]


def test_a_smaller_subset_is_part_of_a_larger_one() -> None:
    data = rows((500, 300, 200))
    whole, large, small = (divide(data, where="t", seed=3, subset=n) for n in (None, 400, 100))
    assert [len(part) for part in large] == [300, 100, 200]
    assert [len(part) for part in small] == [75, 25, 100]
    for i in range(3):
        assert ids(small[i]) < ids(large[i]) <= ids(whole[i])
        assert np.abs(np.bincount(small[i].y) / len(small[i]) - (0.5, 0.3, 0.2)).max() < 0.03


def test_a_subset_validates_on_a_fifth_at_least() -> None:
    train, validation, _ = divide(rows((500, 500)), test=rows((9, 9)), where="t", share=0.1, subset=100)
    assert (len(train), len(validation)) == (80, 20)


def test_a_subset_keeps_every_class_or_says_how_large_it_must_be() -> None:
    data = rows((5000, 10, 10, 10))
    with pytest.raises(UsageError, match=r"a subset of 12 rows cannot hold all 4 classes .* at least 17"):
        divide(data, where="t", subset=12)
    for part in divide(data, where="t", subset=17):
        assert set(part.y.tolist()) == {0, 1, 2, 3}


def test_a_subset_larger_than_the_data_is_all_of_it() -> None:
    assert [len(part) for part in divide(rows((50, 50)), where="t", subset=10_000)] == [60, 20, 20]


@pytest.mark.parametrize("subset", [0, -3])
def test_a_subset_of_nothing_is_refused(subset: int) -> None:
    with pytest.raises(UsageError, match="positive"):
        divide(rows((50, 50)), where="t", subset=subset)


def test_standard_normalisation_by_hand() -> None:
    x = np.array([[1.0, 5.0, 1e9], [3.0, 5.0, 1e9 + 1]])
    normalisation = standard_normalisation(x, feature_axis=-1)
    assert normalisation.offset.tolist() == [2.0, 5.0, 1e9]
    assert normalisation.scale.tolist() == [1.0, 1.0, 1.0]
    assert normalisation.apply(x).tolist() == [[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]


def test_standard_normalisation_of_images_is_by_channel() -> None:
    x = np.random.default_rng(0).normal((3, -5), (2, 7), (100, 4, 4, 2)).transpose(0, 3, 1, 2)
    normalisation = standard_normalisation(x, feature_axis=1)
    assert normalisation.offset.shape == (2, 1, 1)
    out = normalisation.apply(x)
    assert out.flags.c_contiguous
    np.testing.assert_allclose(out.mean((0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(out.std((0, 2, 3)), 1, atol=1e-5)


def test_pixels_become_zero_to_one() -> None:
    out = pixel_normalisation(3).apply(np.array([0, 51, 255], np.uint8).reshape(1, 1, 1, 3))
    np.testing.assert_allclose(out.ravel(), [0, 0.2, 1], rtol=1e-6)


def test_the_fingerprint_sees_each_array_and_the_classes() -> None:
    data = divide(rows((50, 50)), where="t")
    task = prepare("t", data, outputs=2, classes=("a", "b"))
    assert task.fingerprint == prepare("other name", data, outputs=2, classes=("a", "b")).fingerprint
    assert task.fingerprint != prepare("t", data, outputs=2, classes=("a", "c")).fingerprint
    for part in (task.train, task.validation, task.test):
        for array in (part.x, part.y):
            before = array.flat[0]
            array.flat[0] += 1
            assert fingerprint([task.train, task.validation, task.test], task.classes) != task.fingerprint
            array.flat[0] = before
    assert fingerprint([task.train, task.validation, task.test], task.classes) == task.fingerprint
