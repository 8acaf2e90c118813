"""Apache Kafka's jars, from Maven Central into a cache folder.

`$KSTREAM_KAFKA_JARS` names a folder that has them already; else they are fetched once, by Maven, into
`$KSTREAM_CACHE` (default `~/.cache/kstream`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

KAFKA_VERSION = "4.4.0"
TOOLS_VERSION = "4.3.1"  # the newest published kafka-tools that runs beside the broker
_BROKER_JAR = f"kafka_2.13-{KAFKA_VERSION}.jar"

STREAMS_VERSION = "4.3.1"  # of Kafka Streams, with the kafka-clients that belongs to it
_LOGGING = "org.slf4j:slf4j-simple:1.7.36"
QUIET_LOG = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"


class KafkaUnavailable(RuntimeError):
    """Apache Kafka cannot be had here; the message says what is missing."""


def cache_folder() -> Path:
    """Where things that were fetched or built are kept."""
    named = os.environ.get("KSTREAM_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "kstream"


def java() -> str:
    """The `java` program: of JAVA_HOME if that is set, else of PATH. Raises KafkaUnavailable."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin" if home else None)
    if found is None:
        raise KafkaUnavailable("Apache Kafka needs Java 17 or later: no `java` in JAVA_HOME or PATH")
    return found


def kafka_jars() -> Path:
    """The folder with all jars of the broker and its tools, fetched if need be.

    Raises KafkaUnavailable when the named folder lacks them, or when Maven is missing or fails.
    """
    named = os.environ.get("KSTREAM_KAFKA_JARS")
    if named:
        if not (Path(named) / _BROKER_JAR).exists():
            raise KafkaUnavailable(f"KSTREAM_KAFKA_JARS={named} has no {_BROKER_JAR}")
        return Path(named)
    folder = cache_folder() / f"kafka-{KAFKA_VERSION}"
    if not (folder / _BROKER_JAR).exists():
        wanted = (f"kafka_2.13:{KAFKA_VERSION}", f"kafka-tools:{TOOLS_VERSION}")
        _fetch(folder, [f"org.apache.kafka:{name}" for name in wanted])
    return folder


def streams_jars() -> Path:
    """The folder with Kafka Streams and what it needs, fetched if need be. Raises KafkaUnavailable."""
    return jars_of(f"kafka-streams-{STREAMS_VERSION}", f"org.apache.kafka:kafka-streams:{STREAMS_VERSION}")


def jars_of(name: str, *artifacts: str) -> Path:
    """The folder `name` of the cache with these (`group:artifact:version`) and all they need, fetched once.

    Raises KafkaUnavailable.
    """
    folder = cache_folder() / name
    if not folder.exists():
        _fetch(folder, artifacts)
    return folder


def _pom(artifacts: Sequence[str]) -> str:
    """A project that depends on these, each `group:artifact:version`."""
    parts = [each.split(":") for each in (*artifacts, _LOGGING)]
    dependencies = "\n".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
        f"<version>{version}</version></dependency>"
        for group, artifact, version in parts
    )
    return f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><groupId>kstream</groupId><artifactId>oracle</artifactId><version>1</version>
<dependencies>
{dependencies}
</dependencies></project>
"""


def _fetch(folder: Path, artifacts: Sequence[str]) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaUnavailable("fetching Apache Kafka needs Maven: no `mvn` in PATH")
    folder.parent.mkdir(parents=True, exist_ok=True)
    print(f"fetching {', '.join(artifacts)} into {folder}", file=sys.stderr, flush=True)
    # Fetched beside and renamed when whole, so that a broken download is never taken for the jars.
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        pom = Path(work) / "pom.xml"
        pom.write_text(_pom(artifacts))
        done = subprocess.run(
            [
                maven,
                "-B",
                "-q",
                "-f",
                str(pom),
                "dependency:copy-dependencies",
                f"-DoutputDirectory={work}/jars",
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise KafkaUnavailable(
                f"Maven could not fetch Apache Kafka:\n{(done.stdout + done.stderr)[-2000:]}"
            )
        if folder.exists():
            shutil.rmtree(folder)
        (Path(work) / "jars").rename(folder)
