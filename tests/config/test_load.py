"""Where values come from, which wins, and what is said about what kstream does not do."""

from __future__ import annotations

from pathlib import Path

import pytest

from kstream.config import ConfigError
from kstream.config.catalogue import broker_keys
from kstream.config.key import Support
from kstream.config.load import Note, from_environment, load


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "server.properties"


def texts(notes: list[Note]) -> list[str]:
    return [note.text for note in notes]


def test_the_command_line_wins_over_the_environment_over_the_file(file: Path) -> None:
    file.write_text("num.partitions=2\nmessage.max.bytes=2\nlog.roll.ms=2\n")
    environment = {"KAFKA_NUM_PARTITIONS": "3", "KAFKA_MESSAGE_MAX_BYTES": "3", "HOME": "/"}
    config, notes = load(file=file, environment=environment, settings=["num.partitions = 4"])
    assert (config.num_partitions, config.message_max_bytes, config.log_roll_ms) == (4, 3, 2)
    assert notes == []


def test_names_of_variables() -> None:
    given = from_environment(
        {
            "KAFKA_LOG_RETENTION_MS": "1",
            "KAFKA_SOME__NAME": "2",
            "KAFKA_SOME___NAME": "3",
            "KAFKA_HEAP_OPTS": "-Xmx1G",
            "KAFKA_OPTS": "",
            "CLUSTER_ID": "abc",
            "OTHER": "x",
        }
    )
    assert {name: value.text for name, value in given.items()} == {
        "log.retention.ms": "1",
        "some_name": "2",
        "some-name": "3",
        "kstream.cluster.id": "abc",
    }


def test_a_file_in_latin_1_is_read(file: Path) -> None:
    file.write_bytes("# größe\nbroker.rack=zürich\n".encode("latin-1"))
    config, _ = load(file=file)
    assert config.broker_rack == "zürich"


def test_no_such_file(file: Path) -> None:
    with pytest.raises(ConfigError, match="No such file or directory; name a readable properties file"):
        load(file=file)


def test_errors_name_the_place(file: Path) -> None:
    file.write_text("num.partitions=none\n")
    with pytest.raises(ConfigError, match=rf"^{file}: Invalid value none for configuration num.partitions"):
        load(file=file)
    with pytest.raises(ConfigError, match=r"^KAFKA_NUM_PARTITIONS: Invalid value x "):
        load(environment={"KAFKA_NUM_PARTITIONS": "x"})
    with pytest.raises(ConfigError, match=r"^--set num.partitions: Invalid value y "):
        load(settings=["num.partitions=y"])
    file.write_text("a=\\u1\n")
    with pytest.raises(ConfigError, match=rf"^{file}: line 1: "):
        load(file=file)


@pytest.mark.parametrize("setting", ["num.partitions", "=3", " = 3"])
def test_not_a_setting(setting: str) -> None:
    with pytest.raises(ConfigError, match="expected KEY=VALUE"):
        load(settings=[setting])


def test_an_unknown_key_is_a_warning_with_a_guess() -> None:
    _, notes = load(settings=["num.partition=3", "xyz=1"])
    assert notes == [
        Note(
            True,
            "--set num.partition: num.partition is not a key of Kafka 4.4; it is ignored;"
            " did you mean num.partitions?",
        ),
        Note(True, "--set xyz: xyz is not a key of Kafka 4.4; it is ignored"),
    ]


def test_what_is_not_done_is_said() -> None:
    _, notes = load(settings=["ssl.keystore.location=/k", "num.io.threads=16", "num.network.threads=3"])
    assert notes == [
        Note(True, "--set ssl.keystore.location: ssl.keystore.location has no effect: TLS is not served"),
        Note(False, "--set num.io.threads: num.io.threads has no effect: one event loop serves all requests"),
    ]


@pytest.mark.parametrize("name", ["ssl.key.password", "listener.name.a.ssl.key.password", "my.secret"])
def test_secrets_are_not_repeated(name: str) -> None:
    _, notes = load(settings=[f"{name}=hunter2"])
    assert len(notes) == 1
    assert "hunter2" not in notes[0].text


def test_listener_prefixes() -> None:
    _, notes = load(
        settings=["listener.name.a.max.connections=9", "listener.name.a.ssl.keystore.location=/k"]
    )
    assert "limits per listener are not kept; set max.connections" in notes[0].text
    assert "TLS is not served" in notes[1].text
    with pytest.raises(ConfigError, match="SASL is not served"):
        load(settings=["listener.name.a.plain.sasl.jaas.config=x"])


DANGEROUS = {
    "alter.config.policy.class.name": "org.example.Policy",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "config.providers": "env",
    "create.topic.policy.class.name": "org.example.Policy",
    "principal.builder.class": "org.example.Principals",
    "sasl.enabled.mechanisms": "PLAIN",
    "sasl.jaas.config": "secret required;",
    "ssl.client.auth": "required",
}


def test_all_dangerous_keys_are_tried() -> None:
    assert {key.name for key in broker_keys().values() if key.support is Support.REFUSED} == set(DANGEROUS)


@pytest.mark.parametrize("name", DANGEROUS)
def test_what_is_dangerous_to_ignore_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} cannot be honoured: .*; leave it out to run without it"):
        load(environment={"KAFKA_" + name.upper().replace(".", "_"): DANGEROUS[name]})
    default = broker_keys()[name].default
    if default is not None:
        assert load(settings=[f"{name}={default}"])[1] == []


def test_a_controller_alone_is_refused() -> None:
    with pytest.raises(ConfigError, match="kstream is a broker; add broker to it"):
        load(settings=["process.roles=controller"])


def test_a_file_of_kafkas_is_taken(file: Path) -> None:
    file.write_text(
        """
        process.roles=broker,controller
        node.id=1
        controller.quorum.bootstrap.servers=localhost:9093
        listeners=PLAINTEXT://:9092,CONTROLLER://:9093
        inter.broker.listener.name=PLAINTEXT
        advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
        controller.listener.names=CONTROLLER
        listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT
        num.network.threads=3
        socket.send.buffer.bytes=102400
        log.dirs=/tmp/kraft-combined-logs
        num.partitions=1
        log.retention.hours=168
        """
    )
    config, notes = load(file=file)
    assert [str(listener) for listener in config.listeners] == ["PLAINTEXT://:9092"]
    assert [str(listener) for listener in config.advertised_listeners] == ["PLAINTEXT://localhost:9092"]
    assert config.log_dirs == ("/tmp/kraft-combined-logs",)
    assert not any(note.is_warning for note in notes)
    assert "listener CONTROLLER is left out: kstream's controller needs no socket" in texts(notes)
