"""Every declaration equals a second source, field by field."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from kstream.wire.apis import APIS, ApiKey, api
from kstream.wire.fields import parse_versions
from kstream.wire.schema import Message
from tests.wire.catalogue import API_MESSAGES, MESSAGES
from tests.wire.kafka_python import SCHEMA_FILES
from tests.wire.schema_files import differences, parse

BY_NAME = {cls.__name__: cls for cls in MESSAGES}

# What lies between brokers and controllers, or was retired: no client sends it, so it is not declared.
NOT_FOR_CLIENTS = frozenset(
    [
        "LeaderAndIsr",
        "StopReplica",
        "UpdateMetadata",
        "ControlledShutdown",
        "Vote",
        "BeginQuorumEpoch",
        "EndQuorumEpoch",
        "AlterPartition",
        "Envelope",
        "FetchSnapshot",
        "BrokerRegistration",
        "BrokerHeartbeat",
        "ControllerRegistration",
        "AllocateProducerIds",
        "AssignReplicasToDirs",
        "UpdateRaftVoter",
    ]
)


def as_of_4_4(schema: dict[str, Any]) -> dict[str, Any]:
    """An older schema file with what newer versions changed in it without changing any bytes.

    TxnOffsetCommit v6 names topics by id: names became ignorable. Generations may be member epochs.
    """
    if schema["name"].startswith("TxnOffsetCommit"):
        for field in schema["fields"]:
            if field["name"] == "GenerationId":
                field["name"] = "GenerationIdOrMemberEpoch"
            for part in field.get("fields", []):
                if part["name"] == "Name":
                    part["ignorable"] = True
    return schema


def test_kafka_python_schemas() -> None:
    """kafka-python ships Kafka's schema files for the keys up to 75, of the version it was made for."""
    compared = 0
    found = []
    for file in SCHEMA_FILES.iterdir():
        name = file.name.removesuffix(".json")
        if file.name.endswith(".json") and name in BY_NAME:
            found += differences(as_of_4_4(parse(file.read_text())), BY_NAME[name])
            compared += 1
    assert found == []
    assert compared >= 104


@pytest.fixture(scope="session")
def kafka_jars(request: pytest.FixtureRequest) -> list[Path]:
    """The published jars of Kafka 4.4.0 that hold schema files, downloaded once."""
    assert request.config.cache is not None
    folder = Path(request.config.cache.mkdir("kafka-4.4.0-jars"))
    artifacts = [
        "kafka-clients",
        "kafka-group-coordinator",
        "kafka-transaction-coordinator",
        "kafka-share-coordinator",
        "kafka-raft",
    ]
    jars = [folder / f"{artifact}-4.4.0.jar" for artifact in artifacts]
    for artifact, jar in zip(artifacts, jars, strict=True):
        if not jar.exists():
            command = [
                "mvn", "-q", "-B", "dependency:copy", f"-Dartifact=org.apache.kafka:{artifact}:4.4.0",
                f"-DoutputDirectory={folder}",
            ]  # fmt: skip
            subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return jars


@pytest.mark.java
def test_schemas_of_the_published_jars(kafka_jars: list[Path]) -> None:
    """All messages, and all records whose schemas are published, equal the jars' schema files."""
    found = []
    compared = set()
    undeclared = set()
    for jar in kafka_jars:
        with zipfile.ZipFile(jar) as archive:
            for name in archive.namelist():
                if not (name.startswith("common/message/") and name.endswith(".json")):
                    continue
                schema = parse(archive.read(name).decode())
                cls = BY_NAME.get(schema["name"])
                if cls is None:
                    undeclared.add(schema["name"].removesuffix("Request").removesuffix("Response"))
                    continue
                compared.add(cls)
                found += differences(schema, cls)
                if parse_versions(schema["validVersions"]) != cls.VERSIONS:
                    found.append(f"{cls.__name__}: versions {cls.VERSIONS}, theirs {schema['validVersions']}")
    assert found == []
    assert undeclared - NOT_FOR_CLIENTS == {"DefaultPrincipalData"}
    assert set(API_MESSAGES) <= compared
    assert len(compared) >= 210


@pytest.mark.parametrize("key", list(ApiKey), ids=lambda key: key.name.lower())
def test_table_of_apis(key: ApiKey) -> None:
    """The table that headers are read by says what the declarations say."""
    entry = api(key)
    for cls in (entry.request, entry.response):
        assert issubclass(cls, Message)
        assert key == cls.API_KEY
        assert (entry.versions_min, entry.versions_max) == cls.VERSIONS
        versions = range(entry.versions_min, entry.versions_max + 1)
        first = entry.flexible_from
        assert [version in cls.FLEXIBLE for version in versions] == [
            first is not None and version >= first for version in versions
        ]


def test_every_key_has_an_api() -> None:
    assert list(APIS) == sorted(ApiKey)
    with pytest.raises(KeyError):
        api(4)
