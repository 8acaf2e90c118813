"""A server from start to stop."""

from __future__ import annotations

import logging
import resource
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import trio

from kstream.api import registry
from kstream.api.registry import Registration
from kstream.broker.broker import Broker
from kstream.broker.housekeeping import Housekeeping
from kstream.clock import Clock, SystemClock
from kstream.config.broker import BrokerConfig
from kstream.config.listeners import host_port
from kstream.server.connections import Connections
from kstream.server.dispatch import Dispatcher
from kstream.server.interception import Interception
from kstream.server.listeners import BoundListener, accept_forever, bind

log = logging.getLogger(__name__)

_OPEN_MAX = 10_240
"""Where a Mac says that there is no limit on open files, it means this."""

Companion = Callable[[Broker, list[str]], Awaitable[None]]
"""What runs beside the server, from before it is ready until it stops: given the broker and the addresses."""

_STOP_S = 4.5
"""A stop is clean within 5 s; what is not done by then is done by recovery at the next start."""


async def serve(
    config: BrokerConfig,
    data_dir: Path,
    *,
    ready: Callable[[list[str]], None],
    topics: Sequence[tuple[str, int | None]] = (),
    clock: Clock | None = None,
    opened: Callable[[Broker], None] | None = None,
    registrations: Mapping[int, Registration] | None = None,
    companion: Companion | None = None,
    is_ephemeral: bool = False,
) -> None:
    """Serve until cancelled, then stop cleanly.

    `ready` is called once with the addresses (`host:port`) when clients are served. `topics` are created if
    they are not there, with so many partitions, or `num.partitions`. `opened` is given the broker
    before that. `companion` runs beside them. For tests, `registrations` take the place of the registered
    handlers.

    Raises:
        ListenError, DirectoryInUse, UnusableDirectory, ConfigError: the message says what to do.
    """
    _raise_descriptor_limit()
    listeners = bind(config.listeners)
    config.bound_listeners = tuple(bound.listener for bound in listeners)
    try:
        broker = Broker.open(data_dir, config, clock or SystemClock(), is_ephemeral=is_ephemeral)
        try:
            if opened is not None:
                opened(broker)
            await broker.create_missing_topics(topics)
            await _serve(broker, listeners, ready, registrations or registry.load(), companion)
        finally:
            with trio.CancelScope(shield=True):
                if broker.is_crashed:
                    broker.abandon()
                else:
                    await trio.to_thread.run_sync(broker.close)
    finally:
        for bound in listeners:
            bound.sock.close()


async def _serve(
    broker: Broker,
    listeners: list[BoundListener],
    ready: Callable[[list[str]], None],
    registrations: Mapping[int, Registration],
    companion: Companion | None,
) -> None:
    addresses = [_address(bound) for bound in listeners]
    dispatcher = Dispatcher(registrations)
    interception = Interception(broker, dispatcher)
    async with trio.open_nursery() as connection_nursery:
        connections = Connections(broker, dispatcher, connection_nursery)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(connections.close_idle_forever)
                nursery.start_soon(Housekeeping(broker).run_forever)
                nursery.start_soon(broker.groups.run_forever)
                nursery.start_soon(broker.transactions.run_forever)
                nursery.start_soon(broker.share_states.run_forever)
                nursery.start_soon(broker.shares.run_forever)
                for bound in listeners:
                    nursery.start_soon(
                        accept_forever,
                        bound,
                        connections.wait_for_place,
                        partial(connections.start, bound.listener),
                    )
                if companion is not None:
                    nursery.start_soon(companion, broker, addresses)
                ready(addresses)
        finally:
            with trio.CancelScope(shield=True), trio.move_on_after(_STOP_S):
                await connections.drain()
            interception.close()


def _address(bound: BoundListener) -> str:
    return host_port(bound.listener.host or "0.0.0.0", bound.listener.port)


def _raise_descriptor_limit() -> None:
    """Every connection and every open segment takes a descriptor; the soft limit is often only 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in () if soft == hard else (hard, _OPEN_MAX):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            return
        except (OSError, ValueError) as error:
            log.debug("the limit on open files stays at %d: %s", soft, error)
