"""Rates, latencies and queues in one answer: what `kstream stats` shows."""

from __future__ import annotations

import time

import msgspec
import trio

from kstream.broker.replica import disk_limiter
from kstream.broker.stats import RequestStats, Timings, Traffic
from kstream.web.operation import Call, Operation
from kstream.wire.apis import api

_TAG = "server"


class Latency(msgspec.Struct):
    """Of the last 1,024, in milliseconds; null before the first."""

    p50_ms: float | None
    p99_ms: float | None
    max_ms: float | None


class ApiStats(msgspec.Struct):
    """One API since the start. `failed` are requests whose answer had an error."""

    request: str
    count: int
    failed: int
    latency: Latency


class TrafficStats(msgspec.Struct):
    """Of all topics since the start."""

    messages_in: int
    bytes_in: int
    bytes_out: int


class Stats(msgspec.Struct):
    """How the server is. Counts are since its start; `queue_depth` is what waits for the event loop."""

    uptime_s: float
    queue_depth: int
    disk_queue_depth: int
    connections: int
    waiting_fetches: int
    event_loop_delay: Latency
    fsync: Latency
    traffic: TrafficStats
    requests: list[ApiStats]


async def get_stats(call: Call) -> Stats:
    running = call.running
    stats = running.broker.stats
    total = Traffic()
    total.add(stats.elsewhere)
    opened = running.broker.partitions.opened()
    for partition in opened:
        total.add(partition.counted())
    by_api: dict[int, list[RequestStats]] = {}
    for (key, _), counted in sorted(stats.requests.items()):
        by_api.setdefault(key, []).append(counted)
    return Stats(
        time.time() - running.began_s,
        trio.lowlevel.current_statistics().tasks_runnable,
        disk_limiter().statistics().tasks_waiting,
        stats.connections.total(),
        running.broker.waiting_fetches(),
        latency([running.loop_delay.timings]),
        latency([stats.flushes]),
        TrafficStats(total.messages_in, total.bytes_in, total.bytes_out),
        [
            ApiStats(
                api(key).name,
                sum(each.count for each in versions),
                sum(each.failed for each in versions),
                latency(versions),
            )
            for key, versions in by_api.items()
        ],
    )


def latency(timings: list[Timings] | list[RequestStats]) -> Latency:
    """Over the recent times of all of them."""
    recent_s = sorted(each for one in timings for each in one.recent_s())
    if not recent_s:
        return Latency(None, None, None)
    p50, p99, most = (
        round(recent_s[min(int(share * len(recent_s)), len(recent_s) - 1)] * 1000, 3)
        for share in (0.5, 0.99, 1)
    )
    return Latency(p50, p99, most)


OPERATIONS = (Operation("GET", "/v1/stats", "Requests, latencies, queues", get_stats, _TAG, answer=Stats),)
