"""Patterns: masks to check by eye, degrees against networkx, exact counts everywhere."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_spaces import InvalidOptionError
from search_spaces.candidate import MaskRecipe
from search_spaces.masks import PATTERNS, MaskLayer, draw
from search_spaces.masks.barabasi_albert import barabasi_albert
from search_spaces.masks.block import block
from search_spaces.masks.channel import channel
from search_spaces.masks.erdos_renyi_graph import erdos_renyi_graph
from search_spaces.masks.expander import expander, near_regular
from search_spaces.masks.fixed_fan_in import fixed_fan_in
from search_spaces.masks.n_m import capacity, n_m
from search_spaces.masks.random_pattern import random
from search_spaces.masks.theme import grow, shares, theme
from search_spaces.masks.watts_strogatz import watts_strogatz

UNIT_GRAPHS = ["watts-strogatz", "barabasi-albert", "erdos-renyi", "expander", "ramanujan", "theme"]

RANDOM = ["#..####.", "..#..#..", "#.#.#...", "...##..#"]
SMALL_WORLD = [".##...#.", "..##..#.", "#.#....#", ".#.##..#"]
HUBS = ["#....#.#", "...#..##", ".#..##..", "..#.##.#"]
EXPANDER = ["##...#..", "..#..#.#", "...##.#.", "#.###..."]
BLOCKS = ["......##", "..#...##", "..####..", "..####.."]
N_OF_M = ["#..##.#.", "..#.##..", "#.#.#.#.", "...#...#"]
CHANNEL = ["........", "########", "###.#..#", "........"]
FAN_IN = ["#..##.#.", "#.#..#..", "#.#.#...", "...##..#"]
SPECTRUM = ["...#..##", "...#....", "..#..##.", "####.##."]
THEME = ["...####.", "...####.", "###.....", "##......"]


def rng(seed=0):
    return np.random.default_rng(seed)


def dense(*shape):
    return MaskLayer(name="w", shape=shape)


def conv(*shape):
    return MaskLayer(name="w", shape=shape, kind="conv")


def hidden(units):
    return MaskLayer(name="w", shape=(units, units), kind="recurrent")


def rows(mask):
    return ["".join(".#"[int(kept)] for kept in row) for row in mask.reshape(len(mask), -1)]


def test_literal_masks_of_a_seed():
    # A change here is a change of every candidate ever recorded.
    def drawn(pattern, **options):
        return rows(draw(MaskRecipe(pattern=pattern, density=0.4, options=options), [dense(4, 8)])["w"])

    assert drawn("random") == RANDOM
    assert drawn("watts-strogatz", p=0.5) == SMALL_WORLD
    assert drawn("barabasi-albert") == HUBS
    assert drawn("expander") == EXPANDER
    assert drawn("block", size=2) == BLOCKS
    assert drawn("n:m") == N_OF_M
    assert drawn("channel") == CHANNEL
    assert drawn("fixed-fan-in") == FAN_IN
    assert drawn("erdos-renyi") == RANDOM  # as every place is an edge
    assert drawn("ramanujan") == EXPANDER  # as 13 edges are too few to choose by
    assert drawn("full-spectrum") == SPECTRUM
    assert drawn("theme", vertices=2, degree=1) == THEME


def test_lattice_joins_neighbours_on_the_ring():
    assert rows(watts_strogatz(dense(4, 4), 8, rng(), p=0)) == ["##..", ".##.", "..##", "#..#"]
    # Twice as many in units as out units: every out unit sits between two of them.
    assert rows(watts_strogatz(dense(3, 6), 6, rng(), p=0)) == [".##...", "...##.", "#....#"]


def test_recurrent_lattice_is_networkx_ring_lattice():
    mask = watts_strogatz(hidden(12), 48, rng(), p=0)
    assert (mask == nx.to_numpy_array(nx.watts_strogatz_graph(12, 4, 0)).astype(bool)).all()


def test_recurrent_small_world_has_no_loops_until_nothing_else_is_left():
    assert not watts_strogatz(hidden(6), 30, rng(), p=1.0).diagonal().any()
    mask = watts_strogatz(hidden(6), 33, rng(), p=0.5)
    assert mask.diagonal().sum() == 3
    assert mask.sum() == 33


def test_watts_strogatz_degrees_match_networkx():
    # networkx rewires the far end of the k/2 edges a unit owns, so total degree = k/2 + in-degree of ours.
    for p in (0.1, 0.5, 1.0):
        ours = [watts_strogatz(hidden(60), 180, rng(seed), p=p).sum(axis=0) for seed in range(150)]
        graphs = [nx.watts_strogatz_graph(60, 6, p, seed=seed) for seed in range(150)]
        theirs = [[degree - 3 for _, degree in graph.degree()] for graph in graphs]
        mine, other = (np.bincount(np.ravel(degrees), minlength=12)[:12] / 9000 for degrees in (ours, theirs))
        assert np.abs(mine - other).max() < 0.02
        assert np.var(ours) == pytest.approx(np.var(theirs), rel=0.08)


def test_watts_strogatz_is_a_small_world():
    def measures(p):
        graph = nx.from_numpy_array(watts_strogatz(hidden(100), 600, rng(1), p=p).astype(int))
        return nx.average_clustering(graph), nx.average_shortest_path_length(graph)

    (lattice, far), (small_world, near), (chance, _) = measures(0.0), measures(0.1), measures(1.0)
    assert small_world > 0.5 * lattice > 2 * chance
    assert near < 0.5 * far


def test_watts_strogatz_out_degrees_stay():
    degrees = watts_strogatz(dense(7, 20), 40, rng(), p=1.0).sum(axis=1)
    assert sorted(degrees) == [5, 5, 6, 6, 6, 6, 6]


def test_rewiring_prefers_new_places():
    # With half of the places in the lattice and p = 1 every edge finds a new one: the complement.
    layer = dense(6, 6)
    assert (watts_strogatz(layer, 18, rng(), p=1.0) == ~watts_strogatz(layer, 18, rng(), p=0.0)).all()


def test_recurrent_barabasi_albert_degrees_match_networkx():
    # 40 units, m = 3, grown from a triangle: 3 + 37·3 = 114 edges, both directions.
    ours = [np.sort(barabasi_albert(hidden(40), 228, rng(seed)).sum(axis=0)) for seed in range(200)]
    theirs = []
    for seed in range(200):
        graph = nx.barabasi_albert_graph(40, 3, seed=seed, initial_graph=nx.complete_graph(3))
        theirs.append(sorted(degree for _, degree in graph.degree()))
    assert np.mean(ours, axis=0) == pytest.approx(np.mean(theirs, axis=0), rel=0.06)


def test_barabasi_albert_in_degrees_match_networkx():
    # Between layers of 60 units with mean degree 6: the in units' degrees are those of the graph with m = 3.
    ours = [np.sort(barabasi_albert(dense(60, 60), 360, rng(seed)).sum(axis=0)) for seed in range(100)]
    theirs = [
        sorted(degree for _, degree in nx.barabasi_albert_graph(60, 3, seed=seed).degree()) for seed in range(100)
    ]
    mine, other = (np.mean(degrees, axis=0) / np.mean(degrees) for degrees in (ours, theirs))
    assert mine == pytest.approx(other, rel=0.2)


def test_barabasi_albert_hubs_are_far_above_chance():
    hubs, chance = (
        np.mean([pattern(dense(64, 64), 400, rng(seed)).sum(axis=0).max() for seed in range(20)])
        for pattern in (barabasi_albert, random)
    )
    assert hubs > 1.8 * chance


def test_barabasi_albert_leaves_no_input_out_and_out_degrees_alike():
    mask = barabasi_albert(dense(10, 48), 60, rng())
    assert mask.sum(axis=0).min() == 1
    assert set(mask.sum(axis=1)) == {6}


def test_recurrent_barabasi_albert_goes_both_ways():
    mask = barabasi_albert(hidden(12), 40, rng())
    assert (mask == mask.T).all()
    assert not mask.diagonal().any()
    odd = barabasi_albert(hidden(12), 41, rng())
    assert (odd != odd.T).sum() == 2  # one edge has one direction
    full = barabasi_albert(hidden(5), 23, rng())
    assert full.sum() == 23
    assert full.diagonal().sum() == 3


@settings(max_examples=150, deadline=None)
@given(out=st.integers(1, 24), inputs=st.integers(1, 24), share=st.floats(0, 1), seed=st.integers(0, 99))
def test_expander_degrees_differ_by_one_at_most(out, inputs, share, seed):
    nnz = round(share * out * inputs)
    mask = expander(dense(out, inputs), nnz, rng(seed))
    assert mask.sum() == nnz
    assert np.ptp(mask.sum(axis=0)) <= 1
    assert np.ptp(mask.sum(axis=1)) <= 1


@settings(max_examples=60, deadline=None)
@given(units=st.integers(2, 12), inputs=st.integers(2, 12), gates=st.integers(2, 4), share=st.floats(0.05, 1))
def test_expander_gates_stay_near_regular(units, inputs, gates, share):
    layer = MaskLayer(name="w", shape=(gates * units, inputs), gates=gates)
    for gate in draw(MaskRecipe(pattern="expander", density=share), [layer])["w"].reshape(gates, units, inputs):
        assert np.ptp(gate.sum(axis=0)) <= 1
        assert np.ptp(gate.sum(axis=1)) <= 1


def test_expander_expands():
    # A random 6-regular graph: second singular value near 2·√5 = 4.47; the ring lattice's is near 6, the degree.
    second = np.mean([np.linalg.svd(expander(dense(64, 64), 384, rng(seed)), compute_uv=False)[1] for seed in range(5)])
    lattice = np.linalg.svd(watts_strogatz(dense(64, 64), 384, rng(), p=0), compute_uv=False)[1]
    assert second < 4.7 < 5.9 < lattice


def test_blocks_are_whole_and_the_last_one_makes_up_the_count():
    mask = block(dense(8, 8), 24 + 5, rng(), size=4)
    blocks = mask.reshape(2, 4, 2, 4).sum(axis=(1, 3)).ravel()
    assert sorted(blocks) == [0, 0, 13, 16]


def test_blocks_at_the_edge_are_cut_off():
    # Sides 4 + 1 and 4 + 2: blocks of 16, 8, 4 and 2 places, each kept or not when the count is their sum.
    mask = block(dense(5, 6), 30 - 2, rng(3))
    missing = np.argwhere(~mask)
    assert len(missing) == 2
    parts = [mask[:4, :4], mask[:4, 4:], mask[4:, :4], mask[4:, 4:]]
    assert sum(not part.all() for part in parts) == 1


def test_conv_blocks_hold_whole_kernels():
    kernels = block(conv(4, 4, 3, 3), 72, rng(), size=2).reshape(2, 2, 2, 2, 9).sum(axis=(1, 3, 4))
    assert sorted(kernels.ravel()) == [0, 0, 36, 36]


@settings(max_examples=100, deadline=None)
@given(
    shape=st.one_of(
        st.tuples(st.integers(1, 9), st.integers(1, 13)), st.tuples(st.integers(1, 4), st.integers(1, 9), st.just(3))
    ),
    n=st.integers(1, 5),
    more=st.integers(0, 5),
    share=st.floats(0, 1),
)
def test_n_m_never_holds_more_than_n(shape, n, more, share):
    layer, m = MaskLayer(name="w", shape=shape), n + more
    nnz = round(share * layer.size)
    mask = n_m(layer, nnz, rng(), n=n, m=m)
    groups = [mask[:, start : start + m].sum(axis=1) for start in range(0, shape[1], m)]
    assert max(group.max() for group in groups) <= n
    assert mask.sum() == min(nnz, capacity(layer, n=n, m=m))
    full = groups[: shape[1] // m]
    assert not full or np.ptp(np.stack(full)) <= 1


def test_two_of_four_at_half_density_is_full():
    mask = n_m(dense(5, 16), 40, rng())
    assert (mask.reshape(5, 4, 4).sum(axis=2) == 2).all()


def test_a_group_larger_than_the_layer_is_one_group():
    assert n_m(dense(3, 5), 15, rng(), n=2, m=10**9).sum(axis=1).tolist() == [2, 2, 2]


def test_channels_are_whole_but_one():
    mask = channel(conv(6, 2, 3, 3), 3 * 18 + 7, rng())
    assert sorted(mask.sum(axis=(1, 2, 3))) == [0, 0, 7, 18, 18, 18]


@pytest.mark.parametrize("pattern", UNIT_GRAPHS)
def test_graph_patterns_keep_whole_kernels_where_every_unit_gets_one(pattern):
    mask = PATTERNS.load(pattern)(conv(6, 8, 3, 3), 20 * 9 + 4, rng())
    kernels = mask.reshape(48, 9).sum(axis=1)
    assert sorted(kernels)[-21:] == [4] + [9] * 20
    assert kernels.sum() == 184


@pytest.mark.parametrize("pattern", UNIT_GRAPHS)
def test_graph_patterns_spread_few_connections_over_the_kernels(pattern):
    # 30 connections are 3 kernels and a bit, for 8 channels: 8 kernels of 3 or 4 instead.
    kernels = PATTERNS.load(pattern)(conv(6, 8, 3, 3), 30, rng()).reshape(48, 9).sum(axis=1)
    assert sorted(kernels)[-8:] == [3, 3, 4, 4, 4, 4, 4, 4]
    assert kernels.sum() == 30


def test_expander_on_kernels_leaves_no_channel_out():
    mask = expander(conv(8, 8, 3, 3), 30, rng()).any(axis=(2, 3))
    assert mask.sum(axis=0).tolist() == mask.sum(axis=1).tolist() == [1] * 8


@settings(max_examples=60, deadline=None)
@given(
    shape=st.one_of(st.tuples(st.integers(1, 12), st.integers(1, 12)), st.just((5, 3, 2, 2))),
    share=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_fan_in_is_fixed_up_to_one(shape, share, seed):
    mask = fixed_fan_in(conv(*shape), round(share * np.prod(shape)), rng(seed))
    fan_in = mask.reshape(len(mask), -1).sum(axis=1)
    assert fan_in.sum() == round(share * np.prod(shape))
    assert np.ptp(fan_in) <= 1


def test_fixed_fan_in_leaves_the_in_units_to_chance():
    # Binomial(200, 8 / 40) with mean 40: variance 32; an expander's in units differ by one at most.
    mask = fixed_fan_in(dense(200, 40), 1600, rng())
    assert set(mask.sum(axis=1)) == {8}
    assert 16 < np.var(mask.sum(axis=0)) < 64


def test_recurrent_erdos_renyi_degrees_match_networkx():
    # 30 units, 120 of 870 edges: in-degrees are hypergeometric, mean 4, variance 29 · q(1 - q) · 841 / 869 = 3.3.
    ours = [erdos_renyi_graph(hidden(30), 120, rng(seed)).sum(axis=1) for seed in range(150)]
    graphs = [nx.gnm_random_graph(30, 120, seed=seed, directed=True) for seed in range(150)]
    theirs = [[degree for _, degree in graph.in_degree()] for graph in graphs]
    mine, other = (np.bincount(np.ravel(degrees), minlength=12)[:12] / 4500 for degrees in (ours, theirs))
    assert np.abs(mine - other).max() < 0.025
    assert np.var(ours) == pytest.approx(np.var(theirs), rel=0.08)
    assert np.var(ours) == pytest.approx(3.35, rel=0.08)


def test_recurrent_erdos_renyi_has_no_loops_until_nothing_else_is_left():
    assert not erdos_renyi_graph(hidden(6), 30, rng()).diagonal().any()
    assert erdos_renyi_graph(hidden(6), 33, rng()).diagonal().sum() == 3


def test_theme_blocks_fill_up_before_anything_lies_outside():
    # Two groups of a side, joined one to one: rows 0 and 1 with columns 0 to 2, rows 2 and 3 with columns 3 to 6.
    def drawn(nnz):
        return rows(theme(dense(4, 7), nnz, rng(), vertices=2, degree=1))

    assert drawn(7) == ["#......", "#.#....", "...#...", "...#.##"]  # 3 of 6 places and 4 of 8
    assert drawn(14) == ["###....", "###....", "...####", "...####"]
    assert drawn(17) == ["####.#.", "###..#.", "...####", "...####"]


def test_theme_fills_every_block_to_one_density():
    stream = rng(1)
    joined = near_regular(5, 5, 10, stream)
    targets, sources = grow(shares(5, stream), 60), grow(shares(5, stream), 90)
    places = sum(np.ones((60, 90))[targets[t], sources[s]].size for t, s in np.argwhere(joined))
    for density in (0.1, 0.7, 1.0):
        mask = theme(dense(60, 90), round(density * places), rng(1), vertices=5)
        blocks = [mask[targets[t], sources[s]] for t, s in np.argwhere(joined)]
        assert sum(block.sum() for block in blocks) == mask.sum()
        assert all(abs(block.sum() - density * block.size) <= 2 for block in blocks)


def test_theme_vertices_grow_with_the_layer():
    parts = np.array([0.2, 0.5, 0.3])
    assert grow(parts, 10) == [slice(0, 2), slice(2, 7), slice(7, 10)]
    assert grow(parts, 100) == [slice(0, 20), slice(20, 70), slice(70, 100)]
    assert grow(parts, 2) == [slice(0, 0), slice(0, 1), slice(1, 2)]
    drawn = shares(8, rng())
    assert drawn.sum() == pytest.approx(1)
    assert 1.5 < drawn.max() / drawn.min() < 3


def test_recurrent_theme_has_one_grouping_of_the_units():
    # Rows of a group are alike where all blocks are full, and so are its columns: the same cuts.
    def cuts(mask):
        return set(np.flatnonzero((mask[1:] != mask[:-1]).any(axis=1)))

    stream = rng(4)
    joined = near_regular(3, 3, 3, stream)
    groups = grow(shares(3, stream), 12)
    sizes = [group.stop - group.start for group in groups]
    full = int(sum(sizes[target] * sizes[source] for target, source in np.argwhere(joined)))
    mask = theme(hidden(12), full, rng(4), vertices=3, degree=1)
    assert len(set(sizes)) > 1
    assert cuts(mask) == cuts(mask.T) == {group.stop - 1 for group in groups[:-1]}


def test_theme_options_change_the_mask():
    first = theme(dense(20, 20), 100, rng())
    assert (first != theme(dense(20, 20), 100, rng(), vertices=5)).any()
    assert (first != theme(dense(20, 20), 100, rng(), degree=3)).any()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"vertices": 0}, "'vertices'"),
        ({"vertices": 2.0}, "'vertices'"),
        ({"degree": 0}, "'degree'"),
        ({"degree": 7}, "from 1 to vertices, which is 6"),
        ({"degree": True}, "'degree'"),
    ],
)
def test_theme_refuses_nonsense(options, said):
    with pytest.raises(InvalidOptionError, match=said):
        theme(dense(4, 4), 4, rng(), **options)


shapes = st.one_of(
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
    st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 3), st.integers(1, 3)),
)


@settings(max_examples=250, deadline=None)
@given(
    pattern=st.sampled_from([name for name in PATTERNS if name != "n:m"]),
    shape=shapes,
    share=st.floats(0, 1),
    kind=st.sampled_from(["dense", "recurrent"]),
    seed=st.integers(0, 2**40),
)
def test_any_count_in_any_shape_is_exact(pattern, shape, share, kind, seed):
    if kind == "recurrent":
        layer = hidden(shape[0])
    else:
        layer = MaskLayer(name="w", shape=shape, kind="conv" if len(shape) > 2 else "dense")
    nnz = round(share * layer.size)
    mask = PATTERNS.load(pattern)(layer, nnz, rng(seed))
    assert mask.shape == layer.shape
    assert mask.dtype == np.bool_
    assert int(mask.sum()) == nnz


def test_random_places_are_all_alike():
    total = sum(random(dense(3, 4), 4, rng(seed)).astype(int) for seed in range(3000))
    assert np.abs(total / 3000 - 1 / 3).max() < 0.035
