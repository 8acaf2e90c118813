"""Whether anybody is there at all: the client library would try for a long time before it said so."""

from __future__ import annotations

import socket

from kstream.config.errors import ConfigError
from kstream.config.listeners import split_host_port
from kstream.replay.errors import NoAnswer, ReplayError

_CONNECT_S = 5.0


def check_reachable(bootstrap: str) -> None:
    """Return if one of the servers, `HOST:PORT` and comma-separated, takes a connection.

    Raises:
        NoAnswer: none does; it says why.
    """
    reason = "no address"
    for address in bootstrap.split(","):
        try:
            host, port = split_host_port(address.strip().rpartition("://")[2], flag="--bootstrap")
            socket.create_connection((host or "127.0.0.1", port), _CONNECT_S).close()
            return
        except ConfigError as error:
            raise ReplayError(str(error)) from None
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
    raise NoAnswer(bootstrap, reason)
