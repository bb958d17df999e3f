"""The registry itself, on a table of three names."""

import sys

import pytest

from onnx_graph import Builtin, Registry, nearest, require_name, unknown_name
from onnx_graph.registry import BUILT_IN, first_line


class UnknownThingError(Exception):
    pass


class BrokenThingError(Exception):
    pass


def registry() -> Registry[object]:
    return Registry(
        "thing",
        {
            "counts": "onnx_graph.counts:count",
            "names": Builtin("onnx_graph.names:nearest", told_by="onnx_graph.names:nearest"),
            "own": Builtin("a_module_that_nobody_has:thing", "Told here."),
        },
        "tests.things",
        fault=lambda found, name: "" if callable(found) else "it must be a function",
        unknown=UnknownThingError,
        broken=BrokenThingError,
    )


def install(folder, name, source, entry_points, metadata=True):
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (folder / f"{name}.py").write_text(source)
    if metadata:
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[tests.things]\n{entry_points}\n")
    return str(folder)


def test_names_keep_the_order_of_the_table():
    things = registry()
    assert things.names() == ("counts", "names", "own") == tuple(things)
    assert len(things) == 3
    assert "counts" in things
    assert "count" not in things
    assert 7 not in things


def test_an_object_is_loaded_when_it_is_asked_for():
    assert registry().load("names") is nearest


def test_an_unknown_name_lists_the_known_ones_nearest_first():
    with pytest.raises(
        UnknownThingError, match=r"unknown thing 'count'; did you mean 'counts'\? Known: counts, own, names"
    ):
        registry().load("count")
    with pytest.raises(UnknownThingError, match="unknown thing 3"):
        registry().load(3)


def test_built_ins_are_described_without_being_imported(monkeypatch):
    monkeypatch.delitem(sys.modules, "onnx_graph.counts", raising=False)
    listed = {one.name: one for one in registry().listed()}
    assert listed["counts"].summary == first_line("onnx_graph.counts")
    assert listed["counts"].summary.endswith(".")
    assert listed["names"].summary == "The known names, the most alike first."
    assert listed["own"].summary == "Told here."
    assert {one.origin for one in listed.values()} == {BUILT_IN}
    assert "onnx_graph.counts" not in sys.modules


def test_the_docstring_of_an_attribute_or_of_nothing():
    assert first_line("onnx_graph.registry:Registry") == "The plug-ins of one kind."
    assert first_line("onnx_graph.registry:nothing") == ""


def test_entry_points_come_after_the_table_and_in_order(tmp_path, monkeypatch):
    source = "def b():\n    '''B does.'''\n\ndef a():\n    pass\n"
    monkeypatch.syspath_prepend(install(tmp_path, "adds_things", source, "zeta = adds_things:b\nalpha = adds_things:a"))
    things = registry()
    assert things.names() == ("counts", "names", "own", "alpha", "zeta")
    assert things.origin("zeta") == "adds_things 1.0"
    assert [one.summary for one in things.listed()][3:] == ["", "B does."]
    assert things.load("zeta").__name__ == "b"


def test_a_package_that_is_installed_later_is_found_by_the_same_registry(tmp_path, monkeypatch):
    things = registry()
    assert "late" not in things
    monkeypatch.syspath_prepend(install(tmp_path, "late_things", "def f(): pass\n", "late = late_things:f"))
    assert "late" in things
    monkeypatch.undo()
    assert "late" not in things


def test_a_name_offered_twice_is_an_error_for_that_name_only(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(install(tmp_path, "takes_names", "def f(): pass\n", "names = takes_names:f"))
    things = registry()
    with pytest.raises(
        BrokenThingError,
        match=r"^thing 'names' is offered by built-in \(onnx_graph.names:nearest\) and by takes_names 1.0 \(takes_names:f\); "
        "uninstall all but one$",
    ):
        things.load("names")
    assert things.load("counts").__name__ == "count"
    assert things.usable() == ("counts", "own")
    (problem,) = (one.problem for one in things.listed() if one.problem)
    assert problem.startswith("thing 'names' is offered by built-in")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import a_module_that_nobody_has\n", "ModuleNotFoundError: No module named 'a_module_that_nobody_has'"),
        ("raise ValueError('no licence')\n", "ValueError: no licence"),
        ("def other(): pass\n", "AttributeError: module '.*' has no attribute 'f'"),
        ("f = 3\n", "it must be a function, got 3"),
    ],
)
def test_a_plugin_that_cannot_be_used_is_named_and_the_rest_works(tmp_path, monkeypatch, source, reason, request):
    name = f"bad_things_{request.node.callspec.indices['source']}"
    monkeypatch.syspath_prepend(install(tmp_path, name, source, f"bad = {name}:f"))
    things = registry()
    with pytest.raises(BrokenThingError, match=rf"^thing 'bad' of {name} 1\.0 \({name}:f\) cannot be used: {reason}"):
        things.load("bad")
    assert things.usable() == ("counts", "names", "own")
    assert things.load("names") is nearest


def test_a_distribution_without_metadata_is_still_named(tmp_path, monkeypatch):
    path = install(tmp_path, "nameless", "def f(): pass\n", "plain = nameless:f", metadata=False)
    monkeypatch.syspath_prepend(path)
    assert registry().origin("plain") == "an unnamed distribution"


def test_names_for_errors():
    assert nearest("abd", ["xyz", "abc"]) == ["abc", "xyz"]
    assert unknown_name("fruit", "aple", ["pear", "apple"]) == (
        "unknown fruit 'aple'; did you mean 'apple'? Known: apple, pear"
    )
    assert unknown_name("fruit", "aple", []) == "unknown fruit 'aple'"
    assert require_name("fruit", "pear", ["pear"], UnknownThingError) == "pear"
    with pytest.raises(UnknownThingError, match="unknown fruit 'aple'"):
        require_name("fruit", "aple", ["pear"], UnknownThingError)
