"""A queue looks ahead in the log as far as it wants, in steps that let others have their turn."""

from __future__ import annotations

from pathlib import Path

import trio

from kstream.broker.share_queue import PartitionQueue
from kstream.clock import ManualClock
from kstream.shares.queue.rules import QueueRules
from kstream.shares.window import ShareWindow
from tests.api.data_plane import NOW_MS, batch, opened, produced, run

BATCHES, RECORDS = 100, 100


def test_it_looks_as_far_as_it_wants_and_gives_others_their_turn(tmp_path: Path) -> None:
    async def test(lookahead: int, looked_to: int, turns: int) -> None:
        async with opened(tmp_path / str(lookahead), "t") as broker:
            for _ in range(BATCHES):
                await produced(broker, batch(*[b"v"] * RECORDS))
            queue = PartitionQueue(
                await broker.partitions.get("t", 0),
                ShareWindow(0),
                QueueRules(lookahead=lookahead),
                ManualClock(NOW_MS),
                group_id="g",
                released=None,
            )
            taken = 0

            async def take_turns() -> None:
                nonlocal taken
                while True:
                    await trio.lowlevel.checkpoint()
                    taken += 1

            async with trio.open_nursery() as nursery:
                nursery.start_soon(take_turns)
                assert await queue.look_ahead(is_read_committed=False)
                nursery.cancel_scope.cancel()
            assert queue.queue.looked_to == looked_to
            assert taken >= turns

    run(lambda: test(500, 500, 0))
    run(lambda: test(550, 600, 0))
    run(lambda: test(1_000_000, BATCHES * RECORDS, 3))
