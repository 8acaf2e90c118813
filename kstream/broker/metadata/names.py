"""Topic names: which ones Kafka allows, and which ones get in each other's way."""

from __future__ import annotations

import re

from kstream.broker.metadata.image import MetadataImage
from kstream.broker.metadata.replay import normalized
from kstream.errors import ApiError, ErrorCode

NAME_LENGTH_MAX = 249
"""So that `<name>-<partition>.<suffix>` fits a file name."""

_LEGAL = re.compile(r"[a-zA-Z0-9._-]+")


def fault_of(name: str) -> str | None:
    """What is wrong with a topic name, in the words Kafka's users know; None if nothing is."""
    if not name:
        return "Topic name is invalid: the empty string is not allowed"
    if name in (".", ".."):
        return f"Topic name is invalid: '{name}' is not allowed"
    if len(name) > NAME_LENGTH_MAX:
        return (
            f"Topic name is invalid: the length of '{name}' is longer than the max allowed length"
            f" {NAME_LENGTH_MAX}"
        )
    if not _LEGAL.fullmatch(name):
        return (
            f"Topic name is invalid: '{name}' contains one or more characters other than ASCII"
            " alphanumerics, '.', '_' and '-'"
        )
    return None


def check_name(name: str) -> None:
    """Raise ApiError INVALID_TOPIC_EXCEPTION unless `name` is allowed."""
    fault = fault_of(name)
    if fault is not None:
        raise ApiError(ErrorCode.INVALID_TOPIC_EXCEPTION, fault)


def check_new_name(image: MetadataImage, name: str) -> None:
    """Raise ApiError unless a topic of this name can be created.

    INVALID_TOPIC_EXCEPTION for a name that is not allowed or that metrics could not tell from an existing
    topic's (`a.b` and `a_b`); TOPIC_ALREADY_EXISTS. Topics created by the same request do not collide, as
    in Kafka.
    """
    check_name(name)
    if name in image.topics_by_name:
        raise ApiError(ErrorCode.TOPIC_ALREADY_EXISTS, f"Topic '{name}' already exists.")
    colliding = image.normalized_names.get(normalized(name))
    if colliding:
        raise ApiError(
            ErrorCode.INVALID_TOPIC_EXCEPTION,
            f"Topic '{name}' collides with existing topic: {min(colliding)}",
        )
