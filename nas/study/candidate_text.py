"""A candidate in words: its architecture and where its mask comes from."""

import re
from collections.abc import Mapping
from typing import Any

_NUMBERED = re.compile(r"(.+)_\d+$")


def architecture_text(candidate: Mapping[str, Any]) -> str:
    """The architecture of a candidate (JSON), such as ``mlp: plain, relu, depth 2, width 100·100``.

    Texts stand by themselves; numbers follow their names, and numbered ones stand together.
    """
    words: dict[str, list[str]] = {}
    for name, value in dict(candidate.get("architecture") or {}).items():
        if value is False or value is None:
            continue
        if isinstance(value, str):
            words[value] = []
            continue
        numbered = _NUMBERED.match(name)
        key = (numbered.group(1) if numbered else name).replace("_", " ")
        words.setdefault(key, []).extend([] if value is True else _numbers(value))
    told = ", ".join(f"{name} {'·'.join(values)}" if values else name for name, values in words.items())
    space = str(candidate.get("space", ""))
    return f"{space}: {told}" if told else space


def _numbers(value: Any) -> list[str]:
    if isinstance(value, list | tuple):
        return [f"{one:g}" if isinstance(one, int | float) else str(one) for one in value]
    return [f"{value:g}" if isinstance(value, int | float) else str(value)]


def mask_text(candidate: Mapping[str, Any]) -> str:
    """Where the mask of a candidate (JSON) comes from, such as ``espn keeps 200``."""
    mask = dict(candidate.get("mask") or {})
    edits = [str(edit.get("operator", "")) for edit in candidate.get("edits") or ()]
    if "learned" in mask:
        told = f"{mask['learned'].get('method')} keeps {mask['learned'].get('keep'):,}"
        length = mask["learned"].get("length", 1.0)
        told += f" in {length:g} of a training" if length != 1 else ""
    elif "inherited" in mask:
        parents = len(mask["inherited"].get("parents") or ())
        told = "two masks crossed" if parents > 1 else "inherited mask" if parents else "inherited mask, fresh weights"
    elif mask.get("density") == 1:
        told = "dense"
    else:
        density = mask.get("density")
        told = f"{mask.get('distribution')} {mask.get('pattern')}"
        told += f", density {density:.2%}" if isinstance(density, int | float) else ""
    return f"{told}, edited by {', '.join(edits)}" if edits else told
