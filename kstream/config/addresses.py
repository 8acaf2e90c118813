"""Which of the configured listeners are the broker's, and what clients are told about them.

A file written for Kafka often has a controller's listener in it. kstream's controller needs no socket, so
listeners named in `controller.listener.names` are left out. What Kafka requires of listeners is required here
too; beyond that, any listener that is not plaintext stops the server, for serving it without its security
would leave a door open.
"""

from __future__ import annotations

from collections.abc import Callable

from kstream.config.errors import ConfigError
from kstream.config.listeners import (
    Listener,
    parse_listeners,
    parse_protocol_map,
    require_distinct_ports,
    require_plaintext,
)

Lookup = Callable[[str], str | None]


def controller_listener_names(get: Lookup) -> frozenset[str]:
    """Names in `controller.listener.names`, in upper case."""
    text = get("controller.listener.names") or ""
    return frozenset(name.strip().upper() for name in text.split(",") if name.strip())


def listeners_of(get: Lookup) -> tuple[Listener, ...]:
    """The broker's listeners. Raises ConfigError when they contradict or cannot be served."""
    controllers = controller_listener_names(get)
    text = get("listeners") or ""
    listeners = parse_listeners(text, _protocols(get, controllers))
    require_distinct_ports(listeners)
    own = tuple(listener for listener in listeners if listener.name not in controllers)
    if not own:
        raise ConfigError(
            f"listeners: {text} has only controller listeners; add one for clients, such as PLAINTEXT://127.0.0.1:9092"
        )
    require_plaintext(own)
    return own


def advertised_of(get: Lookup, listeners: tuple[Listener, ...]) -> tuple[Listener, ...]:
    """Addresses that Metadata answers with, by listener; empty when clients are told where they came in."""
    text = get("advertised.listeners")
    if not text:
        return ()
    controllers = controller_listener_names(get)
    key = "advertised.listeners"
    names = {listener.name for listener in listeners}
    advertised = [
        listener
        for listener in parse_listeners(text, _protocols(get, controllers), key=key)
        if listener.name not in controllers
    ]
    for listener in advertised:
        if listener.name not in names:
            known = ", ".join(sorted(names))
            raise ConfigError(f"{key}: {listener.name} is not one of the names in listeners: {known}")
        if listener.host in ("", "0.0.0.0", "::"):
            raise ConfigError(
                f"{key}: {listener} is no address a client can connect to;"
                " name a host, or leave the key out to advertise the address each client came in on"
            )
    return tuple(advertised)


def _protocols(get: Lookup, controllers: frozenset[str]) -> dict[str, str]:
    protocols = parse_protocol_map(get("listener.security.protocol.map") or "")
    for name in controllers:  # as Kafka: a controller's listener needs no entry
        protocols.setdefault(name, "PLAINTEXT")
    return protocols
