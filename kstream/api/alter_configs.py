"""AlterConfigs, versions 0-2: replaces all that a topic, broker, group or metrics subscription sets.

- Values that a resource had and the request does not mention are gone afterwards; IncrementalAlterConfigs
is the
  successor. Each resource succeeds or fails as a whole.
- 40 for topic values, 42 for broker values (read-only keys, too), 3 and 17 for topics.
- A resource given twice gets 42; Kafka 4.4.0 never answers such a request.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker.metadata.alter_configs import (
    AlteredResource,
    KeyChange,
    Operation,
    ResourceChange,
    alter_configs,
)
from kstream.errors import ApiError
from kstream.wire.apis import ApiKey
from kstream.wire.messages.alter_configs import (
    AlterConfigsRequest,
    AlterConfigsResourceResponse,
    AlterConfigsResponse,
)


@handles(ApiKey.ALTER_CONFIGS)
async def handle(context: RequestContext, request: AlterConfigsRequest) -> AlterConfigsResponse:
    broker = context.broker
    wanted = [
        ResourceChange(
            resource.resource_type,
            resource.resource_name,
            [KeyChange(config.name, Operation.SET, config.value) for config in resource.configs],
        )
        for resource in request.resources
    ]
    try:
        altered = await broker.metadata.update(
            lambda image: alter_configs(
                image, broker.config, wanted, replace_all=True, validate_only=request.validate_only
            )
        )
    except ApiError as error:
        altered = [AlteredResource(resource.resource_type, resource.name, error) for resource in wanted]
    return AlterConfigsResponse(responses=[_result(resource) for resource in altered])


def _result(resource: AlteredResource) -> AlterConfigsResourceResponse:
    result = AlterConfigsResourceResponse(
        error_message=None, resource_type=resource.resource_type, resource_name=resource.name
    )
    if resource.error is not None:
        result.error_code = resource.error.code
        result.error_message = resource.error.message
    return result
