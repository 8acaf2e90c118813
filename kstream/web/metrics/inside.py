"""The server's inside: what waits for what."""

from __future__ import annotations

import trio

from kstream import __version__
from kstream.broker.replica import disk_limiter
from kstream.web.metrics.families import Families
from kstream.web.running import Running

_RUNNING = 3  # as Kafka counts a broker's states


def add_inside(families: Families, running: Running) -> None:
    broker = running.broker
    gauge = families.gauge
    gauge(
        "kafka_server_delayedoperationpurgatory_purgatorysize",
        "Requests that wait for records.",
        broker.waiting_fetches(),
        delayedOperation="Fetch",
    )
    gauge(
        "kafka_network_requestchannel_requestqueuesize",
        "Tasks, of connections nearly all, that wait for their turn of the event loop.",
        trio.lowlevel.current_statistics().tasks_runnable,
    )
    disk = disk_limiter().statistics()
    gauge("kstream_disk_threads_busy", "Threads that wait for the disk.", disk.borrowed_tokens)
    gauge("kstream_disk_queue_size", "Tasks that wait for such a thread.", disk.tasks_waiting)
    families.summary(
        "kstream_event_loop_delay_seconds",
        "How late the event loop wakes what wants to run, in seconds.",
        [running.loop_delay.timings],
        scale=1.0,
    )
    families.summary(
        "kafka_log_logflushstats_logflushrateandtimems",
        "Milliseconds of each sync of a partition.",
        [broker.stats.flushes],
    )
    families.histogram(
        "kstream_fsync_duration_seconds", "Seconds of each sync of a partition.", [broker.stats.flushes]
    )
    gauge("kafka_log_logmanager_offlinelogdirectorycount", "Data directories that failed.", 0)
    gauge("kafka_server_kafkaserver_brokerstate", "3: the broker serves.", _RUNNING)
    gauge(
        "kstream_partitions_unchecked",
        "Partitions that an unclean stop left to be checked.",
        len(broker.directory.unrecovered),
    )
    gauge("kstream_build_info", "1, with the version.", 1, version=__version__)
