"""What a broker counts while it works: plain numbers, which `kstream.web` makes metrics of when it is asked.

Counting is part of every request, so it is an addition here and a store there; all that can be computed later
is. What belongs to one partition is counted by the partition itself.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from itertools import accumulate

FULL = 1024
"""So many times are kept as they are: about as many as Kafka takes its percentiles from."""

_EXACT, _STEP = 64, 8

BOUNDS_S = (
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0, 30.0,
)  # fmt: skip
"""Upper bounds of the buckets of `Timings.histogram`; above the last one there is one more."""


class Timings:
    """How often something was done, and how long it took.

    A time is only appended to a list; once that is full, what is in it is counted all at once, and for the
    buckets one of eight stands for all, but for the first ones.
    """

    __slots__ = ("_before", "_buckets", "_count", "_total_s", "append_s", "newest_s")

    def __init__(self) -> None:
        self.newest_s: list[float] = []
        """Times that are not yet counted."""
        self.append_s = self.newest_s.append
        """Notes one, and no more: somebody must call `fold` once there are `FULL`."""
        self._before: list[float] = []
        self._buckets = [0] * (len(BOUNDS_S) + 1)
        self._count = 0
        self._total_s = 0.0

    def record(self, elapsed_s: float) -> None:
        """One took so long."""
        self.append_s(elapsed_s)
        if len(self.newest_s) >= FULL:
            self.fold()

    def fold(self) -> None:
        """Count what was noted, and let go of it, but for a rest that one of eight cannot stand for."""
        newest_s = self.newest_s
        kept = max(len(newest_s) - _EXACT, 0) % _STEP
        counted_s = newest_s[: len(newest_s) - kept]
        self._buckets = self._with(counted_s)
        self._count += len(counted_s)
        self._total_s += sum(counted_s)
        self._before = counted_s[-FULL:]
        del newest_s[: len(counted_s)]

    @property
    def count(self) -> int:
        return self._count + len(self.newest_s)

    @property
    def total_s(self) -> float:
        return self._total_s + sum(self.newest_s)

    def recent_s(self) -> list[float]:
        """The last 1,024 times, in no order."""
        newest_s = self.newest_s[-FULL:]
        return [*self._before[-FULL:][len(newest_s) :], *newest_s]

    def histogram(self) -> list[int]:
        """How many took no longer than each of `BOUNDS_S`, and how many there are in all, up to seven too
        many: cumulative.
        """
        return list(accumulate(self._with(self.newest_s)))

    def _with(self, times_s: list[float]) -> list[int]:
        """The buckets, and these times sorted into them. Of a list that grows, no bucket falls."""
        buckets = self._buckets.copy()
        for some_s, weight in ((times_s[:_EXACT], 1), (times_s[_EXACT::_STEP], _STEP)):
            ordered = sorted(some_s)
            below = 0
            for index, bound_s in enumerate(BOUNDS_S):
                upto = bisect_right(ordered, bound_s)
                buckets[index] += (upto - below) * weight
                below = upto
            buckets[-1] += (len(ordered) - below) * weight
        return buckets


class RequestStats(Timings):
    """One API in one version."""

    __slots__ = ("errors", "failed")

    def __init__(self) -> None:
        super().__init__()
        self.failed = 0
        """Requests whose answer had an error, one or many."""
        self.errors: Counter[int] = Counter()
        """Error codes that were answered, each once for each partition, topic or group that it was about."""

    def count_errors(self, codes: Iterable[int]) -> None:
        """An answer had these error codes."""
        self.failed += 1
        self.errors.update(codes)


class Traffic:
    """What went in and out of a partition, or of several."""

    __slots__ = ("appends", "bytes_in", "bytes_out", "failed_appends", "failed_reads", "messages_in", "reads")

    def __init__(self) -> None:
        self.messages_in = 0
        """Records, and the markers of transactions, as in Kafka."""
        self.bytes_in = 0
        self.bytes_out = 0
        self.appends = 0
        self.reads = 0
        """Looks at the log for a fetch: one that waits looks again."""
        self.failed_appends = 0
        self.failed_reads = 0

    def add(self, other: Traffic) -> None:
        """Count what the other has counted."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class BrokerStats:
    """Everything that is counted for the broker as a whole."""

    def __init__(self) -> None:
        self.requests: dict[tuple[int, int], RequestStats] = {}
        """By API key and version, from the first request on."""
        self.unserved = RequestStats()
        """Requests that no handler saw."""
        self.flushes = Timings()
        """fdatasync of partitions."""
        self.connections: Counter[str] = Counter()
        """Open ones, by listener."""
        self.connections_accepted = 0
        self.connections_refused = 0
        """Above `max.connections.per.ip`."""
        self.elsewhere = Traffic()
        """Of partitions that are gone, since totals never fall, and what failed because there is none."""

    def fold_full(self) -> None:
        """Count what connections have noted, and had no occasion to."""
        for timings in self.requests.values():
            if len(timings.newest_s) >= FULL:
                timings.fold()

    def of(self, key: int, version: int) -> RequestStats:
        """The counts of an API in a version."""
        return self.requests.setdefault((key, version), RequestStats())
