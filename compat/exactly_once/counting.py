"""What a transformation owes: each input once in the output, in its partition, in the order of the input."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

Partitions = Mapping[int, Sequence[int]]
"""Numbers by partition, in the order of the log."""


def faults(source: Partitions, target: Partitions) -> list[str]:
    """Every breach, by partition; nothing where the target is the source doubled."""
    found = []
    for partition in sorted({*source, *target}):
        wanted = [2 * number for number in source.get(partition, ())]
        got = list(target.get(partition, ()))
        missing, surplus = Counter(wanted) - Counter(got), Counter(got) - Counter(wanted)
        if missing:
            found.append(f"partition {partition}: {missing.total()} lost, such as {min(missing)}")
        if surplus:
            found.append(f"partition {partition}: {surplus.total()} too many, such as {min(surplus)}")
        if not missing and not surplus and got != wanted:
            found.append(f"partition {partition}: out of order")
    return found
