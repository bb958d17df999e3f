"""Pages that are made from the code: public names of a package, and the help of every command."""

import os
import re
import subprocess
import sys
from importlib import import_module
from types import ModuleType

NAMES = re.compile(r"^:::names (\w+)$", re.MULTILINE)
COMMANDS = re.compile(r"^:::commands$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: object) -> str:
    """Replace ``:::names PACKAGE`` by the reference of its public names, and ``:::commands`` by the help of all commands."""
    markdown = NAMES.sub(lambda found: _names(found[1]), markdown)
    return COMMANDS.sub(lambda _: _commands(), markdown)


def _names(package: str) -> str:
    root = import_module(package)
    return "\n".join(_reference(package, name, getattr(root, name)) for name in sorted(root.__all__) if name[0] != "_")


def _reference(package: str, name: str, value: object) -> str:
    """The block of one name. It names the module where the code stands: the name in the root is made when it is asked for."""
    if isinstance(value, ModuleType):
        if hasattr(value, "__path__"):  # a package, whose names are made when they are asked for
            return _names(value.__name__)
        return f"::: {value.__name__}\n    options: {{show_root_full_path: false, members: true}}\n"
    module = getattr(value, "__module__", None)
    if module is None or not hasattr(value, "__qualname__"):
        return f"### {package}.{name}\n\nA table: {_described(value)}.\n"
    return f'::: {module}.{name}\n    options: {{heading: "{package}.{name}", toc_label: "{name}"}}\n'


def _described(value: object) -> str:
    return ", ".join(f"`{one}`" for one in value) if hasattr(value, "__iter__") else f"`{value!r}`"


def _commands() -> str:
    from nas.cli.main import VERBS

    parts = []
    for verb, meaning in VERBS.items():
        parts.append(f"## nas {verb}\n\n{meaning[0].upper()}{meaning[1:]}.\n\n```text\n{_help(verb)}```\n")
        parts += [f"### nas {verb} {action}\n\n```text\n{_help(verb, action)}```\n" for action in _actions(verb)]
    return "\n".join(parts)


def _actions(verb: str) -> list[str]:
    found = re.search(r"^  ACTION\n((?:    .*\n)+)", _help(verb), re.MULTILINE)
    return re.findall(r"^    (\S+)", found[1], re.MULTILINE) if found else []


def _help(*words: str) -> str:
    command = [sys.executable, "-m", "nas", *words, "--help"]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, env={**os.environ, "COLUMNS": "100"}
    ).stdout
