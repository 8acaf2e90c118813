"""Wire traffic: noted from when somebody asks until they ask to hear it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import msgspec
import trio
from msgspec import Meta

from kstream.server.exchanges import exchanges
from kstream.server.trace_file import read_trace
from kstream.web.operation import BadRequest, Call, Operation

_TAG = "testing"
_FILE = "trace"


class WhichExchanges(msgspec.Struct):
    """The newest `limit` of those of an API, of clients (`*` stands for anything), with errors only."""

    api: str | None = None
    client_id: str | None = None
    errors: bool = False
    limit: Annotated[int, Meta(ge=1, le=10_000)] = 1000


async def begin_trace(call: Call) -> None:
    _start(call)(call.running.folder("trace") / _FILE)


async def end_trace(call: Call) -> list[dict[str, Any]]:
    path = call.running.folder("trace") / _FILE
    if not path.exists():
        raise BadRequest("nothing is traced: POST /v1/trace begins it")
    _start(call)(None)
    try:
        return await trio.to_thread.run_sync(partial(_read, path, call.query))
    finally:
        path.unlink(missing_ok=True)


def _start(call: Call) -> Callable[[Path | None], None]:
    start = call.running.broker.start_trace
    if start is None:
        raise BadRequest("this server cannot trace")
    return start


def _read(path: Path, which: WhichExchanges) -> list[dict[str, Any]]:
    wanted = None if which.api is None else which.api.replace("_", "").lower()
    return [
        each.describe()
        for each in deque(
            (
                each
                for each in exchanges(read_trace(path))
                if (wanted is None or each.key.name.replace("_", "").lower() == wanted)
                and (which.client_id is None or fnmatchcase(each.client_id or "", which.client_id))
                and (not which.errors or each.errors or each.response is None)
            ),
            maxlen=which.limit,
        )
    ]


OPERATIONS = (
    Operation(
        "POST", "/v1/trace", "Begin to note requests and answers, up to 256 MB", begin_trace, _TAG, status=204
    ),
    Operation(
        "DELETE",
        "/v1/trace",
        "End it; the answer is what was said on the wire, decoded",
        end_trace,
        _TAG,
        query=WhichExchanges,
        answer=list[dict[str, Any]],
    ),
)
