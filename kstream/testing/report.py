"""What a broker has seen, in lines for a person whose test has failed."""

from __future__ import annotations

from collections.abc import Iterable

from kstream.broker.broker import Broker
from kstream.groups.describe import CONSUMER_TYPE
from kstream.groups.settings import Caller
from kstream.testing.positions import committed
from kstream.testing.watching import ReturnedError, SeenRequest
from kstream.wire.messages.list_groups import ListedGroup

_DESCRIBE_VERSION = 6


async def lines(broker: Broker) -> list[str]:
    """Topics and groups."""
    text = ["topics:"]
    ends: dict[tuple[str, int], int] = {}
    for name, topic in sorted(broker.metadata.image.topics_by_name.items()):
        if name.startswith("__"):
            continue
        for index in range(len(topic.partitions)):
            partition = await broker.partitions.wait_open(name, index)
            start, end = partition.log.log_start_offset, partition.high_watermark
            ends[(name, index)] = end
            stable = partition.last_stable_offset
            is_open = f", a transaction is open from {stable}" if stable < end else ""
            text.append(f"  {name}-{index}: offsets {start} to {end} ({end - start}){is_open}")
    if not ends:
        text.append("  none")
    text.append("groups:")
    groups = sorted(await broker.groups.list([], []), key=lambda group: group.group_id)
    for group in groups:
        text.append(f"  {group.group_id}: {group.group_state}")
        text += [f"    member {member}" for member in await _members(broker, group)]
        for (name, index), offset in sorted((await committed(broker, group.group_id)).items()):
            behind = ends[(name, index)] - offset if (name, index) in ends else "?"
            text.append(f"    {name}-{index}: committed {offset}, {behind} behind")
    return text if groups else [*text, "  none"]


def error_lines(errors: Iterable[ReturnedError]) -> list[str]:
    """The errors returned."""
    seen = [
        f"  {each.error} to {each.client_id or 'a client'} in {each.api}"
        + (f" about {each.about}" if each.about else "")
        for each in errors
    ]
    return ["last errors returned:", *(seen or ["  none"])]


def request_lines(requests: Iterable[SeenRequest]) -> list[str]:
    """The last requests, where the same came several times in a row, one of them."""
    told = [
        f"  {each.api} from {each.client_id or 'a client'}" + (f" about {each.about}" if each.about else "")
        for each in requests
    ]
    return ["last requests:", *(told or ["  none"])]


def fault_lines(broker: Broker) -> list[str]:
    """What was set to go wrong, if anything was."""
    faults = [f"  {fault!r}" for fault in broker.faults.all()]
    return ["faults:", *faults] if faults else []


async def _members(broker: Broker, group: ListedGroup) -> list[str]:
    if group.group_type.lower() == CONSUMER_TYPE:
        consumers = (await broker.groups.describe_consumer_group(group.group_id)).members
        return [f"{each.member_id} ({each.client_id}, epoch {each.member_epoch})" for each in consumers]
    caller = Caller("", "", _DESCRIBE_VERSION)
    described = await broker.groups.describe(group.group_id, caller)
    return [f"{each.member_id} ({each.client_id})" for each in described.members]
