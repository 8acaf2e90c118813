"""Records of share partitions on their way to the dead letters: written one after the other, behind whatever
else goes on.

They are ARCHIVING in the stored state until their letters are written. So what a stop leaves unwritten is
found when states are loaded, and its share partitions are loaded for that, whether or not anybody comes to
fetch.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence

import trio

from kstream.broker.dead_letters import DeadLetterFailure, DeadLetterWriter, Destination
from kstream.broker.share_partition import SharePartition
from kstream.broker.share_settings import ShareSettings
from kstream.errors import ApiError
from kstream.shares.changes import DeadLetters
from kstream.shares.state_store import ShareKey

log = logging.getLogger(__name__)


class ShareLetters:
    """Of all share partitions. `load` gives one that is to be written for, `on_written` is told of one that
    has less to be done now.
    """

    def __init__(
        self,
        writer: DeadLetterWriter,
        settings: ShareSettings,
        *,
        load: Callable[[ShareKey], Awaitable[SharePartition | None]],
        on_written: Callable[[SharePartition], None],
    ) -> None:
        self._writer = writer
        self._settings = settings
        self._load = load
        self._on_written = on_written
        self._due: list[tuple[SharePartition, DeadLetters]] = []
        self._unloaded: list[ShareKey] = []
        """Share partitions that have letters to write, and must be loaded for that."""
        self._has_work = trio.Event()

    def add(self, share: SharePartition, dead_letters: Sequence[DeadLetters]) -> None:
        """Have letters written for records of a share partition that is loaded."""
        if dead_letters:
            share.letters_due += len(dead_letters)
            self._due += [(share, dead) for dead in dead_letters]
            self._has_work.set()

    def take_up(self, keys: Sequence[ShareKey]) -> None:
        """Have letters written that a stop left over."""
        self._unloaded += keys
        self._has_work.set()

    async def run_forever(self) -> None:
        """Write what comes."""
        while True:
            await self._has_work.wait()
            self._has_work = trio.Event()
            await self._write_due()
            while self._unloaded:  # one after the other: there may be very many
                await self._load_one(self._unloaded.pop())
                await self._write_due()

    async def _load_one(self, key: ShareKey) -> None:
        try:
            share = await self._load(key)
        except ApiError as error:
            log.warning("%s: dead letters wait until it is fetched: %s", key.coordinator_key, error)
        else:
            if share is not None:
                self._on_written(share)

    async def _write_due(self) -> None:
        while self._due:
            due, self._due = self._due, []
            for share, dead in due:
                if share.is_gone:
                    self._unloaded.append(share.key)
                else:
                    await self._write(share, dead)

    async def _write(self, share: SharePartition, dead: DeadLetters) -> None:
        config = self._settings.config_of(share.key.group_id)
        destination = Destination(config.dead_letter_topic, config.copies_dead_records)
        try:
            await self._writer.write(share.key, share.partition, dead, destination)
        except DeadLetterFailure as failure:
            which = f"{share}: records {dead.first_offset} to {dead.last_offset}"
            log.error("%s are given up without dead letters: %s", which, failure)
        await share.archive_dead(dead)
        share.letters_due -= 1
        self._on_written(share)
