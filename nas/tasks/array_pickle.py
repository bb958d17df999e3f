"""Reader of pickled dicts of byte arrays (CIFAR's python batches) that runs nothing the pickle names.

Every global that a numpy array's pickle names is replaced by an inert stand-in that only keeps numbers and bytes; any
other global is refused. numpy's own constructors are not used: ``dtype.__setstate__`` believes what it is told, and an
array of objects made from bytes is a way to run code.
"""

import io
import math
import pickle
import pickletools
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from nas.errors import DataError

MAX_BYTES = 256 << 20
MAX_MEMO = 1 << 20
# fmt: off
OPCODES = frozenset((
    "PROTO", "FRAME", "STOP", "MARK", "MEMOIZE", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET", "GLOBAL", "STACK_GLOBAL",
    "REDUCE", "BUILD", "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "SHORT_BINSTRING", "BINSTRING",
    "SHORT_BINBYTES", "BINBYTES", "SHORT_BINUNICODE", "BINUNICODE", "EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE", "TUPLE", "TUPLE1",
    "TUPLE2", "TUPLE3", "APPEND", "APPENDS", "SETITEM", "SETITEMS",
))
# fmt: on
DAMAGED = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    ImportError,
    OverflowError,
    MemoryError,
    RecursionError,
)


class _Type:
    """Stand-in of `numpy.dtype`: only the type of bytes, uint8, is known."""

    __slots__ = ("name",)

    def __init__(self, name: object) -> None:
        self.name = name.decode("ascii") if isinstance(name, bytes) else str(name)

    def __setstate__(self, state: object) -> None:
        """Byte order and the like mean nothing for single bytes."""


class _Array:
    """Stand-in of `numpy.ndarray`: keeps the bytes and their shape."""

    __slots__ = ("value",)

    def __setstate__(self, state: object) -> None:
        if not (isinstance(state, tuple) and len(state) == 5):
            raise pickle.UnpicklingError("an array with a state of another form")
        _, shape, kind, fortran, data = state
        if not (isinstance(kind, _Type) and kind.name in ("u1", "uint8", "|u1") and isinstance(data, bytes)):
            raise pickle.UnpicklingError("an array of another type than uint8")
        if not all(isinstance(size, int) and size >= 0 for size in shape) or math.prod(shape) != len(data):
            raise pickle.UnpicklingError(f"an array of {len(data)} bytes with the shape {shape}")
        self.value: NDArray[np.uint8] = np.frombuffer(data, np.uint8).reshape(shape, order="F" if fortran else "C")


class _Callable:
    """Stand-in of a global. Without attributes, so that the pickle cannot change it."""

    __slots__ = ()

    def __call__(self, *arguments: object) -> object:
        raise pickle.UnpicklingError("a call that no array needs")


class _Reconstruct(_Callable):
    __slots__ = ()

    def __call__(self, *arguments: object) -> object:
        return _Array()


class _MakeType(_Callable):
    __slots__ = ()

    def __call__(self, *arguments: object) -> object:
        return _Type(arguments[0])


class _Encode(_Callable):
    """`_codecs.encode`, by which Python 3 writes bytes in old protocols."""

    __slots__ = ()

    def __call__(self, *arguments: object) -> object:
        text, encoding = arguments
        if not isinstance(text, str) or encoding not in ("latin1", b"latin1"):
            raise pickle.UnpicklingError("bytes in another encoding than latin1")
        return text.encode("latin1")


STAND_INS: dict[tuple[str, str], _Callable] = {
    ("numpy.core.multiarray", "_reconstruct"): _Reconstruct(),
    ("numpy._core.multiarray", "_reconstruct"): _Reconstruct(),
    ("numpy", "ndarray"): _Callable(),
    ("numpy", "dtype"): _MakeType(),
    ("_codecs", "encode"): _Encode(),
}


class _ArrayUnpickler(pickle.Unpickler):
    """Knows the stand-ins and nothing else."""

    def find_class(self, module: str, name: str) -> object:
        """The stand-in of a global, or a refusal."""
        if (module, name) not in STAND_INS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no array needs")
        return STAND_INS[module, name]


def read_pickled_arrays(path: Path) -> dict[str, object]:
    """The pickled dict: uint8 arrays as numpy arrays, numbers, texts and lists as they are, byte keys as text.

    Raises:
        DataError: missing, over 256 MiB, damaged, not a dict, or naming anything but arrays of uint8.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path}: {path.stat().st_size} bytes, expected at most {MAX_BYTES}")
        data = path.read_bytes()
        _refuse_strange_opcodes(data)
        content = cast("object", _ArrayUnpickler(io.BytesIO(data), encoding="bytes").load())
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    except DataError:
        raise
    except DAMAGED as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path}: refused as a pickle of plain arrays: {reason}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: expected a pickled dict, found {type(content).__name__}")
    return {_text(key): value.value if isinstance(value, _Array) else value for key, value in content.items()}


def _refuse_strange_opcodes(data: bytes) -> None:
    """Only what plain containers and arrays are written with; a memo slot of 2³¹ would take 34 GB to make."""
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name not in OPCODES:
            raise pickle.UnpicklingError(f"it holds the instruction {opcode.name}, which no array needs")
        if opcode.name == "LONG_BINPUT" and cast("int", argument) > MAX_MEMO:
            raise pickle.UnpicklingError(f"a memo slot {argument}, expected at most {MAX_MEMO}")


def _text(key: object) -> str:
    return key.decode("latin1") if isinstance(key, bytes) else str(key)
