"""Export formats by name: formats of this package and of entry points ``nas.export_formats``."""

from pathlib import Path
from typing import Any

from nas.errors import PluginError, UsageError
from nas.exporters.export_format import ExportFormat
from onnx_graph import Registry


def _fault(found: Any, name: str) -> str:
    if not isinstance(found, ExportFormat):
        return "it must be a nas.exporters.export_format.ExportFormat"
    if not found.suffix.startswith(".") or len(found.suffix) < 2:
        return "its suffix must be a dot and letters"
    return "" if callable(found.write) else "its write must be a function"


EXPORT_FORMATS: Registry[ExportFormat] = Registry(
    "export format",
    {"onnx": "nas.exporters.onnx_file:ONNX"},
    "nas.export_formats",
    fault=_fault,
    unknown=UsageError,
    broken=PluginError,
)


def format_of(path: Path) -> ExportFormat:
    """The format that the name of a file selects.

    Raises:
        UsageError: no format has this suffix; the message lists the suffixes.
        PluginError: two formats have this suffix.
    """
    known = {name: EXPORT_FORMATS.load(name) for name in EXPORT_FORMATS.usable()}
    fitting = {name: known[name] for name in known if path.name.lower().endswith(known[name].suffix)}
    if not fitting:
        suffixes = ", ".join(f"{known[name].suffix} ({name})" for name in known)
        raise UsageError(f"the file to write must end in one of: {suffixes}; got {path}")
    longest = max(len(found.suffix) for found in fitting.values())
    chosen = {name: found for name, found in fitting.items() if len(found.suffix) == longest}
    if len(chosen) > 1:
        places = " and ".join(f"{name} of {EXPORT_FORMATS.origin(name)}" for name in chosen)
        raise PluginError(f"the export formats {places} both write files such as {path.name}; uninstall one of them")
    return next(iter(chosen.values()))
