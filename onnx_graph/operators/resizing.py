"""Operators that resize images, or read them at other positions."""

from onnx_graph.operators.axes import made_by, shape_of
from onnx_graph.operators.moving import COPIES
from onnx_graph.operators.operator import Operator
from onnx_graph.propagation.call import Call
from onnx_graph.propagation.relation import Path, Relation, mixing, paths
from onnx_graph.propagation.step import Fold


def resize(call: Call) -> Relation:
    """Mixes along the axes whose length changes."""
    if call.text("coordinate_transformation_mode", "") == "tf_crop_and_resize":
        return mixing("it cuts a region out, too")
    before, after = shape_of(call), made_by(call)
    if len(before) != len(after):
        raise ValueError(f"{len(before)} axes resized to {len(after)}")
    changed = (axis for axis, (one, two) in enumerate(zip(before, after, strict=True)) if one != two or one is None)
    return paths(Path(0, 0, (Fold(tuple(changed)),)), blurs="places along an axis that is resized are not told apart")


OPERATORS = (
    *Operator(
        kind="resize",
        flow=resize,
        zero="kept",
        folds=False,
        defaults={
            "mode": "nearest",
            "coordinate_transformation_mode": "half_pixel",
            "nearest_mode": "round_prefer_floor",
        },
    ).named("Resize"),
    *Operator(
        kind="resize", flow=resize, zero="kept", folds=False, settings={1: "scales"}, defaults={"mode": "nearest"}
    ).named("Upsample"),
    *Operator(
        kind="resize", folds=False, defaults={"mode": "linear", "align_corners": 0, "padding_mode": "zeros"}
    ).named("GridSample"),
    *Operator(kind="resize").named("AffineGrid"),
    *Operator(kind="resize", folds=False).named("RoiAlign"),
    *Operator(kind="resize").named("CenterCropPad"),
    *COPIES,
)
