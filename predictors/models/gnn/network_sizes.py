"""Sizes of the two-level graph network, and the names and shapes of the parameters that follow from them."""

from dataclasses import dataclass

SUM_SCALE = 8.0  # nodes of a small network: gives the sum pool about the size of the mean pool
SMALLEST_VARIANCE = 1e-6  # least variance of the states of the units of a node


@dataclass(frozen=True, kw_only=True)
class NetworkSizes:
    """Sizes of a two-level graph network: its inputs, and its widths and rounds on both levels."""

    classes: int
    node_features: int
    graph_features: int
    unit_features: int
    hidden: int
    layers: int
    unit_hidden: int
    unit_layers: int


def parameter_shapes(sizes: NetworkSizes) -> dict[str, tuple[int, ...]]:
    """Names of the parameters, as in torch's modules, and their shapes."""
    hidden, inner = sizes.hidden, sizes.unit_hidden
    linear = {
        "nodes": (hidden, sizes.node_features),
        "units": (inner, sizes.unit_features),
        "pooled": (hidden, 3 * inner),
        "summary.1": (hidden, sizes.graph_features),
        "head.2": (hidden, 4 * hidden),
        "head.4": (1, hidden),
    }
    norms = {"head.0": 4 * hidden}
    for part, width, rounds in (("unit_rounds", inner, sizes.unit_layers), ("rounds", hidden, sizes.layers)):
        linear |= {f"{part}.mixers.{place}": (width, 3 * width) for place in range(rounds)}
        norms |= {f"{part}.norms.{place}": width for place in range(rounds)}
    found: dict[str, tuple[int, ...]] = {}
    for name, shape in linear.items():
        found |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    for name, width in norms.items():
        found |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    return found | {"operators.weight": (sizes.classes, hidden)}
