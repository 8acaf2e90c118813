"""Records of a partition as a consumer that reads committed sees them."""

from __future__ import annotations

from kstream.broker.partition import Partition
from kstream.records.batch import iter_headers
from kstream.records.record import iter_records
from kstream.replay.event import Event

_READ_BYTES = 1 << 20


async def committed_records(
    partition: Partition, start: int | None = None, *, count_max: int | None = None
) -> list[Event]:
    """From an offset (or the log's start, if that is behind it) to the last stable offset, without aborted
    transactions and markers; no more than `count_max`.
    """
    events: list[Event] = []
    end_offset = partition.last_stable_offset
    offset = max(partition.log.log_start_offset, start or 0)
    while offset < end_offset and (count_max is None or len(events) < count_max):
        found = await partition.read(
            offset, _READ_BYTES, end_offset=end_offset, min_one_batch=True, with_transactions=True
        )
        aborted = partition.log.aborted_transactions(offset, found)
        buffer = found.view()
        position, begin = 0, offset
        for header in iter_headers(buffer, partial_ok=True):
            is_aborted = header.is_transactional and any(
                each.producer_id == header.producer_id
                and each.first_offset <= header.base_offset <= each.last_offset
                for each in aborted
            )
            if not header.is_control and not is_aborted:
                events += [
                    Event(partition.index, *record, is_append_time=header.is_log_append_time)
                    for record in iter_records(buffer, position, header=header)
                    if record.offset >= begin
                ]
            position += header.size_bytes
            offset = header.next_offset
        if offset == begin:  # nothing whole is left
            break
    return events[:count_max]
