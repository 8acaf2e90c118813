"""A message as flat `path -> token` pairs, with all that cannot be the same twice made comparable.

`responses[0].partitions[0].error_code` -> `0`. A token is what stands in a golden file: a JSON value, or a
symbol in angle brackets. Ids are numbered in the order in which a scenario meets them, so that equal ids stay
equal and different ones different: `<topic-id-1>`, `<producer-id-1>`, `<session-1>`, and what is random in
the ids of members of groups, `"oracle-<uuid-1>"`. A wall-clock time is `<now>`.
"""

from __future__ import annotations

import json
import re
import time
from typing import Any

from kstream.records.batch import check_crc, read_header
from kstream.records.errors import CorruptBatch, UnsupportedMagic
from kstream.wire.fields import ZERO_UUID, Field
from kstream.wire.schema import Message, Struct

Fields = dict[str, str]

MESSAGE_FIELDS = frozenset({"acknowledge_error_message", "batch_index_error_message", "error_message"})
"""Words for people: recorded for reading, compared only for being there."""

_BYTES_SHOWN_MAX = 1000
_TIME = re.compile(r"\b[0-9]{13}\b")
_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_SHORT_UUID = re.compile(r"^[A-Za-z0-9_-]{22}$")
_NOW_WITHIN_MS = 3_600_000 * 2

# Lists whose order is that of a hash map in Kafka, and what to sort them by.
_SORTED = {
    ("MetadataResponse", "topics"): ("name", "topic_id", "error_code"),
    ("ProduceResponse", "responses"): ("name", "topic_id"),
    ("TopicProduceResponse", "partition_responses"): ("index",),
    ("MetadataResponseTopic", "partitions"): ("partition_index",),
    ("ListOffsetsResponse", "topics"): ("name",),
    ("ListOffsetsTopicResponse", "partitions"): ("partition_index",),
    ("OffsetForLeaderEpochResponse", "topics"): ("topic",),
    ("OffsetForLeaderTopicResult", "partitions"): ("partition",),
    ("CreateTopicsResponse", "topics"): ("name",),
    ("DeleteTopicsResponse", "responses"): ("name", "topic_id", "error_code"),
    ("CreatePartitionsResponse", "results"): ("name",),
    ("DescribeConfigsResponse", "results"): ("resource_type", "resource_name"),
    ("AlterConfigsResponse", "responses"): ("resource_type", "resource_name"),
    ("IncrementalAlterConfigsResponse", "responses"): ("resource_type", "resource_name"),
    ("JoinGroupResponse", "members"): ("group_instance_id", "metadata"),
    ("DescribedGroup", "members"): ("group_instance_id", "member_metadata", "instance_id", "member_id"),
    ("Assignment", "topic_partitions"): ("topic_name", "topic_id"),
    ("DescribeShareGroupOffsetsResponseGroup", "topics"): ("topic_name",),
    ("AlterShareGroupOffsetsResponse", "responses"): ("topic_name",),
    ("DeleteShareGroupOffsetsResponse", "responses"): ("topic_name",),
}

# Lists in which every element has a name of its own: it stands in the path in place of a number.
_KEYED = {
    ("ApiVersionsResponse", "api_keys"): "api_key",
    ("ApiVersionsResponse", "supported_features"): "name",
    ("ApiVersionsResponse", "finalized_features"): "name",
    ("DescribeConfigsResult", "configs"): "name",
    ("CreatableTopicResult", "configs"): "name",
}

_NUMBERED = {
    "topic_id": "topic-id",
    "producer_id": "producer-id",
    "v3_and_below_producer_id": "producer-id",
    "session_id": "session",
    "subscription_id": "subscription",
}
_OF_MEMBERS = frozenset({"leader", "member_id"})
_PLACEHOLDERS = {"host": "<host>", "port": "<port>", "finalized_features_epoch": "<epoch>"}
_PRESENT = frozenset({"documentation"})

# Configs whose values are ports and folders of the machine it runs on.
_OF_THE_MACHINE = frozenset(
    {"advertised.listeners", "controller.quorum.voters", "listeners", "log.dir", "log.dirs"}
)


class Flattener:
    """Flattens the messages of one run of one scenario; remembers the ids it has met.

    `token` is what makes the topic names of this run unique, and is left out of what is written.
    """

    def __init__(self, token: str, *, cluster_id: str, replaced: dict[str, str]) -> None:
        self._token = token
        self._replaced = {cluster_id: "<cluster-id>", **replaced}
        self._numbers: dict[str, dict[Any, int]] = {}
        self._now_ms = int(time.time() * 1000)

    def replace(self, found: str, symbol: str) -> None:
        """Write `symbol` for a text that is another one on every machine."""
        self._replaced[found] = symbol

    def flatten(self, message: Message, version: int, *, only_set: bool = False) -> Fields:
        """All fields of `version`, tagged ones only when set; with `only_set` nothing but what was set."""
        fields: Fields = {}
        self._struct(message, version, "", only_set, fields)
        return fields

    def _struct(self, value: Struct, version: int, prefix: str, only_set: bool, out: Fields) -> None:
        name = type(value).__name__
        for field in type(value).__fields__:
            if version not in field.versions:
                continue
            content = getattr(value, field.name)
            if (only_set or field.tag is not None) and content == field.default:
                continue
            if field.name == "value" and content and getattr(value, "name", "") in _OF_THE_MACHINE:
                out[prefix + "value"] = "<of-the-machine>"
                continue
            self._field(name, field, content, version, prefix, only_set, out)

    def _field(
        self, owner: str, field: Field, content: Any, version: int, prefix: str, only_set: bool, out: Fields
    ) -> None:
        path = prefix + field.name
        if field.kind == "records":
            self._records(content, path, out)
        elif field.struct is None:
            out[path] = self._token_of(owner, field, content)
        elif content is None:
            out[path] = "null"
        elif field.kind == "struct":
            self._struct(content, version, path + ".", only_set, out)
        elif not content:
            out[path] = "[]"
        else:
            for key, element in self._elements(owner, field.name, content):
                before = len(out)
                self._struct(element, version, f"{path}[{key}].", only_set, out)
                if len(out) == before:
                    out[f"{path}[{key}].all"] = "default"

    def _elements(self, owner: str, name: str, content: list[Any]) -> list[tuple[Any, Any]]:
        key = _KEYED.get((owner, name))
        if key is not None:
            return sorted((getattr(element, key), element) for element in content)
        order = _SORTED.get((owner, name))
        if order is not None:
            content = sorted(
                content,
                key=lambda each: [self._sortable(each, part) for part in order if hasattr(each, part)],
            )
        return list(enumerate(content))

    def _token_of(self, owner: str, field: Field, content: Any) -> str:
        name = field.name
        if content is None:
            return "null"
        if name in _PLACEHOLDERS and content != -1 and content != "":
            return _PLACEHOLDERS[name]
        if name in _PRESENT:
            return "<text>"
        if name in _NUMBERED:
            return self._numbered(_NUMBERED[name], content)
        if isinstance(content, bytes) and len(content) > _BYTES_SHOWN_MAX:
            return f"<{len(content)}-bytes>"
        if isinstance(content, bytes):
            if len(content) == 16:
                return self._numbered("topic-id", content)
            # Clients put names of topics into bytes of theirs.
            return f"<{content.replace(self._token.encode(), b'-' + b'*' * (len(self._token) - 1)).hex()}>"
        if isinstance(content, str) and name in _OF_MEMBERS:
            content = _UUID.sub(lambda found: self._numbered("uuid", found[0]), content)
            content = _SHORT_UUID.sub(lambda found: self._numbered("uuid", found[0]), content)
        if isinstance(content, str):
            return self.text(content)
        if isinstance(content, bool) or not isinstance(content, int):
            return json.dumps(content, ensure_ascii=False).replace(self._token, "")
        return self._time(content)

    def _sortable(self, element: Struct, part: str) -> tuple[bool, Any]:
        value = getattr(element, part)
        if part == "topic_id":
            # Ids are random: what counts is the order in which this run has met them.
            value = self._numbers.get("topic-id", {}).get(value, 1 << 30)
        return (value is not None, value)

    def text(self, content: str) -> str:
        """A string as a JSON token, without what belongs to this run alone."""
        for found, symbol in self._replaced.items():
            content = content.replace(found, symbol)
        content = _TIME.sub(lambda found: self._time(int(found[0])), content)
        return json.dumps(content.replace(self._token, ""), ensure_ascii=False)

    def _time(self, content: int) -> str:
        return "<now>" if abs(content - self._now_ms) < _NOW_WITHIN_MS else str(content)

    def _numbered(self, kind: str, content: Any) -> str:
        if content in (0, -1) and kind != "producer-id":
            return str(content)
        if content == -1:
            return "-1"
        if content == ZERO_UUID:
            return "<zero>"
        numbers = self._numbers.setdefault(kind, {})
        return f"<{kind}-{numbers.setdefault(content, len(numbers) + 1)}>"

    def _records(self, content: Any, path: str, out: Fields) -> None:
        if content is None or len(content) == 0:
            out[path] = "null" if content is None else "<empty>"
            return
        view = memoryview(content)
        position = 0
        index = 0
        while position < len(view):
            try:
                size_bytes = self._batch(view, position, f"{path}[{index}].", out)
            except (CorruptBatch, UnsupportedMagic):
                size_bytes = 0
            if size_bytes == 0 or position + size_bytes > len(view):
                out[f"{path}[{index}].rest_bytes"] = str(len(view) - position)
                return
            position += size_bytes
            index += 1

    def _batch(self, view: memoryview, position: int, prefix: str, out: Fields) -> int:
        header = read_header(view, position)
        size_bytes = header.size_bytes
        if position + size_bytes > len(view):
            return 0
        out[prefix + "base_offset"] = str(header.base_offset)
        out[prefix + "last_offset_delta"] = str(header.last_offset_delta)
        out[prefix + "count"] = str(header.record_count)
        out[prefix + "size_bytes"] = str(size_bytes)
        out[prefix + "leader_epoch"] = str(header.partition_leader_epoch)
        out[prefix + "attributes"] = str(header.attributes)
        out[prefix + "base_timestamp"] = self._time(header.base_timestamp_ms)
        out[prefix + "max_timestamp"] = self._time(header.max_timestamp_ms)
        if (header.producer_id, header.producer_epoch, header.base_sequence) != (-1, -1, -1):
            out[prefix + "producer_id"] = self._numbered("producer-id", header.producer_id)
            out[prefix + "producer_epoch"] = str(header.producer_epoch)
            out[prefix + "base_sequence"] = str(header.base_sequence)
        try:
            check_crc(view, position, size_bytes)
        except CorruptBatch:
            out[prefix + "crc"] = "bad"
        return size_bytes
