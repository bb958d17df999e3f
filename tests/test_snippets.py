"""Every code block of the README and the guides runs, page by page, each page in a folder of its own.

Blocks of a page run in order and share files and Python names, as a reader would run them. Commands of `nas` run in this process, so that
torch is loaded once; with NAS_SNIPPETS=shell (`make snippets`) they run in bash as they stand, slow blocks too.
"""

import importlib
import importlib.util
import os
import shlex
import subprocess
import sys
import tomllib
from collections import Counter
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from nas.cli.main import main

_spec = importlib.util.spec_from_file_location("snippets", Path(__file__).parent / "snippets.py")
assert _spec is not None
assert _spec.loader is not None
snippets = importlib.util.module_from_spec(_spec)
sys.modules["snippets"] = snippets
_spec.loader.exec_module(snippets)

pytestmark = pytest.mark.filterwarnings("default")  # a reader sees the warnings of libraries and continues
SHELL = os.environ.get("NAS_SNIPPETS") == "shell"
PAGES = [page for page in snippets.pages() if snippets.snippets(page)]
LONG = ("docs/guides/search.md", "docs/guides/predict.md")
"""Pages whose blocks take a minute together."""
NEVER: dict[str, int] = {
    "CONTRIBUTING.md": 1,
    "README.md": 3,
    "benchmarks/README.md": 1,
    "docs/guides/deploy.md": 10,
    "docs/guides/optuna.md": 1,
    "docs/guides/search.md": 4,
    "docs/guides/service.md": 10,
    "docs/index.md": 1,
}
"""The number of blocks of a page that no test runs."""


@pytest.mark.takes(80, "runs every block of a page, small searches and trainings among them")
@pytest.mark.parametrize("page", [pytest.param(page, marks=pytest.mark.slow if page in LONG else ()) for page in PAGES])
def test_the_blocks_of_a_page_run(page, tmp_path, monkeypatch):
    run_page(page, tmp_path, monkeypatch, slow=SHELL)


@pytest.mark.slow  # blocks that say so: minutes
@pytest.mark.parametrize("page", [page for page in PAGES if any(one.reason("slow") for one in snippets.snippets(page))])
def test_the_slow_blocks_of_a_page_run(page, tmp_path, monkeypatch):
    run_page(page, tmp_path, monkeypatch, slow=True)


def test_a_block_that_never_runs_says_why_and_is_counted():
    blocks = [block for page in snippets.pages() for block in snippets.snippets(page)]
    for kind in ("never", "slow"):
        assert all(len(block.reason(kind)) > 10 for block in blocks if block.reason(kind) is not None)
    assert Counter(block.page for block in blocks if block.reason("never")) == NEVER


def test_every_marker_is_known():
    for page in snippets.pages():
        for block in snippets.snippets(page):
            assert block.language in ("sh", "python", "toml", "text", "json"), f"{page}:{block.line}"
            for marker in block.markers:
                known = marker.startswith(("file ", "slow,", "never,")) or marker in ("install", "needs data")
                assert known or " => " in marker, f"{page}:{block.line}: {marker}"
            assert block.code, "what is to be replaced is there"
            assert block.language != "toml" or block.file or block.reason("never"), f"{page}:{block.line} is not read"


def run_page(page: str, folder: Path, monkeypatch: pytest.MonkeyPatch, *, slow: bool) -> None:
    """Run its blocks; skip at the end if some lacked their data."""
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {"__name__": "__snippet__"}
    lacking = []
    for block in snippets.snippets(page):
        if block.reason("never") is not None or (block.reason("slow") is not None and not slow):
            continue
        if "needs data" in block.markers and not has_images():
            lacking.append(block.line)
        elif block.file is not None:
            Path(block.file).write_text(block.code)
            if "install" in block.markers:
                install(folder, monkeypatch)
        elif block.language == "python":
            exec(compile("\n" * (block.line - 1) + block.code, str(snippets.ROOT / page), "exec"), names)
        elif block.language == "sh":
            run_shell(block)
    if lacking:
        pytest.skip(f"the blocks at lines {lacking} of {page} need Fashion-MNIST in NAS_DATA_DIR")


def has_images() -> bool:
    folder = os.environ.get("NAS_DATA_DIR")
    return folder is not None and any(Path(folder).rglob("*ashion*"))


def install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the entry points of `pyproject.toml` known, as `pip install` would."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {place}" for name, place in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(folder)
    importlib.invalidate_caches()


def run_shell(block: Any) -> None:
    """In bash, or line by line in this process."""
    if SHELL:
        bash(block.code)
        return
    for line in block.code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        if words[0] != "nas":
            bash(line)
            continue
        arguments, target = (words[1:-2], words[-1]) if len(words) > 2 and words[-2] == ">" else (words[1:], os.devnull)
        with open(target, "w") as output, redirect_stdout(output):
            code = main(arguments)
        assert code == 0, f"{block.page}:{block.line}: `{line}` gives exit code {code}"


def bash(script: str) -> None:
    """Run it in the environment of this process, where `nas` and `python` are those of the tests."""
    python = shlex.quote(sys.executable)
    commands = f'python() {{ {python} "$@"; }}\nnas() {{ {python} -m nas "$@"; }}\n'
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(snippets.ROOT), os.environ.get("PYTHONPATH", "")])}
    subprocess.run(["bash", "-euo", "pipefail", "-c", commands + script], check=True, env=environment)
