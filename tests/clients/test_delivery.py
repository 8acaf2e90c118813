"""The examples of docs/delivery.md, run in the order in which they stand, against one server."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from compat.kstream_server import KstreamServer
from kstream.testing.client import WireClient
from tests.transactions.reading import committed_values
from tests.transactions.wire_producer import committed_offset

pytestmark = pytest.mark.clients

PAGE = Path(__file__).parents[2] / "docs" / "delivery.md"
TIMEOUT_S = 60.0


def test_the_examples_do_what_they_say() -> None:
    examples = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(examples) == 3
    with KstreamServer() as server:
        printed = []
        for example in examples:
            done = subprocess.run(
                [sys.executable, "-c", example.replace("127.0.0.1:9092", server.bootstrap)],
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            printed.append(done.stdout.strip())
        with WireClient(*server.address) as client:
            payments = committed_values(client, "payments", 0)
            assert payments == [b"10", b"20"]
            assert committed_values(client, "doubled", 0) == [b"20"]
            assert committed_offset(client, "book-keeping", "payments", 0) == (0, 1)
            assert committed_offset(client, "doubling", "payments", 0) == (0, 1)
        assert printed == ["", "b'10'", ""]
