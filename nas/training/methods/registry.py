"""Mask methods by name, and a method from a name and options.

A method is a class with preset options. Other packages add classes through the entry points ``nas.methods``.
"""

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from typing import Any, get_type_hints

from nas.errors import PluginError, UsageError
from nas.training.methods.method import Method, MethodError, require_numbers
from onnx_graph import Builtin, Registry, nearest, require_name
from search_spaces.masks import DISTRIBUTIONS, PATTERNS, accepted_options

_STATIC = "nas.training.methods.static:Static"
_PRUNE = "nas.training.methods.prune:Prune"
_GRADUAL = "nas.training.methods.gradual:Gradual"
_GROW = "nas.training.methods.grow:Grow"
_MASK = {"before": "before training", "after": "from a trained network", "during": "while training"}


@dataclass(frozen=True)
class Preset(Builtin):
    """An entry of the table: a class, and the options with which it is the method of that name."""

    options: Mapping[str, Any] = field(default_factory=dict)


def _preset(place: str, options: Mapping[str, Any] | None = None, summary: str = "") -> Preset:
    return Preset(place, summary, options=options or {})


def _drawn(**option: str) -> Preset:
    """A static mask of one pattern or distribution, given by its module."""
    ((kind, name),) = option.items()
    table = {"pattern": PATTERNS, "distribution": DISTRIBUTIONS}[kind]
    return Preset(_STATIC, told_by=table.builtins[name].place.partition(":")[0], options=option)


PRESETS: Mapping[str, Preset] = {
    "static": _preset(
        _STATIC, summary="The model's own mask, or one drawn at a density (ERK, random), fixed throughout."
    ),
    "uniform": _drawn(distribution="uniform"),
    "er": _drawn(distribution="er"),
    "erk": _drawn(distribution="erk"),
    "layer-wise": _drawn(distribution="per-layer"),
    "watts-strogatz": _drawn(pattern="watts-strogatz"),
    "barabasi-albert": _drawn(pattern="barabasi-albert"),
    "erdos-renyi": _drawn(pattern="erdos-renyi"),
    "theme": _drawn(pattern="theme"),
    "expander": _drawn(pattern="expander"),
    "ramanujan": _drawn(pattern="ramanujan"),
    "full-spectrum": _drawn(pattern="full-spectrum"),
    "fixed-fan-in": _drawn(pattern="fixed-fan-in"),
    "n:m": _drawn(pattern="n:m"),
    "block": _drawn(pattern="block"),
    "channel": _drawn(pattern="channel"),
    "snip": _preset("nas.training.methods.snip:Snip"),
    "grasp": _preset("nas.training.methods.grasp:Grasp"),
    "synflow": _preset("nas.training.methods.synflow:Synflow"),
    "random-pruning": _preset(
        _PRUNE,
        {"criterion": "random"},
        summary="Random pruning of a trained network, then re-training: the control of all others.",
    ),
    "magnitude": _preset(
        _PRUNE,
        summary="One-shot magnitude pruning, class-blinded: the smallest weights of all layers (See et al. 2016, arXiv:1606.09274).",
    ),
    "magnitude-uniform": _preset(
        _PRUNE,
        {"scope": "layer"},
        summary="One-shot magnitude pruning, class-uniform: the same share of every layer (arXiv:1606.09274).",
    ),
    "magnitude-distributed": _preset(
        _PRUNE,
        {"criterion": "magnitude-over-deviation"},
        summary="One-shot magnitude pruning, class-distributed: in units of each layer's deviation (arXiv:1606.09274).",
    ),
    "magnitude-iterative": _preset(
        _PRUNE,
        {"rounds": 5, "retrain": 0.4},
        summary="Magnitude pruning in five rounds with re-training between (Han et al. 2015, arXiv:1506.02626).",
    ),
    "magnitude-rewound": _preset(
        _PRUNE,
        {"criterion": "layer-adaptive", "rewind": "initial"},
        summary="One-shot pruning by layer-adaptive magnitude, the kept weights rewound to their first values (arXiv:1803.03635).",
    ),
    "lamp": _preset(
        _PRUNE,
        {"criterion": "layer-adaptive"},
        summary="One-shot layer-adaptive magnitude pruning, LAMP (Lee et al. 2021, arXiv:2010.07611).",
    ),
    "obd": _preset(
        _PRUNE,
        {"criterion": "obd", "rounds": 10, "retrain": 0.1},
        summary="Optimal Brain Damage, ½·H_ii·w², in ten rounds (LeCun, Denker & Solla 1989).",
    ),
    "greedy-forward": _preset("nas.training.methods.greedy_forward:GreedyForward"),
    "greedy-imitation": _preset("nas.training.methods.greedy_imitation:GreedyImitation"),
    "l-obs": _preset("nas.training.methods.l_obs:LayerwiseSurgeon"),
    "imp": _preset(
        _PRUNE,
        {"criterion": "magnitude-over-deviation", "rounds": 5, "rewind": "initial"},
        summary="Iterative magnitude pruning with rewinding, the lottery ticket procedure (Frankle & Carbin 2018, arXiv:1803.03635).",
    ),
    "mask-transfer": _preset("nas.training.methods.mask_transfer:MaskTransfer"),
    "espn": _preset("nas.training.methods.espn:Espn"),
    "espn-short": _preset(
        "nas.training.methods.espn:Espn",
        {"search": 0.25, "retrain": 0.25},
        summary="ESPN in half a training: a search and a last training of a quarter each (arXiv:2006.15741).",
    ),
    "gumbel": _preset("nas.training.methods.gumbel:Gumbel"),
    "greg-1": _preset(
        "nas.training.methods.greg:Greg",
        summary="GReg-1: a growing L2 penalty on the weights to go (Wang et al. 2020, arXiv:2012.09243).",
    ),
    "greg-2": _preset(
        "nas.training.methods.greg:Greg",
        {"separate": True},
        summary="GReg-2: the growing penalty first separates all weights, then some are chosen (arXiv:2012.09243).",
    ),
    "bingo": _preset("nas.training.methods.bingo:Bingo"),
    "direct-sparsity-control": _preset("nas.training.methods.direct_sparsity_control:DirectSparsityControl"),
    "set": _preset(
        _GROW,
        {"by": "random"},
        summary="SET: drop the smallest, grow at random (Mocanu et al. 2018, arXiv:1707.04780).",
    ),
    "rigl": _preset(
        _GROW,
        {"by": "gradient"},
        summary="RigL: drop the smallest, grow where the gradient is largest (Evci et al. 2020, arXiv:1911.11134).",
    ),
    "iht": _preset("nas.training.methods.iht:Iht"),
    "gradual": _preset(_GRADUAL),
    "gradual-lamp": _preset(
        _GRADUAL,
        {"criterion": "layer-adaptive"},
        summary="Gradual pruning by layer-adaptive magnitude (arXiv:1710.01878, arXiv:2010.07611).",
    ),
    "chase": _preset("nas.training.methods.chase:Chase"),
    "sr-ste": _preset("nas.training.methods.sr_ste:SrSte"),
    "neq": _preset("nas.training.methods.neq:Neq"),
    "ac-dc": _preset("nas.training.methods.acdc:AcDc"),
    "sparse-momentum": _preset("nas.training.methods.sparse_momentum:SparseMomentum"),
    "continuous-sparsification": _preset("nas.training.methods.continuous_sparsification:ContinuousSparsification"),
    "swap": _preset("nas.training.methods.swap:Swap"),
    "ham": _preset("nas.training.methods.ham:Ham"),
}


def _fault(found: Any, name: str) -> str:
    if isinstance(found, type) and issubclass(found, Method) and is_dataclass(found):
        return ""
    return "it must be a frozen dataclass derived from nas.training.methods.Method"


METHODS: Registry[type[Method]] = Registry(
    "method", PRESETS, "nas.methods", fault=_fault, unknown=UsageError, broken=PluginError
)


def create(name: str, options: Mapping[str, Any] | None = None) -> Method:
    """The method of that name. Options given as text are read as the field's type.

    Raises:
        UsageError: the method does not exist (the nearest names are listed), has no such option, or does not allow the value.
        PluginError: the method of another package cannot be used.
    """
    class_ = METHODS.load(name)
    own = {f.name: f for f in fields(class_)}
    types = get_type_hints(class_)
    chosen: dict[str, Any] = dict(_options_of(name))
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


def method(name: str, **options: bool | int | float | str | None) -> Method:
    """A mask method with its options, as in ``nas.method("sr-ste", n=2, m=4)``; see `create` for the errors."""
    return create(name, options)


def _require_known(
    name: str, others: Mapping[str, Any], own: "Mapping[str, Field[Any]]", chosen: Mapping[str, Any]
) -> None:
    """Raise `MethodError` if an option belongs neither to the method nor to its pattern or distribution."""
    if not others:
        return
    known = list(own)
    if "pattern_options" in own:
        known.remove("pattern_options")
        place = {field: chosen.get(field, own[field].default) for field in ("distribution", "pattern")}
        require_name("distribution", str(place["distribution"]), DISTRIBUTIONS, UsageError)
        require_name("pattern", str(place["pattern"]), PATTERNS, UsageError)
        known += accepted_options(str(place["distribution"]), str(place["pattern"]))
    for option in others:
        if option not in known:
            close = nearest(option, known)
            meant = f"did you mean {close[0]!r}? It has" if close else "it has"
            raise MethodError(f"method {name!r} has no option {option!r}; {meant}: {', '.join(close) or 'none'}")


def _options_of(name: str) -> Mapping[str, Any]:
    """The preset options of the method of that name."""
    return PRESETS[name].options if name in PRESETS else {}


def facts(name: str) -> dict[str, str]:
    """When a method finds its mask, whether networks are trained as a stack, and its options with their defaults."""
    class_ = METHODS.load(name)
    return {
        "mask": _MASK[class_.kind],
        "stacked": "yes" if class_.stacks else "no",
        "options": ", ".join(_option(field, _options_of(name)) for field in fields(class_)),
    }


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
    """The text, converted if it is a number or a list of numbers."""
    if isinstance(value, str) and "," in value:
        return [_number(part.strip()) for part in value.split(",")]
    for kind in (int, float):
        try:
            return kind(value)
        except (TypeError, ValueError):
            continue
    return value
