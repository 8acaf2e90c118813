"""What the broker reads in the metadata of consumers: the topics, so as not to expire their offsets."""

from __future__ import annotations

from kstream.errors import ProtocolError
from kstream.wire.codec import decode
from kstream.wire.messages.consumer_protocol import ConsumerProtocolSubscription

CONSUMER = "consumer"
"""The protocol type of groups of consumers. Connect and others have their own, and their own metadata."""


def topics_of(metadata: bytes) -> list[str] | None:
    """Topics of a subscription of any version, whose beginning is that of version 0; None if unreadable."""
    try:
        subscription = decode(ConsumerProtocolSubscription, metadata, 0, offset=2, trailing=True)
    except ProtocolError:
        return None
    return subscription.topics
