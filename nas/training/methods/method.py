"""The interface of a mask method, and what is checked before any training."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar, Literal, get_type_hints

import numpy as np
import onnx_ir as ir

from nas.errors import UsageError
from nas.ranges import require_number, require_whole
from nas.training.options import TrainingOptions
from onnx_graph import masks as masks_of
from onnx_graph import set_weights, weights
from onnx_graph.internals import array_of
from search_spaces import SpaceError
from search_spaces.masks import Mask

if TYPE_CHECKING:
    from nas.training.loop.session import Session

LARGEST = 1_000_000_000
"""No number among a method's options is larger."""

Kind = Literal["before", "after", "during"]
Start = Literal["sparse", "dense"]


class MethodError(UsageError):
    """A method cannot do what it is asked for; raised before any training."""


@dataclass(frozen=True, kw_only=True)
class Method(ABC):
    """How weights and mask are trained together: a short program on a session. Fields are the method's options.

    A subclass is a frozen keyword-only dataclass in a file of its own and one line in `registry.PRESETS`.

    Attributes:
        kind: when the mask is found: before training, after a training, or during it.
        start: the mask that a training begins with: ``sparse`` (drawn, or the model's own) or ``dense``.
        stacks: whether several networks can be trained as one stack.
        moves: whether the mask may change during training.
        needs_data: whether the mask depends on the data.
    """

    kind: ClassVar[Kind]
    start: ClassVar[Start] = "dense"
    stacks: ClassVar[bool] = True
    moves: ClassVar[bool] = True
    needs_data: ClassVar[bool] = True

    @abstractmethod
    def run(self, session: "Session") -> None:
        """Train all networks of the session; in the end each has ``session.keep`` non-zero weights."""

    @property
    def grouped(self) -> bool:
        """Whether the place of a weight among its neighbours matters, so that an export must not close gaps (N:M)."""
        return False

    def check(self, model: ir.Model, keep: int) -> None:  # noqa: B027 - most methods can do anything
        """Raise `MethodError` where this method cannot leave `keep` weights of that model."""

    def draw(self, model: ir.Model, keep: int, seed: int) -> dict[str, Mask]:
        """The canonical masks that a ``sparse`` start begins with, where a density is asked for."""
        raise NotImplementedError(f"{type(self).__name__} starts sparse and must draw its masks")


def require_numbers(method: Method, name: str = "") -> None:
    """`MethodError` where an option of a method is not finite, beyond every use, or no number where one is needed."""
    types = get_type_hints(type(method))
    for option in fields(method):
        place = f"option {option.name!r} of method {name or type(method).__name__!r}"
        value = getattr(method, option.name)
        try:
            if types[option.name] is int:
                require_whole(place, value, -LARGEST, LARGEST)
            elif types[option.name] is float:
                require_number(place, value, -LARGEST, LARGEST)
            else:
                _require_finite(place, value)
        except MethodError:
            raise
        except UsageError as error:
            raise MethodError(str(error)) from error


def _require_finite(place: str, value: object) -> None:
    """The same for numbers inside of an option's lists and tables, and for an option that may be none."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _require_finite(f"{place}, {key!r},", inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _require_finite(place, inner)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        require_number(place, value, -LARGEST, LARGEST)


def begin(
    method: Method, model: ir.Model, density: float | None, seed: int, options: TrainingOptions
) -> tuple[ir.Model, int]:
    """The model with the mask that the training starts with, and the number of non-zeros to end with.

    Args:
        method: decides.
        model: gives the architecture; its own non-zeros are the target where no density is given.
        density: share of all maskable weights to end with, in (0, 1], or None.
        seed: of a mask that is drawn.
        options: ``init`` "keep" starts from the model's own weights, whose zeros stay zero.

    Raises:
        MethodError: the method cannot do that.
    """
    require_numbers(method)
    own = masks_of(model)
    keep = _target(method, own, density, options)
    method.check(model, keep)
    if method.start == "sparse":
        if density is None:
            return model, keep
        try:
            masks = method.draw(model, keep, seed)
        except SpaceError as error:
            raise MethodError(str(error)) from error
    else:
        masks = own if options.init == "keep" else {name: np.ones_like(mask) for name, mask in own.items()}
        held = sum(int(mask.sum()) for mask in masks.values())
        if held < keep:
            raise MethodError(f"the model holds {held} non-zero weights, fewer than the {keep} that are to be kept")
    return masked(model, masks, own_values=options.init == "keep"), keep


def masked(model: ir.Model, masks: Mapping[str, Mask], *, own_values: bool = False) -> ir.Model:
    """A copy of the model with these canonical masks: weights of 1, or its own values, where they keep, 0 elsewhere."""
    copy, arrays = model.clone(), {}
    for weight in weights(copy):
        mask = weight.stored(masks[weight.name])
        values = np.asarray(array_of(copy.graph.initializers[weight.name]), np.float32)
        # A kept weight must not be zero: the mask is read from the non-zeros.
        kept = np.where(values == 0, np.float32(1e-12), values) if own_values else np.float32(1)
        arrays[weight.name] = np.where(mask, kept, np.float32(0)).astype(np.float32)
    set_weights(copy, arrays)
    return copy


def _target(method: Method, own: Mapping[str, Mask], density: float | None, options: TrainingOptions) -> int:
    """Non-zeros to end with."""
    total = sum(mask.size for mask in own.values())
    if options.patience is not None and method.moves:
        raise MethodError("patience cannot be used with a method that moves the mask: its last epoch counts; drop it")
    if density is None:
        keep = sum(int(mask.sum()) for mask in own.values())
        if keep == total and method.start == "dense":
            raise MethodError("the model has no zeros to tell how many weights to keep; give a density below 1")
        return keep
    if not 0 < density <= 1:
        raise MethodError(f"density is {density}; it must lie above 0 and be 1 at most")
    keep = round(density * total)
    if keep < len(own):
        raise MethodError(
            f"density {density:g} keeps {keep} of {total:,} weights, fewer than one for each of the {len(own)} layers; "
            f"give at least {len(own) / total:.2g}"
        )
    return keep
