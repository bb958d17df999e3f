"""A mask as a small picture (PNG inside the page): a row per output, a column per input; darker means more kept connections."""

import base64
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from nas.reports.markup import Markup, tag

MOST_ROWS, MOST_COLUMNS = 160, 320
"""Largest picture; larger masks are drawn as densities of blocks."""
COLOUR = (13, 148, 136)
"""Colour that is visible on light and dark background; the density becomes the opacity."""


def mask_picture(mask: NDArray[np.bool_], name: str) -> Markup:
    """The mask ``(out, in, *kernel)`` of a weight as an image with a caption."""
    shares = densities(mask.reshape(mask.shape[0], -1))
    source = "data:image/png;base64," + base64.b64encode(png(shares)).decode()
    shape = "×".join(str(size) for size in mask.shape)
    caption = f"{name}: {shape}, {int(mask.sum()):,} kept ({float(mask.mean()) if mask.size else 0.0:.1%})"
    return tag(
        "figure",
        tag("img", src=source, alt=f"the mask of {name}", class_="mask"),
        tag("figcaption", caption),
    )


def densities(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Share of kept weights in each block of a grid ``(≤ MOST_ROWS, ≤ MOST_COLUMNS)``; a small mask is unchanged."""
    table = mask.astype(np.float64)
    for axis, most in ((0, MOST_ROWS), (1, MOST_COLUMNS)):
        size = table.shape[axis]
        if size > most:
            starts = np.arange(most) * size // most
            widths = np.diff([*starts, size]).reshape((-1, 1) if axis == 0 else (1, -1))
            table = np.add.reduceat(table, starts, axis=axis) / widths
    return table


def png(shares: NDArray[np.float64]) -> bytes:
    """Shares in [0, 1] as a PNG with a palette of one colour in 256 opacities."""
    levels = np.rint(255 * shares).astype(np.uint8)
    height, width = levels.shape
    rows = np.zeros((height, width + 1), np.uint8)  # each row begins with the number of its filter; 0 is no filter
    rows[:, 1:] = levels
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"PLTE", bytes(COLOUR) * 256)
        + _chunk(b"tRNS", bytes(range(256)))
        + _chunk(b"IDAT", zlib.compress(rows.tobytes(), 9))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
