"""Checks that the device exists, before any other work, and without loading torch for the CPU."""


def require_device(name: str) -> None:
    """Raise `UsageError`, with the available devices, for a device that cannot be used."""
    if name != "cpu":
        from nas.training.device import torch_device

        torch_device(name)
