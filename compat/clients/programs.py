"""The clients that are programs of other languages (`compat/programs`), and what they cannot do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from compat.story import CONFIGS, GROUPS, IDEMPOTENCE, PARTITIONS, TRANSACTIONS, Traits


class Program(NamedTuple):
    """A program of the client's name in the folder of its language."""

    language: str
    traits: Traits = Traits()


_NONE_OF_THE_NEW = "a running reader gets none of the records of the new topic, on Apache Kafka as on kstream"

_NO_CONFIGS = "rskafka creates topics without configurations, and has no requests for them"

_FASTSTREAM = Traits(
    tells_empty_from_null=False,
    headers_per_record=False,
    lacks={
        TRANSACTIONS: "FastStream has nothing to begin or end a transaction with",
        "compacted": "FastStream sends an empty value for None, so no tombstones",
    },
    gaps={
        "admin and seek": "FastStream leaves both to the client below it, which does them here",
        "headers": "FastStream's are text by name, with its own added to every record; the story has two",
        "empty against null": "FastStream sends an empty value for None",
    },
)

PROGRAMS: Mapping[str, Program] = {
    "librdkafka": Program("c"),
    "franz-go": Program("go"),
    "sarama": Program("go"),
    "kafka-go": Program(
        "go",
        Traits(
            tells_empty_from_null=False,
            gaps={"empty against null": "kafka-go's readers give an empty key, value or header as nil"},
            lacks={
                "consuming-recreated": _NONE_OF_THE_NEW,
                IDEMPOTENCE: "kafka-go has no idempotent producer",
                TRANSACTIONS: "kafka-go has no transactional producer",
            },
        ),
    ),
    "confluent-kafka-go": Program("go"),
    "kafka-clients": Program("java"),
    "kafkajs": Program(
        "node",
        Traits(
            sends_null_headers=False,
            keeps_header_order=False,
            gaps={
                "null headers": "kafkajs fails to encode a header whose value is null",
                "order of headers": "kafkajs has headers as an object, and an array for a name that repeats",
            },
        ),
    ),
    "confluent-kafka-javascript": Program(
        "node",
        Traits(
            tells_empty_from_null=False,
            sends_null_headers=False,
            keeps_header_order=False,
            lacks={CONFIGS: "its admin client neither describes nor alters configurations"},
            gaps={
                "null headers": "it refuses a header whose value is neither a string nor bytes",
                "order of headers": "it has headers as an object, as kafkajs does",
                "empty against null": "an empty key or value comes back as null",
            },
        ),
    ),
    "platformatic-kafka": Program(
        "node",
        Traits(
            lacks={
                "zstd": "it compresses with Node.js's own zstd, which begins with Node.js 22.15",
                "consuming-recreated": _NONE_OF_THE_NEW,
            },
            gaps={"newest version": "2.0 and later need Node.js 22; 1.35 is the last for Node.js 20"},
        ),
    ),
    "rdkafka": Program("rust"),
    "rskafka": Program(
        "rust",
        Traits(
            sends_null_headers=False,
            keeps_header_order=False,
            repeats_headers=False,
            lacks={
                PARTITIONS: "rskafka has no request to add partitions",
                CONFIGS: _NO_CONFIGS,
                "compacted": _NO_CONFIGS,
                IDEMPOTENCE: "rskafka has no idempotent producer",
                TRANSACTIONS: "rskafka has no transactional producer",
                GROUPS: "rskafka has no consumer groups",
            },
            gaps={"headers": "rskafka has headers as a sorted map of bytes: each name once, and none null"},
        ),
    ),
    "faststream-aiokafka": Program("python", _FASTSTREAM),
    "faststream-confluent": Program("python", _FASTSTREAM),
}
