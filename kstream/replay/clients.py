"""Consumers and producers of the client library, for settings that a person wrote."""

from __future__ import annotations

from typing import Any

from confluent_kafka import Consumer, KafkaException, Producer

from kstream.replay.errors import ReplayError


def new_consumer(settings: dict[str, Any]) -> Consumer:
    """Raises `ReplayError` for a setting that the library does not take."""
    try:
        return Consumer(settings)
    except KafkaException as error:
        raise ReplayError(error.args[0].str()) from None


def new_producer(settings: dict[str, Any]) -> Producer:
    """Raises `ReplayError` for a setting that the library does not take."""
    try:
        return Producer(settings)
    except KafkaException as error:
        raise ReplayError(error.args[0].str()) from None
