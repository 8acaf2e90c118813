"""Apache Kafka itself, as a single KRaft node on a free port: the oracle and the peer to measure against.

    with KafkaServer(properties={"num.partitions": "3"}) as kafka:
        Producer({"bootstrap.servers": kafka.bootstrap})

The first use on a machine fetches the jars, see `kafka_jars`.
"""

from __future__ import annotations

import base64
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from compat.kafka_jars import java, kafka_jars
from compat.readiness import wait_for_broker
from compat.server_process import HOST, ServerProcess, free_ports

NODE_ID = 1
_PAUSE_S = 0.02

# What Kafka's own start script gives the JVM, so that Kafka is not measured below its worth.
_JVM_OPTIONS = [
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-XX:MaxInlineLevel=15",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
]

_SINGLE_NODE = {
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
}


class KafkaServer(ServerProcess):
    """Apache Kafka 4.4.0. `properties` override the defaults of a single node, key by key.

    `heap` is the JVM's maximum heap, as in `1G`. Raises KafkaUnavailable when Java or the jars are missing.
    """

    name = "kafka"

    def __init__(
        self,
        properties: Mapping[str, str] | None = None,
        *,
        folder: Path | None = None,
        parent: Path | None = None,
        heap: str = "1G",
        start_timeout_s: float = 120.0,
    ) -> None:
        self._java = java()
        self.jars = kafka_jars()
        super().__init__(folder=folder, parent=parent, start_timeout_s=start_timeout_s)
        self._properties = dict(properties or {})
        self._heap = heap
        self.data_dir = self.folder / "data"
        self.properties_path = self.folder / "server.properties"

    def java_command(self, main: str, *arguments: str) -> list[str]:
        """The command line of one of Kafka's Java programs, by the name of its class."""
        return [self._java, "-cp", f"{self.jars}/*", main, *arguments]

    def command(self) -> Sequence[str]:
        """The broker, with the properties that `launch()` wrote."""
        options = [f"-Xmx{self._heap}", f"-Xms{self._heap}", *_JVM_OPTIONS]
        return [self._java, *options, "-cp", f"{self.jars}/*", "kafka.Kafka", str(self.properties_path)]

    def launch(self) -> None:
        """Format the storage if it is new, and start the process."""
        self.prepare()
        super().launch()

    def prepare(self) -> None:
        """Choose ports, write server.properties and format the storage, each only the first time."""
        if self.port == 0:
            self.port, controller_port = free_ports(2)
            self._write_properties(controller_port)
        if (self.data_dir / "meta.properties").exists():
            return
        cluster_id = base64.urlsafe_b64encode(b"k" + uuid.uuid4().bytes[1:]).rstrip(b"=").decode()
        arguments = ["format", "-t", cluster_id, "-c", str(self.properties_path)]
        done = subprocess.run(
            self.java_command("kafka.tools.StorageTool", *arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode != 0:
            raise self.failed(f"could not format its storage: {done.stdout.decode(errors='replace')}")

    def _write_properties(self, controller_port: int) -> None:
        values = {
            "process.roles": "broker,controller",
            "node.id": str(NODE_ID),
            "controller.quorum.voters": f"{NODE_ID}@{HOST}:{controller_port}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://{HOST}:{self.port},CONTROLLER://{HOST}:{controller_port}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{self.port}",
            "log.dirs": str(self.data_dir),
            **_SINGLE_NODE,
            **self._properties,
        }
        self.properties_path.write_text("".join(f"{key}={value}\n" for key, value in values.items()))

    def wait_ready(self) -> None:
        """Ask for the brokers until there is one."""
        if not wait_for_broker(self.address, timeout_s=self.start_timeout_s, pause=self._pause):
            raise self.failed(f"was not ready within {self.start_timeout_s:g} s")

    def _pause(self) -> None:
        # Waiting for its end is the pause between two questions.
        try:
            code = self.process.wait(_PAUSE_S)
        except subprocess.TimeoutExpired:
            return
        raise self.failed(f"ended with exit code {code} before it was ready")
