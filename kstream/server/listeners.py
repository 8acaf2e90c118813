"""Listening sockets: bound before the data directory is opened, served once it is."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import trio

from kstream.config.listeners import Listener, host_port
from kstream.errors import KstreamError

log = logging.getLogger(__name__)

_BACKLOG = 1024
_OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_ACCEPTS_PER_TURN = 64


class ListenError(KstreamError):
    """An address that cannot be listened on; the message says what to do."""


class BoundListener(NamedTuple):
    """A listener and its socket; `listener.port` is the real one."""

    listener: Listener
    sock: socket.socket


def bind(listeners: Sequence[Listener], *, flag: str = "--listen") -> list[BoundListener]:
    """Bind every listener, port 0 to a free one. Connections queue up but nobody is served yet.

    Raises:
        ListenError: an address is taken or not ours.
    """
    bound: list[BoundListener] = []
    try:
        for listener in listeners:
            bound.append(_bind(listener, flag))  # noqa: PERF401  what is bound so far is closed when the next fails
    except BaseException:
        for done in bound:
            done.sock.close()
        raise
    return bound


def _bind(listener: Listener, flag: str) -> BoundListener:
    address = host_port(listener.host or "0.0.0.0", listener.port)
    try:
        family, _, _, _, where = socket.getaddrinfo(
            listener.host or None, listener.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise ListenError(f"cannot listen on {address}: {error.strerror or error}") from error
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(where)
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise ListenError(
                f"{address} is in use by another program; stop it, or choose another port: {flag} HOST:PORT"
            ) from error
        raise ListenError(f"cannot listen on {address}: {error.strerror}") from error
    return BoundListener(listener._replace(port=sock.getsockname()[1]), sock)


Accepted = Callable[[socket.socket, tuple[str, int]], None]


async def accept_forever(
    bound: BoundListener, wait_for_place: Callable[[], Awaitable[None]], accepted: Accepted
) -> None:
    """Hand every new connection to `accepted`; wait while there are as many as allowed."""
    while True:
        await trio.lowlevel.wait_readable(bound.sock)
        for _ in range(_ACCEPTS_PER_TURN):
            await wait_for_place()
            try:
                sock, peer = bound.sock.accept()
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno in _OUT_OF_DESCRIPTORS:
                    # Accepting again at once would spin: the connection stays in the kernel's queue.
                    log.error("cannot accept connections: %s; raise the limit on open files", error.strerror)
                    await trio.sleep(0.1)
                else:
                    log.debug("a connection was gone before it was accepted: %s", error)
                break
            try:
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                accepted(sock, peer[:2])
            except OSError as error:
                # A Mac refuses options on a connection whose peer has left already.
                log.debug("a connection was gone before it was served: %s", error)
                sock.close()
