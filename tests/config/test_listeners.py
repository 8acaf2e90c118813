"""Listeners, advertised listeners and the protocol map."""

from __future__ import annotations

import pytest

from kstream.config import BrokerConfig, ConfigError, Listener
from kstream.config.listeners import host_port, split_host_port


def test_default_is_this_machine_alone() -> None:
    config = BrokerConfig()
    assert config.listeners == (Listener("PLAINTEXT", "127.0.0.1", 9092),)
    assert config.advertised_listeners == ()


@pytest.mark.parametrize(
    ("text", "listener"),
    [
        ("PLAINTEXT://:9092", Listener("PLAINTEXT", "", 9092)),
        ("plaintext://broker-1.example_org:0", Listener("PLAINTEXT", "broker-1.example_org", 0)),
        ("PLAINTEXT://[::1]:9092", Listener("PLAINTEXT", "::1", 9092)),
        ("PLAINTEXT://[fe80::1%eth0]:9092", Listener("PLAINTEXT", "fe80::1%eth0", 9092)),
    ],
)
def test_shapes(text: str, listener: Listener) -> None:
    assert BrokerConfig({"listeners": text}).listeners == (listener,)


def test_names() -> None:
    config = BrokerConfig(
        {
            "listeners": "INSIDE://:9092, OUTSIDE://:9093",
            "listener.security.protocol.map": "INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT",
            "advertised.listeners": "OUTSIDE://example.org:443",
        }
    )
    assert [listener.name for listener in config.listeners] == ["INSIDE", "OUTSIDE"]
    assert config.advertised_listeners == (Listener("OUTSIDE", "example.org", 443),)


def test_controller_listeners_are_left_out() -> None:
    config = BrokerConfig(
        {
            "listeners": "PLAINTEXT://:9092,CONTROLLER://:9093",
            "advertised.listeners": "PLAINTEXT://a:9092,CONTROLLER://a:9093",
            "controller.listener.names": "CONTROLLER",
        }
    )
    assert [str(listener) for listener in config.listeners] == ["PLAINTEXT://:9092"]
    assert [str(listener) for listener in config.advertised_listeners] == ["PLAINTEXT://a:9092"]


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"listeners": "localhost:9092"}, "is not NAME://HOST:PORT"),
        ({"listeners": "PLAINTEXT://localhost"}, "is not NAME://HOST:PORT"),
        ({"listeners": "PLAINTEXT://localhost:65536"}, "is not NAME://HOST:PORT"),
        ({"listeners": "PLAINTEXT://localhost:-1"}, "is not NAME://HOST:PORT"),
        ({"listeners": "PLAINTEXT://::1:9092"}, "is not NAME://HOST:PORT"),
        ({"listeners": ""}, "must not be empty"),
        ({"listeners": "INSIDE://:9092"}, "add INSIDE:PLAINTEXT to listener.security.protocol.map"),
        ({"listeners": "PLAINTEXT://:1,PLAINTEXT://:2"}, "each listener must have a different name"),
        ({"listeners": "SSL://:9092"}, "SSL wants SSL, which is not served"),
        (
            {"listeners": "CONTROLLER://:1", "controller.listener.names": "CONTROLLER"},
            "only controller listeners",
        ),
        ({"advertised.listeners": "OTHER://a:1"}, "no security protocol is defined for listener OTHER"),
        ({"advertised.listeners": "SSL://a:1"}, "SSL is not one of the names in listeners: PLAINTEXT"),
        ({"advertised.listeners": "PLAINTEXT://0.0.0.0:1"}, "is no address a client can connect to"),
        ({"advertised.listeners": "PLAINTEXT://:1"}, "is no address a client can connect to"),
        ({"listener.security.protocol.map": "PLAINTEXT"}, "is not NAME:PROTOCOL"),
        ({"listener.security.protocol.map": "PLAINTEXT:TELNET"}, "is not NAME:PROTOCOL"),
        ({"listener.security.protocol.map": "A:SSL,A:PLAINTEXT"}, "A is mapped twice"),
    ],
)
def test_faults(values: dict[str, str], fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        BrokerConfig(values)
    assert fault in str(caught.value)
    assert "\n" not in str(caught.value)


PROTOCOLS = {"listener.security.protocol.map": "A:PLAINTEXT,B:PLAINTEXT,C:PLAINTEXT"}


def test_one_port_once_on_ipv4_and_once_on_ipv6() -> None:
    listeners = BrokerConfig({"listeners": "A://127.0.0.1:9092,B://[::1]:9092", **PROTOCOLS}).listeners
    assert [listener.port for listener in listeners] == [9092, 9092]


@pytest.mark.parametrize(
    "text", ["A://h:1,B://g:1", "A://[::1]:1,B://[::2]:1", "A://h:1,B://[::1]:1,C://g:1"]
)
def test_a_port_twice(text: str) -> None:
    with pytest.raises(ConfigError, match="each listener must have a different port; 1 is used by several"):
        BrokerConfig({"listeners": text, **PROTOCOLS})


def test_free_ports_are_different() -> None:
    assert len(BrokerConfig({"listeners": "A://h:0,B://h:0", **PROTOCOLS}).listeners) == 2


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("h:1", "h", 1),
        ("[::1]:9", "::1", 9),
        (":0", "", 0),
        ("9092", "127.0.0.1", 9092),
        ("0.0.0.0:1", "0.0.0.0", 1),
    ],
)
def test_host_port(text: str, host: str, port: int) -> None:
    assert split_host_port(text, flag="--listen") == (host, port)
    if ":" in text:
        assert host_port(host, port) == text


@pytest.mark.parametrize("text", ["", "h", "h:", "h:x", "h:65536", "::1:9092", "a://h:1"])
def test_not_a_host_port(text: str) -> None:
    with pytest.raises(ConfigError, match="expected HOST:PORT"):
        split_host_port(text, flag="--listen")
