"""Where the broker listens and what it tells clients: `listeners`, `advertised.listeners` and the protocol
map.

A listener is written `NAME://host:port`; an empty host is every interface. The name says which listener a
client came in on, and so which address Metadata answers with (KIP-103).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from kstream.config.errors import ConfigError

SECURITY_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")

_LISTENER = re.compile(r"([^:/]*)://(?:\[([0-9a-fA-F:.%a-zA-Z]*)\]|([^\[\]/:,\s]*)):([0-9]+)")


class Listener(NamedTuple):
    """One address. `host` is bare (no brackets around IPv6), empty for every interface; port 0 picks a free
    one.
    """

    name: str
    host: str
    port: int
    security_protocol: str = "PLAINTEXT"

    def __str__(self) -> str:
        return f"{self.name}://{host_port(self.host, self.port)}"


def host_port(host: str, port: int) -> str:
    """`host:port` as people write it, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def split_host_port(text: str, *, flag: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`, `[v6]:PORT`, `:PORT` or a bare port (which is this machine's alone)."""
    if text.isdigit():
        text = f"127.0.0.1:{text}"
    match = re.fullmatch(r"(?:\[([^\[\]]*)\]|([^\[\]/:,\s]*)):([0-9]+)", text)
    if match is None or int(match[3]) > 65535:
        raise ConfigError(f"{flag} {text}: expected HOST:PORT, for example {flag} 127.0.0.1:9092")
    return (match[1] or match[2] or "", int(match[3]))


def parse_protocol_map(text: str) -> dict[str, str]:
    """`listener.security.protocol.map`: listener name to security protocol."""
    protocols: dict[str, str] = {}
    for entry in _entries(text):
        name, colon, protocol = (part.strip() for part in entry.partition(":"))
        if not colon or not name or protocol.upper() not in SECURITY_PROTOCOLS:
            raise ConfigError(
                f"listener.security.protocol.map: {entry} is not NAME:PROTOCOL"
                f" with a protocol of {', '.join(SECURITY_PROTOCOLS)}"
            )
        if protocols.setdefault(name.upper(), protocol.upper()) != protocol.upper():
            raise ConfigError(f"listener.security.protocol.map: {name} is mapped twice")
    return protocols


def parse_listeners(text: str, protocols: Mapping[str, str], *, key: str = "listeners") -> list[Listener]:
    """The listeners of `text`, each with its security protocol; names and shapes are checked, ports are
    not.
    """
    listeners: list[Listener] = []
    for entry in _entries(text):
        match = _LISTENER.fullmatch(entry)
        if match is None or int(match[4]) > 65535:
            raise ConfigError(
                f"{key}: {entry} is not NAME://HOST:PORT, for example PLAINTEXT://127.0.0.1:9092"
            )
        name = match[1].upper()
        if name not in protocols:
            raise ConfigError(
                f"{key}: no security protocol is defined for listener {name};"
                f" add {name}:PLAINTEXT to listener.security.protocol.map"
            )
        listeners.append(Listener(name, match[2] or match[3] or "", int(match[4]), protocols[name]))
    names = [listener.name for listener in listeners]
    if len(set(names)) != len(names):
        raise ConfigError(f"{key}: each listener must have a different name: {text}")
    return listeners


def require_distinct_ports(listeners: Iterable[Listener], *, key: str = "listeners") -> None:
    """As Kafka: no port twice, except once on IPv4 and once on IPv6 (KIP-797); port 0 is always a new one."""
    by_port: dict[int, list[Listener]] = {}
    for listener in listeners:
        if listener.port != 0:
            by_port.setdefault(listener.port, []).append(listener)
    for port, sharing in by_port.items():
        families = {":" in listener.host for listener in sharing}
        if len(sharing) > 2 or (len(sharing) == 2 and len(families) == 1):
            raise ConfigError(f"{key}: each listener must have a different port; {port} is used by several")


def require_plaintext(listeners: Iterable[Listener]) -> None:
    """Only plaintext is served; starting such a listener without its security would leave a door open."""
    for listener in listeners:
        if listener.security_protocol != "PLAINTEXT":
            raise ConfigError(
                f"listeners: {listener.name} wants {listener.security_protocol}, which is not served;"
                f" map {listener.name} to PLAINTEXT in listener.security.protocol.map, or leave it out"
            )


def _entries(text: str) -> list[str]:
    return [entry.strip() for entry in text.split(",") if entry.strip()]
