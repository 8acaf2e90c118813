"""A Python client in an environment of its own, as a program that answers by the line.

    python -m compat.served CLIENT HOST:PORT

The requests are those of `compat/programs/README.md`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

from compat.clients import faststream
from compat.clients.remote import received, sent
from compat.line_process import text_of
from compat.members import InProcess
from compat.story import Start

BACKENDS = {"faststream-aiokafka": "aiokafka", "faststream-confluent": "confluent-kafka"}


class Served:
    """The requests of the story, told to an adapter that is made by the first that needs one."""

    def __init__(self, backend: str, bootstrap: str) -> None:
        self._backend = backend
        self._bootstrap = bootstrap
        self._made: Any = None
        self._member: InProcess | None = None

    @property
    def _adapter(self) -> Any:
        if self._made is None:
            self._made = faststream.connect(self._backend, self._bootstrap)
        return self._made

    def tell(self, do: str, arguments: Mapping[str, Any]) -> object:
        """The result of one request."""
        own: dict[str, Callable[..., object]] = {
            "produce": self._produce,
            "fetch": self._fetch,
            "join": self._join,
        }
        if do in own:
            return own[do](**arguments)
        if self._member is not None:
            return self._of_member(self._member, do)
        return getattr(self._adapter, do)(**arguments)

    def _produce(self, records: list[dict[str, Any]], **arguments: Any) -> object:
        return self._adapter.produce(records=[received(record) for record in records], **arguments)

    def _fetch(self, offset: int | None, timestamp_ms: int | None, **arguments: Any) -> object:
        found = self._adapter.fetch(start=Start(offset, timestamp_ms), **arguments)
        return [{**sent(record), "offset": record.offset} for record in found]

    def _join(self, topic: str, group: str) -> None:
        self._member = faststream.member(self._backend, self._bootstrap, topic, group)

    @staticmethod
    def _of_member(member: InProcess, do: str) -> object:
        match do:
            case "poll":
                return [(got.partition, got.offset, text_of(got.value)) for got in member.poll()]
            case "assigned":
                return sorted(member.assigned())
            case "commit":
                member.commit()
            case _:
                member.close()
        return None

    def close(self) -> None:
        """Close what was made."""
        if self._made is not None:
            self._made.close()


def main() -> None:
    """Answer the lines of stdin until they end."""
    parser = argparse.ArgumentParser(prog="python -m compat.served", description=__doc__)
    parser.add_argument("client", choices=BACKENDS)
    parser.add_argument("bootstrap")
    options = parser.parse_args()
    served = Served(BACKENDS[options.client], options.bootstrap)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer: dict[str, object] = {"result": served.tell(request.pop("do"), request)}
        except Exception as error:
            answer = {"error": repr(error)}
        print(json.dumps(answer), flush=True)
    served.close()


if __name__ == "__main__":
    main()
