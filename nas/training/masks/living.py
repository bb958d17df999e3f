"""Weights that stay connected after units are removed: those on a path from an input to an output of the remaining network."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir
import torch
from torch import Tensor

from nas.training.loop.selection import Masks
from nas.training.masks.own_network import own, place
from onnx_graph import effective_masks, set_weights, weights
from search_spaces.masks import Mask

if TYPE_CHECKING:
    from nas.training.loop.session import Session


def living(model: ir.Model, masks: Mapping[str, Mask]) -> dict[str, Mask]:
    """The part of canonical masks that lies on such paths, by weight; the model gives the architecture."""
    copy = model.clone()
    arrays = {weight.name: np.asarray(weight.stored(masks[weight.name]), np.float32) for weight in weights(copy)}
    set_weights(copy, arrays)
    return effective_masks(copy)


def living_in_stack(session: "Session", rows: Mapping[str, Tensor]) -> Masks:
    """The same for every network of a session after some rows were removed.

    Args:
        session: gives the networks.
        rows: bool ``(P, out)`` by weight, False where a row is removed.
    """
    stay = {name: rows[name].unsqueeze(-1) & tensor.flatten(2) for name, tensor in session.exists.items()}
    stay = {name: mask.reshape(session.exists[name].shape) for name, mask in stay.items()}
    found = []
    for row, member in enumerate(session.stack.members):
        masks = {name: mask.cpu().numpy() for name, mask in own(session, stay, row).items()}
        alive = living(member.model, masks)
        found.append({name: torch.from_numpy(np.ascontiguousarray(alive[name])) for name in masks})
    return place(session, found)
