"""Answers with an error that somebody asked for, to any request.

An answer mirrors its request: what names a topic, partition, group or key there has an error code of its own
here. `refusal` makes it without anybody having looked at the request; `spoil` puts the error into an answer
whose request was carried out.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

from kstream.errors import ErrorCode
from kstream.log.slices import LogSlice
from kstream.wire.apis import ApiKey, api
from kstream.wire.schema import Message, Struct

MESSAGE = "A fault that was asked for."

IsMeant = Callable[[Any], bool]
"""Whether an element that names a topic is to have the error."""

ANSWERED_FIRST = frozenset(
    {ApiKey.FETCH, ApiKey.METADATA, ApiKey.ALTER_REPLICA_LOG_DIRS, ApiKey.DESCRIBE_LOG_DIRS}
)
"""These change nothing that matters, and their answers have more than mirrors show: they are spoiled."""

_CODES = ("error_code", "partition_error_code")
_SOURCES: dict[str, tuple[str, ...]] = {
    "responses": ("topic_data", "topics", "topic_names", "resources"),
    "partition_responses": ("partition_data",),
    "partitions": ("partitions", "partition_indexes"),
    "topics": ("topics",),
    "results": ("topics", "resources", "groups_names", "creations", "feature_updates"),
    "results_by_transaction": ("transactions",),
    "topic_results": ("topics",),
    "results_by_topic_v3_and_below": ("v3_and_below_topics",),
    "results_by_partition": ("partitions",),
    "coordinators": ("coordinator_keys",),
    "groups": ("groups", "group_ids"),
    "filter_results": ("filters",),
    "replica_election_results": ("topic_partitions",),
    "partition_result": ("partitions",),
    "transaction_states": ("transactional_ids",),
    "entries": ("entries",),
    "members": ("members",),
    "markers": ("markers",),
}
"""Which list of a request an answer's list mirrors."""
_IDENTITIES = {
    str: ("name", "topic_name", "topic", "group_id", "key", "transactional_id"),
    int: ("partition_index", "partition_id", "partition", "index"),
}
_UNKNOWN = frozenset(
    {"base_offset", "offset", "committed_offset", "timestamp", "generation_id", "producer_id"}
    | {"producer_epoch", "node_id", "port", "end_offset", "leader_epoch", "low_watermark"}
)
"""Numbers that are -1 where there is no answer."""
_LISTS_OF_TOPICS = ("topic_data", "topics", "topic_names")


def refusal(request: Message, version: int, code: ErrorCode) -> Message:
    """What the client is answered in place of what it asked for."""
    answer: Message = _mirror(api(request.API_KEY).response, request, version, code)
    return answer


def _mirror(kind: type[Any], source: Any, version: int, code: ErrorCode) -> Any:
    answer = kind()
    fields = [field for field in kind.__fields__ if version in field.versions]
    # What is wrong as a whole is not said of each part again.
    is_whole = any(field.name in _CODES for field in fields)
    for field in fields:
        name = field.name
        if name in _CODES:
            setattr(answer, name, code)
        elif name == "error_message":
            setattr(answer, name, MESSAGE)
        elif field.kind == "array" and field.struct is not None:
            if not is_whole and _has_code(field.struct):
                elements = _mirrored(source, name)
                setattr(answer, name, [_mirror(field.struct, each, version, code) for each in elements])
        elif isinstance(source, Struct) and hasattr(source, name) and field.kind not in ("array", "struct"):
            setattr(answer, name, getattr(source, name))
        elif name in _UNKNOWN:
            setattr(answer, name, -1)
    if isinstance(source, str | int):
        _identify(answer, source)
    elif hasattr(source, "partition") and hasattr(answer, "partition_index"):
        answer.partition_index = source.partition
    return answer


def _mirrored(source: Any, name: str) -> Iterable[Any]:
    for candidate in _SOURCES.get(name, ()):
        elements = getattr(source, candidate, None)
        if elements:
            return list(elements)
    return ()


def _has_code(kind: Any) -> bool:
    return any(
        field.name in _CODES
        or (field.kind == "array" and field.struct is not None and _has_code(field.struct))
        for field in kind.__fields__
    )


def _identify(answer: Any, value: str | int) -> None:
    for name in _IDENTITIES[str if isinstance(value, str) else int]:
        if hasattr(answer, name):
            setattr(answer, name, value)
            return


def spoil(answer: Message, code: ErrorCode, is_meant: IsMeant | None = None) -> None:
    """Put the error wherever an answer can have one; with `is_meant`, of topics those alone that are.

    What is wrong with the parts of an answer is not said of the whole, as brokers do.
    """
    had = getattr(answer, "error_code", 0)
    if _spoil_part(answer, code, is_meant) and hasattr(answer, "error_code"):
        answer.error_code = had


def spoil_topic(topic: Struct, code: ErrorCode) -> None:
    """Put the error wherever this part of an answer can have one."""
    _spoil_part(topic, code, None)


def _spoil_part(answer: Struct, code: ErrorCode, is_meant: IsMeant | None) -> bool:
    """Whether there were parts."""
    lists = [field.name for field in answer.__fields__ if field.kind == "array" and field.struct is not None]
    elements = [each for name in lists for each in getattr(answer, name) or ()]
    with_codes = [each for each in elements if _has_code(type(each))]
    for name in _CODES:
        if hasattr(answer, name):
            setattr(answer, name, code)
    if hasattr(answer, "error_message"):
        answer.error_message = MESSAGE
    for each in with_codes:
        if is_meant is None or not _names_topic(each) or is_meant(each):
            _spoil_part(each, code, is_meant)
    records = getattr(answer, "records", None)
    if records is not None:
        if isinstance(records, LogSlice):
            records.release()
        answer.records = b""  # type: ignore[attr-defined]
    return bool(with_codes)


def _names_topic(element: Struct) -> bool:
    return any(hasattr(element, name) for name in ("name", "topic", "topic_name", "topic_id"))


def split(request: Message, is_meant: IsMeant) -> tuple[Message | None, Message | None]:
    """A request in two: for topics that are not meant, and for those that are; None where there are none."""
    for name in _LISTS_OF_TOPICS:
        elements = getattr(request, name, None)
        if elements:
            meant = [each for each in elements if is_meant(each)]
            if len(meant) == len(elements):
                break
            other = [each for each in elements if not is_meant(each)]
            return _with(request, name, other), _with(request, name, meant) if meant else None
    return None, request


def _with(request: Message, name: str, elements: list[Any]) -> Message:
    part = copy.copy(request)
    setattr(part, name, elements)
    return part


def merge(answer: Message, refused: Message) -> Message:
    """One answer to a request that was split."""
    for field in type(answer).__fields__:
        if field.kind == "array" and field.struct is not None and _has_code(field.struct):
            setattr(answer, field.name, [*getattr(answer, field.name), *getattr(refused, field.name)])
    return answer
