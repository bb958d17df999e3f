"""Cross entropy of classes, for one network or for a stack."""

from torch import Tensor
from torch.nn import functional

from nas.losses.loss import Loss
from nas.metrics import IGNORED

_MANY_ROWS = 512


def cross_entropy(logits: Tensor, targets: Tensor, *, lead: int, padded: bool) -> Tensor:
    """See `Compute`."""
    rows = logits.reshape(-1, logits.shape[-1])
    flat = targets.reshape(-1)
    if len(rows) >= _MANY_ROWS:
        # Softmax over a short last axis is not vectorised; with the classes first it is five times faster.
        each = functional.cross_entropy(rows.t().contiguous()[None], flat[None], reduction="none", ignore_index=IGNORED)
    else:
        each = functional.cross_entropy(rows, flat, reduction="none", ignore_index=IGNORED)
    each = each.reshape(*logits.shape[:lead], -1)
    if not padded:
        return each.mean(-1)
    return each.sum(-1) / (targets != IGNORED).reshape(each.shape).sum(-1).clamp(min=1)


CROSS_ENTROPY = Loss(
    name="cross-entropy",
    meaning="mean of the negative logarithm of the probability that is given to the right answer",
    compute=cross_entropy,
    unit="nats",
)
