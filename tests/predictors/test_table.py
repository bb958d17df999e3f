import json

import numpy as np
import pytest

import predictors
from onnx_graph.errors import InvalidModelError
from predictors.errors import InvalidPredictorError, InvalidTableError, UnknownPredictorError
from predictors.library import accuracy_table as table
from predictors.library import batch
from predictors.testing import synthetic_graphs


def _encoding(monkeypatch, encode):
    monkeypatch.setattr(batch, "encode", encode)


def _write(folder, lines, header="model,accuracy", files=6):
    for number in range(files):
        (folder / f"{number}.onnx").write_bytes(b"")
    path = folder / "rows.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


@pytest.fixture
def rows(tmp_path, monkeypatch):
    """A table of 40 models whose structure graphs are given, in four cells."""
    graphs, accuracies = synthetic_graphs(40)
    _encoding(monkeypatch, lambda path: graphs[int(path.stem)])
    lines = [f"{number}.onnx,{accuracy},{'abcd'[number % 4]}" for number, accuracy in enumerate(accuracies)]
    return _write(tmp_path, lines, "model,accuracy,cell", files=40)


def test_reads_models_beside_the_table(tmp_path):
    path = _write(tmp_path, ["0.onnx,0.5,ignored", f"{tmp_path / '1.onnx'},1,ignored"], "model,accuracy,remark")
    first, second = table.read_table(path)
    assert (first.model, first.accuracy, first.cell, first.line) == (tmp_path / "0.onnx", 0.5, None, 2)
    assert (second.model, second.accuracy) == (tmp_path / "1.onnx", 1.0)


def test_reads_cells_and_a_byte_order_mark(tmp_path):
    path = _write(tmp_path, ["0.onnx,0.5,a", "1.onnx,0.5,b"], "\ufeffmodel,accuracy,cell")
    assert [row.cell for row in table.read_table(path)] == ["a", "b"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["0.onnx,0.5", "9.onnx,0.5"], r"line 3, column 'model': no file '9.onnx'"),
        (["0.onnx,0.5", ",0.5"], r"line 3, column 'model': it is empty"),
        (["0.onnx,0.5", "1.onnx,good"], r"line 3, column 'accuracy': 'good' is not a number"),
        (["0.onnx,0.5", "1.onnx"], r"line 3, column 'accuracy': None is not a number"),
        (["0.onnx,0.5", "1.onnx,nan"], r"line 3, column 'accuracy': nan is not in \[0, 1\]"),
        (
            ["0.onnx,0.5", "1.onnx,97.5"],
            r"line 3, column 'accuracy': 97.5 is not in \[0, 1\]; give shares, not per cent",
        ),
        (["0.onnx,0.5", "1.onnx,0.5", "./0.onnx,0.6"], r"line 4, column 'model': 0.onnx is already in line 2"),
        (["0.onnx,0.5"], "has 1 rows, at least 2"),
        (['0.onnx,"0.5'], "is not a CSV file"),
    ],
)
def test_a_wrong_row_is_named(tmp_path, lines, message):
    with pytest.raises(InvalidTableError, match=message):
        table.read_table(_write(tmp_path, lines))


def test_wrong_columns_are_named(tmp_path):
    with pytest.raises(InvalidTableError, match="needs one column 'accuracy'; it has model, acc"):
        table.read_table(_write(tmp_path, ["0.onnx,0.5"], "model,acc"))
    with pytest.raises(InvalidTableError, match="needs one column 'model'; it has none"):
        table.read_table(_write(tmp_path, [], ""))
    with pytest.raises(InvalidTableError, match="line 2, column 'cell': it is empty"):
        table.read_table(_write(tmp_path, ["0.onnx,0.5,"], "model,accuracy,cell"))


def test_a_file_that_is_no_table(tmp_path):
    with pytest.raises(InvalidTableError, match=r"missing.csv cannot be read: No such file"):
        table.read_table(tmp_path / "missing.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InvalidTableError, match="is not a CSV file"):
        table.read_table(tmp_path / "binary.csv")
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    with pytest.raises(InvalidTableError, match=r"zero\.csv cannot be read: it is not a regular file"):
        table.read_table(tmp_path / "zero.csv")
    with (tmp_path / "huge.csv").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(InvalidTableError, match=r"huge\.csv has 1,099,511,627,776 bytes, expected at most 67,108,864"):
        table.read_table(tmp_path / "huge.csv")


def test_a_model_that_cannot_be_read_is_named_with_its_line(tmp_path, monkeypatch):
    def broken(path):
        raise InvalidModelError(f"{path.name} is not an ONNX model")

    _encoding(monkeypatch, broken)
    path = _write(tmp_path, ["0.onnx,0.5", "1.onnx,0.6"])
    with pytest.raises(InvalidTableError, match=r"line 2, column 'model': 0.onnx is not an ONNX model"):
        table.fit_table(path, "constant", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_fit_writes_a_predictor_with_its_origin(rows, tmp_path):
    fitted = table.fit_table(rows, "forest", tmp_path / "out", seed=3)
    loaded = predictors.load(tmp_path / "out")
    assert (loaded.name, loaded.training_graphs) == ("forest", 40)
    assert loaded.provenance["table"] == "rows.csv"
    assert loaded.provenance["seed"] == 3
    graphs, _ = synthetic_graphs(40)
    np.testing.assert_array_equal(loaded.predict(graphs).mean, fitted.predict(graphs).mean)


def test_fits_on_real_onnx_files(tmp_path):
    import onnx

    text = """<ir_version: 10, opset_import: ["": 17]>
    net (float[N, 4] x) => (float[N, 4] y) <float[4, 4] W = {KEPT}> { y = MatMul(x, W) }"""
    for kept in range(4, 16):
        values = ", ".join("1" if place < kept else "0" for place in range(16))
        onnx.save(onnx.parser.parse_model(text.replace("KEPT", values)), tmp_path / f"{kept}.onnx")
    path = tmp_path / "rows.csv"
    path.write_text("model,accuracy\n" + "".join(f"{kept}.onnx,{kept / 20}\n" for kept in range(4, 16)))
    fitted = table.fit_table(path, "density", tmp_path / "out")
    few, many = fitted.predict([tmp_path / "5.onnx", tmp_path / "14.onnx"]).mean
    assert few < 0.35 < 0.6 < many
    (tmp_path / "7.onnx").write_text("not a model")
    for workers in (1, 2):
        with pytest.raises(InvalidTableError, match=r"line 5, column 'model': .*7.onnx"):
            table.fit_table(path, "density", tmp_path / "other", workers=workers)


def test_fit_refuses_a_wrong_name_or_folder_before_any_work(rows, tmp_path, monkeypatch):
    _encoding(monkeypatch, None)
    with pytest.raises(
        UnknownPredictorError, match=r"unknown predictor 'forst'; did you mean 'forest'\? Known: forest"
    ):
        table.fit_table(rows, "forst", tmp_path / "out")
    with pytest.raises(InvalidPredictorError, match="choose another folder"):
        table.fit_table(rows, "forest", rows)
    with pytest.raises(UnknownPredictorError):
        table.evaluate_table(rows, ["forst"])


def test_evaluation_ranks_an_obvious_signal_and_gives_the_baselines(rows):
    found = table.evaluate_table(rows, ["gp"], folds=4, seed=1, repeats=2)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert (found["rows"], found["cells"], found["folds"], found["repeats"], found["seed"]) == (40, 4, 4, 2, 1)
    scores = {row["name"]: row for row in found["predictors"]}
    assert list(scores) == ["constant", "density", "gp"]
    assert scores["constant"]["tau"] == scores["constant"]["rho"] == scores["constant"]["tau_inside"] == 0.0
    assert scores["constant"]["r2"] < 0 < 0.9 < scores["density"]["r2"]
    assert scores["density"]["tau"] == pytest.approx(1.0)
    assert scores["density"]["tau_inside"] == pytest.approx(1.0)
    assert 0.5 < scores["gp"]["tau"] < 1.0
    assert scores["gp"]["spread"]["tau"] > 0
    assert 0.0 <= scores["gp"]["coverage_90"] <= 1.0


def test_evaluation_is_the_same_for_the_same_seed(rows):
    assert table.evaluate_table(rows, [], seed=5) == table.evaluate_table(rows, [], seed=5)
    assert table.evaluate_table(rows, [], seed=5) != table.evaluate_table(rows, [], seed=6)


def test_evaluation_tells_how_far_it_is(rows):
    told = []
    table.evaluate_table(rows, [], folds=2, repeats=2, progress=told.append)
    assert [one.fitted for one in told] == list(range(9))  # two baselines, two folds, twice
    assert {one.fits for one in told} == {8}
    assert [one.predictor for one in told[:5]] == ["", "constant", "density", "constant", "density"]
    assert [one.left is None for one in told] == [True, True] + [False] * 7
    assert told[-1].left == 0


def test_noise_is_not_ranked(tmp_path, monkeypatch):
    """Scoring a network by a predictor that saw it would rank noise well; cross-validation must not."""
    graphs, _ = synthetic_graphs(60)
    noise = np.random.default_rng(0).permutation(60) / 60
    _encoding(monkeypatch, lambda path: graphs[int(path.stem)])
    path = _write(tmp_path, [f"{number}.onnx,{value}" for number, value in enumerate(noise)], files=60)
    found = table.evaluate_table(path, ["forest"], folds=2, repeats=1)
    scores = {row["name"]: row for row in found["predictors"]}
    assert abs(scores["forest"]["tau"]) < 0.25
    assert scores["forest"]["tau_inside"] is None


def test_no_network_is_scored_by_a_predictor_that_saw_it(monkeypatch):
    graphs, accuracies = synthetic_graphs(10)
    seen = []

    class Spy(type(predictors.create("constant"))):
        def fit(self, graphs, accuracies, *, seed=0):
            seen.append(set(map(id, graphs)))
            return super().fit(graphs, accuracies, seed=seed)

        def predict(self, graphs):
            assert not seen[-1] & set(map(id, graphs))
            return super().predict(graphs)

    monkeypatch.setattr(table, "create", lambda name: Spy())
    prediction = table.cross_validate("constant", graphs, accuracies, np.arange(10) % 3)
    assert [len(one) for one in seen] == [6, 7, 7]
    assert np.isfinite(prediction.mean).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"folds": 1}, "folds ≥ 2"), ({"repeats": 0}, "repeats ≥ 1"), ({"folds": 21}, "at least 42")],
)
def test_too_few_rows_or_folds(rows, options, message):
    with pytest.raises(InvalidTableError, match=message):
        table.evaluate_table(rows, ["constant"], **options)
