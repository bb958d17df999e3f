"""The corpus: drawn, measured, stored, resumed, rebuilt bit for bit, divided without leaks."""

import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import predictors
from nas.cli.main import main
from nas.corpus import build as building
from nas.corpus import domain as domains
from nas.corpus import shard_plan as plan
from nas.corpus import splits
from nas.corpus.build import build, missing
from nas.corpus.card import card
from nas.corpus.ceiling import ceiling
from nas.corpus.corpus import Corpus
from nas.corpus.domain import DOMAINS, Domain, read_plan
from nas.corpus.labelled_network import structure_of
from nas.corpus.predictor_fit import fit
from nas.corpus.shard import read_shard, shard_file, write_shard
from nas.corpus.shard_plan import Spaces, candidates, training_seeds
from nas.errors import DataError, RunError, UsageError
from nas.tasks import load_task
from nas.tasks.description import describe
from predictors.calibration.ranking import attainable_tau, kendall

TINY = Domain(
    name="tiny",
    task="digits",
    space="mlp",
    networks=64,
    options={"width": (8, 24), "depth": (1, 2)},
    training={"epochs": 1},
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of one domain, built."""
    found = tmp_path_factory.mktemp("corpus")
    build(found, [TINY])
    return found


@pytest.fixture(scope="module")
def corpus(folder: Path) -> Corpus:
    return Corpus.read(folder)


def test_a_shard_is_a_function_of_domain_and_number() -> None:
    domain, spaces = replace(TINY, networks=320), Spaces(TINY, load_task("digits").signature)
    first, again = (candidates(domain, 3, spaces) for _ in range(2))
    assert [one.digest for one in first] == [one.digest for one in again]
    assert len({one.digest for one in first}) == domains.SHARD
    assert {one.digest for one in candidates(domain, 4, spaces)}.isdisjoint(one.digest for one in first)


def test_networks_in_a_row_share_an_architecture_and_differ_in_their_masks() -> None:
    drawn = candidates(TINY, 0, Spaces(TINY, load_task("digits").signature))
    groups = [drawn[start : start + TINY.masks] for start in range(0, len(drawn), TINY.masks)]
    assert all(len({json.dumps(one.architecture) for one in group}) == 1 for group in groups)
    assert len({one.digest for one in drawn}) == len(drawn)


@pytest.mark.takes(12, "draws four whole shards")
def test_densities_patterns_and_edits_are_those_of_the_plan() -> None:
    spaces = Spaces(TINY, load_task("digits").signature)
    whole = replace(TINY, networks=4 * domains.SHARD)
    drawn = [one for shard in range(4) for one in candidates(whole, shard, spaces)]
    free = [one for one in drawn if one.architecture["wiring"] in ("plain", "skips")]  # others prescribe connections
    densities = np.array([one.mask.density for one in free])
    assert densities.min() > 0.9 * domains.LOWEST
    assert densities.max() < 1.1 * domains.HIGHEST
    near = [any(abs(density / stratum - 1) < 0.02 for stratum in domains.STRATA) for density in densities]
    assert 0.35 < np.mean(near) < 0.7
    assert {one.mask.pattern for one in drawn} == set(domains.ALL_PATTERNS)
    assert 0.1 < np.mean([bool(one.edits) for one in drawn]) < 0.35


def test_every_tenth_network_is_trained_more_often_with_seeds_of_its_own() -> None:
    drawn = candidates(TINY, 0, Spaces(TINY, load_task("digits").signature))
    seeds = [training_seeds(TINY, 0, position, one) for position, one in enumerate(drawn)]
    assert [len(own) for own in seeds[:11]] == [plan.MANY, *[plan.FEW] * 9, plan.MANY]
    every = [seed for own in seeds for seed in own]
    assert len(set(every)) == len(every)


def test_built_networks_are_rebuilt_bit_for_bit_without_the_data(corpus: Corpus) -> None:
    assert len(corpus) == 64
    for row in range(0, 64, 5):
        assert structure_of(corpus.model(row)) == corpus.networks[row].structure


def test_accuracies_are_those_of_both_splits(corpus: Corpus) -> None:
    examples = corpus.examples["tiny"]
    network, measured = corpus.networks[0], corpus.trainings[0]
    assert len(measured) == plan.MANY
    right = [
        round(first * examples.validation) + round(second * examples.test)
        for first, second in zip(network.validation, network.test, strict=True)
        if first is not None and second is not None
    ]
    np.testing.assert_allclose(measured, np.array(right) / (examples.validation + examples.test), atol=1e-6)
    assert corpus.accuracies[0] == measured.mean()


def test_one_training_is_what_training_alone_gives(corpus: Corpus) -> None:
    from nas.training import train

    network = corpus.networks[1]
    result = train(corpus.model(1), TINY.load(), TINY.training_options, seed=network.seeds[0])
    assert network.validation[0] == pytest.approx(result.accuracy, abs=0.02)


@pytest.mark.slow
def test_a_stopped_build_goes_on_and_repeats_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    domain = replace(TINY, networks=128)
    calls: list[int] = []
    real = building.measure

    def stopped(domain: Domain, number: int, task: object) -> object:
        calls.append(number)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(domain, number, task)  # type: ignore[arg-type]

    monkeypatch.setattr(building, "measure", stopped)
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path, [domain])
    assert [number for _, number in missing(tmp_path, [domain])] == [1]
    first = shard_file(tmp_path, "tiny", 0).read_bytes()
    build(tmp_path, [domain])
    assert calls == [0, 1, 1]
    assert shard_file(tmp_path, "tiny", 0).read_bytes() == first
    assert missing(tmp_path, [domain]) == []


def test_shards_of_all_domains_come_in_turn(tmp_path: Path) -> None:
    other = replace(TINY, name="other", networks=256)
    order = [(domain.name, number) for domain, number in missing(tmp_path, [TINY, other])]
    assert order == [("other", 0), ("tiny", 0), ("other", 1), ("other", 2), ("other", 3)]


def test_a_domain_may_grow_but_not_change(folder: Path) -> None:
    assert [number for _, number in missing(folder, [replace(TINY, networks=128)])] == [1]
    with pytest.raises(RunError, match="another plan"):
        missing(folder, [replace(TINY, training={"epochs": 2})])


def test_a_domain_holds_exactly_as_many_networks_as_are_asked_for(tmp_path: Path) -> None:
    few = replace(TINY, networks=5, name="few")
    build(tmp_path, [few])
    assert len(Corpus.read(tmp_path)) == 5
    assert missing(tmp_path, [few]) == []
    more = replace(few, networks=70)
    assert [number for _, number in missing(tmp_path, [more])] == [0, 1]
    first = [one.candidate for one in read_shard(shard_file(tmp_path, "few", 0)).networks]
    whole = candidates(more, 0, Spaces(more, load_task("digits").signature))
    assert (len(whole), whole[:5]) == (64, first)
    assert len(candidates(more, 1, Spaces(more, load_task("digits").signature))) == 6


def test_a_foreign_shard_is_noticed_wherever_it_lies(folder: Path, tmp_path: Path) -> None:
    """A killed build with several workers leaves any of the shards."""
    shard = read_shard(shard_file(folder, "tiny", 0))
    foreign = replace(shard, number=1, domain=replace(shard.domain, training={"epochs": 50}))
    write_shard(shard_file(tmp_path, "tiny", 1), foreign)
    with pytest.raises(RunError, match="another plan"):
        missing(tmp_path, [replace(TINY, networks=128)])
    write_shard(shard_file(tmp_path, "tiny", 0), shard)
    with pytest.raises(DataError, match="different plans"):
        Corpus.read(tmp_path)


def test_a_shard_in_anothers_place_is_refused(folder: Path, tmp_path: Path) -> None:
    path = shard_file(tmp_path, "tiny", 5)
    path.parent.mkdir()
    path.write_bytes(shard_file(folder, "tiny", 0).read_bytes())
    with pytest.raises(DataError, match="in another's place"):
        Corpus.read(tmp_path)


def test_a_network_that_is_not_rebuilt_as_it_was_is_refused(corpus: Corpus) -> None:
    changed = replace(corpus.networks[0], structure="0" * 16)
    with pytest.raises(DataError, match="not rebuilt"):
        Corpus((changed,), corpus.domains, corpus.examples).model(0)


def test_structure_tells_wiring_attributes_and_masks() -> None:
    import onnx_graph
    from search_spaces.network_builder import NetworkBuilder

    def built(alpha: float, first: bool, kept: int) -> str:
        builder = NetworkBuilder((4,), "net")
        one, two = (builder.gemm(builder.input, 3, name, bias=False) for name in ("one", "two"))
        opened = builder.finish(builder.gemm(builder.leaky_relu(one if first else two, alpha, "act"), 2, "head"))
        model = opened.model({layer.name: np.ones(layer.shape, bool) for layer in opened.layers})
        weight = onnx_graph.weights(model)[0]
        array = np.zeros(weight.shape, np.float32)
        array.ravel()[:kept] = 2.0
        onnx_graph.set_weights(model, {weight.name: weight.stored(array).astype(np.float32)})
        return structure_of(model)

    base = built(0.1, True, 3)
    assert built(0.1, True, 3) == base
    assert len({base, built(0.2, True, 3), built(0.1, False, 3), built(0.1, True, 4)}) == 4


@pytest.mark.slow
def test_workers_make_the_same_networks(tmp_path: Path) -> None:
    domain = replace(TINY, networks=128)
    build(tmp_path, [domain], workers=2)
    drawn = candidates(domain, 1, Spaces(domain, load_task("digits").signature))
    assert [one.candidate for one in read_shard(shard_file(tmp_path, "tiny", 1)).networks] == drawn


@pytest.mark.parametrize("damage", ["cut", "version", "rows", "share", "text"])
def test_damaged_shards_are_refused(folder: Path, tmp_path: Path, damage: str) -> None:
    content = shard_file(folder, "tiny", 0).read_bytes()
    path = shard_file(tmp_path, "tiny", 0)
    path.parent.mkdir()
    lines = gzip.decompress(content).decode().splitlines()
    changed = {
        "cut": content[:-100],
        "version": gzip.compress("\n".join([lines[0].replace('"version":2', '"version":9'), *lines[1:]]).encode()),
        "rows": gzip.compress("\n".join(lines[:-1]).encode()),
        "share": gzip.compress("\n".join([*lines[:-1], lines[-1].replace('"test":[0.', '"test":[7.')]).encode()),
        "text": b"no corpus",
    }
    path.write_bytes(changed[damage])
    with pytest.raises(DataError, match="0000"):
        Corpus.read(tmp_path)


def test_an_empty_folder_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nas corpus build"):
        Corpus.read(tmp_path)


def test_divisions_leave_out_what_they_say(corpus: Corpus) -> None:
    random = splits.random_division(corpus, 20, seed=1)
    assert len(random.fitted) == 20
    assert sorted([*random.fitted, *random.judged]) == list(range(64))
    for division in splits.leave_recipe_out(corpus):
        assert {corpus.networks[row].recipe for row in division.judged} == {division.left_out}
        assert division.left_out not in {corpus.networks[row].recipe for row in division.fitted}
    bands = [division.left_out for division in splits.leave_density_out(corpus, labels=10)]
    assert len(bands) == len(set(corpus.cells))
    assert list(splits.leave_task_out(corpus)) == []  # one task: nothing to learn from


def test_the_ceiling_of_a_mean_is_what_a_perfect_predictor_reaches() -> None:
    rng = np.random.default_rng(0)
    truth = rng.standard_normal(3000)
    trainings = truth[:, None] + 0.7 * rng.standard_normal((3000, 3))
    agreement = kendall(trainings[:, 0], trainings[:, 1])
    for count in (1, 3):
        assert attainable_tau(agreement, count) == pytest.approx(
            kendall(truth, trainings[:, :count].mean(axis=1)), abs=0.02
        )
    assert attainable_tau(1.0) == pytest.approx(1.0)
    assert attainable_tau(-0.1) == 0.0


def test_a_ceiling_needs_networks_trained_twice(corpus: Corpus) -> None:
    found = ceiling(corpus.trainings, corpus.cells)
    assert found.networks == 64
    assert 2 < found.trainings < 3
    assert found.agreement < found.tau <= 1
    assert np.isnan(ceiling([np.array([0.5])], ["cell"]).tau)


def test_the_card_tells_the_numbers(corpus: Corpus) -> None:
    text = card(corpus)
    assert "64 networks" in text
    assert "tiny" in text
    assert "Apache-2.0" in text


def test_tasks_are_described_by_what_simple_readers_reach() -> None:
    found = describe(load_task("digits"))
    assert (found.samples, found.classes, found.inputs) == (1079, 10, 64)
    assert 0.95 < found.one_nn <= 1
    assert 0.85 < found.linear_probe < found.one_nn
    steps = describe(load_task("embedded-reber", subset=500))
    assert steps.inputs == 7
    assert steps.samples > 500
    assert steps.linear_probe < 0.6  # the last symbol alone does not tell


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "domain"),
        ("[[domain]]\nname = 'a'", "needs"),
        ("[[domain]]\nname='a'\ntask='digits'\nspace='mlp'\nnetworks=1\nepoch=3", "did you mean"),
        ("[[domain]]\nname='../a'\ntask='digits'\nspace='mlp'\nnetworks=1", "name"),
        ("[[domain]]\nname='a'\ntask='digits'\nspace='mlp'\nnetworks=1\ntraining={epoch=3}", "epoch"),
        ("[[domain]]\nname='a'\ntask='digits'\nspace='mlp'\nnetworks=1\noptions={max_density=1}", "max_density"),
        ("[[domain]]\nname='a'\ntask='digits'\nspace='mlp'\nnetworks=1\nmasks=5", "divisor"),
        ("[[domain]]\nname=3\ntask='digits'\nspace='mlp'\nnetworks=1", "name of a domain cannot be 3"),
        ("[[domain]]\nname='a'\ntask='digits'\nspace='mlp'\nnetworks=1.5", "networks of a domain cannot be 1.5"),
        ("[[domain]]\nname='a'\ntask='digits'\nspace='mlp'\nnetworks=1\nsubset='x'", "subset of a domain"),
        ("[[domain]]\nname='a'\ntask='digits'\nspace='mlp'\nnetworks=1\ntraining={patience=3}", "patience"),
        ("domain = [1]", "tables"),
        ("[[domain", "TOML"),
    ],
)
def test_wrong_plans_are_refused_by_name(tmp_path: Path, text: str, match: str) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=match):
        read_plan(path)


def test_the_projects_plan_is_large_enough() -> None:
    assert sum(domain.networks for domain in DOMAINS) >= 8000
    assert {domain.space for domain in DOMAINS} == {"mlp", "cnn", "rnn"}
    assert all(domain.networks % domains.SHARD == 0 for domain in DOMAINS)


@pytest.mark.takes(20, "builds a whole corpus by the command, and exports it")
def test_the_command_builds_describes_and_exports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(
        "[[domain]]\nname='mine'\ntask='digits'\nspace='mlp'\nnetworks=64\ntraining={epochs=1}\n"
        "options={width=[8, 16], depth=[1, 1]}\n"
    )
    assert main(["corpus", "build", str(tmp_path / "c"), "--plan", str(path), "--format", "json", "-q"]) == 0
    assert json.loads(capsys.readouterr().out)["domains"][0]["networks"] == 64
    assert (
        main(["corpus", "build", str(tmp_path / "c"), "--plan", str(path), "--format", "json", "-q"]) == 0
    )  # lists or tuples
    capsys.readouterr()
    assert "mine" in (tmp_path / "c" / "README.md").read_text()
    assert main(["corpus", "export", str(tmp_path / "c"), "--out", str(tmp_path / "e")]) == 0
    assert len(list((tmp_path / "e" / "mine").iterdir())) == 64
    assert main(["corpus", "build", str(tmp_path / "c"), "--plan", str(path), "--domain", "yours"]) == 2
    assert "mine" in capsys.readouterr().err


def test_a_predictor_is_fitted_on_a_corpus(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "predictor"
    command = ["corpus", "fit", str(folder), "--out", str(out), "--predictor", "linear", "--format", "json"]
    assert main(command) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["networks"], told["tasks"]) == (64, ["digits"])
    measured = Corpus.read(folder)
    predicted = predictors.load(out).predict([measured.model(row) for row in range(64)]).mean
    assert kendall(measured.accuracies, predicted) > 0.5


def test_a_predictor_of_several_tasks_knows_them_by_name(corpus: Corpus, tmp_path: Path) -> None:
    harder = replace(corpus.examples["tiny"], description=replace(corpus.examples["tiny"].description, one_nn=0.5))
    networks = [replace(one, domain="other") if row % 2 else one for row, one in enumerate(corpus.networks)]
    two = Corpus(
        tuple(networks),
        {"tiny": TINY, "other": replace(TINY, name="other", task="mine.npz")},
        {"tiny": corpus.examples["tiny"], "other": harder},
    )
    fitted = fit(two, tmp_path / "predictor", "linear")
    assert set(fitted.tasks) == {"digits", "mine.npz"}
    assert fitted.tasks["mine.npz"].one_nn == 0.5
    assert predictors.load(tmp_path / "predictor").predict(two.model(0), task="digits").mean.shape == (1,)


def committed() -> list[Path]:
    """Some shards of the project's own corpus."""
    assert (Path(__file__).parents[2] / "benchmarks" / "corpus").is_dir()
    return sorted((Path(__file__).parents[2] / "benchmarks" / "corpus").glob("*/*.jsonl.gz"))[::20]


@pytest.mark.parametrize("path", committed(), ids=lambda path: f"{path.parent.name}-{path.name[:4]}")
def test_networks_of_the_committed_corpus_are_rebuilt_bit_for_bit(path: Path) -> None:
    shard = read_shard(path)
    corpus = Corpus(shard.networks, {shard.domain.name: shard.domain}, {shard.domain.name: shard.examples})
    for row in range(0, len(corpus), 16):
        assert structure_of(corpus.model(row)) == corpus.networks[row].structure
