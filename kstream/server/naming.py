"""What a request is about: topics, groups, transactional ids. For those who look at few requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from kstream.api.context import RequestContext
from kstream.broker.fetch_sessions import FetchSession
from kstream.broker.metadata.image import MetadataImage
from kstream.faults.fault import Seen
from kstream.wire.apis import ApiKey
from kstream.wire.messages.fetch import FetchRequest
from kstream.wire.uuids import ZERO_UUID

_TOPIC_RESOURCE = 2
_TOPIC_LISTS = ("topics", "topic_data", "v3_and_below_topics", "topic_names", "topic_partitions")
_OWNERS = ("transactions", "groups", "markers")
"""Lists whose elements have topics of their own."""
_GROUP_LISTS = ("groups", "groups_names", "group_ids")
_GROUP_KEY, _TRANSACTION_KEY = 0, 1


def topic_of(element: Any, image: MetadataImage) -> str:
    """The topic that an element of a list names, by its name or its id; "" where it is unknown."""
    if isinstance(element, str):
        return element
    for field in ("name", "topic", "topic_name"):
        name = getattr(element, field, None)
        if name:
            return str(name)
    topic_id = getattr(element, "topic_id", ZERO_UUID)
    found = image.topics_by_id.get(topic_id)
    return "" if found is None else found.name


def session_of(context: RequestContext, request: Any) -> FetchSession | None:
    """The session that a fetch continues: it is about topics that it need not name."""
    if isinstance(request, FetchRequest) and request.session_epoch > 0:
        return context.broker.fetch_sessions.peek(request.session_id)
    return None


def seen(context: RequestContext, key: ApiKey, request: Any) -> Seen:
    """The request as faults look at it."""
    image = context.broker.metadata.image
    topics = {topic_of(element, image) for element in _topic_elements(request)}
    session = session_of(context, request)
    if session is not None:
        topics |= {_name(topic, image) for topic, _ in session.partitions}
    if key is ApiKey.METADATA and request.topics is None:
        topics |= image.topics_by_name.keys()
    groups = set(_texts(request, "group_id", _GROUP_LISTS, lambda element: element.group_id))
    transactional_ids = {
        *_texts(request, "transactional_id", ("transactional_ids",), str),
        *_texts(
            request,
            "v3_and_below_transactional_id",
            ("transactions",),
            lambda element: element.transactional_id,
        ),
    }
    if key is ApiKey.FIND_COORDINATOR:
        keys = set(_texts(request, "key", ("coordinator_keys",), str))
        groups |= keys if request.key_type == _GROUP_KEY else set()
        transactional_ids |= keys if request.key_type == _TRANSACTION_KEY else set()
    return Seen(key, context.client_id or "", topics - {""}, groups, transactional_ids)


def _name(topic: str | bytes, image: MetadataImage) -> str:
    if isinstance(topic, str):
        return topic
    found = image.topics_by_id.get(topic)
    return "" if found is None else found.name


def _topic_elements(request: Any) -> Iterator[Any]:
    for name in _TOPIC_LISTS:
        yield from getattr(request, name, None) or ()
    for name in _OWNERS:
        for owner in getattr(request, name, None) or ():
            yield from getattr(owner, "topics", None) or ()
    for resource in getattr(request, "resources", None) or ():
        if resource.resource_type == _TOPIC_RESOURCE:
            yield resource.resource_name


def _texts(request: Any, single: str, lists: tuple[str, ...], text_of: Callable[[Any], str]) -> Iterator[str]:
    text = getattr(request, single, None)
    if text:
        yield text
    for name in lists:
        for element in getattr(request, name, None) or ():
            yield element if isinstance(element, str) else text_of(element)
