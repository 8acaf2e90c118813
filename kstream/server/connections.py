"""All connections of a server: limits, idle ones, and the end."""

from __future__ import annotations

import logging
import resource
import socket
import sys
from collections import Counter

import trio

from kstream.api.context import RequestContext
from kstream.broker.broker import Broker
from kstream.config.listeners import Listener
from kstream.server.connection import Connection
from kstream.server.dispatch import Dispatcher
from kstream.server.input import BufferPool

log = logging.getLogger(__name__)

_DRAIN_S = 0.25
_DESCRIPTORS_KEPT = 64

# What is under way between two processes of one machine should stay in the processor's caches: with the
# buffer that the system grows, a bulk fetch costs server and client a third more. Over a network the system
# knows better.
_LOCAL_SEND_BUFFER_BYTES = 208 * 1024


class Connections:
    """Starts, counts, bounds and ends connections."""

    def __init__(self, broker: Broker, dispatcher: Dispatcher, nursery: trio.Nursery) -> None:
        self._broker = broker
        self._dispatcher = dispatcher
        self._nursery = nursery
        self._pool = BufferPool()
        self._open: set[Connection] = set()
        self._by_address: Counter[str] = Counter()
        self._next_id = 0
        self._one_ended = trio.Event()
        self._descriptors = _descriptors_for_connections()

    def __len__(self) -> int:
        return len(self._open)

    async def wait_for_place(self) -> None:
        """Return once there are fewer connections than `max.connections`, and than leave descriptors for the
        logs.
        """
        while len(self._open) >= min(self._broker.config.max_connections, self._descriptors):
            log.warning(
                "no more than %d connections at once: others wait until one ends, as max.connections"
                " and the limit on open files demand",
                len(self._open),
            )
            self._one_ended = trio.Event()
            await self._one_ended.wait()

    def start(self, listener: Listener, sock: socket.socket, peer: tuple[str, int]) -> None:
        """Serve a new connection, unless its address has as many as `max.connections.per.ip` allows."""
        config = self._broker.config
        limit = config.max_connections_per_ip_overrides.get(peer[0], config.max_connections_per_ip)
        if self._by_address[peer[0]] >= limit:
            self._broker.stats.connections_refused += 1
            log.info("closing a connection from %s: it has max.connections.per.ip open", peer[0])
            sock.close()
            return
        self._next_id += 1
        local = sock.getsockname()
        if local[0] == peer[0]:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LOCAL_SEND_BUFFER_BYTES)
        context = RequestContext(
            self._broker,
            listener=listener.name,
            local_address=(local[0].removeprefix("::ffff:"), local[1]),
            peer_address=peer,
            connection_id=self._next_id,
        )
        connection = Connection(
            sock,
            context,
            self._dispatcher,
            self._pool,
            frame_size_bytes_max=config.socket_request_max_bytes,
        )
        self._open.add(connection)
        self._by_address[peer[0]] += 1
        stats = self._broker.stats
        stats.connections_accepted += 1
        stats.connections[listener.name] += 1
        self._nursery.start_soon(self._serve, connection)

    async def _serve(self, connection: Connection) -> None:
        try:
            await connection.serve()
        finally:
            self._open.discard(connection)
            self._broker.stats.connections[connection.context.listener] -= 1
            self._broker.shares.on_disconnected(connection.context.connection_id)
            address = connection.context.peer_address[0]
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]
            self._one_ended.set()

    async def close_idle_forever(self) -> None:
        """Close those whose peer sends no frame, or takes no answer, within `connections.max.idle.ms`; those
        for which a handler waits, as long as the client likes, only if the client has left.
        """
        idle_s = self._broker.config.connections_max_idle_ms / 1000
        if idle_s < 0:
            return
        while True:
            await trio.sleep(min(max(idle_s / 4, 0.05), 10))
            deadline_s = trio.current_time() - idle_s
            for connection in self._open:
                if connection.waits_since_s < deadline_s and (
                    not connection.is_handling or connection.is_abandoned()
                ):
                    connection.scope.cancel()

    async def drain(self) -> None:
        """End idle connections now, busy ones when they have answered, or a moment later."""
        for connection in self._open:
            if not (connection.is_handling or connection.is_sending):
                connection.scope.cancel()
        with trio.move_on_after(0 if self._broker.is_crashed else _DRAIN_S):
            while self._open:
                self._one_ended = trio.Event()
                await self._one_ended.wait()
        for connection in self._open:
            connection.scope.cancel()


def _descriptors_for_connections() -> int:
    """What the segments of the logs, which may have half of them, and everything else leave."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return sys.maxsize
    return max(soft - soft // 2 - _DESCRIPTORS_KEPT, 1)
