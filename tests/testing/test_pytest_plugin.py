"""The pytest plugin, as pytest runs it."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

PLUGIN = "kstream.testing.pytest_plugin"
ROOT = Path(__file__).parents[2]
TIMEOUT_S = 240.0


def run_pytest(folder: Path, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """pytest in a process of its own, with this plugin alone, however kstream is installed."""
    (folder / "test_it.py").write_text(text)
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            PLUGIN,
            "-p",
            "no:cacheprovider",
            "--strict-markers",
            *arguments,
        ],
        cwd=folder,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def _environment() -> dict[str, str]:
    return os.environ | {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }


def test_the_entry_point_names_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"kstream": PLUGIN}
    assert hasattr(import_module(PLUGIN), "kafka")


def test_it_imports_nothing_until_asked(tmp_path: Path) -> None:
    done = run_pytest(
        tmp_path,
        """
import sys

def test_light():
    loaded = {name for name in sys.modules if name.partition(".")[0] in ("kstream", "trio", "numpy")}
    assert loaded == {"kstream", "kstream.testing", "kstream.testing.pytest_plugin"}
""",
    )
    assert done.returncode == 0, done.stdout


FIXTURES = """
import pytest
from kafka import KafkaProducer

pytestmark = pytest.mark.kafka(topics=["everywhere"])

@pytest.mark.kafka(topics={"orders": 3, "audit": 1}, settings={"num_partitions": 5})
def test_marker(kafka):
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    producer.send("orders", b"1", partition=2).get(timeout=60)
    producer.send("made", b"1").get(timeout=60)
    producer.close()
    assert kafka.records("orders", 2)[0].value == b"1"
    with pytest.raises(Exception, match="."):
        kafka.produce("made", "v", partition=5)
    kafka.produce("made", "v", partition=4)

@pytest.mark.kafka()
def test_fresh(kafka):
    kafka.topic("orders")
    assert kafka.records("orders") == []

seen = set()

@pytest.mark.parametrize("number", range(2))
def test_shared(kafka_server, number):
    kafka_server.topic(f"t{number}")
    seen.add(kafka_server.bootstrap_servers)
    assert len(seen) == 1
"""


def test_fixtures_and_marker(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, FIXTURES)
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout


def test_under_xdist(tmp_path: Path) -> None:
    pytest.importorskip("xdist", reason="pytest-xdist is not installed: it is in the extra `test`")
    text = (
        FIXTURES
        + """
@pytest.mark.parametrize("number", range(20))
def test_each_has_its_own(kafka, number):
    kafka.topic("orders")
    kafka.produce("orders", str(number))
    assert [event.value for event in kafka.records("orders")] == [str(number).encode()]
"""
    )
    done = run_pytest(tmp_path, text, "-p", "xdist", "-n", "2")
    assert done.returncode == 0, done.stdout
    assert "24 passed" in done.stdout


def test_a_failure_shows_what_the_broker_saw(tmp_path: Path) -> None:
    done = run_pytest(
        tmp_path,
        """
import pytest

@pytest.fixture
def through(kafka):
    return kafka

@pytest.mark.kafka(topics={"orders": 2})
def test_fails(through, kafka_server):
    kafka_server.topic("shared")
    through.produce("orders", "v", partition=1)
    through.produce("orders", "v", partition=7)

def test_fails_without(): assert False

def test_passes(kafka): pass
""",
    )
    assert done.returncode == 1, done.stdout
    for text in (
        "what the broker of kafka saw",
        "orders-1: offsets 0 to 1 (1)",
        "UNKNOWN_TOPIC_OR_PARTITION to kstream.testing in PRODUCE about orders",
        "what the broker of kafka_server saw",
        "shared-0: offsets 0 to 0 (0)",
    ):
        assert done.stdout.count(text) == 1, done.stdout


@pytest.mark.parametrize("marker", ["kafka('orders')", "kafka(topics='orders')", "kafka(topic=['orders'])"])
def test_a_marker_that_is_wrong_says_so(tmp_path: Path, marker: str) -> None:
    done = run_pytest(tmp_path, f"import pytest\n@pytest.mark.{marker}\ndef test_it(kafka): pass\n")
    assert done.returncode == 1
    assert "the marker kafka takes" in done.stdout
