"""`kstream top`: a live view."""

from __future__ import annotations

import time
from typing import Annotated

from cyclopts import App, Parameter

from kstream.cli.connection import Cluster
from kstream.cli.output import AsJson, print_json
from kstream.cli.over_http import HttpServer
from kstream.cli.watching import Watcher
from kstream.replay.errors import ReplayError

app = App(name="top", help="Watch topics, rates, groups and lag live.")


@app.default
def top(
    *,
    every: Annotated[float, Parameter(help="Seconds between two looks.", show_default=True)] = 1.0,
    as_json: AsJson = False,
    cluster: Cluster | None = None,
    server: HttpServer | None = None,
) -> None:
    """Show topics with their rates and groups with their lag, until q is pressed. With --json, one look.

    Where a kstream server offers HTTP (`kstream serve --http`), its connections are shown, too.
    """
    cluster = cluster or Cluster()
    if not every >= 0.1:
        raise ReplayError("--every: at least 0.1 s lie between two looks")
    watcher = Watcher(cluster, server or HttpServer())
    topics, groups = watcher.look(time.monotonic())
    if as_json:
        print_json(
            {
                "topics": [each._asdict() for each in topics],
                "groups": [each._asdict() for each in groups],
                "connections": watcher.connections,
            }
        )
        return
    try:
        from kstream.cli.top_screen import TopScreen
    except ModuleNotFoundError as error:
        raise ReplayError(f"kstream top needs the library {error.name}: pip install 'kstream[top]'") from None
    TopScreen(watcher, cluster.bootstrap, every, (topics, groups)).run()
