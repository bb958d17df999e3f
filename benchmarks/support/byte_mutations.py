"""Changes of a file's bytes, like those by damage or attacks; each is drawn from a generator, so that it can be repeated."""

import random
import re
from collections.abc import Callable, Mapping

Mutation = Callable[[bytes, random.Random], bytes]

NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|true|false|null|\[\]|\{\}')
HUGE = (
    b"9" * 25,
    b"1e308",
    b"1e999",
    b"-1",
    b"0",
    b"2147483648",
    b"9223372036854775808",
    b"1" + b"0" * 5_000,
    b"0.0000001",
)
OTHER_KINDS = (
    *(
        b"null",
        b"true",
        b"-1",
        b"1.5",
        b'"text"',
        b"[]",
        b"{}",
        b"[[1]]",
        b'{"a": 1}',
        b"NaN",
        b"Infinity",
        b'"\\ud800"',
    ),
    *(b'"\\u001b[2J"', b'""', b'"$\\\\frac{$"', b"1e18", b"[null]"),
)
WORDS = (
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\x00\x00\x00\x80",
    b"\x00\x00\x00\x00",
    b"\x7f\xff\xff\xff",
    b"\x00\x01\x00\x00",
)
STRANGE_TEXT = (b"\x1b[2J", b"\x00", b"\xe2\x80\xae", b"$\\frac{$", b"\r\n", b'"', b"\xff", b"\xed\xa0\x80", b",", b"=")


def bits(content: bytes, rng: random.Random) -> bytes:
    """One to eight bits are flipped."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 8)):
        at = rng.randrange(8 * len(changed))
        changed[at // 8] ^= 1 << at % 8
    return bytes(changed)


def truncation(content: bytes, rng: random.Random) -> bytes:
    """The end is missing."""
    return content[: rng.randrange(len(content))]


def insertion(content: bytes, rng: random.Random) -> bytes:
    """Random bytes, or a part of the file again, in the middle."""
    at, length = rng.randrange(len(content)), rng.choice((1, 4, 100, 10_000))
    start = rng.randrange(len(content))
    more = rng.randbytes(length) if rng.random() < 0.5 else content[start : start + length]
    return content[:at] + more + content[at:]


def deletion(content: bytes, rng: random.Random) -> bytes:
    """A part of the middle is missing."""
    at = rng.randrange(len(content))
    return content[:at] + content[at + rng.choice((1, 2, 8, 100)) :]


def exchange(content: bytes, rng: random.Random) -> bytes:
    """Two halves of a part change places."""
    first, middle, last = sorted(rng.randrange(len(content) + 1) for _ in range(3))
    return content[:first] + content[middle:last] + content[first:middle] + content[last:]


def size(content: bytes, rng: random.Random) -> bytes:
    """Four bytes of the first kilobyte, where headers are, state something huge."""
    at = rng.randrange(min(1024, len(content)))
    return content[:at] + rng.choice(WORDS) + content[at + 4 :]


def huge_number(content: bytes, rng: random.Random) -> bytes:
    """A number in a text becomes a huge or impossible one."""
    return _replaced(content, NUMBER, HUGE, rng)


def wrong_kind(content: bytes, rng: random.Random) -> bytes:
    """A value in a text becomes one of another kind."""
    return _replaced(content, TOKEN, OTHER_KINDS, rng)


def nesting(content: bytes, rng: random.Random) -> bytes:
    """A value in a text becomes lists or objects, thousands deep."""
    depth = rng.choice((30, 70, 400, 990, 100_000))
    opening, closing = rng.choice(((b"[", b"]"), (b'{"a":', b"}"), (b"{a=", b"}")))
    closed = closing * depth if rng.random() < 0.7 else b""
    return _replaced(content, TOKEN, (opening * depth + b"1" + closed,), rng)


def strange_text(content: bytes, rng: random.Random) -> bytes:
    """Terminal control codes, formulas, bytes that are not UTF-8."""
    at = rng.randrange(len(content))
    return content[:at] + rng.choice(STRANGE_TEXT) * rng.choice((1, 1, 50)) + content[at:]


def long_line(content: bytes, rng: random.Random) -> bytes:
    """A megabyte without a line break, or of line breaks only."""
    at = rng.randrange(len(content))
    return content[:at] + rng.choice((b"x", b"1,", b"\n", b"a.", b" ")) * (1 << 19) + content[at:]


BINARY: Mapping[str, Mutation] = {one.__name__: one for one in (bits, truncation, insertion, deletion, exchange, size)}
TEXT: Mapping[str, Mutation] = {
    one.__name__: one
    for one in (
        bits,
        truncation,
        insertion,
        deletion,
        exchange,
        huge_number,
        wrong_kind,
        nesting,
        strange_text,
        long_line,
    )
}


def _replaced(content: bytes, pattern: "re.Pattern[bytes]", others: tuple[bytes, ...], rng: random.Random) -> bytes:
    """The content with one match of the pattern replaced; the unchanged content if there is no match."""
    found = list(pattern.finditer(content))
    if not found:
        return content
    place = rng.choice(found)
    return content[: place.start()] + rng.choice(others) + content[place.end() :]
