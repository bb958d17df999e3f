"""Decompositions: layer normalisation, GELU, SiLU and HardSwish that exporters wrote as several operators become one again."""

from onnx_graph.operators import TABLE, Setting
from predictors.reading import operators
from predictors.reading.attributes import integers
from predictors.reading.canonical_graph import Operator
from predictors.reading.links import Links


def join_decompositions(found: list[Operator]) -> list[Operator]:
    """The operators with every known decomposition replaced by the one operator that it computes."""
    if not any(operator.name in _ENDS for operator in found):
        return found
    links = Links(found)
    gone: set[int] = set()
    replaced: dict[int, Operator] = {}
    for operator in found:
        if operator.name not in _ENDS or id(operator) in gone:
            continue
        match = _ENDS[operator.name](operator, links)
        if match is not None:
            joined, parts = match
            gone.update(id(part) for part in parts)
            replaced[id(operator)] = joined
    return [
        replaced.get(id(operator), operator)
        for operator in found
        if id(operator) not in gone or id(operator) in replaced
    ]


_Match = tuple[Operator, list[Operator]]


def _joined(kind: str, name: str, source: int, last: Operator, settings: dict[str, Setting]) -> Operator:
    return Operator(
        kind,
        name,
        last.node,
        [source],
        [0],
        list(last.outputs),
        settings,
        variant=operators.variant("", name),
        facts=TABLE[name],
    )


def _layer_norm(division: Operator, links: Links) -> _Match | None:
    """``Div(d, Sqrt(Mean(d²) + ε))`` with ``d = x − Mean(x)``, then scale and shift."""
    if len(division.inputs) != 2:
        return None
    centred, root = links.made_by(division.inputs[0], "Sub"), links.made_by(division.inputs[1], "Sqrt")
    shifted = links.made_by(root.inputs[0], "Add") if root else None
    variance = links.made_by(shifted.inputs[0], "ReduceMean") if shifted and len(shifted.inputs) == 1 else None
    square = links.made_by(variance.inputs[0], "Pow", "Mul") if variance else None
    if centred is None or square is None or set(square.inputs) != {division.inputs[0]} or len(centred.inputs) != 2:
        return None
    mean = links.made_by(centred.inputs[1], "ReduceMean")
    if mean is None or root is None or shifted is None or variance is None or mean.inputs != centred.inputs[:1]:
        return None
    parts = [mean, centred, square, variance, shifted, root, division]
    scalings = list(links.scalings(division, "Mul", "Add"))
    last = scalings[-1] if scalings else division
    parts += scalings
    axes = integers(mean.settings.get("axes"))
    if not axes or not links.closed(parts, last):
        return None
    joined = _joined("layer_norm", "LayerNormalization", centred.inputs[0], last, {"axis": axes[0]})
    joined.params = sum(part.params for part in scalings)
    joined.constants = [shape for part in scalings for shape in part.constants]
    return joined, parts


def _gelu(erf: Operator, links: Links) -> _Match | None:
    """``½ · x · (1 + Erf(x / √2))``, the factors in any order."""
    inner = links.made_by(erf.inputs[0], "Div", "Mul")
    plus = list(links.scalings(erf, "Add"))
    if inner is None or len(inner.inputs) != 1 or not plus:
        return None
    source = inner.inputs[0]
    readers = links.readers.get(plus[0].outputs[0], ())
    if len(readers) != 1 or readers[0].name != "Mul":
        return None
    product = readers[0]
    parts = [inner, erf, plus[0], product]
    if len(product.inputs) == 1:  # ½ · (1 + Erf) first
        outer = links.readers.get(product.outputs[0], ())
        if len(outer) != 1 or outer[0].name != "Mul":
            return None
        parts.append(outer[0])
        last = outer[0]
    else:
        last = product
    others = [value for value in last.inputs if value not in parts[-2].outputs and value not in plus[0].outputs]
    if len(others) != 1:
        return None
    if others[0] != source:
        half = links.made_by(others[0], "Mul")
        if half is None or half.inputs != [source]:
            return None
        parts.append(half)
    elif len(product.inputs) == 2:
        scalings = list(links.scalings(product, "Mul"))
        parts += scalings
        last = scalings[-1] if scalings else last
    if not links.closed(parts, last):
        return None
    return _joined("smooth", "Gelu", source, last, {}), parts


def _gated(gate: Operator, links: Links) -> _Match | None:
    """``x · Sigmoid(x)`` and ``x · HardSigmoid(x)``."""
    readers = links.readers.get(gate.outputs[0], ())
    if len(readers) != 1 or readers[0].name != "Mul" or set(readers[0].inputs) != {gate.inputs[0], gate.outputs[0]}:
        return None
    product = readers[0]
    if gate.name == "Sigmoid":
        return _joined("smooth", "Swish", gate.inputs[0], product, {"alpha": 1.0}), [gate, product]
    if round(float(str(gate.settings.get("alpha", 0.2))), 3) != 0.167:
        return None
    return _joined("smooth", "HardSwish", gate.inputs[0], product, {}), [gate, product]


_ENDS = {"Div": _layer_norm, "Erf": _gelu, "Sigmoid": _gated, "HardSigmoid": _gated}
