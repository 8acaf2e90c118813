"""UpdateFeatures, versions 0-2 (KIP-584).

- All updates or none: the first that is not allowed gets 95 for the whole request.
- 1: types of upgrade, and validation only. 0 can only upgrade, whatever its `allow_downgrade` says, as in
  Kafka.
- 2: no results for single features any more.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker.metadata.update_features import FeatureUpdate, update_features
from kstream.errors import ApiError
from kstream.wire.apis import ApiKey
from kstream.wire.messages.update_features import (
    UpdatableFeatureResult,
    UpdateFeaturesRequest,
    UpdateFeaturesResponse,
)

_DONE = "NONE"


@handles(ApiKey.UPDATE_FEATURES)
async def handle(context: RequestContext, request: UpdateFeaturesRequest) -> UpdateFeaturesResponse:
    updates = [
        FeatureUpdate(update.feature, update.max_version_level, update.upgrade_type)
        for update in request.feature_updates
    ]
    try:
        await context.broker.metadata.update(
            lambda image: update_features(image, updates, validate_only=request.validate_only)
        )
    except ApiError as error:
        return UpdateFeaturesResponse(error_code=error.code, error_message=error.message)
    return UpdateFeaturesResponse(
        error_message=None,
        results=[UpdatableFeatureResult(feature=update.name, error_message=_DONE) for update in updates],
    )
