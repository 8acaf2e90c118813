"""Group consumption: members share, take over from one that dies, and do no committed work again."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from compat.story import FIRST_TIMESTAMP_MS, IDEMPOTENCE, Adapter, Got, Member, OutRecord, create, expect

PARTITIONS = 4
_RECORDS = 40
_TIMEOUT_S = 45.0


def failover(client: Adapter, topic: str) -> None:
    """One reads all; a second shares, and dies with work uncommitted; a third finds only what is new."""
    create(client, topic, PARTITIONS)
    members: list[Member] = []
    try:
        members.append(client.join(topic, topic))
        read(members, fill(client, topic, "early"))
        members[0].commit()

        members.append(client.join(topic, topic))
        expect(share(members) == [], "nothing that was committed comes again")
        shared = fill(client, topic, "shared")
        got = read(members, shared)
        expect(len(got) == len(shared), f"{len(shared)} records once each, got {len(got)}")
        lost = set(members[1].assigned())
        members[0].commit()

        members.pop().kill()
        again = share(members)
        uncommitted = {value for value in shared if _partition(value) in lost}
        missing = uncommitted - {each.value for each in again}
        again += read(members, missing)
        expect({each.value for each in again} == uncommitted, "what the dead member left, and no more")
        members[0].commit()
        members.pop().close()

        members.append(client.join(topic, topic))
        expect(share(members) == [], "nothing that was committed comes again to the third")
        late = fill(client, topic, "late")
        expect({each.value for each in read(members, late)} == late, "what is new, and no more")
        members.pop().close()
    finally:
        for member in members:
            member.kill()


def fill(
    client: Adapter,
    topic: str,
    name: str,
    *,
    partitions: int = PARTITIONS,
    count: int = _RECORDS,
    codec: str = "none",
) -> set[bytes]:
    """Produce records that are all different into every partition; their values."""
    values = set()
    for partition in range(partitions):
        mine = [b"%s %d %d" % (name.encode(), partition, number) for number in range(count)]
        records = [OutRecord(None, value, (), FIRST_TIMESTAMP_MS) for value in mine]
        idempotent = IDEMPOTENCE not in client.traits.lacks
        client.produce(topic, partition, records, codec=codec, idempotent=idempotent)
        values |= set(mine)
    return values


def _partition(value: bytes) -> int:
    return int(value.split()[1])


def read(members: Sequence[Member], values: Iterable[bytes]) -> list[Got]:
    """Poll all members in turn until every one of the values has come; all that came."""
    missing = set(values)
    got: list[Got] = []

    def is_complete(new: list[Got]) -> bool:
        got.extend(new)
        missing.difference_update(each.value for each in new)
        return not missing

    _poll_until(members, is_complete, lambda: f"{len(missing)} records are missing, such as {min(missing)!r}")
    return got


def share(members: Sequence[Member]) -> list[Got]:
    """Poll until the members share the partitions about evenly; what they read meanwhile."""
    got: list[Got] = []

    def is_shared(new: list[Got]) -> bool:
        got.extend(new)
        parts = [member.assigned() for member in members]
        counts = Counter(partition for part in parts for partition in part)
        least = PARTITIONS // len(members)
        return counts == dict.fromkeys(range(PARTITIONS), 1) and min(map(len, parts)) >= least

    _poll_until(members, is_shared, lambda: f"{len(members)} members share the partitions")
    return got


def _poll_until(
    members: Sequence[Member], condition: Callable[[list[Got]], bool], what: Callable[[], str]
) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while not condition([got for member in members for got in member.poll()]):
        expect(time.monotonic() < deadline, f"within {_TIMEOUT_S:.0f} s: {what()}")
