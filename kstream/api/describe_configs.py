"""DescribeConfigs, versions 1-4.

- Topics, brokers (by id, or the cluster-wide default by the empty name), broker loggers (KIP-412), groups
(KIP-848)
  and client metrics subscriptions (KIP-714). Null keys, or none, ask for all; unknown keys are passed over.
- Values with their source; synonyms on request. 3: types and, on request, a line of documentation
(KIP-569). - Secrets are never shown. 3 and 17 for topics, 42 for other brokers; an unknown type of resource
fails the whole
  request with 42, as in Kafka.
"""

from __future__ import annotations

from collections.abc import Collection

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker import logger_levels
from kstream.broker.broker import Broker
from kstream.broker.metadata.alter_configs import broker_id_of
from kstream.broker.metadata.image import ResourceType
from kstream.broker.metadata.names import check_name
from kstream.config.describe import (
    ConfigEntry,
    describe_broker,
    describe_broker_default,
    describe_client_metrics,
    describe_group,
    describe_topic,
)
from kstream.config.key import ConfigSource
from kstream.errors import ApiError, ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
    DescribeConfigsSynonym,
)

_KNOWN_TYPES = frozenset(ResourceType) - {ResourceType.UNKNOWN}


@handles(ApiKey.DESCRIBE_CONFIGS)
async def handle(context: RequestContext, request: DescribeConfigsRequest) -> DescribeConfigsResponse:
    is_known = all(resource.resource_type in _KNOWN_TYPES for resource in request.resources)
    results: list[DescribeConfigsResult] = []
    for resource in request.resources:
        result = DescribeConfigsResult(
            error_message="", resource_type=resource.resource_type, resource_name=resource.resource_name
        )
        results.append(result)
        try:
            if not is_known:
                raise _invalid("The request has a resource of a type that cannot be described.")
            entries = _describe(
                context.broker, resource.resource_type, resource.resource_name, resource.configuration_keys
            )
        except ApiError as error:
            result.error_code = error.code
            result.error_message = error.message or ""
        else:
            result.configs = [_row(entry, request) for entry in entries]
    return DescribeConfigsResponse(results=results)


def _describe(
    broker: Broker, resource_type: int, name: str, keys: Collection[str] | None
) -> list[ConfigEntry]:
    image, config = broker.metadata.image, broker.config
    overrides = image.configs.get((resource_type, name), {})
    if resource_type == ResourceType.TOPIC:
        check_name(name)
        if name not in image.topics_by_name:
            raise ApiError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        return describe_topic(config, overrides, keys)
    if resource_type == ResourceType.BROKER:
        if not name:
            return describe_broker_default(config, keys)
        _check_broker(broker, name, f"{broker.node_id} or empty string,")
        return describe_broker(config, keys)
    if not name:
        raise _invalid(_EMPTY_NAMES[ResourceType(resource_type)])
    if resource_type == ResourceType.BROKER_LOGGER:
        _check_broker(broker, name, str(broker.node_id))
        return _describe_loggers(keys)
    if resource_type == ResourceType.GROUP:
        return describe_group(config, overrides, keys)
    return describe_client_metrics(overrides, keys)


_EMPTY_NAMES = {
    ResourceType.BROKER_LOGGER: "Broker id must not be empty",
    ResourceType.GROUP: "Group name must not be empty",
    ResourceType.CLIENT_METRICS: "Client metrics subscription name must not be empty",
}


def _check_broker(broker: Broker, name: str, expected: str) -> None:
    broker_id = broker_id_of(name)
    if broker_id is None:
        raise _invalid(f"Broker id must be an integer, but it is: {name}")
    if broker_id != broker.node_id:
        raise _invalid(f"Unexpected broker id, expected {expected} but received {name}")


def _describe_loggers(keys: Collection[str] | None) -> list[ConfigEntry]:
    return [
        ConfigEntry(name, level, ConfigSource.BROKER_LOGGER, False, False, 0, (), "")
        for name, level in logger_levels.levels().items()
        if not keys or name in keys
    ]


def _row(entry: ConfigEntry, request: DescribeConfigsRequest) -> DescribeConfigsResourceResult:
    # Of loggers Kafka always tells the documentation, which is empty.
    is_told = request.include_documentation or entry.source == ConfigSource.BROKER_LOGGER
    return DescribeConfigsResourceResult(
        name=entry.name,
        value=entry.value,
        read_only=entry.is_read_only,
        config_source=entry.source,
        is_sensitive=entry.is_sensitive,
        synonyms=[
            DescribeConfigsSynonym(name=synonym.name, value=synonym.value, source=synonym.source)
            for synonym in (entry.synonyms if request.include_synonyms else ())
        ],
        config_type=entry.type,
        documentation=entry.documentation if is_told else None,
    )


def _invalid(message: str) -> ApiError:
    return ApiError(ErrorCode.INVALID_REQUEST, message)
