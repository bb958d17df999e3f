"""The parts of a serialized ONNX model, counted before it is parsed.

A parser makes an object of 75 to 150 bytes for an empty part that takes two bytes in the file: a file of 100 MB that contains only
empty nodes would take 8 GB. The numbers of the fields are those of `onnx.proto`.
"""

from collections.abc import Mapping

from onnx_graph.errors import InvalidModelError

SMALL_FILE = 8 << 20
"""Bytes up to which a file is not checked: its parts always fit into memory."""
MOST_PARTS = 4_000_000

_INSIDE: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 8: "entry", 14: "entry", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph", 3: "entry", 4: "entry"},
    "graph": {
        1: "node",
        5: "tensor",
        11: "value",
        12: "value",
        13: "value",
        14: "annotation",
        15: "sparse",
        16: "entry",
    },
    "function": {7: "node", 9: "entry", 11: "attribute", 12: "value", 14: "entry"},
    "node": {5: "attribute", 9: "entry"},
    "attribute": {
        5: "tensor",
        6: "graph",
        10: "tensor",
        11: "graph",
        14: "type",
        15: "type",
        22: "sparse",
        23: "sparse",
    },
    "tensor": {3: "entry", 13: "entry", 16: "entry"},
    "sparse": {1: "tensor", 2: "tensor"},
    "value": {2: "type", 4: "entry"},
    "annotation": {2: "entry"},
    "type": {1: "held", 4: "wrapped", 5: "map", 8: "held", 9: "wrapped"},
    "wrapped": {1: "type"},
    "map": {2: "type"},
    "held": {2: "shape"},
    "shape": {1: "entry"},
    "entry": {},
}
"""The fields of a message type whose values are messages that can contain messages."""


def check(data: bytes) -> None:
    """Raise `InvalidModelError` for a large file of more than `MOST_PARTS` parts; the parser reports data that is not a protobuf."""
    if len(data) <= SMALL_FILE:
        return
    count = 0
    pending = [("model", 0, len(data))]
    while pending:
        kind, place, end = pending.pop()
        inside = _INSIDE[kind]
        while place < end:
            tag, place = _varint(data, place)
            if tag & 7 == 2:
                size, place = _varint(data, place)
                if tag >> 3 in inside:
                    pending.append((inside[tag >> 3], place, min(place + size, end)))
                place += size
            elif tag & 7 == 0:
                _, place = _varint(data, place)
            elif tag & 7 in (1, 5):
                place += 8 if tag & 7 == 1 else 4
            else:
                return
            count += 1
            if count > MOST_PARTS:
                raise InvalidModelError(
                    f"has more than {MOST_PARTS:,} parts, weights not counted; no network has so many"
                )


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """A number stored with seven bits per byte, and the position after it; 0 at the end of the data."""
    found = shift = 0
    while place < len(data) and shift < 70:
        byte = data[place]
        place += 1
        found |= (byte & 127) << shift
        if byte < 128:
            break
        shift += 7
    return found, place
