"""Loss and metric of a batch, for one network or for a stack: cross entropy, accuracy, legality.

Logits are ``(*lead, N, K)`` or ``(*lead, N, T, K)``; lead is ``()`` for one network and ``(P,)`` for a stack. Targets have the
logits' shape without K, or without lead where all networks see the same examples. A target of −1 counts nowhere.
"""

from torch import Tensor
from torch.nn import functional

IGNORED = -1
_MANY_ROWS = 512


def cross_entropy(logits: Tensor, targets: Tensor, *, lead: int, padded: bool) -> Tensor:
    """Mean over the targets that count, one value for each network: shape ``logits.shape[:lead]``.

    Args:
        lead: number of leading axes of networks, 0 or 1.
        padded: whether any target may be −1.
    """
    rows = logits.reshape(-1, logits.shape[-1])
    flat = targets.reshape(-1)
    if len(rows) >= _MANY_ROWS:
        # Softmax over a short last axis is not vectorised: five times faster with the classes first.
        each = functional.cross_entropy(rows.t().contiguous()[None], flat[None], reduction="none", ignore_index=IGNORED)
    else:
        each = functional.cross_entropy(rows, flat, reduction="none", ignore_index=IGNORED)
    each = each.reshape(*logits.shape[:lead], -1)
    if not padded:
        return each.mean(-1)
    return each.sum(-1) / (targets != IGNORED).reshape(each.shape).sum(-1).clamp(min=1)


def right_answers(logits: Tensor, targets: Tensor, legal: Tensor | None) -> Tensor:
    """How many predictions of each network are right, or legal where `legal` ``(N, T, K)`` is given: shape ``(*lead,)``."""
    predicted = logits.argmax(-1)
    if legal is None:
        right = predicted == targets
    else:
        choices = legal.expand(*predicted.shape, legal.shape[-1])
        right = choices.gather(-1, predicted.unsqueeze(-1)).squeeze(-1) & (targets != IGNORED)
    return right.flatten(predicted.dim() - targets.dim()).sum(-1)


def counted(targets: Tensor) -> int:
    """Number of targets that count."""
    return int((targets != IGNORED).sum())
