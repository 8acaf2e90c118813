"""AlterClientQuotas, versions 0-1 (KIP-546).

- Quotas of users, client ids, both together, and addresses, or of the defaults of these (a null name). Each
  entity succeeds or fails as a whole; one that is repeated, or has a key twice, fails.
- Produce, fetch and request quotas are enforced (`kstream.broker.quotas`); the other keys are kept only.
- 42 for entities, keys and values that make no sense. Names are IP addresses or `localhost`: other host names
  are not looked up.
"""

from __future__ import annotations

from kstream.api.context import RequestContext
from kstream.api.registry import handles
from kstream.broker.metadata.client_quotas import (
    AlteredEntity,
    EntityChange,
    QuotaChange,
    alter_client_quotas,
)
from kstream.broker.metadata.replay import quota_entity
from kstream.errors import ApiError
from kstream.wire.apis import ApiKey
from kstream.wire.messages.alter_client_quotas import (
    AlterClientQuotasRequest,
    AlterClientQuotasResponse,
    AlterClientQuotasResponseEntryData,
    EntityData,
)


@handles(ApiKey.ALTER_CLIENT_QUOTAS)
async def handle(context: RequestContext, request: AlterClientQuotasRequest) -> AlterClientQuotasResponse:
    wanted = [
        EntityChange(
            quota_entity((part.entity_type, part.entity_name) for part in entry.entity),
            [QuotaChange(op.key, None if op.remove else op.value) for op in entry.ops],
        )
        for entry in request.entries
    ]
    try:
        altered = await context.broker.metadata.update(
            lambda image: alter_client_quotas(image, wanted, validate_only=request.validate_only)
        )
    except ApiError as error:
        altered = [AlteredEntity(each.entity, error) for each in wanted]
    return AlterClientQuotasResponse(entries=[_result(each) for each in altered])


def _result(altered: AlteredEntity) -> AlterClientQuotasResponseEntryData:
    result = AlterClientQuotasResponseEntryData(
        error_message=None,
        entity=[EntityData(entity_type=kind, entity_name=name) for kind, name in altered.entity],
    )
    if altered.error is not None:
        result.error_code = altered.error.code
        result.error_message = altered.error.message
    return result
