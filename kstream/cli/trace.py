"""`kstream trace`: what was said on the wire."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from kstream.cli.output import say
from kstream.cli.trace_replay import replay
from kstream.config.listeners import split_host_port
from kstream.server.exchanges import Exchange, exchanges, to_json
from kstream.server.trace_file import read_trace

app = App(name="trace", help="Decode wire traffic that kstream serve --trace wrote, or replay it.")


@app.default
def trace(
    file: Path,
    /,
    *,
    api: Annotated[list[str] | None, Parameter(help="Only this API, such as Fetch; may be repeated.")] = None,
    client_id: Annotated[
        str | None, Parameter(name="--client-id", help="Only clients of this id; * stands for anything.")
    ] = None,
    topic: Annotated[str | None, Parameter(help="Only what names this topic.")] = None,
    errors: Annotated[bool, Parameter(help="Only what was answered with an error, or not at all.")] = False,
    as_json: Annotated[
        bool, Parameter(name="--json", help="Print whole requests and answers, an object a line.")
    ] = False,
    replay_to: Annotated[
        str | None,
        Parameter(name="--replay", help="HOST:PORT: send the requests there, and compare what is answered."),
    ] = None,
) -> None:
    """Print requests and answers, a line each; or send the requests to a server once more.

    A replay sends the same bytes in the same order on as many connections. Ids that servers give, of topics,
    members and producers, are those of then: begin it on a copy of the data as it was.

    Parameters
    ----------
    file
        What `kstream serve --trace FILE` wrote.
    """
    apis = {_plain(name) for name in api or ()}
    chosen = (
        each
        for each in exchanges(read_trace(file))
        if (not apis or _plain(each.key.name) in apis)
        and (client_id is None or fnmatchcase(each.client_id or "", client_id))
        and (topic is None or topic in _topics(each))
        and (not errors or each.errors or each.response is None)
    )
    if replay_to is not None:
        result = replay(
            sorted(chosen, key=lambda each: each.at_us), *split_host_port(replay_to, flag="--replay")
        )
        for line in result.differences:
            print(line)
        say(f"{result.sent} requests sent, {result.same} answered with the same errors or none, "
            f"{len(result.differences)} otherwise")  # fmt: skip
        return
    for each in chosen:
        print(json.dumps(each.describe(), ensure_ascii=False) if as_json else _line(each))


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def _line(each: Exchange) -> str:
    clock = time.strftime("%H:%M:%S", time.localtime(each.at_us / 1_000_000))
    took = "-" if each.took_us is None else f"{each.took_us / 1000:.1f} ms"
    about = " ".join(sorted(_topics(each) | _groups(each)))
    outcome = each.closed or ", ".join(dict.fromkeys(each.errors)) or ("ok" if each.response else "no answer")
    return (
        f"{clock}.{each.at_us // 1000 % 1000:03d} #{each.connection} {each.client_id or '-'}"
        f" {each.key.name} v{each.version} {about + ' ' if about else ''}{took} {outcome}"
    )


def _topics(each: Exchange) -> set[str]:
    return set(_named(to_json(each.request), "topics") if each.request is not None else ())


def _groups(each: Exchange) -> set[str]:
    group = getattr(each.request, "group_id", None)
    return {group} if group else set()


def _named(value: Any, within: str) -> Iterator[str]:
    """Names of topics, and ids where there are no names, anywhere in a request."""
    if isinstance(value, list):
        for each in value:
            if isinstance(each, str) and within in ("topics", "topic_names"):
                yield each
            yield from _named(each, within)
    elif isinstance(value, dict):
        if within in ("topics", "topic_data", "topic_names"):
            name = value.get("name") or value.get("topic") or value.get("topic_name") or value.get("topic_id")
            if name:
                yield name
        for field, inner in value.items():
            yield from _named(inner, field)
