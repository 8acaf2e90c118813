"""Whether anybody is there at all: the client library would try for a long time before it said so."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

from kstream.config.errors import ConfigError
from kstream.config.listeners import split_host_port
from kstream.replay.errors import NoAnswer, ReplayError

_CONNECT_S = 5.0
_NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNEXPECTED_EOF_WHILE_READING", None)
"""What OpenSSL says of an answer that is no TLS, or none."""


def check_reachable(bootstrap: str, settings: Mapping[str, Any] | None = None) -> None:
    """Return if one of the servers, `HOST:PORT` and comma-separated, takes a connection, and answers to TLS
    where the client library's settings say so; whom to trust is the library's business.

    Raises:
        NoAnswer: none does; it says why.
    """
    is_tls = str((settings or {}).get("security.protocol", "")).upper().endswith("SSL")
    reason = "no address"
    for address in bootstrap.split(","):
        try:
            host, port = split_host_port(address.strip().rpartition("://")[2], flag="--bootstrap")
            with socket.create_connection((host or "127.0.0.1", port), _CONNECT_S) as connection:
                if is_tls:
                    _shake_hands(connection, host)
            return
        except ConfigError as error:
            raise ReplayError(str(error)) from None
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
    raise NoAnswer(bootstrap, reason)


def _shake_hands(connection: socket.socket, host: str) -> None:
    """Raises OSError with words unless TLS is spoken on the other side."""
    import ssl  # seldom needed

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        context.wrap_socket(connection, server_hostname=host or None).close()
    except (ssl.SSLError, ConnectionError, TimeoutError) as error:
        if isinstance(error, ssl.SSLError) and error.reason not in _NOT_TLS:
            return  # TLS it is, and it wants a certificate or a version that the library may have
        raise OSError(0, "no TLS there, and security.protocol asks for it") from None
