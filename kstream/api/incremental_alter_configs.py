"""IncrementalAlterConfigs, versions 0-1 (KIP-339): sets, deletes, and adds to or takes from lists.

- Each resource succeeds or fails as a whole; a resource given twice gets 42. - 40 for topic values, 42 for
broker values (read-only keys, too), 3 and 17 for topics, -1 for unknown operations. - Adding and taking
work on lists only; without a value of its own, a key's list begins with its default. - Broker loggers
(KIP-412) are this process's own and change at once; their levels are not kept.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker import logger_levels
from kstream.broker.metadata.alter_configs import (
    AlteredResource,
    KeyChange,
    Operation,
    ResourceChange,
    alter_configs,
    broker_id_of,
    check_shape,
)
from kstream.broker.metadata.image import ResourceType
from kstream.config.broker import BrokerConfig
from kstream.errors import ApiError, ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.incremental_alter_configs import (
    AlterConfigsResourceResponse,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
)


@handles(ApiKey.INCREMENTAL_ALTER_CONFIGS)
async def handle(
    context: RequestContext, request: IncrementalAlterConfigsRequest
) -> IncrementalAlterConfigsResponse:
    broker = context.broker
    wanted = [
        ResourceChange(
            resource.resource_type,
            resource.resource_name,
            [KeyChange(config.name, config.config_operation, config.value) for config in resource.configs],
        )
        for resource in request.resources
    ]
    loggers = [resource for resource in wanted if resource.resource_type == ResourceType.BROKER_LOGGER]
    others = [resource for resource in wanted if resource.resource_type != ResourceType.BROKER_LOGGER]
    altered = [_alter_loggers(broker.config, logger, request.validate_only) for logger in loggers]
    try:
        changed = await broker.metadata.update(
            lambda image: alter_configs(image, broker.config, others, validate_only=request.validate_only)
        )
    except ApiError as error:
        changed = [AlteredResource(resource.resource_type, resource.name, error) for resource in others]
    return IncrementalAlterConfigsResponse(responses=[_result(resource) for resource in altered + changed])


def _alter_loggers(config: BrokerConfig, resource: ResourceChange, validate_only: bool) -> AlteredResource:
    try:
        if broker_id_of(resource.name) != config.node_id:
            raise ApiError(
                ErrorCode.INVALID_REQUEST,
                f"Unexpected node id. Expected {config.node_id}, but received {resource.name}",
            )
        check_shape(resource)
        for change in resource.changes:
            logger_levels.check_level(change.name, _level(change))
    except ApiError as error:
        return AlteredResource(resource.resource_type, resource.name, error)
    if not validate_only:
        for change in resource.changes:
            logger_levels.set_level(change.name, _level(change))
    return AlteredResource(resource.resource_type, resource.name)


def _level(change: KeyChange) -> str | None:
    """The level that a change sets, None for none of its own."""
    if change.operation == Operation.SET:
        return change.value
    if change.operation == Operation.DELETE:
        return None
    if change.operation in (Operation.APPEND, Operation.SUBTRACT):
        text = f"{Operation(change.operation).name} operation is not allowed for the BROKER_LOGGER resource"
    else:
        text = f"Unknown operation type {change.operation} is not allowed for the BROKER_LOGGER resource"
    raise ApiError(ErrorCode.INVALID_REQUEST, text)


def _result(resource: AlteredResource) -> AlterConfigsResourceResponse:
    result = AlterConfigsResourceResponse(
        error_message=None, resource_type=resource.resource_type, resource_name=resource.name
    )
    if resource.error is not None:
        result.error_code = resource.error.code
        result.error_message = resource.error.message
    return result
