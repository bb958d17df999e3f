"""Topology of masks that can be checked by eye."""

import numpy as np
import pytest

from predictors.features.mask_features import (
    MASK_FEATURES,
    degree_statistics,
    full_mask_features,
    leading_singular_values,
    mask_features,
)


def features(mask, recurrent: int = 0) -> dict[str, float]:
    values = mask_features([np.asarray(mask, dtype=bool)], [recurrent])[0]
    return dict(zip(MASK_FEATURES, values.tolist(), strict=True))


def test_degrees_of_a_small_mask():
    found = features([[1, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]])
    assert found["density"] == pytest.approx(4 / 12)
    # Fan-in 3, 1, 0; fan-out 2, 1, 1, 0.
    assert np.expm1(found["fan_in_mean"]) == pytest.approx(4 / 3)
    assert np.expm1(found["fan_in_max"]) == pytest.approx(3)
    assert found["fan_in_min"] == 0
    assert found["fan_in_dead"] == pytest.approx(1 / 3)
    assert found["fan_out_dead"] == pytest.approx(1 / 4)
    assert found["fan_in_cv"] == pytest.approx(np.std([3, 1, 0]) / (4 / 3))
    # Gini of 0, 1, 3: (2·(1·0 + 2·1 + 3·3) / (3·4)) − 4/3 = 1/2.
    assert found["fan_in_gini"] == pytest.approx(0.5)


def test_degree_statistics_by_segment_equal_those_one_by_one():
    rng = np.random.default_rng(0)
    lists = [rng.integers(0, 5, size).astype(float) for size in (3, 7, 1, 12)]
    together = degree_statistics(lists)
    for row, values in zip(together, lists, strict=True):
        np.testing.assert_allclose(row, degree_statistics([values])[0])
        assert row[1] == pytest.approx(values.std() / values.mean() if values.any() else 0)


def test_kernel_positions_are_parallel_edges():
    mask = np.zeros((2, 3, 2, 2), bool)
    mask[0, 0] = True
    mask[1, 2, 0, 0] = True
    found = features(mask)
    assert found["density"] == pytest.approx(5 / 24)
    assert np.expm1(found["fan_in_max"]) == pytest.approx(4)
    assert found["fan_out_dead"] == pytest.approx(1 / 3)


def test_two_of_four_stands_out_against_chance():
    rng = np.random.default_rng(1)
    pattern = np.array([rng.permutation([1, 1, 0, 0]) for _ in range(64 * 16)]).reshape(64, 64)
    random = rng.random((64, 64)) < 0.5
    # Half of four kept: all groups have at most 2; by chance 11/16 have.
    assert features(pattern)["two_of_four"] == pytest.approx(1 - 11 / 16)
    assert abs(features(random)["two_of_four"]) < 0.05
    assert abs(features(random)["one_of_four"]) < 0.05


def test_blocks_stand_out_against_chance():
    rng = np.random.default_rng(2)
    blocks = np.kron(rng.random((16, 16)) < 0.3, np.ones((4, 4))).astype(bool)
    random = rng.random((64, 64)) < 0.3
    # A block is all or nothing: 16 times the variance of independent entries.
    assert features(blocks)["blocks"] == pytest.approx(np.log1p(16), abs=0.1)
    assert features(random)["blocks"] == pytest.approx(np.log1p(1), abs=0.2)


def test_a_padded_batch_equals_one_by_one():
    rng = np.random.default_rng(3)
    masks = [rng.random(shape) < 0.3 for shape in [(5, 9), (9, 5), (7, 7), (64, 33), (1, 4), (4, 1), (6, 4, 3, 3)]]
    together = mask_features(masks)
    for row, mask in zip(together, masks, strict=True):
        np.testing.assert_allclose(row, mask_features([mask])[0], atol=1e-9)


@pytest.mark.parametrize("shape", [(5, 8), (8, 5), (1, 6), (6, 1), (6, 4, 3, 3), (70, 90)])
def test_a_full_mask_in_closed_form(shape):
    np.testing.assert_allclose(full_mask_features(shape), mask_features([np.ones(shape, bool)])[0], atol=1e-6)


def test_an_empty_mask_is_all_zero_but_dead():
    found = features(np.zeros((4, 6)))
    assert found.pop("fan_in_dead") == found.pop("fan_out_dead") == 1.0
    assert set(found.values()) == {0.0}


def test_singular_values_of_a_biregular_mask():
    ring = np.eye(8) + np.roll(np.eye(8), 1, axis=1)
    found = features(ring)
    # Degree 2 both ways: σ₁ = 2, σ₂ = |1 + e^{2πi/8}| = 2·cos(π/8).
    assert found["sigma1"] == pytest.approx(1.0)
    assert found["sigma2"] == pytest.approx(np.cos(np.pi / 8))
    assert found["ramanujan"] == pytest.approx(2 * np.cos(np.pi / 8) / 2)
    assert found["overlap"] == pytest.approx(2 * 8 * 0.5 / (8 * 7))
    assert found["neighbours"] == pytest.approx(0.5)


@pytest.mark.parametrize("size", [20, 64, 65, 120, 300])
def test_singular_values_against_lapack(size):
    matrix = (np.random.default_rng(size).random((size, size + 7)) < 0.2).astype(float)
    exact = np.linalg.svd(matrix, compute_uv=False)
    sigma1, sigma2 = leading_singular_values(matrix[None])
    assert sigma1[0] == pytest.approx(exact[0], rel=1e-6)
    assert sigma2[0] == pytest.approx(exact[1], rel=0.03)


def test_singular_values_of_one_rank_and_of_none():
    first, second = leading_singular_values(np.stack([np.ones((90, 90)), np.zeros((90, 90))]))
    np.testing.assert_allclose(first, [90, 0], atol=1e-6)
    np.testing.assert_allclose(second, [0, 0], atol=1e-4)


def test_locality_of_a_diagonal_and_of_its_mirror():
    assert features(np.eye(9))["locality"] == 0
    # |i − (8 − i)| / 8 over i = 0 … 8: (8 + 6 + 4 + 2 + 0 + 2 + 4 + 6 + 8) / 72.
    assert features(np.eye(9)[::-1])["locality"] == pytest.approx(40 / 72)


def test_spectral_radius_tells_cycles_from_chains():
    cycle = np.roll(np.eye(6), 1, axis=1)
    chain = np.eye(6, k=1)
    assert features(cycle, recurrent=1)["spectral_radius"] == pytest.approx(1.0)
    assert features(chain, recurrent=1)["spectral_radius"] == 0
    assert features(cycle)["spectral_radius"] == 0
    # Four gates alike: all counts are four times as large, the ratio to the mean degree is not.
    assert features(np.tile(cycle, (4, 1)), recurrent=1)["spectral_radius"] == pytest.approx(1.0)
    # Two directions, one a cycle, one a chain of five edges: the mean of 1 and 0, over the mean degree 11/12.
    both = features(np.concatenate([cycle, chain]), recurrent=2)
    assert both["spectral_radius"] == pytest.approx(0.5 / (11 / 12))


def test_huge_masks_are_finite_and_quick():
    mask = np.random.default_rng(0).random((2500, 2500)) < 0.02
    found = features(mask)
    assert np.isfinite(list(found.values())).all()
    assert np.expm1(found["fan_out_mean"]) == pytest.approx(mask.sum(axis=0).mean())
