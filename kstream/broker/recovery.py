"""After an unclean stop: every partition is checked, several at a time, and served once it is.

Kafka serves nobody before all logs are loaded. Here a partition that somebody asks for goes to the front,
and whoever asks waits for a second. If it is not ready then the answer is NOT_LEADER_OR_FOLLOWER, with which
every client asks for the leader anew and comes back, so that a connection's other partitions go on.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import trio

from kstream.errors import ApiError, ErrorCode
from kstream.log.directory import LogDirectory, PartitionKey

log = logging.getLogger(__name__)

PATIENCE_S = 1.0
_PROGRESS_S = 5.0
_SHOWN_PROGRESS_S = 0.2
_MB = 1_000_000


class Progress(NamedTuple):
    """How far the check is: bytes, and partitions."""

    checked_bytes: int
    total_bytes: int
    ready_partitions: int
    all_partitions: int


class Recovery:
    """Opens what the last stop left unchecked. `open_partition` recovers one in a thread."""

    def __init__(
        self,
        directory: LogDirectory,
        open_partition: Callable[[str, int], Awaitable[object]],
        threads: Callable[[], int],
    ) -> None:
        self._directory = directory
        self._open_partition = open_partition
        self._threads = threads
        self._waiting: dict[PartitionKey, None] = {}
        self._urgent: list[PartitionKey] = []
        self._ready: dict[PartitionKey, trio.Event] = {}
        self._is_running = False
        self._checked_before = 0
        self.count = 0
        """How many partitions had to be checked."""
        self.show_progress: Callable[[Progress | None], None] | None = None
        """Called in a thread several times a second, and with None at the end, in place of lines in the log.
        """

    async def run(self) -> None:
        """Check all of them, as many at a time as `num.recovery.threads.per.data.dir` says."""
        self._waiting = dict.fromkeys(sorted(self._directory.unrecovered))
        self.count = len(self._waiting)
        if not self.count:
            return
        self._is_running = True
        self._checked_before = self._directory.checked_bytes
        total_bytes = await trio.to_thread.run_sync(self._directory.unrecovered_bytes)
        log.info("checking %d partitions, %.0f MB, after an unclean stop", self.count, total_bytes / _MB)
        began_s = trio.current_time()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._tell, total_bytes, began_s)
                async with trio.open_nursery() as workers:
                    for _ in range(min(self._threads(), self.count)):
                        workers.start_soon(self._work)
                nursery.cancel_scope.cancel()
        finally:
            self._is_running = False
            if self.show_progress is not None:
                self.show_progress(None)
        checked_bytes = self._checked_bytes()
        log.info(
            "all %d partitions are checked: %.0f MB in %.1f s",
            self.count,
            checked_bytes / _MB,
            trio.current_time() - began_s,
        )

    def _checked_bytes(self) -> int:
        return self._directory.checked_bytes - self._checked_before

    async def _work(self) -> None:
        while self._waiting:
            while self._urgent and self._urgent[0] not in self._waiting:
                self._urgent.pop(0)
            key = self._urgent.pop(0) if self._urgent else next(iter(self._waiting))
            del self._waiting[key]
            ready = self._ready.setdefault(key, trio.Event())
            try:
                if key in self._directory.unrecovered:
                    await self._open_partition(*key)
            except ApiError as error:
                # No topic of this cluster, or a disk error: said by now, and left as it is.
                log.warning("%s-%d was left unchecked: %s", *key, error)
            finally:
                ready.set()
                del self._ready[key]

    async def _tell(self, total_bytes: int, began_s: float) -> None:
        show = self.show_progress
        while True:
            await trio.sleep(_PROGRESS_S if show is None else _SHOWN_PROGRESS_S)
            ready_count = self.count - len(self._waiting) - len(self._ready)
            progress = Progress(self._checked_bytes(), total_bytes, ready_count, self.count)
            if show is None:
                _log_progress(progress, trio.current_time() - began_s)
            else:
                await trio.to_thread.run_sync(show, progress)

    async def wait_ready(self, key: PartitionKey, patience_s: float = math.inf) -> None:
        """Return once a partition is checked, or was not to be; it goes before those that nobody wants.

        Raises:
            ApiError: NOT_LEADER_OR_FOLLOWER where that takes longer than one is willing to wait.
        """
        if not self._is_running or not (key in self._waiting or key in self._ready):
            return
        if key in self._waiting:
            self._urgent.append(key)
        with trio.move_on_after(patience_s):
            await self._ready.setdefault(key, trio.Event()).wait()
            return
        raise ApiError(ErrorCode.NOT_LEADER_OR_FOLLOWER, f"{key[0]}-{key[1]} is still being checked")


def _log_progress(progress: Progress, seconds: float) -> None:
    log.info(
        "checked %.0f of %.0f MB, %d of %d partitions are ready; about %.0f s to go",
        progress.checked_bytes / _MB,
        progress.total_bytes / _MB,
        progress.ready_partitions,
        progress.all_partitions,
        seconds * max(0, progress.total_bytes - progress.checked_bytes) / max(progress.checked_bytes, 1),
    )
