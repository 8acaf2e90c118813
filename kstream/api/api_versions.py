"""ApiVersions, versions 0-5.

- Lists what handlers registered, so nothing is advertised that is not served.
- The two APIs of client metrics (KIP-714) are listed once somebody has subscribed to any: before that a
  client has nothing to report, and librdkafka writes a line about it to its user's terminal. Kafka lists them
  once a plugin takes them.
- 3: client software name and version, checked (KIP-511); features (KIP-584). Before 4, features whose lowest
  level is 0 are left out, since older clients take that for an error.
- 5: the cluster and node a client means to reach (KIP-1242); the wrong ones get REBOOTSTRAP_REQUIRED.
- An unknown version is answered in version 0 with UNSUPPORTED_VERSION, before a handler is chosen
  (server/dispatch).
"""

from __future__ import annotations

import re

from kstream.api.context import RequestContext
from kstream.api.registry import advertised, handles
from kstream.broker.metadata.features import SUPPORTED_FEATURES
from kstream.broker.metadata.image import MetadataImage, ResourceType
from kstream.errors import ErrorCode
from kstream.wire.apis import ApiKey
from kstream.wire.messages.api_versions import (
    ApiVersion,
    ApiVersionsRequest,
    ApiVersionsResponse,
    FinalizedFeatureKey,
    SupportedFeatureKey,
)

_SOFTWARE = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?")
_FIRST_VERSION_WITH_SOFTWARE = 3
_FIRST_VERSION_WITH_LEVEL_0 = 4
_FIRST_VERSION_WITH_NODE = 5
_NO_NODE = -1
_CLIENT_METRICS = frozenset({ApiKey.GET_TELEMETRY_SUBSCRIPTIONS, ApiKey.PUSH_TELEMETRY})


@handles(ApiKey.API_VERSIONS)
async def handle(context: RequestContext, request: ApiVersionsRequest) -> ApiVersionsResponse:
    version = context.api_version
    error_code = _check(context, request)
    if error_code:
        return ApiVersionsResponse(error_code=error_code)
    image = context.broker.metadata.image
    hidden = _CLIENT_METRICS if not _has_metrics_subscription(image) else frozenset()
    response = ApiVersionsResponse(
        api_keys=[
            ApiVersion(api_key=api.key, min_version=api.advertised_min, max_version=api.version_max)
            for api in advertised()
            if api.key not in hidden
        ]
    )
    if version >= _FIRST_VERSION_WITH_SOFTWARE:
        context.client_software_name = request.client_software_name
        context.client_software_version = request.client_software_version
        _add_features(response, image, version)
    return response


def _has_metrics_subscription(image: MetadataImage) -> bool:
    return any(resource_type == ResourceType.CLIENT_METRICS for resource_type, _ in image.configs)


def _check(context: RequestContext, request: ApiVersionsRequest) -> ErrorCode:
    if context.api_version < _FIRST_VERSION_WITH_SOFTWARE:
        return ErrorCode.NONE
    software = (request.client_software_name, request.client_software_version)
    if not all(_SOFTWARE.fullmatch(text) for text in software):
        return ErrorCode.INVALID_REQUEST
    if context.api_version < _FIRST_VERSION_WITH_NODE:
        return ErrorCode.NONE
    cluster_id, node_id = request.cluster_id, request.node_id
    if (cluster_id is None) != (node_id == _NO_NODE):
        return ErrorCode.INVALID_REQUEST
    if cluster_id is not None and (cluster_id, node_id) != (
        context.broker.cluster_id,
        context.broker.node_id,
    ):
        return ErrorCode.REBOOTSTRAP_REQUIRED
    return ErrorCode.NONE


def _add_features(response: ApiVersionsResponse, image: MetadataImage, version: int) -> None:
    response.supported_features = [
        SupportedFeatureKey(name=name, min_version=low, max_version=high)
        for name, (low, high) in SUPPORTED_FEATURES.items()
        if low > 0 or version >= _FIRST_VERSION_WITH_LEVEL_0
    ]
    response.finalized_features_epoch = image.offset
    response.finalized_features = [
        FinalizedFeatureKey(name=name, max_version_level=level, min_version_level=level)
        for name, level in image.features.items()
    ]
