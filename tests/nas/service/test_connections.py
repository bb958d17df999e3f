"""How the server listens."""

import socket
from pathlib import Path

from nas.service.server import _listener
from nas.service.settings import Settings


def test_the_second_part_of_an_answer_does_not_wait_for_an_acknowledgement():
    with (
        _listener(Settings(data=Path("unused"), port=0)) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
