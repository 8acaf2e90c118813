"""The pytest plugin: fixtures `kafka` and `kafka_server`, marker `kafka`, and what the broker saw in reports.

It is loaded in every run of pytest, so it imports kstream only once a test asks for a broker.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from kstream.testing.broker import Broker

_SEEN: pytest.StashKey[dict[str, Broker]] = pytest.StashKey()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "kafka(topics=(), settings={}): topics that the broker of the fixture `kafka` has from the start,"
        " names or a mapping of names to counts of partitions, and its settings",
    )


@pytest.fixture(scope="session")
def kafka_server(request: pytest.FixtureRequest) -> Generator[Broker]:
    """A broker that all tests of this process share: each should have topics and groups of its own."""
    from kstream.testing.broker import Broker

    with Broker() as broker:
        request.session.stash.setdefault(_SEEN, {})["kafka_server"] = broker
        yield broker


@pytest.fixture
def kafka(request: pytest.FixtureRequest) -> Generator[Broker]:
    """A broker for this test alone, with the topics and settings of the nearest marker `kafka`."""
    from kstream.testing.broker import Broker

    topics, settings = _wanted(request.node.get_closest_marker("kafka"))
    with Broker(topics, **settings) as broker:
        request.node.stash.setdefault(_SEEN, {})["kafka"] = broker
        yield broker


def _wanted(marker: pytest.Mark | None) -> tuple[Mapping[str, int] | Iterable[str], Mapping[str, Any]]:
    if marker is None:
        return (), {}
    if marker.args or marker.kwargs.keys() - {"topics", "settings"}:
        raise pytest.UsageError("the marker kafka takes topics=... and settings={...}")
    topics = marker.kwargs.get("topics", ())
    if isinstance(topics, str):
        raise pytest.UsageError(f"the marker kafka takes a list of topics: topics=[{topics!r}]")
    return topics, marker.kwargs.get("settings", {})


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call" and report.failed:
        own: dict[str, Broker] = item.stash.get(_SEEN, {})
        shared: dict[str, Broker] = item.session.stash.get(_SEEN, {})
        names = getattr(item, "fixturenames", ())
        brokers = own | {name: broker for name, broker in shared.items() if name in names}
        for name, broker in brokers.items():
            try:
                seen = broker.report()
            except Exception as error:  # the test's own failure must be told in any case
                seen = f"the broker cannot say: {error!r}"
            report.sections.append((f"what the broker of {name} saw", seen))
    return report
