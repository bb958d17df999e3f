"""Which weights can count once units are gone: those on a path from an input to an output of what is left."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir
import torch
from torch import Tensor

from nas.training.loop.selection import Masks
from nas.training.masks.own_network import own, place
from onnx_graph.live_units import effective_masks
from onnx_graph.weight import set_weights, weights
from search_spaces.masks.layer import Mask

if TYPE_CHECKING:
    from nas.training.loop.session import Session


def living(model: ir.Model, masks: Mapping[str, Mask]) -> dict[str, Mask]:
    """What is left of canonical masks, by weight, on such paths; the model gives the architecture."""
    copy = model.clone()
    arrays = {weight.name: np.asarray(weight.stored(masks[weight.name]), np.float32) for weight in weights(copy)}
    set_weights(copy, arrays)
    return effective_masks(copy)


def living_in_stack(session: "Session", rows: Mapping[str, Tensor]) -> Masks:
    """The same for every network of a session without some of its rows.

    Args:
        session: gives the networks.
        rows: bool ``(P, out)`` by weight, False where a row is gone.
    """
    stay = {name: rows[name].unsqueeze(-1) & tensor.flatten(2) for name, tensor in session.exists.items()}
    stay = {name: mask.reshape(session.exists[name].shape) for name, mask in stay.items()}
    found = []
    for row, member in enumerate(session.stack.members):
        masks = {name: mask.cpu().numpy() for name, mask in own(session, stay, row).items()}
        alive = living(member.model, masks)
        found.append({name: torch.from_numpy(np.ascontiguousarray(alive[name])) for name in masks})
    return place(session, found)
