"""`kstream stats`: how a kstream server is, by its own account."""

from __future__ import annotations

import time
from typing import Annotated, Any

from cyclopts import App, Parameter

from kstream.cli.output import AsJson, print_json, print_rows
from kstream.cli.over_http import HttpServer
from kstream.replay.errors import ReplayError

app = App(name="stats", help="A kstream server's request rates, latencies, errors and queues.")


@app.default
def stats(
    *,
    interval: Annotated[
        float, Parameter(help="Seconds over which rates are taken.", show_default=True)
    ] = 1.0,
    as_json: AsJson = False,
    server: HttpServer | None = None,
) -> None:
    """Show rates over a moment, latencies of the last 1,024 requests of each API, and what waits.

    Needs a server that runs with --http.
    """
    if not 0.05 <= interval <= 3600:
        raise ReplayError(f"--interval {interval:g}: give 0.05 to 3600 seconds")
    server = server or HttpServer()
    before = server.ask("GET", "/v1/stats")
    time.sleep(interval)
    after = server.ask("GET", "/v1/stats")
    rows = _rates(before, after)
    if as_json:
        print_json({**after, "requests": rows})
        return
    moved = _moved(before, after)
    print("records in {messages_in:g}/s, bytes in {bytes_in:g}/s, out {bytes_out:g}/s".format(**moved))
    errors = sum(row["errors_per_s"] for row in rows)
    print(
        f"requests {sum(row['per_s'] for row in rows):g}/s, errors {errors:g}/s,"
        f" queue {after['queue_depth']}, disk queue {after['disk_queue_depth']},"
        f" connections {after['connections']}, waiting fetches {after['waiting_fetches']}"
    )
    for name, label in (("event_loop_delay", "event loop delay"), ("fsync", "fsync")):
        if after[name]["p50_ms"] is not None:
            print(f"{label}: p50 {after[name]['p50_ms']} ms, p99 {after[name]['p99_ms']} ms")
    columns = ["request", "per_s", "errors_per_s", "count", "failed", "p50_ms", "p99_ms"]
    print_rows(rows, columns, as_json=False, none="no requests yet")


def _moved(before: dict[str, Any], after: dict[str, Any]) -> dict[str, float]:
    """What went in and out, a second."""
    elapsed_s = _elapsed_s(before, after)
    return {
        name: round((count - before["traffic"][name]) / elapsed_s, 1)
        for name, count in after["traffic"].items()
    }


def _elapsed_s(before: dict[str, Any], after: dict[str, Any]) -> float:
    return float(max(after["uptime_s"] - before["uptime_s"], 1e-3))


def _rates(before: dict[str, Any], after: dict[str, Any]) -> list[dict[str, Any]]:
    """The busiest first."""
    elapsed_s = _elapsed_s(before, after)
    earlier = {each["request"]: each for each in before["requests"]}
    rows = []
    for each in after["requests"]:
        was = earlier.get(each["request"], {"count": 0, "failed": 0})
        rows.append(
            {
                "request": each["request"],
                "per_s": round(max(each["count"] - was["count"], 0) / elapsed_s, 1),
                "errors_per_s": round(max(each["failed"] - was["failed"], 0) / elapsed_s, 1),
                "count": each["count"],
                "failed": each["failed"],
                **each["latency"],
            }
        )
    return sorted(rows, key=lambda row: (-row["per_s"], -row["count"], row["request"]))
