"""Random requests to both servers: what differs becomes a scenario.

    python -m compat.oracle.fuzz [--seed N] [--count N] [--api Fetch ...]
    python -m compat.oracle.fuzz --batches [--seed N] [--count N]

A request is made from its declaration, each value drawn from what is interesting for a field of its name:
live topics and their ids, unknown ones, limits and nonsense. Both servers get the same requests in the same
order; only ids differ. Requests that would change topics or configs are validated only, so that no answer
depends on how fast metadata travels.

With `--batches` the requests produce single batches in which a few bytes were changed, CRC and all, and only
the error codes are compared. What `kstream.records.validation` says it refuses on purpose counts as equal.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from compat.oracle import servers
from compat.oracle.batches import T0, batch, flipped, old_message, patched, with_crc
from compat.oracle.compare import Difference, differing_fields
from compat.oracle.differences import ALLOWED
from compat.oracle.requests import UNKNOWN_ID, produce, store
from compat.oracle.run import Run, Topic
from kstream.records.batch import ATTRIBUTES_POSITION, HEADER_SIZE
from kstream.records.compression import Codec
from kstream.wire.apis import APIS, ApiKey
from kstream.wire.fields import ZERO_UUID, Field
from kstream.wire.messages.init_producer_id import InitProducerIdRequest
from kstream.wire.schema import Message

_APIS = (0, 1, 2, 3, 19, 20, 22, 23, 32, 33, 37, 44, 60, 75)
_VERSIONS_MAX = {22: 5}
_CODECS = tuple(Codec)

_INTS: dict[str, tuple[int, ...]] = {
    "acks": (-1, 1, 1, 1, 2),
    "timeout_ms": (1000, 0, -1),
    "max_wait_ms": (0, 0, 1, -1),
    "min_bytes": (0, 1, 100, -1),
    "max_bytes": (1 << 20, 1 << 20, 0, 100, 2**31 - 1),
    "partition_max_bytes": (1 << 20, 0, 100, 200, 2**31 - 1),
    "isolation_level": (0, 0, 0, 1, 2),
    "session_id": (0, 0, 77),
    "session_epoch": (-1, -1, -1, 1),
    "replica_id": (-1, -1, -1, -2),
    "fetch_offset": (0, 0, 1, 2, 3, 4, 5, 9, -1),
    "log_start_offset": (-1, 0),
    "timestamp": (-1, -2, -3, -4, -5, -6, -7, 0, T0, T0 + 5, T0 + 110, 2**62),
    "current_leader_epoch": (-1, -1, 0, 0, 1, -2),
    "last_fetched_epoch": (-1, -1, 0, 1),
    "leader_epoch": (-1, 0, 1, 5),
    "partition": (0, 0, 1, 1, 2, -1),
    "partition_index": (0, 0, 1, 1, 2, -1),
    "index": (0, 0, 1, 1, 2, -1),
    "num_partitions": (1, 3, -1, 0),
    "replication_factor": (1, -1, 2, 0),
    "count": (1, 2, 3, 5, 0),
    "broker_ids": (1, 1, 2, -1),
    "resource_type": (2, 2, 2, 4, 4, 16, 32, 3),
    "config_operation": (0, 0, 1, 2, 3, 4),
    "response_partition_limit": (1, 2, 3, 2000, 0),
    "endpoint_type": (1, 1, 2, 3),
    "node_id": (-1,),
    "producer_id": (-1, -1, 5),
    "producer_epoch": (-1, -1, 0),
}
_CONFIG_KEYS = (
    "retention.ms", "cleanup.policy", "segment.bytes", "min.insync.replicas", "compression.type",
    "preallocate", "num.io.threads", "log.retention.ms", "max.message.bytes", "flush.messages", "segment.ms",
    "min.cleanable.dirty.ratio", "message.timestamp.type", "delete.retention.ms", "retention.bytes",
    "index.interval.bytes", "no.such.key",
)  # fmt: skip
_CONFIG_VALUES = (
    "1000", "-1", "0", "compact", "delete", "compact,delete", "true", "false", "zstd", "x", "", "1048576",
    "0.5", None, "CreateTime", "99999999999999999999", " 5 ",
)  # fmt: skip
_SOFTWARE = ("oracle", "1.0", "", "-", "a b")


class World:
    """One server with its topics; equal on both but for the ids."""

    def __init__(self, address: tuple[str, int], token: str) -> None:
        self.run = Run("fuzz", address, token=token)
        self.topics = [self.run.topic(f"t{index}", partitions=index + 1) for index in range(3)]
        for topic in self.topics[:2]:
            store(self.run, topic, batch(b"a", b"b"), batch(b"c" * 100, at_ms=T0 + 100))
        self.run.until(InitProducerIdRequest(transactional_id=None), 0, lambda answer: answer.error_code == 0)
        self.topics += [
            Topic("no-such-topic", UNKNOWN_ID),
            Topic("a b", bytes(15) + b"2"),
            Topic("", bytes(15) + b"3"),
        ]


class Maker:
    """Makes one request; the same seed makes the same one in either world."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._random = random.Random(seed)

    def request(self, keys: list[int]) -> tuple[Message, int]:
        """A request and the version to send it in."""
        declared = APIS[self._random.choice(keys)]
        last = _VERSIONS_MAX.get(declared.key, declared.versions_max)
        # Before version 4 Metadata always creates what is missing.
        first = 4 if declared.key == ApiKey.METADATA else declared.versions_min
        version = self._random.randint(first, last)
        message: Message = self._struct(declared.request, version)
        if hasattr(message, "validate_only"):
            message.validate_only = True
        if hasattr(message, "allow_auto_topic_creation"):
            message.allow_auto_topic_creation = False
        if hasattr(message, "transactional_id"):
            message.transactional_id = None
        if declared.key in (ApiKey.PRODUCE, ApiKey.ALTER_CONFIGS):
            _name_once(message)
        return message, version

    def _struct(self, cls: Any, version: int) -> Any:
        made = cls()
        for field in cls.__fields__:
            is_optional = field.tag is not None or field.ignorable
            if version in field.versions and not (is_optional and self._random.random() < 0.3):
                setattr(made, field.name, self._value(field, version, cls.__name__))
        topic = self._random.choice(self._world.topics)
        for name in ("name", "topic", "topic_name", "resource_name"):
            if isinstance(getattr(made, name, None), str) and cls.__name__ not in _CONFIG_STRUCTS:
                setattr(made, name, topic.name)
        if hasattr(made, "topic_id"):
            made.topic_id = topic.id
        if getattr(made, "resource_type", 2) != 2:
            made.resource_name = self._random.choice(("1", "1", "", "2", "x"))
        return made

    def _value(self, field: Field, version: int, owner: str) -> Any:
        pick = self._random.choice
        if version in field.nullable and field.kind != "records" and self._random.random() < 0.15:
            return None
        if field.kind == "array":
            count = pick((0, 1, 1, 1, 2, 3))
            if field.struct is not None:
                return [self._struct(field.struct, version) for _ in range(count)]
            return [self._scalar(field.name, getattr(field.element, "name", ""), owner) for _ in range(count)]
        if field.kind == "struct":
            return self._struct(field.element, version)
        return self._scalar(field.name, field.kind, owner)

    def _scalar(self, name: str, kind: str, owner: str) -> Any:
        pick = self._random.choice
        if kind == "records":
            return self._records()
        if kind == "bool":
            return pick((False, True))
        if kind == "uuid":
            return ZERO_UUID
        if kind == "string":
            if name.startswith("client_software"):
                return pick(_SOFTWARE)
            if name in ("topic_names", "rack_id"):
                return pick(("no-such-topic", "a b", ""))
            if name == "cluster_id":
                return ""
            return pick(_CONFIG_VALUES) if name == "value" else pick(_CONFIG_KEYS)
        return pick(_INTS.get(name, (0, 1, -1)))

    def _records(self) -> bytes:
        pick = self._random.choice
        values = [self._random.randbytes(pick((0, 1, 10, 300))) for _ in range(pick((1, 1, 2, 5)))]
        good = batch(*values, codec=pick(_CODECS), key=pick((None, b"k")), at_ms=pick((T0, -1, 0, 2**60)))
        kind = self._random.random()
        if kind < 0.6:
            return good
        if kind < 0.75:
            name = pick(
                ("count", "last_offset_delta", "base_offset", "base_timestamp", "max_timestamp", "attributes")
            )
            changed = {name: pick((0, 1, 2, -1, 5))}
            return patched(good, fix_crc=True, **changed)
        return pick((good + good, good[:-1], flipped(good, 17), old_message(1), good + b"\0"))


def _name_once(message: Any) -> None:
    """Leave out what is named twice: known to be answered differently, or never by Kafka."""
    if hasattr(message, "resources"):
        named = {(each.resource_type, each.resource_name): each for each in message.resources}
        message.resources = list(named.values())
    else:
        message.topic_data = list({each.name: each for each in message.topic_data}.values())
        for topic in message.topic_data:
            topic.partition_data = list({each.index: each for each in topic.partition_data}.values())


_CONFIG_STRUCTS = frozenset({"AlterableConfig", "CreatableTopicConfig"})


def differences(worlds: tuple[World, World], seed: int, keys: list[int]) -> list[Difference]:
    """Send one request to both; the fields in which the answers differ."""
    exchanges = []
    scenario = "fuzz"
    for world in worlds:
        message, version = Maker(world, seed).request(keys)
        world.run.forget_ids()
        world.run.call(f"seed {seed}", message, version)
        exchanges.append(world.run.exchanges.pop())
        if message.API_KEY == ApiKey.DESCRIBE_CONFIGS:
            scenario = "describe_configs_fuzz"
    return [
        each
        for each in differing_fields(scenario, *exchanges)
        if not any(entry.covers(each) for entry in ALLOWED)
    ]


def mutated_batch(seed: int) -> bytes:
    """A batch in which up to three bytes were changed behind the CRC, which fits again."""
    choice = random.Random(seed)
    values = [choice.randbytes(choice.choice((0, 1, 10, 100))) for _ in range(choice.choice((1, 2, 5)))]
    data = bytearray(batch(*values, codec=choice.choice(_CODECS), key=choice.choice((None, b"k"))))
    for _ in range(choice.choice((1, 1, 2, 3))):
        # The header is a third of most batches, and deserves half of the changes.
        first, last = choice.choice(((ATTRIBUTES_POSITION, HEADER_SIZE - 1), (HEADER_SIZE, len(data) - 1)))
        data[choice.randint(first, last)] = choice.choice((0, 1, 2, 127, 128, 255, choice.randrange(256)))
    with_crc(data)
    return bytes(data)


def batch_differences(worlds: tuple[World, World], seed: int) -> list[Difference]:
    """Produce one mutated batch on both; the error codes if they differ and must not."""
    version = 3 + seed % 11
    codes = []
    for world in worlds:
        if seed % 8 == 0:
            # Only the first batches of a connection are all opened.
            world.run.reconnect()
        answer = world.run.ask(produce((world.topics[2], seed % 3, mutated_batch(seed))), version)
        codes.append(answer.responses[0].partition_responses[0].error_code)
    theirs, ours = codes
    if theirs == ours or (theirs, ours) in _STRICTER:
        return []
    return [Difference("fuzz", f"Produce v{version}", "error_code", str(theirs), str(ours))]


# Kafka's code, ours: it stores what no consumer reads, or an exception of its own escapes.
_STRICTER = {(0, 87), (-1, 87), (-1, 76), (-1, 10), (32, 87)}


def main() -> int:
    """Parse the command line and go on until `--count` requests were sent."""
    parser = argparse.ArgumentParser(prog="python -m compat.oracle.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 31))
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--batches", action="store_true", help="change bytes of batches instead")
    parser.add_argument("--api", nargs="*", help="names of APIs; default: all that are served")
    options = parser.parse_args()
    keys = [key for key in _APIS if not options.api or APIS[key].name in options.api]
    found = 0
    with ExitStack() as stack:
        parent = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="oracle-")))
        theirs = stack.enter_context(servers.kafka(parent))
        ours = stack.enter_context(servers.kstream(parent))
        worlds = World(theirs.address, "f00d00"), World(ours.address, "f00d00")
        for seed in range(options.seed, options.seed + options.count):
            differing = (
                batch_differences(worlds, seed) if options.batches else differences(worlds, seed, keys)
            )
            if differing:
                found += 1
                if options.batches:
                    print(f"seed {seed}: {differing[0].exchange} {mutated_batch(seed).hex()}")
                else:
                    message, version = Maker(worlds[1], seed).request(keys)
                    print(f"seed {seed}: v{version} {message}")
                for each in differing[:4]:
                    print(f"    {each.field}: Kafka {each.kafka}, kstream {each.ours}")
        for world in worlds:
            world.run.reconnect()
    print(f"{options.count} requests from seed {options.seed}: {found} answered differently")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
