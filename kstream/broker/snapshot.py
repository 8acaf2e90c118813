"""The whole state of a broker that runs, as a directory from which another one starts."""

from __future__ import annotations

from pathlib import Path

import trio

from kstream.broker.broker import Broker
from kstream.broker.replica import disk_limiter
from kstream.log.copying import begin_copy
from kstream.log.errors import UnusableDirectory


async def write_snapshot(broker: Broker, target: Path) -> None:
    """Copy records, groups, transactions and metadata, all as of one moment, to a new or empty directory.

    A broker that is started on it finds what this one would find after a crash at that moment.

    Raises:
        UnusableDirectory: the message says what to do.
    """
    rest = begin_copy(broker.directory, target)
    try:
        await trio.to_thread.run_sync(rest, limiter=disk_limiter())
    except OSError as error:
        raise UnusableDirectory(f"cannot copy to {target}: {error}") from error
