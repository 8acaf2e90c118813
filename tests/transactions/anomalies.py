"""Which promises of transactions a history breaks: of what producers appended, and what readers saw.

The partitions are lists, and offsets say in which order their elements stand, so that no order has to be
guessed. What Kafka does not promise is not looked for: two transactions that are open at once may stand in
one order in one partition and in the other in another, and a reader may meet one partition's part of a
transaction earlier.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from tests.transactions.cycles import Attempt, Element, Read, read_cycles, write_cycles

__all__ = ["Attempt", "Element", "Read", "anomalies"]


def anomalies(
    attempts: Sequence[Attempt], readers: Sequence[Sequence[Read]], final: Sequence[Read]
) -> list[str]:
    """Each begins with its kind. `final` is what is committed when everything has ended."""
    at = {(read.partition, read.offset): read.value for read in final}
    found = [*_of_final(attempts, final), *write_cycles(attempts, final), *read_cycles(attempts)]
    for reads in readers:
        found += _of_reader(reads, at)
    aborted = {element for attempt in attempts if attempt.outcome is False for element in attempt.appends}
    for attempt in attempts:
        found += [f"aborted read (G1a): {each} by {attempt}" for each in attempt.reads if each in aborted]
    for read in [*final, *(read for reads in readers for read in reads)]:
        if (read.partition, read.value) in aborted:
            found.append(f"aborted read (G1a): {read}")
    return found


def _of_final(attempts: Sequence[Attempt], final: Sequence[Read]) -> list[str]:
    found = []
    counts = Counter((read.partition, read.value) for read in final)
    offsets = {(read.partition, read.value): read.offset for read in final}
    sent = {element for attempt in attempts for element in attempt.appends}
    found += [f"duplicate: {element}" for element, count in counts.items() if count > 1]
    found += [f"from nowhere: {element}" for element in counts if element not in sent]
    for attempt in attempts:
        there = [element for element in attempt.appends if element in counts]
        if attempt.outcome and len(there) < len(attempt.appends):
            found.append(f"lost write: {attempt}")
        elif there and len(there) < len(attempt.appends):
            found.append(f"half a transaction (G1b): {attempt}")
        for one, other in pairwise(there):
            if one[0] == other[0] and offsets[one] > offsets[other]:
                found.append(f"out of order: {one} behind {other}")
    return found


def _of_reader(reads: Sequence[Read], at: dict[tuple[int, int], bytes]) -> list[str]:
    found = []
    last: dict[int, int] = {}
    met = {(read.partition, read.offset) for read in reads}
    for read in reads:
        if read.offset <= last.get(read.partition, -1):
            found.append(f"non-monotonic: {read}")
        last[read.partition] = read.offset
        if at.get((read.partition, read.offset)) != read.value:
            found.append(f"unstable read: {read}, in the end {at.get((read.partition, read.offset))!r}")
    found += [
        f"passed over: offset {offset} of {partition}"
        for partition, offset in at
        if offset < last.get(partition, -1) and (partition, offset) not in met
    ]
    return found
