"""Deleting topics, by name or by id, as the controller of Apache Kafka 4.4.0 decides it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from kstream.broker.metadata.image import MetadataImage
from kstream.broker.metadata.store import Change
from kstream.errors import ApiError, ErrorCode
from kstream.records.schemas.metadata import RemoveTopicRecord
from kstream.wire.uuids import ZERO_UUID


class TopicKey(NamedTuple):
    """A topic as a client names it: by name, or by id (then `name` is None)."""

    name: str | None
    topic_id: bytes = ZERO_UUID


class DeletedTopic(NamedTuple):
    """What became of it."""

    name: str | None
    topic_id: bytes
    error: ApiError | None = None


def delete_topics(image: MetadataImage, keys: Sequence[TopicKey]) -> Change[list[DeletedTopic]]:
    """Delete what is there.

    Results are in the request's order, one for each topic, and one for each entry that names none or names it
    in both ways; topics that the request names more than once are left alone, and their errors come last.
    """
    counts = Counter(key for key in keys if (key.name is None) != (key.topic_id == ZERO_UUID))
    ids_of_names = {_resolve(image, key) for key in counts if key.name is not None}
    names_of_ids = {key.topic_id for key in counts if key.name is None}
    results: list[DeletedTopic] = []
    repeated: list[DeletedTopic] = []
    seen: set[TopicKey] = set()
    for key in keys:
        if key in seen:
            continue
        if key in counts:
            seen.add(key)
        if key not in counts:
            text = "You may not specify both topic name and topic id."
            if key.name is None:
                text = "Neither topic name nor id were specified."
            results.append(_rejected(key.name, key.topic_id, text))
        elif counts[key] > 1:
            text = "Duplicate topic id." if key.name is None else "Duplicate topic name."
            repeated.append(_rejected(key.name, key.topic_id, text))
        elif key.name is None and key.topic_id in ids_of_names:
            name = image.topics_by_id[key.topic_id].name
            text = "The provided topic name maps to an ID that was already supplied."
            repeated.append(_rejected(name, key.topic_id, text))
        elif key.name is None or _resolve(image, key) not in names_of_ids:
            results.append(_delete(image, key))
    records = [RemoveTopicRecord(topic_id=result.topic_id) for result in results if result.error is None]
    return Change(results + repeated, records)


def has_work(image: MetadataImage, keys: Sequence[TopicKey]) -> bool:
    """Whether anything is left of a request once what it names twice, or by nothing, is refused."""
    return any(
        topic.error is None or topic.error.code != ErrorCode.INVALID_REQUEST
        for topic in delete_topics(image, keys).result
    )


def _resolve(image: MetadataImage, key: TopicKey) -> bytes | None:
    """The id of a topic that is named by its name, None if there is none."""
    topic = image.topics_by_name.get(key.name or "")
    return None if topic is None else topic.topic_id


def _delete(image: MetadataImage, key: TopicKey) -> DeletedTopic:
    if key.name is not None:
        topic = image.topics_by_name.get(key.name)
        error = ApiError(
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "This server does not host this topic-partition."
        )
    else:
        topic = image.topics_by_id.get(key.topic_id)
        error = ApiError(ErrorCode.UNKNOWN_TOPIC_ID, "This server does not host this topic ID.")
    if topic is None:
        return DeletedTopic(key.name, key.topic_id, error)
    return DeletedTopic(topic.name, topic.topic_id)


def _rejected(name: str | None, topic_id: bytes, text: str) -> DeletedTopic:
    return DeletedTopic(name, topic_id, ApiError(ErrorCode.INVALID_REQUEST, text))
