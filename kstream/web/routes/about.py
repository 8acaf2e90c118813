"""The server itself: who it is, how it is, what it offers."""

from __future__ import annotations

from typing import Any

import msgspec

from kstream import __version__
from kstream.web.metrics.exposition import exposition
from kstream.web.openapi import document
from kstream.web.operation import Call, Operation, Text

_TAG = "server"


class About(msgspec.Struct):
    """What a client needs to find the server."""

    version: str
    bootstrap_servers: str
    cluster_id: str
    node_id: int
    now_ms: int


async def get_about(call: Call) -> About:
    broker = call.running.broker
    addresses = ",".join(call.running.addresses)
    return About(__version__, addresses, broker.cluster_id, broker.node_id, broker.clock.now_ms())


async def get_health(call: Call) -> Text:
    """The event loop answers."""
    return Text(b"ok\n")


async def get_readiness(call: Call) -> Text:
    """Clients are served; what is still being checked after an unclean stop answers as soon as it is done."""
    broker = call.running.broker
    if offline := [each for each in broker.partitions.opened() if each.log.is_offline]:
        names = ", ".join(f"{each.topic_name}-{each.index}" for each in offline[:10])
        return Text(
            f"not ready: the disk failed for {names}; restart with a disk that works\n".encode(), status=503
        )
    if unchecked := len(broker.directory.unrecovered):
        return Text(f"not ready: {unchecked} partitions are being checked\n".encode(), status=503)
    return Text(b"ready\n")


async def get_metrics(call: Call) -> Text:
    return await exposition(call.running, call.accept)


async def get_openapi(call: Call) -> dict[str, Any]:
    return document()


OPERATIONS = (
    Operation("GET", "/v1", "Addresses, versions, ids", get_about, _TAG, answer=About),
    Operation(
        "GET",
        "/healthz",
        "Whether it lives",
        get_health,
        _TAG,
        answer=Text,
        media_type="text/plain",
        is_open=True,
    ),
    Operation(
        "GET",
        "/readyz",
        "Whether everything can be used",
        get_readiness,
        _TAG,
        answer=Text,
        media_type="text/plain",
        errors=(503,),
        is_open=True,
    ),
    Operation(
        "GET",
        "/metrics",
        "Metrics for Prometheus",
        get_metrics,
        _TAG,
        answer=Text,
        media_type="text/plain",
    ),
    Operation("GET", "/openapi.json", "This document", get_openapi, _TAG, answer=dict[str, Any]),
)
