"""A thousand tests with topics and groups of their own, in parallel workers, of which none sees another."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

_CONFTEST = """
import gc, json, os, tempfile, threading
from pathlib import Path

def pytest_sessionfinish(session):
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker:
        gc.collect()
        Path(f"left-{worker}.json").write_text(json.dumps({
            "descriptors": len(os.listdir("/dev/fd")),
            "threads": [t.name for t in threading.enumerate() if t.name.startswith("kstream")],
        }))
"""

_TESTS = '''
import os, threading
import pytest
from kstream.testing.client import WireClient
from kstream.wire.messages.find_coordinator import FindCoordinatorRequest
from kstream.wire.messages.offset_commit import (
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
)

def commit(broker, group, topic, offset):
    host, _, port = broker.bootstrap_servers.partition(":")
    partition = OffsetCommitRequestPartition(committed_offset=offset, committed_metadata="")
    request = OffsetCommitRequest(
        group_id=group, generation_id_or_member_epoch=-1, member_id="",
        topics=[OffsetCommitRequestTopic(name=topic, partitions=[partition])],
    )
    with WireClient(host, int(port)) as client:
        client.request(FindCoordinatorRequest(coordinator_keys=[group]), 4)
        for _ in range(100):
            answer = client.request(request, 8)
            (code,) = [each.error_code for topic in answer.topics for each in topic.partitions]
            if code not in (14, 15, 16):
                break
    assert code == 0

@pytest.mark.parametrize("number", range(500))
def test_fresh(kafka, number):
    """The names are the same in every test: whatever leaked would show."""
    assert "topics:\\n  none" in kafka.report() and "groups:\\n  none" in kafka.report()
    kafka.topic("orders")
    kafka.produce("orders", str(number))
    commit(kafka, "billing", "orders", 1)
    assert [event.value for event in kafka.records("orders")] == [str(number).encode()]
    assert kafka.committed("billing") == {("orders", 0): 1}

@pytest.mark.parametrize("number", range(500))
def test_shared(kafka_server, number):
    topic, group = f"orders-{number}", f"billing-{number}"
    kafka_server.topic(topic)
    kafka_server.produce(topic, str(number))
    commit(kafka_server, group, topic, 1)
    assert [event.value for event in kafka_server.records(topic)] == [str(number).encode()]
    assert kafka_server.committed(group) == {(topic, 0): 1}
    kafka_server.delete_topic(topic)
    assert kafka_server.committed(group) == {}
'''


@pytest.mark.slow
def test_a_thousand_tests_leave_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(_CONFTEST)
    (tmp_path / "test_many.py").write_text(_TESTS)
    folders = tmp_path / "folders"
    folders.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        env=os.environ | {"TMPDIR": str(folders)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    print(done.stdout[-2000:])
    assert done.returncode == 0
    assert re.search(r"1000 passed", done.stdout)
    assert [entry.name for entry in folders.iterdir() if entry.name.startswith("kstream-")] == []
    left = [json.loads(path.read_text()) for path in tmp_path.glob("left-*.json")]
    assert len(left) == 2
    for worker in left:
        assert worker["threads"] == []
        assert worker["descriptors"] < 60
