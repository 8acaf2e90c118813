"""Changing configuration, as Apache Kafka 4.4.0 decides it. Pure.

Two requests lead here: AlterConfigs replaces all that a resource sets, IncrementalAlterConfigs (KIP-339)
changes single keys. Each resource succeeds or fails as a whole and for itself. A record is written for each
key whose value differs from before; a null value removes one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from functools import partial
from typing import NamedTuple

from kstream.broker.client_matching import parse_patterns
from kstream.broker.metadata.bootstrap import MIN_INSYNC_REPLICAS
from kstream.broker.metadata.create_topics import check_tiered_storage
from kstream.broker.metadata.features import ELIGIBLE_LEADER_REPLICAS
from kstream.broker.metadata.image import MetadataImage, Resource, ResourceType
from kstream.broker.metadata.names import check_name
from kstream.broker.metadata.store import Change
from kstream.config.broker import BrokerConfig
from kstream.config.catalogue import broker_keys, client_metrics_keys, group_keys, topic_keys
from kstream.config.dynamic import validate_broker_configs
from kstream.config.errors import ConfigError
from kstream.config.groups import validate_group_configs
from kstream.config.key import ConfigType, Key
from kstream.config.topics import validate_topic_configs
from kstream.errors import ApiError, ErrorCode
from kstream.records.schemas.metadata import ConfigRecord
from kstream.wire.schema import Message

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_INTERVAL_MS_MIN, _INTERVAL_MS_MAX = 100, 3_600_000
"""Of a client metrics subscription (KIP-714)."""


_STANDBY_REPLICAS = "streams.num.standby.replicas"
_TYPES_WITH_LISTS = frozenset({ResourceType.TOPIC, ResourceType.BROKER})
"""Whose keys the controller knows well enough to add to their lists."""


class Operation(IntEnum):
    """What to do with one key (KIP-339)."""

    SET = 0
    DELETE = 1
    APPEND = 2
    SUBTRACT = 3


_OPERATIONS = frozenset(Operation)


class KeyChange(NamedTuple):
    """One key's change; `operation` is the number from the wire, which may be none of `Operation`."""

    name: str
    operation: int
    value: str | None


class ResourceChange(NamedTuple):
    """All that a request wants of one resource."""

    resource_type: int
    name: str
    changes: Sequence[KeyChange]


class AlteredResource(NamedTuple):
    """What became of it."""

    resource_type: int
    name: str
    error: ApiError | None = None


def alter_configs(
    image: MetadataImage,
    config: BrokerConfig,
    resources: Sequence[ResourceChange],
    *,
    replace_all: bool = False,
    validate_only: bool = False,
) -> Change[list[AlteredResource]]:
    """Change what can be changed; `replace_all` removes the keys that a resource does not mention."""
    counts = Counter((resource.resource_type, resource.name) for resource in resources)
    refusals = [
        _refusal(image, config, resource, is_repeated=counts[resource.resource_type, resource.name] > 1)
        for resource in resources
    ]
    # What the broker does not refuse goes to Kafka's controller in one request, which fails as a whole if
    # there is an operation in it that is none.
    fails = any(
        refusal is None and any(change.operation not in _OPERATIONS for change in resource.changes)
        for resource, refusal in zip(resources, refusals, strict=True)
    )
    records: list[Message] = []
    results: list[AlteredResource] = []
    for resource, refusal in zip(resources, refusals, strict=True):
        try:
            if refusal is not None:
                raise refusal
            if fails:
                raise ApiError(ErrorCode.UNKNOWN_SERVER_ERROR)
            records += _alter(image, config, resource, replace_all)
        except ApiError as error:
            results.append(AlteredResource(resource.resource_type, resource.name, error))
        else:
            results.append(AlteredResource(resource.resource_type, resource.name))
    return Change(results, () if validate_only else records)


def _refusal(
    image: MetadataImage, config: BrokerConfig, resource: ResourceChange, *, is_repeated: bool
) -> ApiError | None:
    """What is wrong with a resource at first sight: its shape, a broker's name and operations."""
    try:
        if is_repeated:
            raise _invalid("Each resource must appear at most once.")
        kind = _kind_of(resource)
        check_shape(resource)
        if resource.resource_type == ResourceType.BROKER:
            kind.check_name(image, config, resource.name)
            for change in resource.changes:
                if change.operation not in _OPERATIONS:
                    raise _invalid(f"Unknown operations type {change.operation}")
    except ApiError as error:
        return error
    return None


def _kind_of(resource: ResourceChange) -> _Kind:
    kind = _KINDS.get(resource.resource_type)
    if kind is None:
        raise _invalid(f"Unknown resource type {resource.resource_type}")
    return kind


def check_shape(resource: ResourceChange) -> None:
    """Raise ApiError INVALID_REQUEST for a key given twice or a value that is missing."""
    names = [change.name for change in resource.changes]
    if len(set(names)) < len(names):
        raise _invalid("Error due to duplicate config keys")
    missing = [
        change.name
        for change in resource.changes
        if change.value is None and change.operation != Operation.DELETE
    ]
    if missing:
        raise _invalid(f"Null value not supported for : {','.join(missing)}")


def _alter(
    image: MetadataImage, config: BrokerConfig, resource: ResourceChange, replace_all: bool
) -> list[Message]:
    kind = _kind_of(resource)
    key: Resource = (resource.resource_type, resource.name)
    before = image.configs.get(key, {})
    after = {} if replace_all else dict(before)
    keys = kind.keys() if resource.resource_type in _TYPES_WITH_LISTS else {}
    for change in resource.changes:
        _apply(after, change, keys.get(change.name), before)
    kind.check_name(image, config, resource.name)
    kind.check_values(image, config, resource.name, after)
    if resource.resource_type == ResourceType.BROKER and image.features.get(ELIGIBLE_LEADER_REPLICAS, 0):
        _check_min_insync_replicas(resource, after)
    if resource.resource_type == ResourceType.TOPIC and resource.name not in image.topics_by_name:
        text = f"The topic '{resource.name}' does not exist."
        raise ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, text)
    changed = [(name, value) for name, value in after.items() if before.get(name) != value]
    removed = [(name, None) for name in before if name not in after]
    return [
        ConfigRecord(resource_type=key[0], resource_name=key[1], name=name, value=value)
        for name, value in (*changed, *removed)
    ]


def _apply(after: dict[str, str], change: KeyChange, key: Key | None, before: Mapping[str, str]) -> None:
    value = change.value or ""
    if change.operation == Operation.SET:
        after[change.name] = value
    elif change.operation == Operation.DELETE:
        after.pop(change.name, None)
    elif change.operation in (Operation.APPEND, Operation.SUBTRACT):
        operation = Operation(change.operation)
        if key is None or key.type is not ConfigType.LIST:
            raise ApiError(
                ErrorCode.INVALID_CONFIG,
                f"Can't {operation.name} to key {change.name} because its type is not LIST.",
            )
        present = _parts(before.get(change.name, key.default or ""))
        given = _parts(value)
        if operation is Operation.APPEND:
            combined = present + [part for part in given if part not in present]
        else:
            combined = [part for part in present if part not in given]
        after[change.name] = ",".join(combined)
    else:
        raise ApiError(ErrorCode.UNKNOWN_SERVER_ERROR)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _invalid(message: str) -> ApiError:
    return ApiError(ErrorCode.INVALID_REQUEST, message)


# What each type of resource checks: names, then the values that the resource would have. Before come the
# operations, and after them whether a topic exists.


def _check_topic(image: MetadataImage, config: BrokerConfig, name: str) -> None:
    if not name:
        raise _invalid("Default topic resources are not allowed.")
    check_name(name)


def _check_topic_values(
    image: MetadataImage, config: BrokerConfig, name: str, values: Mapping[str, str]
) -> None:
    _validate(lambda: validate_topic_configs(values), ErrorCode.INVALID_CONFIG)
    check_tiered_storage(values)


def broker_id_of(name: str) -> int | None:
    """A broker resource's name as a number, None if it is none."""
    return int(name) if _INTEGER.fullmatch(name) else None


def _check_broker(image: MetadataImage, config: BrokerConfig, name: str) -> None:
    if not name:
        return
    broker_id = broker_id_of(name)
    if broker_id is None:
        raise _invalid(f"Node id must be an integer, but it is: {name}")
    if broker_id != config.node_id:
        raise _invalid(f"Unexpected broker id, expected {config.node_id}, but received {name}")


def _check_broker_values(
    image: MetadataImage, config: BrokerConfig, name: str, values: Mapping[str, str]
) -> None:
    _validate(lambda: validate_broker_configs(config, values, is_default=not name), ErrorCode.INVALID_REQUEST)


def _check_min_insync_replicas(resource: ResourceChange, after: Mapping[str, str]) -> None:
    """Which replicas are eligible depends on one value for the whole cluster (KIP-966)."""
    if not resource.name and MIN_INSYNC_REPLICAS not in after:
        text = f"Cluster-level {MIN_INSYNC_REPLICAS} cannot be removed while ELR is enabled."
    elif resource.name and any(change.name == MIN_INSYNC_REPLICAS for change in resource.changes):
        text = f"Broker-level {MIN_INSYNC_REPLICAS} cannot be altered while ELR is enabled."
    else:
        return
    raise ApiError(ErrorCode.INVALID_CONFIG, text)


def _check_group(image: MetadataImage, config: BrokerConfig, name: str) -> None:
    if not name:
        raise _invalid("Default group resources are not allowed.")


def _check_group_values(
    image: MetadataImage, config: BrokerConfig, name: str, values: Mapping[str, str]
) -> None:
    _validate(lambda: validate_group_configs(values), ErrorCode.INVALID_CONFIG)
    for key, value in values.items():
        _check_group_range(config, key, value)
    for kind in ("consumer", "share", "streams"):
        _check_group_session(config, kind, values)


def _check_group_session(config: BrokerConfig, kind: str, values: Mapping[str, str]) -> None:
    """A session that is set, or whose heartbeats are, is longer than the time between two of them."""
    session, heartbeat = f"{kind}.session.timeout.ms", f"{kind}.heartbeat.interval.ms"
    if session in values or heartbeat in values:
        session_ms, heartbeat_ms = (
            int(values.get(key) or config.get(f"group.{key}") or 0) for key in (session, heartbeat)
        )
        if session_ms <= heartbeat_ms:
            raise ApiError(ErrorCode.INVALID_CONFIG, f"{session} must be greater than {heartbeat}")


def _check_group_range(config: BrokerConfig, key: str, value: str) -> None:
    """`consumer.session.timeout.ms` stays between `group.consumer.min.session.timeout.ms` and its `max`."""
    kind, _, rest = key.partition(".")
    if key == _STANDBY_REPLICAS:
        least: str | None = "0"
        most = config.get("group.streams.max.standby.replicas")
    else:
        least, most = config.get(f"group.{kind}.min.{rest}"), config.get(f"group.{kind}.max.{rest}")
    if least is not None and most is not None and not int(least) <= int(value) <= int(most):
        raise ApiError(ErrorCode.INVALID_CONFIG, f"{key} must be in the range {least} to {most} inclusive.")


def _check_client_metrics(image: MetadataImage, config: BrokerConfig, name: str) -> None:
    if not name:
        raise _invalid("Subscription name can't be empty")


def _check_client_metrics_values(
    image: MetadataImage, config: BrokerConfig, name: str, values: Mapping[str, str]
) -> None:
    keys = client_metrics_keys()
    for key, value in values.items():
        if key not in keys:
            raise _invalid(f"Unknown client metrics configuration: {key}")
        _validate(partial(keys[key].parse, value), ErrorCode.INVALID_CONFIG)
    interval_ms = values.get("interval.ms", "")
    if interval_ms and not _INTERVAL_MS_MIN <= int(interval_ms) <= _INTERVAL_MS_MAX:
        raise _invalid(
            f"Invalid value {interval_ms} for interval.ms, interval must be between"
            f" {_INTERVAL_MS_MIN} and {_INTERVAL_MS_MAX} (1 hour)"
        )
    parse_patterns(values.get("match", ""))


def _validate(check: Callable[[], object], code: ErrorCode) -> None:
    try:
        check()
    except ConfigError as error:
        raise ApiError(code, str(error)) from None


class _Kind(NamedTuple):
    """How one type of resource is checked."""

    keys: Callable[[], Mapping[str, Key]]
    check_name: Callable[[MetadataImage, BrokerConfig, str], None]
    check_values: Callable[[MetadataImage, BrokerConfig, str, Mapping[str, str]], None]


_KINDS: dict[int, _Kind] = {
    ResourceType.TOPIC: _Kind(topic_keys, _check_topic, _check_topic_values),
    ResourceType.BROKER: _Kind(broker_keys, _check_broker, _check_broker_values),
    ResourceType.GROUP: _Kind(group_keys, _check_group, _check_group_values),
    ResourceType.CLIENT_METRICS: _Kind(
        client_metrics_keys, _check_client_metrics, _check_client_metrics_values
    ),
}
