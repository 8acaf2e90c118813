"""Past one core, as a prototype: what a second process brings, as a broker of its own or on the same port.

The processes share nothing. As brokers of one cluster each would lead some partitions, and clients, who know
leaders, would go to the right one; on a shared port a connection lands on either, whoever leads.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from benchmarks.load import Sample
from benchmarks.part import Measure, Part, Server, Turn, Values
from benchmarks.process_stats import cpu_seconds
from compat.kstream_server import KstreamServer

_TOPIC = "cores"
_SIZE = 100
_TICK_S = 0.01  # what the system counts processor time in


class _SharedPort(KstreamServer):
    """A kstream whose port others may share."""

    def command(self) -> Sequence[str]:
        """The prototype in place of the program."""
        return [sys.executable, "-m", "benchmarks.reuse_port", *super().command()[1:]]


def cores(turn: Turn) -> Values:
    """One process, then two with a port each and half of the connections each, then two on one port."""
    values: dict[str, float] = {}
    for name, make, is_shared in (
        ("cores-one", [KstreamServer], False),
        ("cores-two", [KstreamServer] * 2, False),
        ("cores-two-shared", [_SharedPort] * 2, True),
    ):
        with ExitStack() as stack:
            servers: list[KstreamServer] = []
            for kind in make:
                server = kind(parent=turn.folder, arguments=["--topic", _TOPIC])
                if is_shared and servers:
                    server.port = servers[0].port
                servers.append(stack.enter_context(server))
            _load(turn, servers[:1])  # connections, files and code paths warm
            before = [cpu_seconds(server.pid) for server in servers]
            rate = _load(turn, servers[:1] if is_shared else servers)
            used = [cpu_seconds(server.pid) - was for server, was in zip(servers, before, strict=True)]
        values[name] = rate
        sent = _sent(turn, 1 if is_shared else len(servers))
        values[f"{name}-alone"] = sent / max(*used, _TICK_S)
        if is_shared:
            values["cores-shared-balance"] = min(used) / max(used) if max(used) else 0.0
    return values


def _sent(turn: Turn, loads: int) -> int:
    """How many requests all loads together make."""
    return turn.scale.requests // loads * loads


def _load(turn: Turn, servers: Sequence[KstreamServer]) -> float:
    """Requests a second, all servers together, each with its share of connections and requests."""

    def send(server: KstreamServer) -> Sample:
        return turn.load.wire_requests(
            server.bootstrap,
            _TOPIC,
            records=turn.scale.requests // len(servers),
            size=_SIZE,
            connections=max(1, turn.scale.connections_active // len(servers)),
            depth=1,
        )

    with ThreadPoolExecutor(len(servers)) as pool:
        return sum(sample.records_per_second for sample in pool.map(send, servers))


PARTS = [
    Part(
        name="cores",
        doc="A second process, as a broker of its own and on the same port: one-record requests in all, and "
        "how many if the busiest process had a core to itself: here client and servers share them",
        measures=(
            Measure("cores-one", "requests/s", True),
            Measure("cores-two", "requests/s", True),
            Measure("cores-two-shared", "requests/s", True),
            Measure("cores-one-alone", "requests/s", True),
            Measure("cores-two-alone", "requests/s", True),
            Measure("cores-two-shared-alone", "requests/s", True),
            Measure("cores-shared-balance", "share", True),
        ),
        run=cores,
        server=Server.UNSTARTED,
        rounds=3,
        quick=True,
        not_for=dict.fromkeys(("kafka", "kfake", "tansu"), "the question is kstream's alone"),
    )
]
