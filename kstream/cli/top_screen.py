"""The screen of `kstream top`. Needs the extra `top`."""

from __future__ import annotations

import time
from typing import ClassVar

from textual import work
from textual.app import App, ComposeResult
from textual.widgets import DataTable, Footer, Header, Label

from kstream.cli.watching import GroupRow, TopicRow, Watcher
from kstream.errors import KstreamError


class TopScreen(App[None]):
    """Two tables, filled anew every so many seconds by a thread that asks the cluster."""

    BINDINGS: ClassVar = [("q", "quit", "Quit"), ("p", "pause", "Pause")]
    CSS = "DataTable { height: 1fr; } Label { padding: 0 1; color: $text-muted; }"

    def __init__(
        self,
        watcher: Watcher,
        bootstrap: str,
        every_s: float,
        first: tuple[list[TopicRow], list[GroupRow]],
    ) -> None:
        super().__init__()
        self._watcher = watcher
        self._every_s = every_s
        self._first = first
        self._is_paused = False
        self.title = "kstream top"
        self._bootstrap = bootstrap
        self.sub_title = bootstrap

    def compose(self) -> ComposeResult:
        yield Header()
        yield Label("topics")
        yield DataTable(id="topics", cursor_type="none")
        yield Label("groups")
        yield DataTable(id="groups", cursor_type="none")
        yield Label("", id="fault")
        yield Footer()

    def on_mount(self) -> None:
        self.query_one("#topics", DataTable).add_columns("topic", "partitions", "records", "records/s")
        self.query_one("#groups", DataTable).add_columns("group", "state", "members", "lag", "records/s")
        self.show(*self._first)
        self.set_interval(self._every_s, self.look)

    def action_pause(self) -> None:
        self._is_paused = not self._is_paused

    @work(thread=True, exclusive=True)
    def look(self) -> None:
        if self._is_paused:
            return
        try:
            topics, groups = self._watcher.look(time.monotonic())
        except KstreamError as error:
            self.call_from_thread(self.query_one("#fault", Label).update, str(error))
            return
        self.call_from_thread(self.show, topics, groups)

    def show(self, topics: list[TopicRow], groups: list[GroupRow]) -> None:
        self.query_one("#fault", Label).update("")
        connections = self._watcher.connections
        self.sub_title = self._bootstrap + ("" if connections is None else f", {connections} connections")
        for name, rows in (("#topics", topics), ("#groups", groups)):
            table = self.query_one(name, DataTable)
            table.clear()
            for row in rows:
                table.add_row(*(f"{cell:,.0f}" if isinstance(cell, int | float) else cell for cell in row))
