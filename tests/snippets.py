"""The code blocks of the guides, and the meaning of their markers.

A marker is an HTML comment on a line of its own directly above a block:

- ``<!-- run: OLD => NEW -->`` the test replaces the text OLD by NEW, to train less;
- ``<!-- run: file NAME -->`` the block is the content of a file of that name;
- ``<!-- run: install -->`` the block is the `pyproject.toml` of a plug-in, whose entry points are there from now on;
- ``<!-- run: needs data -->`` the block reads MNIST-like images from NAS_DATA_DIR;
- ``<!-- run: slow, WHY -->`` only `make snippets` runs the block;
- ``<!-- run: never, WHY -->`` no test runs the block.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("docs", "nas", "predictors", "search_spaces", "onnx_graph", "benchmarks")
MARKER = re.compile(r"<!-- run: (.*?) -->")
FENCE = re.compile(r"```(\w*)")


@dataclass(frozen=True)
class Snippet:
    """A code block of a page, with its markers.

    Attributes:
        page: path from the root of the repository.
        line: of its first line of code.
        language: what stands behind the opening fence.
        source: the code as the page shows it.
        markers: the texts of its markers.
    """

    page: str
    line: int
    language: str
    source: str
    markers: tuple[str, ...]

    @property
    def code(self) -> str:
        """The code with the replacements that its markers ask for."""
        code = self.source
        for marker in self.markers:
            old, sign, new = marker.partition(" => ")
            if sign:
                if old not in code:
                    raise ValueError(f"{self.page}:{self.line}: nothing to replace: {old!r} is not in the block")
                code = code.replace(old, new)
        return code

    def reason(self, kind: str) -> str | None:
        """The text after ``kind,`` in a marker; None without such a marker."""
        for marker in self.markers:
            if marker == kind or marker.startswith(f"{kind},"):
                return marker.removeprefix(kind).removeprefix(",").strip()
        return None

    @property
    def file(self) -> str | None:
        """The name of the file that the block is the content of."""
        if "install" in self.markers:
            return "pyproject.toml"
        return next((marker.removeprefix("file ") for marker in self.markers if marker.startswith("file ")), None)


def pages() -> list[str]:
    """All pages with code, from the root of the repository."""
    found = [*ROOT.glob("*.md"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md"))]
    return sorted(str(path.relative_to(ROOT)) for path in found)


def snippets(page: str) -> list[Snippet]:
    """The code blocks of a page in order."""
    return list(_blocks(page, (ROOT / page).read_text(encoding="utf-8").splitlines()))


def _blocks(page: str, lines: list[str]) -> Iterator[Snippet]:
    markers: list[str] = []
    start, language = 0, None
    for number, line in enumerate(lines, 1):
        fence = FENCE.fullmatch(line.strip())
        if language is not None:
            if line.strip() == "```":
                yield Snippet(page, start, language, "\n".join(lines[start - 1 : number - 1]) + "\n", tuple(markers))
                markers, language = [], None
        elif fence:
            start, language = number + 1, fence[1]
        elif found := MARKER.fullmatch(line.strip()):
            markers.append(found[1])
        elif markers and line.strip():
            raise ValueError(f"{page}:{number}: the marker {markers[0]!r} stands above no block")
    if markers or language is not None:
        raise ValueError(f"{page}: the last block or marker has no end")
