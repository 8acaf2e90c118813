"""ListConfigResources, versions 0-1 (KIP-1142; version 0 was ListClientMetricsResources, KIP-714).

- 0: client metrics subscriptions. 1: topics, brokers, their loggers, groups and subscriptions; no types ask
  for all of them. Groups and subscriptions are those that have configuration of their own.
- A type that is none of these gets UNSUPPORTED_VERSION.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker.metadata.image import MetadataImage, ResourceType
from kstream.errors import ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.list_config_resources import (
    ConfigResource,
    ListConfigResourcesRequest,
    ListConfigResourcesResponse,
)

_LISTED = (
    ResourceType.GROUP,
    ResourceType.CLIENT_METRICS,
    ResourceType.BROKER_LOGGER,
    ResourceType.BROKER,
    ResourceType.TOPIC,
)


@handles(ApiKey.LIST_CONFIG_RESOURCES)
async def handle(context: RequestContext, request: ListConfigResourcesRequest) -> ListConfigResourcesResponse:
    wanted = set(request.resource_types) if context.api_version >= 1 else {ResourceType.CLIENT_METRICS}
    if not wanted <= set(_LISTED):
        return ListConfigResourcesResponse(error_code=ErrorCode.UNSUPPORTED_VERSION)
    image = context.broker.metadata.image
    return ListConfigResourcesResponse(
        config_resources=[
            ConfigResource(resource_name=name, resource_type=kind)
            for kind in _LISTED
            if kind in wanted or not wanted
            for name in _names(image, kind)
        ]
    )


def _names(image: MetadataImage, kind: ResourceType) -> list[str]:
    if kind == ResourceType.TOPIC:
        return list(image.topics_by_name)
    if kind in (ResourceType.BROKER, ResourceType.BROKER_LOGGER):
        return [str(broker_id) for broker_id in sorted(image.brokers)]
    return sorted(name for resource_type, name in image.configs if resource_type == kind)
