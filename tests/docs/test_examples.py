"""The programs in examples/ print what they are there to show."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from compat.kstream_server import KstreamServer
from tests.docs.snippets import ROOT

pytestmark = pytest.mark.clients

EXAMPLES = ROOT / "examples"
TIMEOUT_S = 240.0

PRINTED = {
    "cqrs_projection": """\
        the power is gone in the middle of event 12
        the next start takes the other 18 events
        chair: 155 sold
        vase: 145 sold
        lamp: 135 sold
        """,
    "event_sourcing": "the balance is 3870, from a snapshot and 20 events",
    "fan_out": """\
        billing saw [0, 1, 2, 3, 4, 5]
        shipping saw [0, 1, 2, 3, 4, 5]
        statistics saw [0, 1, 2, 3, 4, 5]
        """,
    "from_activemq": """\
        the queue's consumers did 10 jobs, each once
        day 1: the durable subscription got 3
        day 2: the durable subscription got 2
        """,
    "from_event_grid": """\
        the handler of pictures/a.png failed
        handled: pictures/d.png, pictures/a.png
        """,
    "from_event_hubs": "two processors read 40 events, 0 of them twice",
    "from_google_pubsub": """\
        sub-a: 3 acked, message 1 came back behind others
        sub-b: 3 acked, in order
        """,
    "from_kinesis": """\
        TRIM_HORIZON: click 0, click 1 ...
        AFTER_SEQUENCE_NUMBER 3: click 4, click 5
        AT_TIMESTAMP two and a half minutes ago: click 3, click 4, click 5
        """,
    "from_pulsar": """\
        Shared: 4 messages
        Key_Shared: 4 messages, each key in order
        Failover: first had a1, b1
        Failover: standby had a2, b2
        """,
    "from_rabbitmq": """\
        [x] Done: First message.
        [ ] Back into the queue: Second message..
        [x] Done: Third message...
        [x] Done: Second message.. (redelivered)
        the other queue of the exchange had all 3
        """,
    "from_redis_pubsub": "the subscriber got after",
    "from_redis_streams": "alice left entry 0 pending; bob got it as delivery 2, and 3 in all",
    "from_service_bus": """\
        session a in order: a1, a2, a3
        the scheduled message came at its time
        """,
    "from_sns": """\
        everything: a lamp, a vase, a chair, a table
        refunds: a vase, a table
        """,
    "from_sqs": """\
        receive 1 of: order 2 with a broken address
        receive 2 of: order 2 with a broken address
        deleted 2
        in the dead letter queue: order 2 with a broken address
        """,
    "idempotent_consumer": "6 deliveries, 3 bookings, a balance of 60",
    "outbox": """\
        a relay died with three events sent and not committed
        the next one sent 3
        and then 1
        a reader saw lamp, vase, chair, table
        """,
    "request_reply": """\
        3 squared is 9
        5 squared is 25
        12 squared is 144
        """,
    "retry_topics": """\
        done: {'good': 2, 'flaky': 1}
        dead: poison after 3 attempts, cannot handle poison
        """,
    "saga": """\
        order-1 to Bern: reserve, charge, ship
        order-2 to the moon: reserve, charge, ship failed, refund, release
        """,
    "table": """\
        {'lamp': 35, 'vase': 15, 'chair': 80}
        {'lamp': 35, 'chair': 99}
        """,
    "windowed_aggregation": """\
        minute 0: 4 clicks
        minute 1: 3 clicks
        minute 2: 1 clicks
        minute 3: 1 clicks
        too late: 1, in a window that is open: 1
        """,
}


@pytest.fixture(scope="module")
def server() -> Iterator[KstreamServer]:
    with KstreamServer() as running:
        yield running


@pytest.mark.parametrize("name", sorted(PRINTED))
def test_an_example_prints_what_it_shows(server: KstreamServer, name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py")],
        env={**os.environ, "KSTREAM_BOOTSTRAP": server.bootstrap},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert _lines(done.stdout) == _lines(PRINTED[name])


def test_all_examples_are_here() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == PRINTED.keys() | {"plumbing", "queueing"}


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]
