"""Requests of a trace, sent once more."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field

from kstream.replay.errors import NoAnswer
from kstream.server.exchanges import Exchange, read_answer

_WAIT_S = 30.0


@dataclass
class Replayed:
    """How it went."""

    sent: int = 0
    same: int = 0
    differences: list[str] = field(default_factory=list)


def replay(wanted: Iterable[Exchange], host: str, port: int) -> Replayed:
    """Send the requests in their order, each on its connection, and wait for each answer that there was.

    Raises NoAnswer.
    """
    result = Replayed()
    with contextlib.ExitStack() as open_sockets:
        sockets: dict[int, socket.socket] = {}
        for each in wanted:
            sock = sockets.get(each.connection)
            if sock is None:
                try:
                    sock = open_sockets.enter_context(socket.create_connection((host, port), _WAIT_S))
                except OSError as error:
                    raise NoAnswer(f"{host}:{port}", str(error)) from None
                sockets[each.connection] = sock
            result.sent += 1
            try:
                sock.sendall(len(each.frame).to_bytes(4, "big") + each.frame)
                frame = None if each.response is None else _receive(sock)
            except OSError as error:
                del sockets[each.connection]
                result.differences.append(f"{_name(each)}: the connection broke: {error}")
                continue
            answer = None if frame is None else each._replace(response=read_answer(each, frame))
            then, now = each.errors, [] if answer is None else answer.errors
            if then == now:
                result.same += 1
            else:
                result.differences.append(f"{_name(each)}: {_told(then)} then, {_told(now)} now")
    return result


def _receive(sock: socket.socket) -> bytes:
    front = _exactly(sock, 4)
    return _exactly(sock, int.from_bytes(front, "big"))


def _exactly(sock: socket.socket, size_bytes: int) -> bytes:
    received = bytearray()
    while len(received) < size_bytes:
        piece = sock.recv(size_bytes - len(received))
        if not piece:
            raise ConnectionError("closed by the server")
        received += piece
    return bytes(received)


def _name(each: Exchange) -> str:
    return f"#{each.connection} {each.key.name} v{each.version} ({each.correlation_id})"


def _told(errors: list[str]) -> str:
    return ", ".join(dict.fromkeys(errors)) or "no error"
