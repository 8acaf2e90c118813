"""Where clients of a listener find the brokers."""

from __future__ import annotations

from typing import NamedTuple

from kstream.broker.metadata.image import BrokerImage, MetadataImage


class Node(NamedTuple):
    """One broker as a client can reach it."""

    node_id: int
    host: str
    port: int
    rack: str | None
    is_fenced: bool


def nodes_of(
    image: MetadataImage,
    own_id: int,
    own_address: tuple[str, int],
    listener: str,
    *,
    include_fenced: bool = False,
) -> list[Node]:
    """Brokers that have the listener by which a client came in (KIP-103), by id.

    `own_address` is where that client reaches this broker, which may not be what the broker registered;
    others are where they registered.
    """
    nodes: list[Node] = []
    for broker_id in sorted(image.brokers):
        broker = image.brokers[broker_id]
        if broker.is_fenced and not include_fenced:
            continue
        address = own_address if broker_id == own_id else _address_of(broker, listener)
        if address is not None:
            nodes.append(Node(broker_id, *address, broker.rack, broker.is_fenced))
    return nodes


def _address_of(broker: BrokerImage, listener: str) -> tuple[str, int] | None:
    for name, host, port, _ in broker.endpoints:
        if name == listener:
            return host, port
    return None
