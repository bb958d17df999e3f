"""Static masks: drawn before training by a distribution and a pattern, fixed from then on (Liu et al. 2022, arXiv:2202.02643).

The distribution (uniform, ER, ERK, …) shares the non-zeros out among the layers, the pattern (random, Watts–Strogatz,
Ramanujan, block, N:M, …) places them; both are those of `search_spaces.masks`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import onnx_ir as ir

from nas.training.methods.method import Kind, Method, MethodError, Start
from nas.training.stack.weight_layer import mask_layer
from onnx_graph import weights
from search_spaces import Json, MaskRecipe, SpaceError
from search_spaces.masks import Mask, accepted_options, check, counts, draw

if TYPE_CHECKING:
    from nas.training.loop.session import Session


@dataclass(frozen=True, kw_only=True)
class Static(Method):
    """Train with a fixed mask that is drawn before training.

    Attributes:
        distribution: of the densities, where a density is asked for; else the model's own mask is trained.
        pattern: where a layer's connections lie.
        pattern_options: of distribution and pattern, by name.
    """

    kind: ClassVar[Kind] = "before"
    start: ClassVar[Start] = "sparse"
    moves: ClassVar[bool] = False
    needs_data: ClassVar[bool] = False

    distribution: str = "erk"
    pattern: str = "random"
    pattern_options: Mapping[str, Json] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse unknown names and options now: a mask that is given is never drawn, and nobody would notice them."""
        recipe = self._recipe(density=0.5, seed=0)
        try:
            if self.pattern_options:
                check(recipe)
            else:
                accepted_options(self.distribution, self.pattern)
        except SpaceError as error:
            raise MethodError(str(error)) from error

    def _recipe(self, *, density: float, seed: int) -> MaskRecipe:
        return MaskRecipe(
            distribution=self.distribution,
            pattern=self.pattern,
            density=density,
            seed=seed,
            options=self.pattern_options,
        )

    @property
    def grouped(self) -> bool:
        """N:M groups."""
        return self.pattern == "n:m"

    def run(self, session: "Session") -> None:
        """Train with the mask as it is."""
        session.fit(last=True)

    def draw(self, model: ir.Model, keep: int, seed: int) -> dict[str, Mask]:
        """Exactly `keep` non-zeros."""
        layers = [mask_layer(weight) for weight in weights(model)]
        total = sum(layer.size for layer in layers)
        recipe = self._recipe(density=keep / total, seed=seed)
        found = sum(counts(recipe, layers).values())
        if found < keep:
            raise MethodError(
                f"pattern {self.pattern!r} holds {found} of the {total:,} weights at the most, not {keep}; "
                f"give a density of at most {found / total:g}"
            )
        self._require_whole_groups(model)
        return draw(recipe, layers)

    def _require_whole_groups(self, model: ir.Model) -> None:
        """Groups of m inputs and blocks must fill a layer, because hardware for them reads whole groups only."""
        for weight in weights(model):
            out, inputs = weight.shape[:2]
            m, size = self.pattern_options.get("m", 4), self.pattern_options.get("size", 4)
            if self.pattern == "n:m" and isinstance(m, int) and inputs % m:
                raise MethodError(
                    f"{weight.name} has {inputs} inputs, which groups of m = {m} do not divide; take another m"
                )
            if self.pattern == "block" and isinstance(size, int) and (out % size or inputs % size):
                raise MethodError(
                    f"{weight.name} is {out} × {inputs}, which blocks of size {size} do not divide; take another size"
                )
