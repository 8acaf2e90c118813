"""A compacted topic: each key's last record keeps its offset, and reading steps over what is gone."""

from __future__ import annotations

from compat.story import FIRST_TIMESTAMP_MS, Adapter, InRecord, OutRecord, Start, create, wait_until

_COMPACTION_TIMEOUT_S = 90.0
"""Kafka's cleaner looks for work every 15 s."""
_KEYS = 4
_ROUNDS = 5


def compacted(client: Adapter, topic: str) -> None:
    """Every key several times, one at last with a null value; then a record that ends the segment."""
    configs = {"cleanup.policy": "compact", "segment.ms": "1000", "min.cleanable.dirty.ratio": "0.01"}
    create(client, topic, 1, configs)
    sent = []
    for number in range(_KEYS * _ROUNDS):
        is_tombstone = number == _KEYS * _ROUNDS - 1
        value = None if is_tombstone else b"value %d" % number
        stamp = FIRST_TIMESTAMP_MS + number
        sent.append(OutRecord(b"key-%d" % (number % _KEYS), value, (), stamp))
    client.produce(topic, 0, sent, codec="none", idempotent=False)
    # Segments end by the time of records, where these have one of the client's.
    roll = OutRecord(b"roll", b"roll", (), FIRST_TIMESTAMP_MS + 60_000)
    client.produce(topic, 0, [roll], codec="none", idempotent=False)

    everything = [*sent, roll]
    kept = [
        InRecord(offset, *everything[offset])
        for offset in (*range(_KEYS * (_ROUNDS - 1), _KEYS * _ROUNDS), _KEYS * _ROUNDS)
    ]
    wait_until(
        lambda: client.fetch(topic, 0, Start(), len(kept)) == kept,
        f"only the last record of each key is left, {kept}",
        timeout_s=_COMPACTION_TIMEOUT_S,
    )
    found = client.fetch(topic, 0, Start(offset=1), len(kept))
    if found != kept:
        raise AssertionError(f"from an offset that is gone: wanted {kept}, got {found}")
