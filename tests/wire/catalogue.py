"""Every declared message, for tests that hold for all of them."""

from __future__ import annotations

from kstream.records.schemas import control, group, metadata, raft, share, storage, transaction
from kstream.wire.apis import APIS
from kstream.wire.messages import consumer_protocol, header
from kstream.wire.schema import Message

API_MESSAGES: list[type[Message]] = [cls for api in APIS.values() for cls in (api.request, api.response)]

EMBEDDED_MESSAGES: list[type[Message]] = [
    header.RequestHeader,
    header.ResponseHeader,
    consumer_protocol.ConsumerProtocolAssignment,
    consumer_protocol.ConsumerProtocolSubscription,
]


def _declared_in(module: object) -> list[type[Message]]:
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Message) and value is not Message
    ]


STORED_MESSAGES: list[type[Message]] = [
    cls
    for module in (control, group, metadata, raft, share, storage, transaction)
    for cls in _declared_in(module)
]

MESSAGES = API_MESSAGES + EMBEDDED_MESSAGES + STORED_MESSAGES


def versions_of(cls: type[Message]) -> range:
    """All versions of a message."""
    return range(cls.VERSIONS.first, cls.VERSIONS.last + 1)
