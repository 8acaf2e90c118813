"""The clients that are programs of other languages (`compat/programs`), and what they cannot do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from compat.story import IDEMPOTENCE, TRANSACTIONS, Traits


class Program(NamedTuple):
    """A program of the client's name in the folder of its language."""

    language: str
    traits: Traits = Traits()


PROGRAMS: Mapping[str, Program] = {
    "franz-go": Program("go"),
    "sarama": Program("go"),
    "kafka-go": Program(
        "go",
        Traits(
            tells_empty_from_null=False,
            gaps={"empty against null": "kafka-go's readers give an empty key, value or header as nil"},
            lacks={
                "consuming-recreated": "a running reader gets none of the records of the new topic, "
                "on Apache Kafka as on kstream",
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
}
