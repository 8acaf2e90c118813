"""Client quotas (KIP-546): which entities can have which, and finding them again.

As the controller of Apache Kafka 4.4.0 decides it. Pure; what quotas do is in `kstream.broker.quotas`.
"""

from __future__ import annotations

import math
import socket
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from kstream.broker.metadata.image import MetadataImage, QuotaEntity
from kstream.broker.metadata.store import Change
from kstream.errors import ApiError, ErrorCode
from kstream.records.schemas.metadata import ClientQuotaRecord, EntityData
from kstream.wire.schema import Message

USER, CLIENT_ID, IP = "user", "client-id", "ip"
PRODUCER_BYTE_RATE = "producer_byte_rate"
CONSUMER_BYTE_RATE = "consumer_byte_rate"
REQUEST_PERCENTAGE = "request_percentage"

# By key: the largest value of keys that take whole numbers only, None for those that take any.
_CLIENT_KEYS: dict[str, float | None] = {
    PRODUCER_BYTE_RATE: 2.0**63,
    CONSUMER_BYTE_RATE: 2.0**63,
    REQUEST_PERCENTAGE: None,
    "controller_mutation_rate": None,
}
_ADDRESS_KEYS: dict[str, float | None] = {"connection_creation_rate": 2.0**31 - 1}

MATCH_EXACT, MATCH_DEFAULT, MATCH_ANY = range(3)


class QuotaChange(NamedTuple):
    """One key's new value; None removes it."""

    key: str
    value: float | None


class EntityChange(NamedTuple):
    """All that a request wants of one entity."""

    entity: QuotaEntity
    changes: Sequence[QuotaChange]


class AlteredEntity(NamedTuple):
    """What became of it."""

    entity: QuotaEntity
    error: ApiError | None = None


class Component(NamedTuple):
    """One condition on an entity: its part of `entity_type` is `name`, is the default, or is there at all."""

    entity_type: str
    match_type: int
    name: str | None


def alter_client_quotas(
    image: MetadataImage, wanted: Sequence[EntityChange], *, validate_only: bool = False
) -> Change[list[AlteredEntity]]:
    """Change what can be changed; each entity succeeds or fails as a whole, one that is repeated fails."""
    counts = Counter(each.entity for each in wanted)
    records: list[Message] = []
    results: list[AlteredEntity] = []
    for each in {each.entity: each for each in wanted}.values():
        try:
            keys = [change.key for change in each.changes]
            if counts[each.entity] > 1 or len(set(keys)) < len(keys):
                raise _invalid(f"{_told(each.entity)} is asked to be changed more than once.")
            records += _alter(image, each)
        except ApiError as error:
            results.append(AlteredEntity(each.entity, error))
        else:
            results.append(AlteredEntity(each.entity))
    return Change(results, () if validate_only else records)


def find_client_quotas(
    image: MetadataImage, components: Sequence[Component], *, strict: bool
) -> list[tuple[QuotaEntity, dict[str, float]]]:
    """Entities that meet all conditions; with `strict`, those that have no other parts.

    Raises:
        ApiError: INVALID_REQUEST for conditions that make no sense, UNSUPPORTED_VERSION for an unknown type.
    """
    types: set[str] = set()
    for component in components:
        _check_component(component)
        if component.entity_type in types:
            raise _invalid(f"Entity type {component.entity_type} appears more than once.")
        types.add(component.entity_type)
    if IP in types and len(types) > 1:
        raise _invalid("Quotas of addresses are not combined with those of users and client ids.")
    return [
        (entity, values)
        for entity, values in image.client_quotas.items()
        if (not strict or len(entity) == len(components))
        and all(_meets(dict(entity), component) for component in components)
    ]


def _alter(image: MetadataImage, wanted: EntityChange) -> list[Message]:
    keys = _keys_of(wanted.entity)
    present = image.client_quotas.get(wanted.entity, {})
    records: list[Message] = []
    entity = [EntityData(entity_type=kind, entity_name=name) for kind, name in wanted.entity]
    for key, value in wanted.changes:
        if value is None:
            if key in present:
                records.append(ClientQuotaRecord(entity=entity, key=key, remove=True))
            continue
        _check_value(keys, key, value)
        if present.get(key) != value:
            records.append(ClientQuotaRecord(entity=entity, key=key, value=value))
    return records


def _keys_of(entity: QuotaEntity) -> dict[str, float | None]:
    """The keys that an entity can have. Raises ApiError INVALID_REQUEST for what is no entity."""
    if not entity:
        raise _invalid("A quota must be somebody's.")
    for kind, name in entity:
        if kind not in (USER, CLIENT_ID, IP):
            raise _invalid(f"There are no quotas for the type {kind!r}.")
        if name == "":
            raise _invalid(f"The name of a {kind} must not be empty.")
    types = {kind for kind, _ in entity}
    if IP not in types:
        return _CLIENT_KEYS
    if len(types) > 1:
        raise _invalid("Quotas of addresses are not combined with those of users and client ids.")
    address = entity[0][1]
    if address is not None and not _is_address(address):
        raise _invalid(f"{address} is no IP address.")
    return _ADDRESS_KEYS


def _is_address(text: str) -> bool:
    if text == "localhost":
        return True
    try:
        socket.inet_pton(socket.AF_INET6, text)
    except OSError:
        try:
            socket.inet_aton(text)
        except OSError:
            return False
    return True


def _check_value(keys: dict[str, float | None], key: str, value: float) -> None:
    if key not in keys:
        raise _invalid(f"Invalid configuration key {key}")
    if not math.isfinite(value):
        raise _invalid(f"Quota {key} must be a finite number")
    if value <= 0:
        raise _invalid(f"Quota {key} must be greater than 0")
    largest = keys[key]
    if largest is not None:
        if value > largest:
            raise _invalid(f"{value} is too large for {key}")
        if not value.is_integer():
            raise _invalid(f"{key} must be a whole number.")


def _check_component(component: Component) -> None:
    if not component.entity_type:
        raise _invalid("An entity type must not be empty.")
    if component.entity_type not in (USER, CLIENT_ID, IP):
        text = f"Unsupported entity type {component.entity_type}"
        raise ApiError(ErrorCode.UNSUPPORTED_VERSION, text)
    if component.match_type not in (MATCH_EXACT, MATCH_DEFAULT, MATCH_ANY):
        raise _invalid(f"Unknown match type {component.match_type}")
    if (component.name is None) == (component.match_type == MATCH_EXACT):
        raise _invalid("A name is needed for an exact match, and for no other.")


def _meets(parts: dict[str, str | None], component: Component) -> bool:
    if component.entity_type not in parts:
        return False
    if component.match_type == MATCH_ANY:
        return True
    return parts[component.entity_type] == component.name


def _told(entity: QuotaEntity) -> str:
    return ", ".join(f"{kind} {'<default>' if name is None else name}" for kind, name in entity)


def _invalid(message: str) -> ApiError:
    return ApiError(ErrorCode.INVALID_REQUEST, message)
