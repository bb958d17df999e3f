"""The interface of a space whose candidates an Optuna trial proposes."""

from typing import Protocol

import onnx_ir as ir

from search_spaces import Candidate, TrialLike


class TrialSpace(Protocol):
    """What a `PredictorSampler` asks of a space: all spaces of `search_spaces` have it, and so can your own."""

    def suggest(self, trial: TrialLike, /) -> Candidate:
        """The candidate that a trial proposes; the same answers of a trial give the same candidate."""

    def build(self, candidate: Candidate, /) -> ir.Model:
        """The untrained network of a candidate: what the predictor reads."""
