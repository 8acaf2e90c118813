"""No web page drives the server, and nobody else without the token."""

from __future__ import annotations

import pytest

from kstream.config.errors import ConfigError
from kstream.web.access import Access, Denied
from tests.web.harness import HttpBroker, http_broker

TOKEN = "a-long-random-token"


@pytest.mark.parametrize(
    "host", ["127.0.0.1:9644", "localhost:1234", "[::1]:9644", "127.0.0.2", "LOCALHOST:9644"]
)
def test_names_of_this_machine_pass(host: str) -> None:
    Access("127.0.0.1", None).check({"host": host}, is_open=False)


@pytest.mark.parametrize(
    "host",
    ["", "evil.example:9644", "127.0.0.1.evil.example", "10.0.0.7:9644", "[::2]", "a[", "localhost.a"],
)
def test_a_name_that_was_made_to_point_here_does_not(host: str) -> None:
    with pytest.raises(Denied) as denied:
        Access("127.0.0.1", None).check({"host": host}, is_open=True)
    assert denied.value.status == 421


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({"origin": "http://127.0.0.1:9644"}, True),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "http://127.0.0.1:8000"}, False),
        ({"origin": "null"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "none"}, True),
    ],
)
def test_pages_of_others_may_not(headers: dict[str, str], passes: bool) -> None:
    access = Access("127.0.0.1", None)
    if passes:
        access.check({"host": "127.0.0.1:9644", **headers}, is_open=False)
    else:
        with pytest.raises(Denied) as denied:
            access.check({"host": "127.0.0.1:9644", **headers}, is_open=False)
        assert denied.value.status == 403


def test_without_a_token_only_this_machine_is_served() -> None:
    for host in ("0.0.0.0", "::", "10.0.0.7"):
        with pytest.raises(ConfigError, match="--http-token"):
            Access(host, None)
    Access("0.0.0.0", TOKEN)
    with pytest.raises(ConfigError, match="fewer than 8"):
        Access("0.0.0.0", "short")


def test_the_token_is_asked_for_but_by_probes() -> None:
    with http_broker(token=TOKEN) as broker:
        assert broker.get("/v1", headers={"Host": "kafka:9644"}).status == 200
        broker.token = "another-token"
        refused = broker.get("/v1")
        assert refused.status == 401
        assert refused.headers["www-authenticate"] == "Bearer"
        broker.token = None
        assert broker.get("/metrics").status == 401
        assert broker.post("/v1/clock/advance", {"hours": 1}).status == 401
        assert broker.get("/healthz").status == 200
        assert broker.get("/readyz").status == 200


def test_a_page_changes_nothing(http_kafka: HttpBroker) -> None:
    headers = {"Origin": "http://evil.example", "Content-Type": "text/plain"}
    refused = http_kafka.post("/v1/topics", {"name": "by-a-page"}, headers=headers)
    assert (refused.status, refused.json["error"]) == (403, "denied")
    rebound = http_kafka.get("/v1/topics", headers={"Host": "evil.example"})
    assert rebound.status == 421
    assert "by-a-page" not in http_kafka.get("/v1/topics").text
