"""What web UIs ask: the AdminClient's calls of AKHQ and Kafbat UI, with the options that they use.

Each step is a page of theirs: what it shows, and what its buttons do. The expectations are Apache Kafka's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from compat.builds import built
from compat.clients import adapter
from compat.line_process import LineProcess, ProgramFailed
from compat.matrix.stage import Stage, Step
from compat.story import FIRST_TIMESTAMP_MS, Adapter, OutRecord, create, expect, wait_until

PAGES = tuple(
    f"page-{page}"
    for page in ("cluster", "topics", "configs", "records", "groups", "acls", "quotas", "replicas")
)
_RECORDS = 6


class WebUis:
    """The program at work, beside a client that produces and consumes what the pages show."""

    gaps: Mapping[str, str] = {}

    def __init__(self, stage: Stage) -> None:
        self._prefix = stage.prefix
        self._program = LineProcess([*built("java", "web-uis"), stage.bootstrap])
        self._client: Adapter = adapter("confluent-kafka", stage.bootstrap)

    def version(self) -> str:
        """The AdminClient's."""
        return str(self._ask("version"))

    def steps(self) -> Iterable[Step]:
        """One for each page, on a topic of its own."""
        for name in PAGES:
            page = getattr(self, name.replace("page-", "_"))
            yield Step(name, partial(page, f"{self._prefix}-{name}"))

    def close(self) -> None:
        """End the program and the client."""
        self._program.close()
        self._client.close()

    def _ask(self, do: str, **arguments: Any) -> Any:
        return self._program.ask(do, **arguments)

    def _cluster(self, _topic: str) -> None:
        plain = self._ask("cluster", authorized=False)
        expect(len(plain["nodes"]) == 1 and plain["controller"] in plain["nodes"], f"one broker: {plain}")
        expect(len(plain["id"]) == 22, f"a cluster's id: {plain}")
        expect(plain["operations"] is None, f"no operations unless asked for: {plain}")
        full = self._ask("cluster", authorized=True)
        expect("ALTER" in full["operations"] and "CREATE" in full["operations"], f"all operations: {full}")
        expect(
            "metadata.version" in self._ask("features"), "the finalized features have the metadata's version"
        )
        expect(self._ask("quorum") == 1, "one voter")

    def _topics(self, topic: str) -> None:
        self._ask("create_topic", topic=topic, partitions=2)
        wait_until(lambda: topic in self._ask("topics"), f"{topic} is listed")
        self._ask("create_partitions", topic=topic, total=3)
        wait_until(lambda: len(self._ask("describe_topic", topic=topic)) == 3, f"{topic} has grown")
        broker = self._ask("cluster", authorized=False)["nodes"][0]
        found = self._ask("describe_topic", topic=topic)
        expect(found == [[number, broker, 1, 1] for number in range(3)], f"leaders and replicas: {found}")
        self._fill(topic)
        sizes = self._ask("log_dirs", topic=topic)["sizes"]
        expect(set(sizes) == {"0", "1", "2"} and sizes["0"] > 0 == sizes["1"], f"sizes: {sizes}")
        self._ask("delete_topic", topic=topic)
        wait_until(lambda: topic not in self._ask("topics"), f"{topic} is gone")

    def _configs(self, topic: str) -> None:
        self._ask("create_topic", topic=topic, partitions=1)
        wait_until(lambda: topic in self._ask("topics"), f"{topic} is listed")
        found = self._ask("topic_configs", topic=topic, documented=True)
        own, default = found["retention.ms"], found["cleanup.policy"]
        expect(own["value"] == "60000" and own["source"] == "DYNAMIC_TOPIC_CONFIG", f"set: {own}")
        expect(default["source"] == "DEFAULT_CONFIG" and default["type"] == "LIST", f"not set: {default}")
        expect(own["synonyms"][0] == "DYNAMIC_TOPIC_CONFIG", f"its own value comes first: {own}")
        expect(default["synonyms"] == ["DEFAULT_CONFIG"], f"only the default: {default}")
        expect(all(entry["documented"] for entry in found.values()), "every key is documented")
        undocumented = self._ask("topic_configs", topic=topic, documented=False)
        expect(not any(entry["documented"] for entry in undocumented.values()), "but only if asked for")
        self._ask("alter_topic_config", topic=topic, name="retention.ms", value="120000")

        def is_altered() -> bool:
            now = self._ask("topic_configs", topic=topic, documented=False)
            return bool(now["retention.ms"]["value"] == "120000")

        wait_until(is_altered, "retention.ms is altered")
        broker = self._ask("broker_configs")
        expect(broker["log.retention.ms"]["value"] is None, f"no default: {broker['log.retention.ms']}")
        expect(broker["log.dirs"]["source"] == "STATIC_BROKER_CONFIG", f"given: {broker['log.dirs']}")
        expect(broker["node.id"]["type"] == "INT", f"{broker['node.id']}")

    def _records(self, topic: str) -> None:
        create(self._client, topic, 1)
        self._fill(topic)
        asked = {"topic": topic, "timestamp_ms": FIRST_TIMESTAMP_MS + 2}
        offsets = self._ask("offsets", **asked)
        expect(offsets == [0, _RECORDS, 2], f"first, end, and by time: {offsets}")
        expect(self._ask("producers", topic=topic) == 1, "one idempotent producer is active")
        expect(self._ask("delete_records", topic=topic, offset=4) == 4, "the new low watermark")
        wait_until(lambda: self._ask("offsets", **asked) == [4, _RECORDS, 4], "the log begins later")

    def _groups(self, topic: str) -> None:
        create(self._client, topic, 2)
        self._fill(topic)
        group = f"{topic}-group"
        member = self._client.join(topic, group)
        try:
            count = 0
            while count < _RECORDS:
                count += len(member.poll())
            member.commit()
            expect(group in self._ask("groups"), "the group is listed")
            described = self._ask("describe_group", group=group)
            expect(described["state"] == "Stable" and described["members"] == [2], f"{described}")
            expect(self._ask("group_offsets", group=group) == {f"{topic}-0": _RECORDS}, "what was committed")
            self._refused("delete_group", "GroupNotEmptyException", group=group)
            self._refused(
                "alter_group_offset", "UnknownMemberIdException", group=group, topic=topic, offset=1
            )
            member.close()
        finally:
            member.kill()
        self._ask("alter_group_offset", group=group, topic=topic, partition=1, offset=0)
        self._ask("delete_group_offset", group=group, topic=topic, partition=0)
        expect(self._ask("group_offsets", group=group) == {f"{topic}-1": 0}, "altered, and deleted")
        expect(self._ask("describe_group", group=group)["state"] == "Empty", "nobody is left")
        self._ask("delete_group", group=group)
        expect(group not in self._ask("groups"), "the group is gone")

    def _acls(self, _topic: str) -> None:
        self._refused("acls", "SecurityDisabledException")

    def _quotas(self, topic: str) -> None:
        self._ask("alter_quota", client=topic, rate=1_000_000.0)
        wanted = {f"{{client-id={topic}}}": {"producer_byte_rate": 1_000_000.0}}
        wait_until(lambda: self._ask("quotas") == wanted, f"{wanted} is told")

    def _replicas(self, topic: str) -> None:
        create(self._client, topic, 1)
        expect(self._ask("reassign", topic=topic) == 0, "reassigned to where it is: nothing is left to do")
        (folder,) = self._ask("log_dirs", topic=topic)["folders"]
        self._ask("move_log_dir", topic=topic, folder=folder)
        self._refused("move_log_dir", "LogDirNotFoundException", topic=topic, folder="/nowhere")

    def _refused(self, do: str, error: str, **arguments: Any) -> None:
        try:
            self._ask(do, **arguments)
        except ProgramFailed as failed:
            expect(error in str(failed), f"{do}: {error}, got {failed}")
        else:
            raise AssertionError(f"{do} was not refused: {error}")

    def _fill(self, topic: str) -> None:
        records = [OutRecord(None, b"value", (), FIRST_TIMESTAMP_MS + number) for number in range(_RECORDS)]
        self._client.produce(topic, 0, records, codec="none", idempotent=True)
