"""The cell spaces: one form for cells that give the same network, and candidates within a table."""

import dataclasses

import numpy as np
import pytest

import search_spaces
from search_spaces import InvalidCandidateError, InvalidOptionError, LearnedMask, Signature, TabularSpace, has_masks
from search_spaces.nasbench.nasbench101 import NASBench101Space
from search_spaces.nasbench.nasbench201 import GENES, NASBench201Space
from search_spaces.nasbench.network201 import OPERATIONS

SIGNATURE = Signature(input_shape=(3, 8, 8), outputs=5)
SPACE_201, SPACE_101 = NASBench201Space(SIGNATURE), NASBench101Space(SIGNATURE)


def of_code(code: str):
    return SPACE_201.rows({"code": [code]})[0][1]


def code_of(candidate) -> str:
    return "".join(str(OPERATIONS.index(candidate.architecture[name])) for name in GENES)


def bits(*edges: tuple[int, int]) -> int:
    return sum(1 << (x + y * (y - 1) // 2) for x, y in edges)


def cell(edges, operations, vertices):
    table = {
        "edge_bits": np.array([bits(*edges)]),
        "ops": np.array([[*operations, *[-1] * (5 - len(operations))]]),
        "n_vertices": np.array([vertices]),
    }
    return SPACE_101.rows(table)[0][1]


def test_they_are_tabular_and_have_no_masks():
    for space in (SPACE_201, SPACE_101):
        assert isinstance(space, TabularSpace)
        assert not has_masks(space)
    assert has_masks(search_spaces.create("mlp", SIGNATURE))
    assert not has_masks(search_spaces.create("nasbench201+nasbench101", SIGNATURE))
    assert has_masks(search_spaces.create("nasbench201+cnn", SIGNATURE))


def test_all_codes_give_9445_networks():
    codes = [
        f"{a}{b}{c}{d}{e}{f}"
        for a in "01234"
        for b in "01234"
        for c in "01234"
        for d in "01234"
        for e in "01234"
        for f in "01234"
    ]
    rows = SPACE_201.rows({"code": codes})
    assert len(rows) == 9445
    assert all(code_of(one) == codes[row] for row, one in rows)  # the row written in the one form is taken


def test_a_row_in_another_form_stands_for_its_network_where_the_form_itself_is_missing():
    # 0-1 is a convolution whose end nobody reads, 1-2 a pool of it.
    assert [(row, code_of(one)) for row, one in SPACE_201.rows({"code": ["222222", "212411"]})] == [
        (0, "222222"),
        (1, "112111"),
    ]
    assert [row for row, _ in SPACE_201.rows({"code": ["212411", "112111", "012411"]})] == [1]


def test_the_benchmarks_own_texts_are_read():
    text = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
    assert code_of(SPACE_201.rows({"arch_str": [text]})[0][1]) == "433000"


@pytest.mark.parametrize("code", ["22222", "222225", "2222222", "", "abcdef"])
def test_a_code_that_is_none_is_refused(code):
    with pytest.raises(InvalidOptionError, match="six digits"):
        SPACE_201.rows({"code": [code]})


@pytest.mark.parametrize("text", ["", "|none~0|", "|none~0|+|none~0|none~1|+|none~0|none~1|zero~2|"])
def test_a_text_that_is_no_cell_is_refused(text):
    with pytest.raises(InvalidOptionError, match="is no cell"):
        SPACE_201.rows({"arch_str": [text]})


def test_missing_columns_are_named():
    with pytest.raises(InvalidOptionError, match="code or arch_str; it has accuracy"):
        SPACE_201.rows({"accuracy": [0.5]})
    with pytest.raises(InvalidOptionError, match="edge_bits, ops and n_vertices; it has test_acc"):
        SPACE_101.rows({"test_acc": [0.5]})


def test_neighbours_of_a_201_cell_differ_on_one_edge():
    # Every edge is live whatever one of them becomes, so that six edges have four other operations each; with 0-1 'none', 1-2 and
    # 1-3 lead nowhere.
    found = {code_of(one) for one in SPACE_201.neighbours(of_code("222222"))}
    assert len(found) == 24
    assert "122112" in found
    assert "022222" in found


def test_within_a_table_neighbours_are_known_and_enough():
    table = SPACE_201.rows(
        {"code": ["222222", "022222", "222220", "333333", "444444", "343434", "220000", "001100", "003300", "404040"]}
    )
    space = SPACE_201.within([one for _, one in table])
    near = [code_of(one) for one in space.neighbours(of_code("222222"))]
    assert near[:2] == ["022222", "222220"]
    assert len(near) == 8  # filled up with the nearest others
    assert len(SPACE_201.within([one for _, one in table[:2]]).neighbours(of_code("222222"))) == 1
    rng = np.random.default_rng(0)
    known = {one.digest for _, one in table}
    for _ in range(30):
        first, second = space.sample(rng), space.sample(rng)
        assert {first.digest, space.mutate(first, rng).digest, space.crossover(first, second, rng).digest} <= known


def test_isomorphic_101_cells_are_one_candidate():
    first = cell([(0, 1), (0, 2), (1, 3), (2, 3)], [0, 2], 4)
    again = cell([(0, 1), (0, 2), (1, 3), (2, 3)], [2, 0], 4)
    other = cell([(0, 1), (0, 2), (1, 3), (2, 3)], [2, 2], 4)
    assert first == again != other
    assert first.architecture == {"edges": ["0-1", "0-2", "1-6", "2-6"], "operations": ["conv3x3", "maxpool3x3"]}


def test_any_order_of_the_vertices_gives_the_same_101_cell():
    rng = np.random.default_rng(1)
    for _ in range(60):
        candidate = SPACE_101.sample(rng)
        inner = len(candidate.architecture["operations"])
        order = {0: 0, 6: inner + 1} | dict(enumerate((1 + rng.permutation(inner)).tolist(), 1))
        edges = [tuple(map(int, name.split("-"))) for name in candidate.architecture["edges"]]
        moved = [(order[x], order[y]) for x, y in edges]
        if any(x >= y for x, y in moved):
            continue  # an edge would run backwards
        operations = [0] * inner
        for vertex, name in enumerate(candidate.architecture["operations"], 1):
            operations[order[vertex] - 1] = ("conv3x3", "conv1x1", "maxpool3x3").index(name)
        assert cell(moved, operations, inner + 2) == candidate


def test_vertices_that_lead_nowhere_are_dropped():
    assert cell([(0, 1), (0, 2), (2, 3)], [0, 2], 4) == cell([(0, 1), (1, 2)], [2], 3)


@pytest.mark.parametrize(
    ("edges", "operations", "vertices"),
    [([(0, 1)], [0], 3), ([(0, 1), (1, 2)], [3], 3), ([(0, 1)], [], 9), ([(0, 1), (1, 2)], [], 3)],
)
def test_a_row_that_is_no_101_cell_is_refused(edges, operations, vertices):
    with pytest.raises(InvalidOptionError, match="row 0 is no cell"):
        cell(edges, operations, vertices)


def test_a_101_cell_gains_and_loses_vertices():
    alone = cell([(0, 1)], [], 2)
    near = [one.architecture for one in SPACE_101.neighbours(alone)]
    assert len(near) == 3
    assert all(one["edges"] == ["0-1", "0-6", "1-6"] for one in near)
    assert alone in SPACE_101.neighbours(SPACE_101.neighbours(alone)[0])


def test_no_101_cell_has_more_than_nine_edges():
    rng = np.random.default_rng(2)
    sizes = [len(SPACE_101.sample(rng).architecture["edges"]) for _ in range(200)]
    assert max(sizes) == 9
    assert min(sizes) >= 1


def test_a_candidate_with_a_mask_or_in_another_form_is_refused():
    good = of_code("222222")
    with pytest.raises(InvalidCandidateError, match="dense"):
        SPACE_201.build(dataclasses.replace(good, mask=LearnedMask(method="espn", keep=3)))
    with pytest.raises(InvalidCandidateError, match="'none'"):
        SPACE_201.build(dataclasses.replace(good, architecture={**good.architecture, "0-1": "none"}))
    with pytest.raises(InvalidCandidateError, match="0-1"):
        SPACE_201.build(dataclasses.replace(good, architecture={}))
    for architecture in (
        {},
        {"edges": ["0-1"], "operations": []},
        {"edges": ["6-0"], "operations": []},
        {"edges": 3, "operations": 4},
    ):
        with pytest.raises(InvalidCandidateError):
            SPACE_101.build(dataclasses.replace(good, space="nasbench101", architecture=architecture))


@pytest.mark.parametrize("shape", [(3, 9, 9), (1, 8, 8), (3, 8, 4), (10,)])
def test_a_signature_without_networks_is_refused(shape):
    with pytest.raises(InvalidOptionError, match="multiple of 4"):
        search_spaces.create("nasbench201", Signature(input_shape=shape, outputs=2))
