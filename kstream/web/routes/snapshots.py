"""Snapshots: the whole state of the broker as one moment had it, as a data directory."""

from __future__ import annotations

import shutil
from typing import Annotated

import msgspec
import trio
from msgspec import Meta

from kstream.broker.snapshot import write_snapshot
from kstream.web.operation import BadRequest, Call, NotFound, Operation

_TAG = "testing"
_SNAPSHOTS_MAX = 100

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$")]


class SnapshotToTake(msgspec.Struct, forbid_unknown_fields=True):
    """What to call it."""

    name: Name


class Snapshot(msgspec.Struct):
    """`kstream --data PATH` starts a server from it; copy what is to stay when this server stops."""

    name: str
    path: str


async def list_snapshots(call: Call) -> list[Snapshot]:
    folder = call.running.folder("snapshots")
    return [Snapshot(path.name, str(path)) for path in sorted(folder.iterdir())]


async def take_snapshot(call: Call) -> Snapshot:
    folder = call.running.folder("snapshots")
    if len(list(folder.iterdir())) >= _SNAPSHOTS_MAX:
        raise BadRequest(f"there are {_SNAPSHOTS_MAX} snapshots already: delete some")
    path = folder / call.body.name
    if path.exists():
        raise BadRequest(f"there is a snapshot {call.body.name} already: delete it, or choose another name")
    await write_snapshot(call.running.broker, path)
    return Snapshot(path.name, str(path))


async def delete_snapshot(call: Call) -> None:
    name = call.path["name"]
    for path in call.running.folder("snapshots").iterdir():
        if path.name == name:
            await trio.to_thread.run_sync(shutil.rmtree, path)
            return
    raise NotFound(f"there is no snapshot {name}")


OPERATIONS = (
    Operation("GET", "/v1/snapshots", "Snapshots", list_snapshots, _TAG, answer=list[Snapshot]),
    Operation(
        "POST",
        "/v1/snapshots",
        "Copy the broker's whole state, as of one moment",
        take_snapshot,
        _TAG,
        body=SnapshotToTake,
        answer=Snapshot,
        status=201,
    ),
    Operation(
        "DELETE",
        "/v1/snapshots/{name}",
        "Delete a snapshot",
        delete_snapshot,
        _TAG,
        status=204,
        errors=(404,),
    ),
)
