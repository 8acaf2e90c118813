"""Answers on their way out."""

from __future__ import annotations

import socket
from pathlib import Path

import trio

from kstream.log.platform import Platform
from kstream.server.output import send_parts
from tests.log.support import append, batch_of, open_log


class QuickPeers(Platform):
    """Whoever is sent to takes everything at once."""

    def __init__(self) -> None:
        super().__init__(fallocate=True, fdatasync=True, sendfile=True, nowait=True)
        self.sent: list[tuple[int, int]] = []

    def send_file(self, socket_fd: int, file_fd: int, position: int, size_bytes: int) -> int:
        self.sent.append((position, size_bytes))
        return size_bytes


def test_a_large_answer_to_a_quick_peer_leaves_turns_to_others(tmp_path: Path) -> None:
    platform = QuickPeers()
    log = open_log(tmp_path / "t-0", platform=platform)
    for _ in range(40):
        append(log, batch_of(1, value=bytes(100_000)))
    found = log.read(0, 1 << 30)
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async def test() -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(count_turns)
                await send_parts(ours, [found])
                nursery.cancel_scope.cancel()

    trio.run(test)
    assert len(found) > 4_000_000
    assert turns >= 10
    assert all(size_bytes <= 256 * 1024 for _, size_bytes in platform.sent)
    at = 0
    for position, size_bytes in platform.sent:
        assert position == at
        at += size_bytes
    assert at == len(found), "nothing is left out, and nothing comes twice"
