"""The stream processors that are run against a server, and Kafka Connect: which versions, and their jars."""

from __future__ import annotations

from pathlib import Path

from compat.kafka_jars import TOOLS_VERSION, jars_of

FLINK_VERSION, FLINK_CONNECTOR_VERSION = "2.2.1", "5.0.0-2.2"
SPARK_VERSION = "4.2.0"
STORM_VERSION, STORM_CLIENT_VERSION = "2.8.3", "3.9.1"  # the spout takes its kafka-clients from its user


def connect_jars() -> Path:
    """Kafka Connect, with the connectors for files. Raises KafkaUnavailable."""
    names = ("connect-runtime", "connect-file")
    return jars_of(
        f"kafka-connect-{TOOLS_VERSION}", *(f"org.apache.kafka:{name}:{TOOLS_VERSION}" for name in names)
    )


def flink_jars() -> Path:
    """Flink with a cluster in the same process, and its connector for Kafka. Raises KafkaUnavailable."""
    names = ("flink-streaming-java", "flink-clients", "flink-connector-base")
    return jars_of(
        f"flink-{FLINK_VERSION}",
        *(f"org.apache.flink:{name}:{FLINK_VERSION}" for name in names),
        f"org.apache.flink:flink-connector-kafka:{FLINK_CONNECTOR_VERSION}",
    )


def spark_jars() -> Path:
    """Spark SQL with its source and sink for Kafka. Raises KafkaUnavailable."""
    names = ("spark-sql_2.13", "spark-sql-kafka-0-10_2.13")
    return jars_of(f"spark-{SPARK_VERSION}", *(f"org.apache.spark:{name}:{SPARK_VERSION}" for name in names))


def storm_jars() -> Path:
    """Storm with a cluster in the same process, and its spout for Kafka. Raises KafkaUnavailable."""
    names = ("storm-client", "storm-server", "storm-kafka-client")
    return jars_of(
        f"storm-{STORM_VERSION}",
        *(f"org.apache.storm:{name}:{STORM_VERSION}" for name in names),
        f"org.apache.kafka:kafka-clients:{STORM_CLIENT_VERSION}",
    )
