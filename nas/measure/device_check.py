"""Is the device there? Asked before anything else is done, without loading torch for the CPU."""


def require_device(name: str) -> None:
    """Raise `UsageError`, naming what there is, for a device that cannot be used."""
    if name != "cpu":
        from nas.training.device import torch_device

        torch_device(name)
