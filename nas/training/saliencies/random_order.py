"""Random saliencies: the control of every criterion."""

from typing import TYPE_CHECKING

import numpy as np
import torch

from nas.training.saliencies.criterion import Saliencies

if TYPE_CHECKING:
    from nas.training.loop.session import Session

_STREAM = 2


def random(session: "Session") -> Saliencies:
    """Uniform draws of each network's own seed, other ones after every phase of training."""
    return uniform(session, _STREAM, len(session.histories[0].losses))


def uniform(session: "Session", *key: int) -> Saliencies:
    """Uniform draws in [0, 1) for every weight, float64, of each network's seed and `key`; −1 at padding.

    They are drawn at the network's own shapes, so that a padded network gets the same draws as alone.
    """
    generators = [np.random.default_rng((abs(seed), *key)) for seed in session.seeds]
    drawn = {}
    for name, exists in session.exists.items():
        saliencies = torch.full(exists.shape, -1.0, dtype=torch.float64)
        for row, generator in enumerate(generators):
            own = exists[row].cpu()
            saliencies[row][own] = torch.from_numpy(generator.random(int(own.sum())))
        drawn[name] = saliencies.to(exists.device)
    return drawn
