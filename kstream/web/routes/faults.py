"""Faults on demand: set, listed, removed; and the scenarios that have names."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from kstream.broker.fault_events import set_fault as set_in_broker
from kstream.faults import BadFault, scenarios
from kstream.web.operation import BadRequest, Call, NotFound, Operation

_TAG = "faults"


class FaultToSet(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What goes wrong, whom it meets, how often: docs/faults.md says which kind takes what."""

    kind: str
    api: str | int | list[str | int] | None = None
    client_id: str | None = None
    topic: str | None = None
    group: str | None = None
    transactional_id: str | None = None
    count: int | None = None
    skip: int | None = None
    probability: float | None = None
    seed: int | None = None
    error: str | int | None = None
    ms: int | None = None
    bytes: int | None = None
    when: Literal["before", "after"] | None = None


class ScenarioFilters(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Whom a scenario is to meet; without any, everybody."""

    client_id: str | None = None
    topic: str | None = None
    group: str | None = None
    transactional_id: str | None = None
    seed: int | None = None


async def list_faults(call: Call) -> list[dict[str, Any]]:
    return call.running.broker.faults.described()


async def set_fault(call: Call) -> dict[str, Any]:
    fault = await set_in_broker(call.running.broker, msgspec.to_builtins(call.body))
    return fault.describe()


async def clear_faults(call: Call) -> None:
    call.running.broker.faults.clear()


async def remove_fault(call: Call) -> None:
    given = call.path["id"]
    if not (given.isascii() and given.isdigit() and len(given) < 19):
        raise BadRequest(f"{given} is no fault's id: GET /v1/faults lists them")
    if not call.running.broker.faults.remove(int(given)):
        raise NotFound(f"there is no fault {given}: GET /v1/faults lists them")


async def list_scenarios(call: Call) -> list[dict[str, Any]]:
    return scenarios.described()


async def start_scenario(call: Call) -> list[dict[str, Any]]:
    name = call.path["name"]
    try:
        scenarios.scenario(name)
    except BadFault as error:
        raise NotFound(str(error)) from error
    started = call.running.broker.faults.start_scenario(name, msgspec.to_builtins(call.body))
    return [fault.describe() for fault in started]


OPERATIONS = (
    Operation(
        "GET",
        "/v1/faults",
        "Faults that are set, and how often they happened",
        list_faults,
        _TAG,
        answer=list[dict[str, Any]],
    ),
    Operation(
        "POST",
        "/v1/faults",
        "Set a fault; an event that no API sets off has happened once this is answered",
        set_fault,
        _TAG,
        body=FaultToSet,
        answer=dict[str, Any],
        status=201,
    ),
    Operation("DELETE", "/v1/faults", "Remove all faults", clear_faults, _TAG, status=204),
    Operation("DELETE", "/v1/faults/{id}", "Remove a fault", remove_fault, _TAG, status=204, errors=(404,)),
    Operation(
        "GET",
        "/v1/scenarios",
        "Faults that come together, and what a client should make of them",
        list_scenarios,
        _TAG,
        answer=list[dict[str, Any]],
    ),
    Operation(
        "POST",
        "/v1/scenarios/{name}",
        "Set the faults of a scenario",
        start_scenario,
        _TAG,
        body=ScenarioFilters,
        answer=list[dict[str, Any]],
        status=201,
        errors=(404,),
    ),
)
