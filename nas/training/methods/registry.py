"""The table of methods, and a method from a name and options."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, get_type_hints

from nas.names import nearest, require
from nas.training.methods.method import Method, MethodError, require_numbers
from search_spaces.masks.recipe import DISTRIBUTIONS, PATTERNS, accepted_options, distributions, patterns

_STATIC = "nas.training.methods.static:Static"
_PRUNE = "nas.training.methods.prune:Prune"
_GRADUAL = "nas.training.methods.gradual:Gradual"
_GROW = "nas.training.methods.grow:Grow"


@dataclass(frozen=True)
class Entry:
    """A line of the table.

    Attributes:
        place: ``module:class``.
        preset: options that make the method of that name of it.
        meaning: in a line; else that of the module is told, or of the pattern or distribution that a static mask is drawn by.
    """

    place: str
    preset: Mapping[str, Any] = field(default_factory=dict)
    meaning: str = ""


METHODS: Mapping[str, Entry] = {
    "static": Entry(
        _STATIC, meaning="The model's own mask, or one drawn at a density (ERK, random), fixed throughout."
    ),
    "uniform": Entry(_STATIC, {"distribution": "uniform"}),
    "er": Entry(_STATIC, {"distribution": "er"}),
    "erk": Entry(_STATIC, {"distribution": "erk"}),
    "layer-wise": Entry(_STATIC, {"distribution": "per-layer"}),
    "watts-strogatz": Entry(_STATIC, {"pattern": "watts-strogatz"}),
    "barabasi-albert": Entry(_STATIC, {"pattern": "barabasi-albert"}),
    "erdos-renyi": Entry(_STATIC, {"pattern": "erdos-renyi"}),
    "theme": Entry(_STATIC, {"pattern": "theme"}),
    "expander": Entry(_STATIC, {"pattern": "expander"}),
    "ramanujan": Entry(_STATIC, {"pattern": "ramanujan"}),
    "full-spectrum": Entry(_STATIC, {"pattern": "full-spectrum"}),
    "fixed-fan-in": Entry(_STATIC, {"pattern": "fixed-fan-in"}),
    "n:m": Entry(_STATIC, {"pattern": "n:m"}),
    "block": Entry(_STATIC, {"pattern": "block"}),
    "channel": Entry(_STATIC, {"pattern": "channel"}),
    "snip": Entry("nas.training.methods.snip:Snip"),
    "grasp": Entry("nas.training.methods.grasp:Grasp"),
    "synflow": Entry("nas.training.methods.synflow:Synflow"),
    "random-pruning": Entry(
        _PRUNE,
        {"criterion": "random"},
        meaning="Random pruning of a trained network, then re-training: the control of all others.",
    ),
    "magnitude": Entry(
        _PRUNE,
        meaning="One-shot magnitude pruning, class-blinded: the smallest weights of all layers (See et al. 2016, arXiv:1606.09274).",
    ),
    "magnitude-uniform": Entry(
        _PRUNE,
        {"scope": "layer"},
        meaning="One-shot magnitude pruning, class-uniform: the same share of every layer (arXiv:1606.09274).",
    ),
    "magnitude-distributed": Entry(
        _PRUNE,
        {"criterion": "magnitude-over-deviation"},
        meaning="One-shot magnitude pruning, class-distributed: in units of each layer's deviation (arXiv:1606.09274).",
    ),
    "magnitude-iterative": Entry(
        _PRUNE,
        {"rounds": 5, "retrain": 0.4},
        meaning="Magnitude pruning in five rounds with re-training between (Han et al. 2015, arXiv:1506.02626).",
    ),
    "magnitude-rewound": Entry(
        _PRUNE,
        {"criterion": "layer-adaptive", "rewind": "initial"},
        meaning="One-shot pruning by layer-adaptive magnitude, the kept weights rewound to their first values (arXiv:1803.03635).",
    ),
    "lamp": Entry(
        _PRUNE,
        {"criterion": "layer-adaptive"},
        meaning="One-shot layer-adaptive magnitude pruning, LAMP (Lee et al. 2021, arXiv:2010.07611).",
    ),
    "obd": Entry(
        _PRUNE,
        {"criterion": "obd", "rounds": 10, "retrain": 0.1},
        meaning="Optimal Brain Damage, ½·H_ii·w², in ten rounds (LeCun, Denker & Solla 1989).",
    ),
    "greedy-forward": Entry("nas.training.methods.greedy_forward:GreedyForward"),
    "greedy-imitation": Entry("nas.training.methods.greedy_imitation:GreedyImitation"),
    "l-obs": Entry("nas.training.methods.l_obs:LayerwiseSurgeon"),
    "imp": Entry(
        _PRUNE,
        {"criterion": "magnitude-over-deviation", "rounds": 5, "rewind": "initial"},
        meaning="Iterative magnitude pruning with rewinding, the lottery ticket procedure (Frankle & Carbin 2018, arXiv:1803.03635).",
    ),
    "mask-transfer": Entry("nas.training.methods.mask_transfer:MaskTransfer"),
    "espn": Entry("nas.training.methods.espn:Espn"),
    "gumbel": Entry("nas.training.methods.gumbel:Gumbel"),
    "greg-1": Entry(
        "nas.training.methods.greg:Greg",
        meaning="GReg-1: a growing L2 penalty on the weights to go (Wang et al. 2020, arXiv:2012.09243).",
    ),
    "greg-2": Entry(
        "nas.training.methods.greg:Greg",
        {"separate": True},
        meaning="GReg-2: the growing penalty first separates all weights, then some are chosen (arXiv:2012.09243).",
    ),
    "bingo": Entry("nas.training.methods.bingo:Bingo"),
    "direct-sparsity-control": Entry("nas.training.methods.direct_sparsity_control:DirectSparsityControl"),
    "set": Entry(
        _GROW,
        {"by": "random"},
        meaning="SET: drop the smallest, grow at random (Mocanu et al. 2018, arXiv:1707.04780).",
    ),
    "rigl": Entry(
        _GROW,
        {"by": "gradient"},
        meaning="RigL: drop the smallest, grow where the gradient is largest (Evci et al. 2020, arXiv:1911.11134).",
    ),
    "iht": Entry("nas.training.methods.iht:Iht"),
    "gradual": Entry(_GRADUAL),
    "gradual-lamp": Entry(
        _GRADUAL,
        {"criterion": "layer-adaptive"},
        meaning="Gradual pruning by layer-adaptive magnitude (arXiv:1710.01878, arXiv:2010.07611).",
    ),
    "chase": Entry("nas.training.methods.chase:Chase"),
    "sr-ste": Entry("nas.training.methods.sr_ste:SrSte"),
    "neq": Entry("nas.training.methods.neq:Neq"),
}
"""Name → entry. Third parties add theirs through the entry points ``nas.methods`` (``module:class``)."""


def names() -> list[str]:
    """All known names, those of other packages included."""
    return list(_table())


def create(name: str, options: Mapping[str, Any] | None = None) -> Method:
    """The method of that name. Options given as text are read as the field's type.

    Raises:
        UsageError: no such method (the nearest ones are named); an option that it has not, or a value that it cannot take.
    """
    table = _table()
    entry = table[require("method", name, table)]
    class_ = class_of(entry)
    own = {f.name: f for f in fields(class_)}
    types = get_type_hints(class_)
    chosen: dict[str, Any] = dict(entry.preset)
    others: dict[str, Any] = {}
    for key, value in (options or {}).items():
        known = key.replace("-", "_")
        if known in own:
            chosen[known] = _read(f"option {key!r} of method {name!r}", value, types[known])
        else:
            others[known] = _number(value)
    _require_known(name, others, own, chosen)
    if others:
        chosen["pattern_options"] = {**chosen.get("pattern_options", {}), **others}
    method = class_(**chosen)
    require_numbers(method, repr(name))
    return method


def _require_known(
    name: str, others: Mapping[str, Any], own: "Mapping[str, Field[Any]]", chosen: Mapping[str, Any]
) -> None:
    """`MethodError` where an option is neither one of the method's nor one of the pattern and distribution that it draws by."""
    if not others:
        return
    known = list(own)
    if "pattern_options" in own:
        known.remove("pattern_options")
        place = {field: chosen.get(field, own[field].default) for field in ("distribution", "pattern")}
        require("distribution", str(place["distribution"]), distributions.names())
        require("pattern", str(place["pattern"]), patterns.names())
        known += accepted_options(str(place["distribution"]), str(place["pattern"]))
    for option in others:
        if option not in known:
            close = nearest(option, known)
            meant = f"did you mean {close[0]!r}? It has" if close else "it has"
            raise MethodError(f"method {name!r} has no option {option!r}; {meant}: {', '.join(close) or 'none'}")


def class_of(entry: Entry) -> type[Method]:
    """The class behind an entry."""
    module, _, attribute = entry.place.partition(":")
    found: type[Method] = getattr(import_module(module), attribute)
    return found


def describe() -> list[dict[str, str]]:
    """Every method: when its mask is found, whether networks are trained as a stack, its options, what it is."""
    rows = []
    for name, entry in _table().items():
        class_ = class_of(entry)
        rows.append(
            {
                "name": name,
                "mask": {"before": "before training", "after": "from a trained network", "during": "while training"}[
                    class_.kind
                ],
                "stacked": "yes" if class_.stacks else "no",
                "options": ", ".join(_option(field, entry.preset) for field in fields(class_)),
                "meaning": entry.meaning or _first_line(module_of(entry)),
            }
        )
    return rows


def _table() -> dict[str, Entry]:
    """Own names win over those of other packages."""
    others = {entry.name: Entry(entry.value) for entry in entry_points(group="nas.methods")}
    return {**METHODS, **{name: entry for name, entry in others.items() if name not in METHODS}}


def module_of(entry: Entry) -> str:
    """The module that says best what a method is."""
    for option, table in (("pattern", PATTERNS), ("distribution", DISTRIBUTIONS)):
        if entry.preset.get(option) in table:
            return table[entry.preset[option]].partition(":")[0]
    return entry.place.partition(":")[0]


def _first_line(module: str) -> str:
    return (import_module(module).__doc__ or "").strip().splitlines()[0]


def _option(field: "Field[Any]", preset: Mapping[str, Any]) -> str:
    """Name and default."""
    default = field.default if field.default is not MISSING else {}
    value = preset.get(field.name, default)
    return f"{field.name}={'none' if value is None else value}"


def _read(place: str, value: Any, type_: Any) -> Any:
    """Text as the type of the field; other values as they are, for the method to check."""
    if not isinstance(value, str) or type_ is str:
        return value
    try:
        if type_ is bool:
            return {"true": True, "false": False}[value.lower()]
        if type_ in (int, float):
            return type_(value)
    except (KeyError, ValueError) as error:
        raise MethodError(f"{place} is {value!r}; give {_WORDS[type_]}") from error
    return _number(value) if value.lower() != "none" else None


_WORDS = {bool: "true or false", int: "a whole number", float: "a number"}


def _number(value: Any) -> Any:
    """Text as a number, or a list of numbers, where it is one."""
    if isinstance(value, str) and "," in value:
        return [_number(part.strip()) for part in value.split(",")]
    for kind in (int, float):
        try:
            return kind(value)
        except (TypeError, ValueError):
            continue
    return value
