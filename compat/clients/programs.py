"""The clients that are programs of other languages (`compat/programs`), and what they cannot do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from compat.story import Traits


class Program(NamedTuple):
    """A program of the client's name in the folder of its language."""

    language: str
    traits: Traits = Traits()


PROGRAMS: Mapping[str, Program] = {
    "franz-go": Program("go"),
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
