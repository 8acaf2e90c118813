"""Transactions: what is committed is read, what is aborted is not, by who asks for committed records."""

from __future__ import annotations

from compat.story import Adapter, Start, check_records, create, records_for

_EACH = 5


def transactions(client: Adapter, topic: str) -> None:
    """Three transactions of one producer, the second aborted; each ends with a marker at an offset."""
    create(client, topic, 1)
    sent = [records_for(client.traits, _EACH, first=number * _EACH) for number in range(3)]
    for number, records in enumerate(sent):
        client.transact(topic, 0, records, transactional_id=f"{topic}-id", commit=number != 1)

    first, aborted, last = (number * (_EACH + 1) for number in range(3))
    committed = client.fetch(topic, 0, Start(), 2 * _EACH, committed=True)
    check_records(client.traits, sent[0], committed[:_EACH], first_offset=first)
    check_records(client.traits, sent[2], committed[_EACH:], first_offset=last)
    everything = client.fetch(topic, 0, Start(), 3 * _EACH)
    check_records(client.traits, sent[1], everything[_EACH : 2 * _EACH], first_offset=aborted)
    behind = client.fetch(topic, 0, Start(offset=aborted + 1), _EACH, committed=True)
    check_records(client.traits, sent[2], behind, first_offset=last)
