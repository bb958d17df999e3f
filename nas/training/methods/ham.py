"""HAM, hyperbolic aware minimisation, around another method (Jacobs, Gadhikar, Rubio-Madrigal & Burkholz 2025, arXiv:2506.02630).

After every step of the optimiser each maskable weight is multiplied by

    exp(−η·(α·sign(w)·g + β)),

with w and its gradient g from before the step, and η the learning rate. The first part makes large weights learn faster than
small ones, as if each weight were a product of two; so training prefers few large weights. The second part is a decay.
Everything else is as in the method `by`, with its default options.

Where we differ: one step changes a weight by a tenth at most, instead of bounds of the norms of weights and gradients; and α is
50, where the paper takes 200 for large networks, whose gradients are smaller. With 200 networks of this size can diverge.
Costs what `by` costs.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import onnx_ir as ir

from nas.training.loop.mirror import Mirror
from nas.training.methods.method import Kind, Method, MethodError
from search_spaces.masks import Mask

if TYPE_CHECKING:
    from nas.training.loop.session import Session


@dataclass(frozen=True, kw_only=True)
class Ham(Method):
    """Another method whose weights also take the multiplicative steps of HAM.

    Attributes:
        by: name of the other method, with its default options.
        alpha: α, the strength of the multiplicative step, ≥ 0.
        beta: β, the decay, ≥ 0.
    """

    kind: ClassVar[Kind] = "during"

    by: str = "gradual"
    alpha: float = 50.0
    beta: float = 1e-3

    def __post_init__(self) -> None:
        """Refuse a method that there is not, and strengths below zero."""
        if self.by == "ham":
            raise MethodError("ham cannot wrap itself; give another method as by")
        if self.alpha < 0 or self.beta < 0:
            raise MethodError(f"alpha is {self.alpha} and beta {self.beta}; give 0 or more")
        inner = self._inner()
        # What a class says of all its objects depends on `by` here.
        for name in ("start", "stacks", "moves", "needs_data"):
            object.__setattr__(self, name, getattr(inner, name))

    @property
    def grouped(self) -> bool:
        """As the other method."""
        return self._inner().grouped

    def check(self, model: ir.Model, keep: int) -> None:
        """What the other method needs."""
        self._inner().check(model, keep)

    def draw(self, model: ir.Model, keep: int, seed: int) -> dict[str, Mask]:
        """The masks of the other method."""
        return self._inner().draw(model, keep, seed)

    def run(self, session: "Session") -> None:
        """The program of the other method."""
        session.mirror = Mirror(alpha=self.alpha, beta=self.beta)
        self._inner().run(session)

    def _inner(self) -> Method:
        from nas.training.methods.registry import create

        return create(self.by)
