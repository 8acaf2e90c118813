"""The commands that work with a cluster, as a person types them, against a running server."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from confluent_kafka import Producer

from compat.kstream_server import KstreamServer
from kstream.cli import main

pytestmark = pytest.mark.clients


class Done(NamedTuple):
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Done]


@pytest.fixture(scope="module")
def server() -> Iterator[KstreamServer]:
    with KstreamServer() as running:
        yield running
        assert "Traceback" not in running.log_path.read_text(), running.log_tail()


@pytest.fixture
def kstream(
    server: KstreamServer,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
    tmp_path: Path,
) -> Run:
    """Runs `kstream WORDS...` in this process, in a folder of its own, with `stdin` as its input."""
    monkeypatch.setenv("KSTREAM_BOOTSTRAP", server.bootstrap)
    monkeypatch.chdir(tmp_path)

    def run(*words: str, stdin: bytes | str = b"") -> Done:
        text = stdin.encode() if isinstance(stdin, str) else stdin
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
        code = main(list(words))
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        return Done(code, out.decode(), err.decode())

    return run


@pytest.fixture
def topic(kstream: Run, request: pytest.FixtureRequest) -> str:
    name = re.sub(r"\W+", "-", request.node.name)[:100].strip("-")
    assert kstream("topics", "create", name, "--partitions", "3") == Done(0, "", f"created {name}\n")
    return name


def test_topic_from_creation_to_deletion(kstream: Run, topic: str) -> None:
    again = kstream("topics", "create", topic)
    assert (again.code, again.err) == (
        4,
        f"kstream: cannot create {topic}: Topic '{topic}' already exists.\n",
    )
    assert kstream("topics", "create", topic, "--if-not-exists").code == 0
    assert {"topic": topic, "partitions": 3} in kstream("topics", "list", "--json").json
    assert f"{topic}\t3\n" in kstream("topics", "list").out
    assert kstream("topics", "alter", topic, "--partitions", "4", "--config", "retention.ms=77").code == 0
    assert kstream("produce", topic, "--partition", "2", "--value", "a", "--value", "b").code == 0
    found = kstream("topics", "describe", topic, "--json").json
    assert found["configs"] == {"retention.ms": "77"}
    assert [(each["partition"], each["begin"], each["end"]) for each in found["partitions"]] == [
        (0, 0, 0),
        (1, 0, 0),
        (2, 0, 2),
        (3, 0, 0),
    ]
    assert kstream("topics", "delete", topic) == Done(0, "", f"deleted {topic}\n")
    assert kstream("topics", "delete", topic).code == 4
    assert kstream("topics", "delete", topic, "--if-exists").code == 0
    assert kstream("topics", "describe", topic).code == 4


def test_lines_go_in_and_come_out(kstream: Run, topic: str) -> None:
    assert kstream("produce", topic, stdin="one\ntwo\n\nthree").code == 0
    done = kstream("consume", topic, "--from", "beginning", "--until", "end")
    assert done.code == 0
    assert sorted(done.out.splitlines()) == ["", "one", "three", "two"]


def test_records_with_all_they_have(kstream: Run, topic: str) -> None:
    line = {
        "partition": 1,
        "timestamp_ms": 1_700_000_000_000,
        "key": {"base64": "/wA="},
        "value": None,
        "headers": [["n", "é"], ["n", None]],
    }
    assert kstream("produce", topic, "--json", stdin=json.dumps(line)).code == 0
    assert kstream("consume", topic, "--until", "end", "--json").json == {"offset": 0, **line}


def test_options_of_produce(kstream: Run, topic: str) -> None:
    kstream(
        "produce", topic, "--key-separator", ":", "--header", "type=x", "--codec", "zstd", stdin="k:a:b\n"
    )
    kstream("produce", topic, "--key", "fix", "--timestamp", "2026-11-23T10:15Z", "--acks", "1", stdin="v\n")
    kstream("produce", topic, "--whole", stdin="1\n2\n")
    form = "{key}|{value}|{headers}"
    lines = kstream("consume", topic, "--until", "end", "--format", form, "--where", "header.type=x").out
    assert lines == "k|a:b|type=x\n"
    lines = kstream(
        "consume", topic, "--until", "end", "--format", "{time} {value}", "--where", "key=fix"
    ).out
    assert lines == "2026-11-23T10:15:00.000+00:00 v\n"
    assert kstream("consume", topic, "--until", "end", "--where", "value~1\n2").out == "1\n2\n\n"


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (["--from", "2"], "cde"),
        (["--from", "-2"], "de"),
        (["--until", "2"], "ab"),
        (["--from", "1", "--until", "3"], "bc"),
        (["--from", "1970-01-01T00:00:03Z"], "de"),
        (["--max", "2"], "ab"),
        (["--where", "value!~[bd]"], "ace"),
    ],
)
def test_a_part_of_a_topic(kstream: Run, topic: str, words: list[str], values: str) -> None:
    lines = [{"partition": 0, "timestamp_ms": 1000 * n, "value": c} for n, c in enumerate("abcde")]
    lines[0]["timestamp_ms"] = 1
    kstream("produce", topic, "--json", stdin="\n".join(json.dumps(line) for line in lines))
    until = [] if "--until" in words else ["--until", "end"]
    assert kstream("consume", topic, *words, *until).out.split() == list(values)
    if words[0] != "--from" or until:
        return
    assert kstream("consume", f"{topic}@{words[1]}:{words[3]}").out.split() == list(values)


def test_following_prints_what_comes_until_it_is_interrupted(
    kstream: Run, topic: str, server: KstreamServer
) -> None:
    kstream("produce", topic, "--value", "before")
    command = [sys.executable, "-m", "kstream", "consume", topic, "--bootstrap", server.bootstrap]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "before\n"
        kstream("produce", topic, "--value", "after")
        assert process.stdout.readline() == "after\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130


def test_whoever_reads_may_stop(kstream: Run, topic: str, server: KstreamServer) -> None:
    kstream("produce", topic, stdin="x" * 999 + "\n" + "\n".join(str(n) for n in range(20_000)))
    words = (
        f"{sys.executable} -m kstream consume {topic} --until end --bootstrap {server.bootstrap} | head -1"
    )
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", words], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_group_from_its_first_record_to_its_end(kstream: Run, topic: str) -> None:
    kstream("produce", topic, "--partition", "1", stdin="1\n2\n3\n")
    first = kstream("consume", topic, "--group", topic, "--max", "2", "--until", "end")
    assert first.out.split() == ["1", "2"]
    found = kstream("groups", "describe", topic, "--json").json
    (position,) = (each for each in found["positions"] if each["partition"] == 1)
    # The second record counts as done when the next is asked for, so it comes again.
    assert (position["position"], position["end"], position["lag"], found["lag"]) == (1, 3, 2, 2)
    assert (found["state"], found["members"]) == ("empty", [])
    assert kstream("consume", topic, "--group", topic, "--until", "end").out.split() == ["2", "3"]
    assert {"group": topic, "state": "empty", "protocol": "classic"} in kstream(
        "groups", "list", "--json"
    ).json
    dry = kstream("groups", "reset", topic, "--to", "-1", "--dry-run", "--json")
    assert {"topic": topic, "partition": 1, "before": 3, "after": 2} in dry.json
    assert kstream("groups", "describe", topic, "--json").json["lag"] == 0
    assert kstream("groups", "reset", topic, "--to", "-1").code == 0
    assert kstream("groups", "describe", topic, "--json").json["lag"] == 1
    beyond = kstream("groups", "reset", topic, "--to", "999")
    assert f"{topic}-1 ends at offset 3: that is taken in place of 999\n" in beyond.err
    assert kstream("groups", "describe", topic, "--json").json["lag"] == 0
    assert kstream("groups", "delete", topic).code == 0
    assert kstream("groups", "delete", topic).code == 4
    gone = kstream("groups", "describe", topic)
    assert (gone.code, "there is no group" in gone.err) == (4, True)


def test_the_end_that_a_group_is_reset_to_is_behind_open_transactions(
    kstream: Run, topic: str, server: KstreamServer
) -> None:
    """As by Apache Kafka's `kafka-consumer-groups --reset-offsets`."""
    producer = Producer({"bootstrap.servers": server.bootstrap, "transactional.id": topic})
    producer.init_transactions()
    producer.begin_transaction()
    for _ in range(3):
        producer.produce(topic, b"v", partition=1)
    assert producer.flush(30) == 0
    for to, after in (("end", 3), ("2", 2), ("999", 3), ("-1", 2)):
        moved = kstream("groups", "reset", topic, "--topic", topic, "--to", to, "--dry-run", "--json")
        assert {"topic": topic, "partition": 1, "before": None, "after": after} in moved.json
    producer.abort_transaction()


@pytest.mark.parametrize("words", [["--partition", "1"], ["--from", "1"], ["--until", "1"]])
def test_a_group_takes_no_range_and_no_partition(kstream: Run, topic: str, words: list[str]) -> None:
    done = kstream("consume", topic, "--group", topic, *words)
    assert (done.code, done.out) == (2, "")
    assert "a group has its own positions" in done.err


@pytest.mark.parametrize("words", [[], ["--until", "end"]])
def test_a_partition_that_is_not_there(kstream: Run, topic: str, words: list[str]) -> None:
    done = kstream("consume", topic, "--partition", "3", *words)
    assert (done.code, done.err) == (4, f"kstream: {topic} has no partition 3: it has 3\n")


def test_configs(kstream: Run, topic: str) -> None:
    assert kstream("configs", "set", "topic", topic, "retention.ms=5", "cleanup.policy=compact").code == 0
    rows = kstream("configs", "describe", "topic", topic, "--json").json
    mine = {row["setting"]: row["value"] for row in rows if row["source"] == "dynamic_topic"}
    assert mine == {"retention.ms": "5", "cleanup.policy": "compact"}
    assert kstream("configs", "unset", "topic", topic, "retention.ms").code == 0
    every = kstream("configs", "describe", "topic", topic, "--all", "--json").json
    assert next(row for row in every if row["setting"] == "retention.ms")["value"] == "604800000"
    refused = kstream("configs", "set", "topic", topic, "retention.ms=soon")
    assert (refused.code, "retention.ms" in refused.err) == (4, True)
    assert kstream("configs", "describe", "broker", "--json").code == 0


def test_cluster(kstream: Run, server: KstreamServer) -> None:
    found = kstream("cluster", "--json").json
    assert found["brokers"] == [{"broker": 1, "address": server.bootstrap, "rack": None}]
    assert kstream("cluster").out.startswith(f"cluster id  {found['cluster_id']}\n")


def test_top_shows_topics_and_groups(kstream: Run, topic: str) -> None:
    kstream("produce", topic, stdin="1\n2\n")
    kstream("consume", topic, "--group", topic, "--max", "1", "--until", "end")
    found = kstream("top", "--json").json
    row = {"name": topic, "partitions": 3, "records": 2, "records_per_s": 0.0}
    assert row in found["topics"]
    assert topic in [each["name"] for each in found["groups"]]


@pytest.mark.parametrize("middle", ["out.jsonl", "out.parquet", "./data/orders", "copied"])
def test_replay_is_lossless(kstream: Run, topic: str, middle: str) -> None:
    """Every record is the same, byte for byte, after it went through a file, a directory or a topic."""
    lines = [
        {
            "partition": n % 3,
            "timestamp_ms": 1_700_000_000_000 + n,
            "key": [None, "", "k", {"base64": "/w=="}][n % 4],
            "value": ["v", None, "", "a\nb", {"base64": "gA=="}, "{}"][n % 6],
            **({"headers": [["h", None], ["h", str(n)], ["", {"base64": "/w=="}]]} if n % 5 == 0 else {}),
        }
        for n in range(60)
    ]
    kstream("produce", topic, "--json", stdin="\n".join(json.dumps(line) for line in lines))
    there, back = f"{topic}-{middle}" if middle == "copied" else middle, f"{topic}-back"
    for words in ([topic, there], [there, back], [back, "back.jsonl"], [topic, "first.jsonl"]):
        done = kstream("replay", *words)
        assert (done.code, done.err.startswith("60 of 60 records went")) == (0, True), done
    assert Path("back.jsonl").read_text() == Path("first.jsonl").read_text()
    came_back = [json.loads(line) for line in Path("back.jsonl").read_text().splitlines()]
    assert [{k: v for k, v in line.items() if k != "offset"} for line in came_back] == lines


def test_replay_through_a_pipe(kstream: Run, topic: str) -> None:
    kstream("produce", topic, stdin="1\n2\n")
    lines = kstream("replay", topic, "-").out
    assert kstream("replay", "-", f"{topic}-2", "--partition", "0", stdin=lines).code == 0
    assert sorted(kstream("consume", f"{topic}-2", "--until", "end").out.split()) == ["1", "2"]


def test_replay_of_a_part_with_changes(kstream: Run, topic: str) -> None:
    kstream("produce", topic, "--key-separator", ":", stdin="a:1\nb:2\na:3\n")
    words = ["--where", "key=a", "--max", "1", "--header", "via=replay", "--partition", "0", "--rate", "1000"]
    dry = kstream("replay", topic, f"{topic}-2", *words, "--dry-run")
    assert dry.err.startswith("1 of ")
    assert kstream("consume", f"{topic}-2", "--until", "end").code == 4
    assert kstream("replay", topic, f"{topic}-2", *words).code == 0
    form = ["--format", "{partition} {key} {value} {headers}"]
    assert kstream("consume", f"{topic}-2", "--until", "end", *form).out == "0 a 1 via=replay\n"


def test_replay_goes_on_where_it_stopped(kstream: Run, topic: str) -> None:
    kstream("produce", topic, stdin="\n".join(str(n) for n in range(30)))
    for count, total in ((10, 10), (15, 25), (99, 30)):
        done = kstream("replay", topic, "out.jsonl", "--resume", "progress.json", "--max", str(count))
        assert done.code == 0
        assert len(Path("out.jsonl").read_text().splitlines()) == total
    values = [json.loads(line)["value"] for line in Path("out.jsonl").read_text().splitlines()]
    assert sorted(map(int, values)) == list(range(30))


def test_replay_steps(kstream: Run, topic: str) -> None:
    """Each line of standard input lets one record go; its end ends the replay."""
    kstream("produce", topic, stdin="1\n2\n3\n")
    done = kstream("replay", topic, "out.jsonl", "--step", stdin="\n\n")
    assert done.code == 130
    assert len(Path("out.jsonl").read_text().splitlines()) == 2


def test_replay_leaves_no_group_behind(kstream: Run, topic: str) -> None:
    kstream("produce", topic, "--value", "1")
    before = kstream("groups", "list", "--json").json
    kstream("replay", topic, "out.jsonl")
    assert kstream("groups", "list", "--json").json == before


def test_dump_explains_what_a_server_wrote(kstream: Run, topic: str, server: KstreamServer) -> None:
    kstream("produce", topic, "--partition", "0", "--key", "k", "--value", "hello")
    folder = server.data_dir / f"{topic}-0"
    lines = kstream("dump", str(folder), "--records").out
    assert "record batches\n" in lines
    assert " key=k value=hello\n" in lines
    batches = kstream("dump", str(folder / f"{0:020d}.log"), "--json").json["entries"]
    assert [(each["offsets"], each["records"]) for each in batches if "offsets" in each] == [("0..0", 1)]
    metadata = kstream("dump", str(server.data_dir / "__cluster_metadata-0"), "--records").out
    assert f"TopicRecord(name='{topic}'" in metadata


def test_dump_says_what_is_torn(kstream: Run, tmp_path: Path) -> None:
    (tmp_path / f"{0:020d}.log").write_bytes(b"\x01" * 100)
    done = kstream("dump", str(tmp_path / f"{0:020d}.log"))
    assert done.code == 2
    assert f"{0:020d}.log: byte 0: " in done.err


def test_bench_measures_and_cleans_up(kstream: Run) -> None:
    done = kstream("bench", "--seconds", "0.2", "--size", "100", "--here", "--json").json
    assert done["record_bytes"] == 100
    assert min(value for name, value in done.items()) > 0
    assert not [each for each in kstream("topics", "list", "--json").json if "bench" in each["topic"]]


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (["nonsense"], 2, 'Unknown command "nonsense"'),
        (["topics", "create"], 2, "NAME requires an argument"),
        (["produce", "t", "--acks", "2"], 2, "acks"),
        (["consume", "t", "--from", "soon"], 2, "soon is no place in a topic: write beginning"),
        (["consume", "t@1:2", "--from", "3"], 2, "leave out --from and --until"),
        (["consume", "t", "--format", "{nope}"], 2, "is no field; there are partition"),
        (["consume", "no-such-topic", "--until", "end"], 4, "no-such-topic"),
        (["replay", "a", "a"], 2, "a would be replayed into itself"),
        (["replay", "no such", "x.jsonl"], 2, "is no topic, no file and no data directory"),
        (["replay", "missing.jsonl", "t"], 2, "cannot read missing.jsonl: No such file or directory"),
        (["replay", "./nowhere/t", "x.jsonl"], 2, "has no records of t"),
        (["replay", "a", "b", "--speed", "1", "--rate", "1"], 2, "give one of them"),
        (["dump", "nowhere"], 2, "nowhere is not there"),
        (["topics", "list", "--client", "x"], 2, "--client x: write KEY=VALUE"),
        (["topics", "list", "--client", "no.such=1"], 2, "no.such"),
        (["configs", "set", "topic", "t", "x"], 2, "x: write KEY=VALUE"),
        (["groups", "reset", "nobody", "--to", "end"], 2, "name the topics with --topic"),
        (["groups", "describe", ""], 2, "the name of a group cannot be empty"),
        (["groups", "reset", "", "--to", "end", "--topic", "t"], 2, "the name of a group cannot be empty"),
        (["groups", "delete", "g", ""], 2, "the name of a group cannot be empty"),
    ],
)
def test_mistakes_are_one_line_that_helps(kstream: Run, words: list[str], code: int, reason: str) -> None:
    done = kstream(*words)
    assert (done.code, done.out) == (code, "")
    assert reason in done.err
    assert done.err.count("\n") == 1
    assert done.err.startswith("kstream: ")


@pytest.mark.parametrize("words", [["groups", "list"], ["consume", "t"], ["produce", "t"]])
def test_no_tls_there(kstream: Run, words: list[str]) -> None:
    """Said at once: the client library would try for twenty seconds."""
    done = kstream(*words, "-X", "security.protocol=ssl")
    assert (done.code, done.out) == (3, "")
    assert "no tls there, and security.protocol asks for it" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("words", [["topics", "list"], ["consume", "t"], ["produce", "t"], ["cluster"]])
def test_nobody_there(kstream: Run, words: list[str]) -> None:
    done = kstream(*words, "--bootstrap", "127.0.0.1:1")
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("kstream: no answer from 127.0.0.1:1: ")
    assert done.err.endswith("is a server running there?\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_commands_and_options(kstream: Run, shell: str) -> None:
    script = kstream("completion", shell).out
    for word in ("replay", "ephemeral", "advertise", "if-not-exists"):
        assert word in script


def test_help_names_every_command(kstream: Run) -> None:
    for words in (["--help"], ["-h"]):
        lines = kstream(*words).out
        for name in ("serve", "topics", "produce", "consume", "groups", "configs", "replay", "dump", "top"):
            assert f" {name} " in lines
    assert "--where" in kstream("replay", "--help").out


def test_without_the_extra_a_command_says_what_to_install(tmp_path: Path) -> None:
    """The core alone still serves; the other commands name what they need."""
    code = "import sys; sys.modules['cyclopts'] = None; from kstream.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "topics", "list"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=dict(os.environ),
    )
    assert done.returncode == 2
    assert "pip install 'kstream[cli]'" in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        "consume TOPIC",
        "consume TOPIC --group g",
        "produce TOPIC --value a",
        "replay TOPIC copy.jsonl",
        "replay TOPIC OTHER",
        "bench --seconds 1",
        "topics list",
        "groups reset g --to end --topic TOPIC",
    ],
)
def test_a_setting_that_the_client_library_does_not_know_is_said_in_a_line(
    kstream: Run, topic: str, command: str
) -> None:
    words = command.replace("TOPIC", topic).replace("OTHER", f"{topic}-copy").split()
    done = kstream(*words, "-X", "nonsense=1")
    assert (done.code, done.err) == (2, 'kstream: No such configuration property: "nonsense"\n')
