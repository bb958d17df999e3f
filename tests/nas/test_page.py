"""The page: it needs no other files, shows all its parts, its examples run, and no name can break it."""

import argparse
import contextlib
import errno
import html
import io
import json
import re
import shlex
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import onnx.parser
import pytest

import onnx_graph
import search_spaces
from nas.cli.main import main
from nas.cli.search_command import add_arguments
from nas.cli.search_flags import config_of
from nas.errors import RunError
from nas.reports import files
from nas.reports.confusion import Confusion
from nas.reports.markup import Markup, tag
from nas.reports.page import page
from nas.reports.page.confusion_table import confusion_matrix, mistakes
from nas.reports.picture import picture
from nas.reports.report import Report, TaskFacts
from nas.reports.reproduction import command, words
from nas.reports.rows.front_row import FrontRow
from nas.reports.rows.network_row import NetworkRow
from nas.reports.rows.time_row import TimeRow
from nas.reports.rows.trial_row import TrialRow
from nas.reports.usage import usage
from nas.study.config import SearchConfig
from nas.study.run_folder import RunFolder
from nas.study.seconds import Seconds
from nas.study.trial import results_by_candidate
from nas.tasks import load_task

NASTY = '</script><b onload="x">$\\frac{$ & \x1b[31m'


def network(name, nnz):
    return NetworkRow(
        name=name,
        digest="d",
        candidate={},
        accuracies=(0.9, 0.92),
        validation=(0.91, 0.93),
        seeds=(1, 2),
        nnz=nnz,
        bytes=5000,
        latency=0.01,
        largest_error=1e-6,
        file="x.onnx",
    )


def report_of(trials, *, name="digits", classes=("no", "yes"), config=None):
    return Report(
        version="0.1.0",
        task=TaskFacts(
            name=name, metric="accuracy", fingerprint="f" * 64, description=name, train=3, validation=2, test=2
        ),
        config=config or SearchConfig().to_json(),
        best=network("winner", 300),
        baselines=(network("dense", 3000), network("random", 280)),
        front=tuple(FrontRow.of(result, bytes_=9, latency=0.1) for result in results_by_candidate(trials)[:2]),
        trials=tuple(map(TrialRow.of, trials)),
        seconds=TimeRow.all(Seconds(total=4.0)),
        confusion=Confusion(classes, ((3, 1), (0, 2))),
    )


@pytest.fixture
def folder(tmp_path):
    """A run folder with a small network and its configuration."""
    found = RunFolder(tmp_path / "run")
    found.create(SearchConfig())
    space = search_spaces.create("mlp", load_task("digits").signature, max_nnz=300)
    onnx_graph.save(space.build(space.sample(np.random.default_rng(1))), found.best)
    return found


@pytest.fixture
def trials(make_trial):
    return [make_trial(0, 0.8), make_trial(1, None), make_trial(2, 0.9), make_trial(3, 0.85, repeat=1)]


class Reader(HTMLParser):
    """Collects the text of elements and checks that all are closed."""

    VOID = frozenset({"meta", "img"})

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.texts = [], [], {}

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open:
            self.texts[self.open[-1]] = self.texts.get(self.open[-1], "") + data


def read(text):
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    return reader


def test_the_page_is_whole_and_loads_nothing(folder, trials):
    text = page(report_of(trials), folder)
    reader = read(text)
    sources = [value for _, attrs in reader.tags for name, value in attrs.items() if name in ("src", "href", "srcset")]
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert not re.search(r"https?:|@import|url\(", text)
    assert [tag for tag, _ in reader.tags].count("script") == 1
    assert page(report_of(trials), folder) == text


def test_the_first_paragraph_is_a_sentence_and_the_figures_are_a_table(folder, trials):
    reader = read(page(report_of(trials), folder))
    assert reader.texts["h1"] == (
        "A network with 300 non-zero weights reaches 91.0% accuracy on digits: as good as its dense reference "
        "within the noise, and as good as random search within the noise."
    )
    assert [attrs["aria-label"] for tag, attrs in reader.tags if tag == "svg"] == [
        "accuracy against non-zero weights of all trials",
        "the layers of the network and how they are linked",
        "results in order of training",
        "predicted against measured accuracy",
    ]


@pytest.mark.parametrize("where", ["task", "classes", "weights", "error"])
def test_no_name_breaks_the_page(folder, make_trial, trials, where):
    if where == "weights":
        model = onnx_graph.load(folder.best)
        for number, weight in enumerate(onnx_graph.weights(model)):
            model.graph.initializers[weight.name].name = f"{NASTY}{number}"
        onnx_graph.save(model, folder.best)
    if where == "error":
        trials.append(make_trial(4, None, error=NASTY))
    names = {"task": {"name": NASTY}, "classes": {"classes": (NASTY, "yes")}}.get(where, {})
    report = report_of(trials, **names)
    text = page(report, folder)
    reader = read(text)
    assert not any("onload" in attrs for _, attrs in reader.tags)
    assert "b" not in {tag for tag, _ in reader.tags}
    assert "\x1b" not in text
    assert html.escape('</script><b onload="x">') in text
    assert picture(report).startswith(b"\x89PNG")


def test_the_lines_that_call_the_model_run(folder, monkeypatch):
    lines = usage(onnx_graph.load(folder.best))
    assert len([line for line in lines.splitlines() if line]) == 6
    monkeypatch.chdir(folder.path)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(lines, {})
    assert re.fullmatch(r"\[\d\]\n", said.getvalue())


def test_the_page_shows_the_lines_that_run(folder, trials):
    text = page(report_of(trials), folder)
    assert tag("code", usage(onnx_graph.load(folder.best))) in text
    assert tag("code", command(report_of(trials).config)) in text


@pytest.mark.parametrize(
    "config",
    [
        SearchConfig(),
        SearchConfig(
            task="my data.csv",
            target="it's",
            subset=300,
            objective=("accuracy", "-nnz"),
            constraint=("nnz<=10%", "bytes<=20000"),
            space_option=("depth=[1, 2]",),
            random_baseline=True,
            trainings=24,
            explore=0.25,
            epochs=7,
            learning_rate=3e-3,
            method="rigl",
            seed=5,
        ),
        SearchConfig(space="onnx", model="a b.onnx", optimizer="sgd", patience=3, timeout=60.0),
    ],
)
def test_the_command_gives_the_configuration_back(config):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    nas, search, *flags = shlex.split(command(config.to_json()).replace("\\\n", " "))
    assert (nas, search) == ("nas", "search")
    assert config_of(parser.parse_args(flags)) == config
    assert [word for group in words(config.to_json(), "x") for word in group][-2:] == ["--out", "x"]


def test_the_page_can_be_written_elsewhere_and_a_read_only_run_is_still_shown(folder, trials, capsys, monkeypatch):
    folder.report.write_text(json.dumps(report_of(trials).to_json()))
    assert main(["report", str(folder.path), "--out", str(folder.path.parent / "pages")]) == 0
    out = capsys.readouterr().out
    assert str(folder.path.parent / "pages" / "report.html") in out
    assert (folder.path.parent / "pages" / "report.html").read_text() == page(report_of(trials), folder)
    assert not folder.page.exists()

    def refuse(path, content):
        raise RunError(f"cannot write {path}: read-only") from OSError(errno.EROFS, "read-only")

    monkeypatch.setattr(files, "write_bytes", refuse)
    assert main(["report", str(folder.path)]) == 0
    captured = capsys.readouterr()
    assert "Pareto front" in captured.out
    assert "are not written anew" in captured.err


def test_trials_can_be_sorted_by_numbers_and_words(folder, trials):
    text = page(report_of(trials), folder)
    table = text[text.index('class="sortable"') :]
    assert '<th scope="col" data-kind="text" class="label"><button type="button">candidate</button></th>' in table
    assert '<th scope="col" data-kind="number"><button type="button">measured</button></th>' in table
    assert '<td data-order="0.8">80.00%</td>' in table
    assert "<td>failed: loss is nan</td>" in table


CLICK = """<script>
var table = document.querySelector("table.sortable"), buttons = table.tHead.querySelectorAll("button");
function shown(column) { return Array.from(table.tBodies[0].rows).map(row => row.cells[column].textContent).join("; "); }
buttons[5].click(); var up = shown(5); buttons[5].click(); document.title = up + " | " + shown(5);
</script></body>"""


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no browser to run the script of the page")
def test_a_click_on_a_head_sorts_up_and_another_one_down(folder, trials):
    # Over 5 s on a busy machine: a browser is started.
    odd = folder.path / "sorted.html"
    odd.write_text(page(report_of(trials), folder).replace("</body>", CLICK))
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", odd.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    title = re.search("<title>(.*)</title>", done.stdout)
    failed = "failed: loss is nan"
    assert title is not None
    assert title.group(1) == f"80.00%; 85.00%; 90.00%; {failed} | 90.00%; 85.00%; 80.00%; {failed}"


def test_the_confusion_matrix_marks_the_diagonal():
    drawn = confusion_matrix(Confusion(("no", "yes"), ((3, 1), (0, 2))))
    assert drawn.count('class="right"') == 2
    assert 'title="no taken for yes: 1 of 4"' in drawn
    assert 'style="--share:0.250"' in drawn


def test_of_many_classes_the_most_frequent_mistakes_are_told():
    counts = np.diag(np.full(30, 5))
    counts[3, 7], counts[4, 1] = 2, 9
    many = Confusion.from_json({"classes": [f"c{i}" for i in range(30)], "counts": counts.tolist()}, "it")
    told = [tuple(cell.text for cell in row.values()) for row in mistakes(many)]
    assert told == [("c4", "c1", "9", "14"), ("c3", "c7", "2", "7")]
    assert "The most frequent mistakes" in confusion_matrix(many)


def test_markup_escapes_all_but_markup():
    assert (
        tag("p", "<a>", tag("b", '"&"'), None, title='"x"')
        == '<p title="&quot;x&quot;">&lt;a&gt;<b>&quot;&amp;&quot;</b></p>'
    )
    assert tag("p", Markup("<a>"), hidden=True, data_x=1.5, class_=None) == '<p hidden data-x="1.5"><a></p>'
    assert tag("p", "a\x00\x1bb") == "<p>a\ufffd\ufffdb</p>"


def test_an_axis_with_the_name_of_a_formula_is_text(trials):
    report = report_of(trials)
    odd = json.loads(json.dumps(report.to_json()))
    odd["task"]["metric"] = "$\\frac{$"
    assert picture(Report.from_json(odd)).startswith(b"\x89PNG")


def test_a_model_that_is_not_ours_is_drawn_too(folder, trials):
    proto = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 17]> g (float[N, 4] x) => (float[N, 4] y) { y = Sigmoid(x) }'
    )
    folder.best.write_bytes(proto.SerializeToString())
    text = page(report_of(trials), folder)
    assert "Sigmoid" in text
    assert "Masks: which" not in text
