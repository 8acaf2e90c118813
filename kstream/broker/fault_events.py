"""Faults that are events: a coordinator moves, a leader epoch begins, the broker crashes.

They are what they say: the metadata log has the new leaders and epochs, coordinators load anew what their
partition has, and what clients are told follows from that.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from functools import partial
from typing import Any

import trio

from kstream.broker.broker import Broker
from kstream.broker.metadata.image import NO_LEADER, OFFSETS_TOPIC, TRANSACTIONS_TOPIC
from kstream.broker.metadata.leadership import change_leader
from kstream.coordinator.hashing import partition_for
from kstream.errors import ApiError
from kstream.faults import BadFault, Fault, Kind
from kstream.faults.fault import Seen

log = logging.getLogger(__name__)

_GOODBYE_S = 0.05
"""A crash that a request over HTTP asks for waits until that is answered."""


async def set_fault(broker: Broker, described: dict[str, Any]) -> Fault:
    """Set a fault that is described as JSON has it; what happens at once has happened when this returns.

    Raises BadFault.
    """
    fault = broker.faults.add_described(described)
    if fault.is_immediate and fault.happens():
        try:
            await happen(broker, fault, None)
        except ApiError as error:
            broker.faults.remove(fault.id)
            raise BadFault(str(error)) from error
        except BaseException:
            broker.faults.remove(fault.id)
            raise
    return fault


async def happen(broker: Broker, fault: Fault, seen: Seen | None) -> None:
    """Have an event happen, to a request or by itself.

    Raises:
        BadFault: it does not say what it is about.
        ApiError: there is no such topic.
    """
    if fault.kind is Kind.MOVE_COORDINATOR:
        await _move(broker, fault, seen)
    elif fault.kind is Kind.BUMP_EPOCH:
        topics = _names("topic", fault.topic, None if seen is None else seen.topics)
        for topic in topics:
            await broker.metadata.update(partial(change_leader, topic_name=topic, leader=broker.node_id))
    elif fault.kind is Kind.CRASH:
        await _crash(broker, fault, is_asked=seen is None)


async def _move(broker: Broker, fault: Fault, seen: Seen | None) -> None:
    if seen is None:
        groups = [fault.group] if fault.group else []
        transactional_ids = [fault.transactional_id] if fault.transactional_id else []
        if not groups and not transactional_ids:
            raise BadFault(f"{fault.kind} needs group or transactional_id, or api for what sets it off")
    else:
        groups = list(seen.groups)
        transactional_ids = list(seen.transactional_ids)
    for topic, keys in ((OFFSETS_TOPIC, groups), (TRANSACTIONS_TOPIC, transactional_ids)):
        if keys:
            await move_coordinator(broker, topic, keys, away_ms=fault.ms or 0)


async def move_coordinator(broker: Broker, topic: str, keys: Collection[str], *, away_ms: int) -> None:
    """Groups or transactional ids lose their coordinator; it is back, at a later epoch, after `away_ms`."""
    image = broker.metadata.image.topics_by_name.get(topic)
    if image is None:  # nobody has asked for a coordinator yet
        return
    indexes = {partition_for(key, len(image.partitions)) for key in keys}
    change = partial(change_leader, topic_name=topic, indexes=indexes)
    if away_ms:
        await broker.metadata.update(partial(change, leader=NO_LEADER))
        trio.lowlevel.spawn_system_task(_come_back, broker, change, away_ms)
    else:
        await broker.metadata.update(partial(change, leader=broker.node_id))


async def _come_back(broker: Broker, change: Any, away_ms: int) -> None:
    await trio.sleep(away_ms / 1000)
    try:
        await broker.metadata.update(partial(change, leader=broker.node_id))
    except ApiError as error:
        log.error("a coordinator that was to come back does not: %s", error)


async def _crash(broker: Broker, fault: Fault, *, is_asked: bool) -> None:
    crash = broker.crash
    if crash is None:
        raise BadFault("this server cannot crash: nobody would start it again")
    if is_asked:
        trio.lowlevel.spawn_system_task(_crash_soon, partial(crash, fault.ms or 0))
    else:
        crash(fault.ms or 0)
        await trio.sleep_forever()


async def _crash_soon(crash: Any) -> None:
    await trio.sleep(_GOODBYE_S)
    crash()


def _names(what: str, given: str | None, seen: Collection[str] | None) -> Collection[str]:
    if seen is not None:
        return seen
    if given is None:
        raise BadFault(f"name the {what}, or the api that sets it off")
    return [given]
