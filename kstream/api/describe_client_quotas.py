"""DescribeClientQuotas, versions 0-1 (KIP-546).

- Entities that meet every condition (exactly, by default, or any of a type); `strict` leaves out those that
  have parts of other types. No conditions ask for all, strictly for none.
- 42 for conditions that make no sense, 35 for unknown types of entities, both with null entries.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker.metadata.client_quotas import Component, find_client_quotas
from kstream.errors import ApiError
from kstream.wire.apis import ApiKey
from kstream.wire.messages.describe_client_quotas import (
    DescribeClientQuotasRequest,
    DescribeClientQuotasResponse,
    EntityData,
    EntryData,
    ValueData,
)


@handles(ApiKey.DESCRIBE_CLIENT_QUOTAS)
async def handle(
    context: RequestContext, request: DescribeClientQuotasRequest
) -> DescribeClientQuotasResponse:
    components = [Component(each.entity_type, each.match_type, each.match) for each in request.components]
    try:
        found = find_client_quotas(context.broker.metadata.image, components, strict=request.strict)
    except ApiError as error:
        return DescribeClientQuotasResponse(error_code=error.code, error_message=error.message, entries=None)
    return DescribeClientQuotasResponse(
        error_message="",
        entries=[
            EntryData(
                entity=[EntityData(entity_type=kind, entity_name=name) for kind, name in entity],
                values=[ValueData(key=key, value=value) for key, value in values.items()],
            )
            for entity, values in found
        ],
    )
