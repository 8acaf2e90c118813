"""Closing many logs in order, as a server does that stops.

In steps, each for all logs: everything is written, then all of it is synced. One log after the other makes
the file system's journal commit for every one of them, and the truncation of the next one wait for that: with
10,000 logs that were written to, longer than a stop may take. Of so many not even the files are synced one by
one, where the system can sync all of its file system at once and say whether that went well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from kstream.log import syncing
from kstream.log.errors import LogStorageError

if TYPE_CHECKING:
    from kstream.log.partition import PartitionLog

_THREADS = 4
_MANY = 500
"""With fewer logs, what others have written to the same file system is not waited for."""


def close_all(logs: Iterable[PartitionLog], directory_fd: int) -> list[LogStorageError]:
    """Close logs cleanly; returns what kept some of them from it, which the next start must recover. Blocks.

    `directory_fd` is any file of the directory that was opened before the logs were written to.
    """
    return _Closing().close([log for log in logs if not log.is_closed], directory_fd)


class _Closing:
    """Takes logs through all steps; one that fails in a step is left out of the next."""

    def __init__(self) -> None:
        self._errors: list[LogStorageError] = []

    def close(self, logs: Sequence[PartitionLog], directory_fd: int) -> list[LogStorageError]:
        with ThreadPoolExecutor(_THREADS) as pool:
            logs = self._each(pool, _write, logs)
            if not (len(logs) > _MANY and logs[0].platform.sync_file_system(directory_fd)):
                logs = self._sync(pool, logs)
            for log in logs:
                syncing.mark_synced(log)
            self._each(pool, lambda log: log.close(), logs)
        return self._errors

    def _sync(self, pool: ThreadPoolExecutor, logs: Sequence[PartitionLog]) -> Sequence[PartitionLog]:
        parents_of_new = {log.directory.parent: log.platform for log in logs if log.is_new}
        logs = self._each(pool, syncing.sync_files, logs)
        try:
            for parent, platform in parents_of_new.items():
                platform.sync_directory(parent)
        except OSError as error:
            for log in logs:
                log.go_offline(error)
        return self._each(pool, _sync_names, logs)

    def _each(
        self, pool: ThreadPoolExecutor, step: Callable[[PartitionLog], None], logs: Sequence[PartitionLog]
    ) -> Sequence[PartitionLog]:
        failures = list(pool.map(lambda log: _attempt(step, log), logs))
        self._errors += [failure for failure in failures if failure is not None]
        return [log for log, failure in zip(logs, failures, strict=True) if failure is None]


def _attempt(step: Callable[[PartitionLog], None], log: PartitionLog) -> LogStorageError | None:
    try:
        step(log)
    except (OSError, LogStorageError) as error:
        log.close(clean=False)
        return LogStorageError(f"{log.directory} was not closed cleanly: {error}")
    return None


def _write(log: PartitionLog) -> None:
    active = log.segments.active
    was_open = active.is_open
    log.finish()
    if not was_open:
        active.let_go()  # all of them together may be more than the process may have open


def _sync_names(log: PartitionLog) -> None:
    log.check_online()
    syncing.sync_names(log)
