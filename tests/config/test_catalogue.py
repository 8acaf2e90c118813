"""The catalogue says what Apache Kafka 4.4.0's jars say."""

from __future__ import annotations

from pathlib import Path

import pytest

from kstream.config.catalogue import broker_keys, client_metrics_keys, group_keys, topic_keys
from kstream.config.key import Key, Support

KINDS = {"broker": broker_keys, "topic": topic_keys, "group": group_keys, "metrics": client_metrics_keys}

# kstream's own defaults; `kstream.config.catalogue` says why.
OWN_DEFAULTS = {
    "group.initial.rebalance.delay.ms": "0",
    "listeners": "PLAINTEXT://127.0.0.1:9092",
    "log.dir": "./kstream-data",
    "node.id": "1",
    "process.roles": "broker,controller",
}


def recorded() -> dict[str, list[list[str]]]:
    rows: dict[str, list[list[str]]] = {kind: [] for kind in KINDS}
    for line in Path(__file__).with_name("kafka_keys.tsv").read_text().splitlines():
        if not line.startswith("#"):
            kind, *row = line.split("\t")
            rows[kind].append(row)
    return rows


RECORDED = recorded()


def row_of(key: Key) -> list[str]:
    valid = str(key.validator) if key.validator is not None else ""
    if key.name in ("group.consumer.migration.policy", "sasl.oauthbearer.assertion.algorithm"):
        valid = f"(case insensitive) {valid}"
    default = "null" if key.default is None else key.default
    return [key.name, key.type.name, default, valid, str(key.scope), str(key.is_internal).lower()]


@pytest.mark.parametrize("kind", KINDS)
def test_names_are_kafkas(kind: str) -> None:
    ours = [name for name in KINDS[kind]() if not name.startswith("kstream.")]
    assert ours == sorted(row[0] for row in RECORDED[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_kafkas(kind: str) -> None:
    keys = KINDS[kind]()
    for row in RECORDED[kind]:
        if kind == "broker" and row[0] in OWN_DEFAULTS:
            row = [*row[:2], OWN_DEFAULTS[row[0]], *row[3:]]
        assert row_of(keys[row[0]]) == row


@pytest.mark.parametrize("kind", KINDS)
def test_defaults_are_valid(kind: str) -> None:
    for key in KINDS[kind]().values():
        if key.default is not None and key.name != "broker.id":
            assert key.canonical(key.default) == key.default


def test_every_key_says_what_becomes_of_it() -> None:
    for keys in KINDS.values():
        for key in keys().values():
            assert len(key.note) > 10
            is_sentence = key.note[0].isupper() and key.note.endswith(".")
            assert is_sentence == (key.support is Support.HONOURED) or key.note.startswith(
                ("SASL", "TLS", "Java")
            )


def test_secrets_are_sensitive() -> None:
    assert {key.name for key in broker_keys().values() if key.is_sensitive} == {
        row[0] for row in RECORDED["broker"] if row[1] == "PASSWORD"
    }
