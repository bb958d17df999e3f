"""Space of the NAS-Bench-201 cells (Dong & Yang 2020, arXiv:2001.00326): an operation on each of six edges.

The 15,625 ways to choose operations give 9,445 networks: operations that lead nowhere change nothing, and are written as 'none'.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import onnx_ir as ir

from search_spaces.candidate import Candidate, Json
from search_spaces.errors import InvalidCandidateError, InvalidOptionError
from search_spaces.genes import Gene, choice
from search_spaces.nasbench.cell_space import CellSpace, choice_of
from search_spaces.nasbench.network201 import EDGES, NONE, OPERATIONS, live, nasbench201_network
from search_spaces.space import TrialLike

GENES = tuple(f"{source}-{target}" for source, target in EDGES)
"""Names of the genes: the edges."""
_BY_VERTEX = (GENES[:1], (GENES[1], GENES[3]), (GENES[2], GENES[4], GENES[5]))
"""The edges into the vertices 1, 2 and 3, as the benchmark's own texts list them."""


class NASBench201Space(CellSpace):
    """NAS-Bench-201 cells; a table has the column ``code`` (six digits) or ``arch_str`` (``|nor_conv_3x3~0|+|…``)."""

    name = "nasbench201"

    def cell(self, trial: TrialLike) -> dict[str, Json]:
        """An operation for every edge."""
        return _written({name: choice(trial, name, OPERATIONS) for name in GENES})

    def genes(self, architecture: Mapping[str, Json]) -> dict[str, Gene]:
        """The operations."""
        found = _chosen(architecture)
        if len(architecture) != len(GENES) or _written(found) != found:
            raise InvalidCandidateError(f"operations that lead nowhere must be 'none', and edges {', '.join(GENES)}")
        return dict(found)

    def changes(self, architecture: Mapping[str, Json]) -> list[dict[str, Json]]:
        """Another operation on one edge."""
        own = _chosen(architecture)
        found = [_written({**own, name: other}) for name in GENES for other in OPERATIONS if other != own[name]]
        return [one for one in found if one != own]

    def form(self, architecture: Mapping[str, Json]) -> int:
        """Five bits for every edge, one of them set."""
        places = [OPERATIONS.index(str(architecture[name])) for name in GENES]
        return sum(1 << (len(OPERATIONS) * edge + place) for edge, place in enumerate(places))

    def forms(self, architecture: Mapping[str, Json]) -> list[int]:
        """The one form."""
        return [self.form(architecture)]

    def network(self, architecture: Mapping[str, Json]) -> ir.Model:
        """The network; its classes are those of the signature."""
        code = "".join(str(OPERATIONS.index(str(architecture[name]))) for name in GENES)
        return nasbench201_network(code, outputs=self.signature.outputs, size=self.signature.input_shape[1])

    def rows(self, table: Mapping[str, Sequence[Any]]) -> list[tuple[int, Candidate]]:
        """See `search_spaces.TabularSpace`."""
        if "code" in table:
            cells = [_of_code(str(text)) for text in table["code"]]
        elif "arch_str" in table:
            cells = [_of_text(str(text)) for text in table["arch_str"]]
        else:
            raise InvalidOptionError(
                f"a table of {self.name} needs the column code or arch_str; it has {', '.join(table)}"
            )
        found: dict[tuple[str, ...], int] = {}
        for row, operations in enumerate(cells):
            written = _written(operations)
            key = tuple(map(str, written.values()))
            if key not in found or written == operations:
                found[key] = row
        return [(row, self.candidate(dict(zip(GENES, key, strict=True)))) for key, row in found.items()]


def _chosen(architecture: Mapping[str, Json]) -> dict[str, str]:
    """The operations by edge; `InvalidCandidateError` if one is missing or unknown."""
    return {name: choice_of(architecture, name, OPERATIONS) for name in GENES}


def _written(operations: Mapping[str, str]) -> dict[str, Json]:
    """The cell in its one form: operations that lead nowhere are 'none'."""
    kept = live(dict(zip(EDGES, (operations[name] for name in GENES), strict=True)))
    return {name: kept.get(edge, NONE) for edge, name in zip(EDGES, GENES, strict=True)}


def _of_code(code: str) -> dict[str, str]:
    if len(code) != len(GENES) or not set(code) <= set("01234"):
        raise InvalidOptionError(f"{code[:40]!r} is no code of a cell; expected six digits from 0 to 4")
    return {name: OPERATIONS[int(digit)] for name, digit in zip(GENES, code, strict=True)}


def _of_text(text: str) -> dict[str, str]:
    """The cell of the benchmark's own text, ``|op~0|+|op~0|op~1|+|op~0|op~1|op~2|``."""
    parts = [part.strip("|").split("|") for part in text.split("+")]
    names = [name.rpartition("~")[0] for part in parts for name in part]
    if [len(part) for part in parts] != [1, 2, 3] or not set(names) <= set(OPERATIONS):
        raise InvalidOptionError(f"{text[:120]!r} is no cell; expected a text such as |none~0|+|none~0|none~1|+|…|")
    return dict(zip((name for group in _BY_VERTEX for name in group), names, strict=True))
