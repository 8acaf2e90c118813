"""Whether a server that is to speak TLS does, whatever else it wants."""

from __future__ import annotations

import socket
import threading

import pytest

from kstream.replay.errors import NoAnswer
from kstream.replay.reaching import check_reachable

SETTINGS = {"security.protocol": "SSL"}
ALERT = bytes.fromhex("15 0303 0002 0228")  # handshake_failure: it wants a certificate, say
OLD_HELLO = bytes.fromhex("16 0301 002a 02 000026 0301") + bytes(32) + bytes.fromhex("00 002f 00")  # TLS 1.0
HTTP = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"


def asked(answer: bytes) -> None:
    """Ask a server that answers a client's first words so, and closes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(answer)

        server = threading.Thread(target=serve)
        server.start()
        try:
            check_reachable(f"127.0.0.1:{listener.getsockname()[1]}", SETTINGS)
        finally:
            server.join(30)


@pytest.mark.parametrize("answer", [ALERT, OLD_HELLO], ids=["alert", "old hello"])
def test_who_answers_in_tls_is_left_to_the_client_library(answer: bytes) -> None:
    asked(answer)


@pytest.mark.parametrize("answer", [b"", HTTP, b"\x00\x00\x00\x08kafka..."], ids=["nothing", "http", "kafka"])
def test_who_does_not_is_named(answer: bytes) -> None:
    with pytest.raises(NoAnswer, match="no tls there"):
        asked(answer)
