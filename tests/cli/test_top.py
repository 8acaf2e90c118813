"""`kstream top`: what it counts, and its screen, without a cluster."""

from __future__ import annotations

import asyncio
from typing import Any

from kstream.cli.top_screen import TopScreen
from kstream.cli.watching import GroupRow, TopicRow
from kstream.replay.errors import NoAnswer

TOPICS = [TopicRow("orders", 3, 1_234_567, 89.6), TopicRow("idle", 1, 0, 0.0)]
GROUPS = [GroupRow("billing", "stable", 2, 1_000, 12.2)]


class FakeWatcher:
    """Answers what it is told to, or fails."""

    def __init__(self) -> None:
        self.answer: Any = (TOPICS, GROUPS)
        self.connections: int | None = None

    def look(self, now_s: float) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def cells(screen: TopScreen, table: str) -> list[list[str]]:
    from textual.widgets import DataTable

    found = screen.query_one(table, DataTable)
    return [[str(cell) for cell in found.get_row_at(row)] for row in range(found.row_count)]


def test_screen_shows_rows_and_what_is_wrong_and_pauses() -> None:
    watcher = FakeWatcher()

    async def run() -> None:
        screen = TopScreen(watcher, "127.0.0.1:9092", 3600, (TOPICS, []))  # type: ignore[arg-type]
        async with screen.run_test() as pilot:
            assert cells(screen, "#topics") == [["orders", "3", "1,234,567", "90"], ["idle", "1", "0", "0"]]
            assert cells(screen, "#groups") == []
            await screen.look().wait()
            assert cells(screen, "#groups") == [["billing", "stable", "2", "1,000", "12"]]
            assert screen.sub_title == "127.0.0.1:9092"
            watcher.connections = 3
            await screen.look().wait()
            assert screen.sub_title == "127.0.0.1:9092, 3 connections"
            watcher.answer = NoAnswer("127.0.0.1:9092", "gone")
            await screen.look().wait()
            assert "no answer from 127.0.0.1:9092: gone" in str(screen.query_one("#fault").render())
            watcher.answer = ([], [])
            await pilot.press("p")
            await screen.look().wait()
            assert len(cells(screen, "#topics")) == 2
            await pilot.press("p")
            await screen.look().wait()
            assert cells(screen, "#topics") == []
            await pilot.press("q")
        assert screen.return_value is None

    asyncio.run(run())
