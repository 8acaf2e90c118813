"""Waiting for something to be so, instead of sleeping."""

from __future__ import annotations

import time
from typing import Annotated, Any

import msgspec
import trio
from msgspec import Meta

from kstream.testing import report
from kstream.web.operation import BadRequest, Call, Operation, Text
from kstream.web.routes.groups import GroupDescription, describe
from kstream.web.running import Running

_TAG = "testing"
_POLL_S = 0.01
_TIMEOUT_MS_MAX = 300_000


class Condition(msgspec.Struct, forbid_unknown_fields=True):
    """All that is given must be so: a topic has at least so many records; a group is in a state, has so many
    members, is at most so far behind.
    """

    topic: str | None = None
    records: Annotated[int, Meta(ge=0)] | None = None
    group: str | None = None
    state: str | None = None
    members: Annotated[int, Meta(ge=0)] | None = None
    lag_max: Annotated[int, Meta(ge=0)] | None = None
    timeout_ms: Annotated[int, Meta(ge=0, le=_TIMEOUT_MS_MAX)] = 10_000


class Waited(msgspec.Struct):
    """What was waited for is so."""

    waited_ms: int


async def wait_for(call: Call) -> Waited | Text:
    condition: Condition = call.body
    if condition.topic is None and condition.group is None:
        raise BadRequest("name a topic or a group to wait for")
    if condition.group is None and (condition.state, condition.members, condition.lag_max) != (None,) * 3:
        raise BadRequest("state, members and lag_max are a group's: name the group")
    if condition.topic is None and condition.records is not None:
        raise BadRequest("records are a topic's: name the topic")
    began_s = time.monotonic()  # of the machine, whatever a test has made of the broker's clock
    while (missing := await _missing(call.running, condition)) is not None:
        if (time.monotonic() - began_s) * 1000 >= condition.timeout_ms:
            seen = "\n".join(await report.lines(call.running.broker))
            problem = {"error": "timeout", "message": f"after {condition.timeout_ms} ms, {missing}\n{seen}"}
            return Text(msgspec.json.encode(problem), "application/json", 408)
        await trio.sleep(_POLL_S)
    return Waited(round((time.monotonic() - began_s) * 1000))


async def _missing(running: Running, wanted: Condition) -> str | None:
    """What is not so yet, in words."""
    if wanted.topic is not None:
        topic = running.broker.metadata.image.topics_by_name.get(wanted.topic)
        if topic is None:
            return f"there is no topic {wanted.topic}"
        count = 0
        for each in topic.partitions:
            partition = await running.broker.partitions.wait_open(wanted.topic, each.index)
            count += partition.high_watermark - partition.log.log_start_offset
        if wanted.records is not None and count < wanted.records:
            return f"{wanted.topic} has {count} records, not {wanted.records}"
    return None if wanted.group is None else await _missing_of_group(running, wanted)


async def _missing_of_group(running: Running, wanted: Condition) -> str | None:
    group = await _group(running, wanted.group or "")
    if group is None:
        return f"there is no group {wanted.group}"
    if wanted.state is not None and group.state.lower() != wanted.state.lower():
        return f"{wanted.group} is {group.state}, not {wanted.state}"
    if wanted.members is not None and group.members != wanted.members:
        return f"{wanted.group} has {group.members} members, not {wanted.members}"
    if wanted.lag_max is not None:
        if not group.positions:
            return f"{wanted.group} has committed nothing"
        if group.lag > wanted.lag_max:
            return f"{wanted.group} is {group.lag} behind, not {wanted.lag_max} at most"
    return None


async def _group(running: Running, name: str) -> GroupDescription | None:
    for group in await running.broker.groups.overview():
        if group.group_id == name:
            return await describe(running.broker, group)
    return None


async def get_report(call: Call) -> Text:
    lines: list[Any] = await report.lines(call.running.broker)
    return Text(("\n".join(lines) + "\n").encode())


OPERATIONS = (
    Operation(
        "POST",
        "/v1/wait",
        "Answer once something is so, with 408 and what was seen instead if it takes too long",
        wait_for,
        _TAG,
        body=Condition,
        answer=Waited,
        errors=(408,),
    ),
    Operation(
        "GET",
        "/v1/report",
        "Topics with counts, groups with positions and members: text for the log of a failed test",
        get_report,
        _TAG,
        answer=Text,
        media_type="text/plain",
    ),
)
