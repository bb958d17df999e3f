"""A process that answers predictions and checks one after the other; it reads files of strangers.

The first line that it reads is ``{"memory": bytes}``; then one call a line, ``{"call": NAME, …}``. Each is answered by one line, either
``{"answer": …}`` or ``{"error": {"kind", "detail"}}``.
"""

from nas.process_memory import limit_memory, out_of_memory
from nas.service.processes.calls import CALLS, warm
from nas.service.processes.child import Channel, described, log_traceback


def main() -> None:
    """Answer until the parent closes its side."""
    channel = Channel()
    memory = int(channel.receive()["memory"])
    warm()
    limit_memory(memory)
    channel.send({"answer": "ready"})
    while True:
        call = channel.receive()
        try:
            answer = CALLS[call.pop("call")](**call)
        except Exception as error:  # noqa: BLE001  every error is an answer; bugs are logged
            found = described(error)
            if found["kind"] == "bug":
                log_traceback()
            channel.send({"error": found, "tired": out_of_memory(error)})
        else:
            channel.send({"answer": answer})


if __name__ == "__main__":
    main()
