"""Kafka's command-line tools, all that make sense on one node: what each changes, and what it says.

They run in one JVM (`programs/java-tools/KafkaTools.java`). The expectations are Apache Kafka's.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from compat.builds import built
from compat.line_process import LineProcess
from compat.matrix.stage import Stage, Step
from compat.story import expect, wait_until

TOOLS = tuple(
    f"kafka-{tool}"
    for tool in (
        *("topics", "configs", "console", "consumer-groups", "groups", "share-groups", "get-offsets"),
        *("delete-records", "perf-test", "verifiable", "log-dirs", "dump-log", "transactions", "cluster"),
        *("features", "broker-api-versions", "metadata-quorum", "leader-election", "reassign-partitions"),
        *("client-metrics", "streams-application-reset"),
    )
)
"""Steps, by the names of the tools' scripts; those that only work together are one."""

_OF_SCRIPT = {
    "kafka-topics": "TopicCommand",
    "kafka-console-producer": "ConsoleProducer",
    "kafka-console-consumer": "consumer.ConsoleConsumer",
    "kafka-console-share-consumer": "consumer.ConsoleShareConsumer",
    "kafka-consumer-groups": "consumer.group.ConsumerGroupCommand",
    "kafka-share-groups": "consumer.group.ShareGroupCommand",
    "kafka-groups": "GroupsCommand",
    "kafka-get-offsets": "GetOffsetShell",
    "kafka-delete-records": "DeleteRecordsCommand",
    "kafka-producer-perf-test": "ProducerPerformance",
    "kafka-consumer-perf-test": "ConsumerPerformance",
    "kafka-share-consumer-perf-test": "ShareConsumerPerformance",
    "kafka-verifiable-producer": "VerifiableProducer",
    "kafka-verifiable-consumer": "VerifiableConsumer",
    "kafka-verifiable-share-consumer": "VerifiableShareConsumer",
    "kafka-log-dirs": "LogDirsCommand",
    "kafka-dump-log": "DumpLogSegments",
    "kafka-transactions": "TransactionsCommand",
    "kafka-cluster": "ClusterTool",
    "kafka-features": "FeatureCommand",
    "kafka-broker-api-versions": "BrokerApiVersionsCommand",
    "kafka-metadata-quorum": "MetadataQuorumCommand",
    "kafka-leader-election": "LeaderElectionCommand",
    "kafka-reassign-partitions": "reassign.ReassignPartitionsCommand",
    "kafka-client-metrics": "ClientMetricsCommand",
    "kafka-streams-application-reset": "StreamsResetter",
}
_LINES = ("a:1", "b:2", "c:3", "d:4", "e:5", "f:6")
_VALUES = [line.split(":")[1] for line in _LINES]
_WAIT_MS = "20000"


def _is_false(condition: Callable[[], bool]) -> bool:
    return not condition()


class Said(NamedTuple):
    """How a tool ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What it printed on stdout, line by line, without trailing space."""
        return [line.rstrip() for line in self.out.splitlines() if line.strip()]

    def rows(self) -> list[dict[str, str]]:
        """A table by the names of its columns, which are those of its first line."""
        has_tabs = "\t" in self.lines[0]
        head, *rest = (re.split(r" *\t *", line) if has_tabs else line.split() for line in self.lines)
        return [dict(zip(head, row, strict=False)) for row in rest]


class CommandLine:
    """The tools at work, each step on a topic of its own."""

    gaps: Mapping[str, str] = {
        "kafka-configs --entity-type users": "asks for SCRAM credentials, an API kstream does not have",
        "kafka-acls": "kstream has no authorizer; the tool says so, as on Apache Kafka without one",
        "kafka-delegation-tokens": "tokens are not enabled; the tool says so, as on Apache Kafka by default",
        "kafka-dump-log of the last segment": "while kstream runs it ends in reserved zeros, which"
        " the tool takes for a broken batch; closed segments read well, and so do all after a stop",
    }

    def __init__(self, stage: Stage) -> None:
        self._bootstrap = stage.bootstrap
        self._prefix = stage.prefix
        self._files = tempfile.TemporaryDirectory(prefix="kafka-tools-")
        self._program = LineProcess(built("java-tools", "kafka-tools"))

    def version(self) -> str:
        """The tools'."""
        return str(self._program.ask("version"))

    def steps(self) -> Iterable[Step]:
        """One for each tool or family."""
        for name in TOOLS:
            tool = getattr(self, "_" + name.removeprefix("kafka-").replace("-", "_"))
            yield Step(name, partial(tool, f"{self._prefix}-{name}"))

    def close(self) -> None:
        """End the program, and remove the tools' files."""
        self._program.close()
        self._files.cleanup()

    def _run(self, script: str, *arguments: str, code: int = 0, lines: Iterable[str] = ()) -> Said:
        """Run a tool against the server; `lines` are its stdin."""
        return self._run_alone(
            script, "--bootstrap-server", self._bootstrap, *arguments, code=code, lines=lines
        )

    def _run_alone(self, script: str, *arguments: str, code: int = 0, lines: Iterable[str] = ()) -> Said:
        main = "kafka.admin.ConfigCommand"
        if script != "kafka-configs":
            main = f"org.apache.kafka.tools.{_OF_SCRIPT[script]}"
        text = "".join(f"{line}\n" for line in lines)
        said = Said(**self._program.ask("run", main=main, arguments=arguments, input=text))
        command = " ".join((script, *arguments))
        expect(said.code == code, f"{command} exits with {said.code}:\n{said.out}\n{said.err}")
        return said

    def _file(self, name: str, content: Mapping[str, Any]) -> str:
        path = Path(self._files.name, name)
        path.write_text(json.dumps({"version": 1, **content}))
        return str(path)

    def _create(self, topic: str, partitions: int = 1, *configs: str) -> None:
        wanted = [part for config in configs for part in ("--config", config)]
        self._run("kafka-topics", "--create", "--topic", topic, "--partitions", str(partitions), *wanted)
        wait_until(lambda: topic in self._run("kafka-topics", "--list").lines, f"{topic} is listed")

    def _fill(self, topic: str, partitions: int = 1) -> None:
        self._create(topic, partitions)
        keyed = ("--reader-property", "parse.key=true", "--reader-property", "key.separator=:")
        self._run("kafka-console-producer", "--topic", topic, *keyed, lines=_LINES)

    def _read(self, topic: str, *options: str) -> list[str]:
        """What the console consumer prints of all records, sorted."""
        wanted = ("--from-beginning", "--max-messages", str(len(_LINES)), "--timeout-ms", _WAIT_MS)
        return sorted(self._run("kafka-console-consumer", "--topic", topic, *wanted, *options).lines)

    def _share_from_beginning(self, group: str) -> None:
        entity = ("--entity-type", "groups", "--entity-name", group)
        self._run("kafka-configs", "--alter", *entity, "--add-config", "share.auto.offset.reset=earliest")

    def _topics(self, topic: str) -> None:
        self._create(topic, 2, "retention.ms=60000")
        again = self._run("kafka-topics", "--create", "--topic", topic, code=1)
        expect(f"Topic '{topic}' already exists." in again.out, again.out)
        self._run("kafka-topics", "--create", "--if-not-exists", "--topic", topic)
        self._run("kafka-topics", "--alter", "--topic", topic, "--partitions", "3")

        def described() -> list[str]:
            return self._run("kafka-topics", "--describe", "--topic", topic).lines

        wait_until(lambda: len(described()) == 4, f"{topic} has grown")
        head, *rest = described()
        for part in ("PartitionCount: 3", "ReplicationFactor: 1", "retention.ms=60000"):
            expect(part in head, f"{part}: {head}")
        expect(all("Leader: 1\tReplicas: 1\tIsr: 1" in line for line in rest), f"{rest}")
        expect(self._run("kafka-topics", "--describe", "--unavailable-partitions").lines == [], "all lead")
        self._run("kafka-topics", "--delete", "--topic", topic)
        wait_until(lambda: topic not in self._run("kafka-topics", "--list").lines, f"{topic} is gone")
        gone = self._run("kafka-topics", "--describe", "--topic", topic, code=1)
        expect("does not exist as expected" in gone.out, gone.out)

    def _configs(self, topic: str) -> None:
        self._create(topic)
        entities = (
            ("topics", ("--entity-name", topic), "max.message.bytes=123456"),
            ("brokers", ("--entity-name", "1"), "log.cleaner.threads=2"),
            ("brokers", ("--entity-default",), "log.cleaner.threads=2"),
            ("groups", ("--entity-name", "a-group"), "consumer.session.timeout.ms=50000"),
            ("client-metrics", ("--entity-name", "some"), "interval.ms=30000"),
            ("clients", ("--entity-name", "a-client"), "producer_byte_rate=1000000"),
            ("clients", ("--entity-default",), "consumer_byte_rate=1000000"),
        )
        for kind, name, config in entities:
            entity = ("--entity-type", kind, *name)
            shown = config + (".0" if kind == "clients" else " ")

            def is_shown(entity: tuple[str, ...] = entity, shown: str = shown) -> bool:
                return shown in self._run("kafka-configs", "--describe", *entity).out

            self._run("kafka-configs", "--alter", *entity, "--add-config", config)
            wait_until(is_shown, f"{entity} has {config}")
            self._run("kafka-configs", "--alter", *entity, "--delete-config", config.split("=")[0])
            wait_until(partial(_is_false, is_shown), f"{entity} has {config} no more")
        entity = ("--entity-type", "topics", "--entity-name", topic)
        every = self._run("kafka-configs", "--describe", "--all", *entity)
        expect("retention.ms=604800000" in every.out, every.out)
        refused = self._run("kafka-configs", "--alter", *entity, "--add-config", "no.such=1", code=1)
        expect("no.such" in refused.err, refused.err)

    def _console(self, topic: str) -> None:
        self._fill(topic, 2)
        printed = self._read(topic, "--formatter-property", "print.key=true")
        expect(printed == [line.replace(":", "\t") for line in _LINES], f"keys and values: {printed}")
        for protocol in ("classic", "consumer"):
            options = ("--group", f"{topic}-{protocol}", "--command-property", f"group.protocol={protocol}")
            said = self._read(topic, *options)
            expect(said == _VALUES, f"{protocol}: {said}")
        group = f"{topic}-share"
        self._share_from_beginning(group)
        wanted = ("--group", group, "--max-messages", str(len(_LINES)), "--timeout-ms", _WAIT_MS)
        shared = self._run("kafka-console-share-consumer", "--topic", topic, *wanted).lines
        expect(sorted(shared) == _VALUES, f"{shared}")

    def _consumer_groups(self, topic: str) -> None:
        self._fill(topic, 1)
        group = f"{topic}-group"
        self._read(topic, "--group", group)

        def lag() -> tuple[str, str]:
            (row,) = self._run("kafka-consumer-groups", "--describe", "--group", group).rows()
            return row["CURRENT-OFFSET"], row["LAG"]

        expect(lag() == ("6", "0"), f"all is read: {lag()}")
        reset = ("--reset-offsets", "--group", group, "--topic", topic, "--to-offset", "2")
        self._run("kafka-consumer-groups", *reset, "--execute")
        expect(lag() == ("2", "4"), f"reset: {lag()}")
        expect(group in self._run("kafka-consumer-groups", "--list").lines, "it is listed")
        (state,) = self._run("kafka-consumer-groups", "--describe", "--state", "--group", group).rows()
        expect(state["STATE"] == "Empty", f"{state}")
        self._run("kafka-consumer-groups", "--delete", "--group", group)
        expect(group not in self._run("kafka-consumer-groups", "--list").lines, "it is gone")

    def _groups(self, topic: str) -> None:
        self._fill(topic)
        names = {"Classic": f"{topic}-classic", "Consumer": f"{topic}-consumer", "Share": f"{topic}-share"}
        for kind in ("Classic", "Consumer"):
            self._read(topic, "--group", names[kind], "--command-property", f"group.protocol={kind.lower()}")
        self._share_from_beginning(names["Share"])
        once = ("--group", names["Share"], "--max-messages", "1", "--timeout-ms", _WAIT_MS)
        self._run("kafka-console-share-consumer", "--topic", topic, *once)
        listed = {row["GROUP"]: row["TYPE"] for row in self._run("kafka-groups", "--list").rows()}
        for kind, name in names.items():
            expect(listed.get(name) == kind, f"{name}: {listed}")
        only = self._run("kafka-groups", "--list", "--share").rows()
        expect(names["Share"] in {row["GROUP"] for row in only}, f"{only}")
        expect({row["TYPE"] for row in only} == {"Share"}, f"{only}")

    def _share_groups(self, topic: str) -> None:
        self._fill(topic)
        group = f"{topic}-group"
        self._share_from_beginning(group)
        wanted = ("--group", group, "--max-messages", str(len(_LINES)), "--timeout-ms", _WAIT_MS)
        self._run("kafka-console-share-consumer", "--topic", topic, *wanted)
        expect(group in self._run("kafka-share-groups", "--list").lines, "it is listed")

        def start() -> str:
            (row,) = self._run("kafka-share-groups", "--describe", "--group", group, "--offsets").rows()
            return row["START-OFFSET"]

        self._run("kafka-share-groups", "--describe", "--group", group, "--state")
        reset = ("--reset-offsets", "--group", group, "--topic", topic, "--to-earliest", "--execute")
        self._run("kafka-share-groups", *reset)
        wait_until(lambda: start() == "0", "it starts anew")
        self._run("kafka-share-groups", "--delete-offsets", "--group", group, "--topic", topic)
        self._run("kafka-share-groups", "--delete", "--group", group)
        expect(group not in self._run("kafka-share-groups", "--list").lines, "it is gone")

    def _get_offsets(self, topic: str) -> None:
        self._fill(topic)
        for time, offset in (("latest", 6), ("earliest", 0), ("-1", 6), ("1", 0)):
            said = self._run("kafka-get-offsets", "--topic", topic, "--time", time).lines
            expect(said == [f"{topic}:0:{offset}"], f"{time}: {said}")
        newest = self._run("kafka-get-offsets", "--topic", topic, "--time", "max-timestamp").lines
        expect(bool(re.fullmatch(f"{topic}:0:[0-5]", "".join(newest))), f"{newest}")

    def _delete_records(self, topic: str) -> None:
        self._fill(topic)
        offsets = self._file("offsets.json", {"partitions": [{"topic": topic, "partition": 0, "offset": 4}]})
        said = self._run("kafka-delete-records", "--offset-json-file", offsets)
        expect("low_watermark: 4" in said.out, said.out)
        first = self._run("kafka-get-offsets", "--topic", topic, "--time", "earliest").lines
        expect(first == [f"{topic}:0:4"], f"{first}")

    def _perf_test(self, topic: str) -> None:
        self._create(topic)
        size = ("--num-records", "2000", "--record-size", "100", "--throughput", "-1")
        self._run("kafka-producer-perf-test", "--topic", topic, *size)
        transactional = ("--transactional-id", topic, "--transaction-duration-ms", "100")
        said = self._run("kafka-producer-perf-test", "--topic", topic, *size, *transactional)
        expect(said.lines[-1].startswith("2000 records sent"), said.out)
        wanted = ("--topic", topic, "--num-records", "4000", "--timeout", _WAIT_MS)
        read = self._run("kafka-consumer-perf-test", *wanted)
        expect(", 4000, " in read.lines[-1], read.out)
        group = f"{topic}-share"
        self._share_from_beginning(group)
        shared = self._run("kafka-share-consumer-perf-test", *wanted, "--group", group)
        expect(", 4000, " in shared.lines[-1], shared.out)

    def _verifiable(self, topic: str) -> None:
        self._create(topic)
        said = self._run("kafka-verifiable-producer", "--topic", topic, "--max-messages", "50")
        events = [json.loads(line) for line in said.lines]
        sent = [event["offset"] for event in events if event["name"] == "producer_send_success"]
        expect(sent == list(range(50)), f"{events}")
        expect(events[-1]["name"] == "tool_data" and events[-1]["acked"] == 50, f"{events[-1]}")
        for protocol in ("classic", "consumer"):
            options = ("--group-id", f"{topic}-{protocol}", "--group-protocol", protocol)
            wanted = ("--topic", topic, "--max-messages", "50", "--reset-policy", "earliest")
            read = self._run("kafka-verifiable-consumer", *wanted, *options).lines
            events = [json.loads(line) for line in read]
            got = sum(event["count"] for event in events if event["name"] == "records_consumed")
            expect(got == 50, f"{events}")
            commits = [event["success"] for event in events if event["name"] == "offsets_committed"]
            expect(commits != [] and all(commits), f"{events}")
        group = f"{topic}-share"
        self._share_from_beginning(group)
        wanted = ("--topic", topic, "--max-messages", "50", "--group-id", group)
        shared = self._run("kafka-verifiable-share-consumer", *wanted)
        acknowledged = [json.loads(line) for line in shared.lines if "offsets_acknowledged" in line]
        expect(sum(event["count"] for event in acknowledged) == 50, shared.out)

    def _log_dirs(self, topic: str) -> None:
        self._fill(topic)
        folder, partitions = self._log_dir_of(topic)
        expect(partitions[f"{topic}-0"]["size"] > 0, f"{partitions}")
        expect(partitions[f"{topic}-0"]["offsetLag"] == 0, f"{partitions}")
        expect(folder.is_dir(), f"{folder}")

    def _log_dir_of(self, topic: str) -> tuple[Path, dict[str, Any]]:
        said = self._run("kafka-log-dirs", "--describe", "--topic-list", topic)
        (broker,) = json.loads(said.lines[-1])["brokers"]
        (found,) = broker["logDirs"]
        return Path(found["logDir"]), {each["partition"]: each for each in found["partitions"]}

    def _dump_log(self, topic: str) -> None:
        self._create(topic, 1, "segment.bytes=1048576")
        size = ("--num-records", "1500", "--record-size", "1000", "--throughput", "-1")
        self._run("kafka-producer-perf-test", "--topic", topic, *size)
        folder, _ = self._log_dir_of(topic)
        first, *others = sorted((folder / f"{topic}-0").glob("*.log"))
        expect(others != [], f"the first segment is closed: {first}")
        said = self._run_alone("kafka-dump-log", "--files", str(first), "--deep-iteration")
        offsets = [int(line.split()[2]) for line in said.lines if line.startswith("| offset: ")]
        expect(len(offsets) > 900 and offsets == list(range(len(offsets))), f"{offsets[:5]}...{offsets[-5:]}")
        expect("isvalid: false" not in said.out, said.out[:2000])
        for kind in ("index", "timeindex"):
            index = str(first.with_suffix(f".{kind}"))
            checked = self._run_alone("kafka-dump-log", "--index-sanity-check", "--files", index)
            expect("passed sanity check" in checked.out, checked.out)

    def _transactions(self, topic: str) -> None:
        self._create(topic)
        size = ("--num-records", "10", "--record-size", "10", "--throughput", "-1")
        self._run("kafka-producer-perf-test", "--topic", topic, *size, "--transactional-id", topic)

        def state() -> str | None:
            rows = self._run("kafka-transactions", "list").rows()
            return {row["TransactionalId"]: row["TransactionState"] for row in rows}.get(topic)

        wait_until(lambda: state() == "CompleteCommit", f"{topic} is committed")
        (row,) = self._run("kafka-transactions", "describe", "--transactional-id", topic).rows()
        expect(row["TransactionState"] == "CompleteCommit", f"{row}")
        at = ("--topic", topic, "--partition", "0")
        (producer,) = self._run("kafka-transactions", "describe-producers", *at).rows()
        expect(producer["ProducerId"] == row["ProducerId"], f"{producer} is of {row}")
        expect(producer["CurrentTransactionStartOffset"] == "None", f"{producer}")
        hanging = self._run("kafka-transactions", "find-hanging", "--topic", topic).rows()
        expect(hanging == [], f"{hanging}")

    def _cluster(self, _topic: str) -> None:
        at = ("--bootstrap-server", self._bootstrap)
        (line,) = self._run_alone("kafka-cluster", "cluster-id", *at).lines
        expect(bool(re.fullmatch(r"Cluster ID: [\w-]{22}", line)), line)
        (row,) = self._run_alone("kafka-cluster", "list-endpoints", *at).rows()
        host, port = self._bootstrap.split(":")
        expect([row["HOST"], row["PORT"]] == [host, port], f"{row}")

    def _features(self, _topic: str) -> None:
        said = self._run("kafka-features", "describe")
        for feature in ("metadata.version", "transaction.version", "group.version", "share.version"):
            expect(f"Feature: {feature}" in said.out, said.out)
        level = ("--feature", "transaction.version=1")
        refused = self._run("kafka-features", "upgrade", *level, "--dry-run", code=1)
        expect("transaction.version" in refused.out + refused.err, f"{refused}")
        self._run("kafka-features", "downgrade", *level, "--dry-run")

    def _broker_api_versions(self, _topic: str) -> None:
        said = self._run("kafka-broker-api-versions")
        for api in ("Produce(0): 0 to 13 [usable: 13]", "ConsumerGroupHeartbeat(68)", "ShareFetch(78)"):
            expect(api in said.out, said.out)
        expect(self._bootstrap in said.lines[0], said.lines[0])

    def _metadata_quorum(self, _topic: str) -> None:
        said = self._run("kafka-metadata-quorum", "describe", "--status")
        status = dict(line.split(":", 1) for line in said.lines)
        expect(status["LeaderId"].strip() == "1" and status["MaxFollowerLag"].strip() == "0", f"{status}")
        (row,) = self._run("kafka-metadata-quorum", "describe", "--replication").rows()
        expect((row["NodeId"], row["Status"]) == ("1", "Leader"), f"{row}")

    def _leader_election(self, topic: str) -> None:
        self._create(topic)
        one = ("--topic", topic, "--partition", "0")
        said = self._run("kafka-leader-election", "--election-type", "preferred", *one)
        expect("Valid replica already elected for partitions" in said.out, said.out)
        self._run("kafka-leader-election", "--election-type", "unclean", *one)
        self._run("kafka-leader-election", "--election-type", "preferred", "--all-topic-partitions")

    def _reassign_partitions(self, topic: str) -> None:
        self._create(topic)
        topics = self._file("topics.json", {"topics": [{"topic": topic}]})
        run = partial(self._run, "kafka-reassign-partitions")
        proposed = run("--generate", "--topics-to-move-json-file", topics, "--broker-list", "1")
        moves = self._file("plan.json", json.loads(proposed.lines[-1]))
        started = run("--execute", "--reassignment-json-file", moves)
        expect(f"Successfully started partition reassignment for {topic}-0" in started.out, started.out)
        verified = run("--verify", "--reassignment-json-file", moves)
        expect(f"Reassignment of partition {topic}-0 is completed." in verified.out, verified.out)
        expect("No partition reassignments found." in run("--list").out, "none goes on")
        run("--cancel", "--reassignment-json-file", moves)

    def _client_metrics(self, topic: str) -> None:
        run = partial(self._run, "kafka-client-metrics")
        run("--alter", "--name", topic, "--metrics", "org.apache.kafka.producer.", "--interval", "30000")
        wait_until(lambda: topic in run("--list").lines, f"{topic} is listed")
        described = run("--describe", "--name", topic).out
        for part in ("interval.ms=30000", "metrics=org.apache.kafka.producer."):
            expect(part in described, described)
        run("--delete", "--name", topic)
        wait_until(lambda: topic not in run("--list").lines, f"{topic} is gone")

    def _streams_application_reset(self, topic: str) -> None:
        self._fill(topic)
        application = f"{topic}-application"
        self._read(topic, "--group", application)
        inner = f"{application}-counts-changelog"
        self._create(inner)
        options = ("--application-id", application, "--input-topics", topic)
        said = self._run("kafka-streams-application-reset", *options)
        for part in (f"Topic: {topic} Partition: 0 Offset: 0", inner):
            expect(part in said.out, said.out)
        wait_until(lambda: inner not in self._run("kafka-topics", "--list").lines, f"{inner} is gone")
        (row,) = self._run("kafka-consumer-groups", "--describe", "--group", application).rows()
        expect(row["CURRENT-OFFSET"] == "0", f"{row}")
