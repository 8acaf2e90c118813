"""Kafka's command-line tools, from Maven Central.

The tools are published at 4.3.1 and want the libraries of that version beside them, so they have a folder of
their own: `$KSTREAM_KAFKA_TOOLS_JARS`, or one in the cache that Maven fills.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from compat.kafka_jars import TOOLS_VERSION, KafkaUnavailable, cache_folder, java

_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><groupId>kstream</groupId><artifactId>tools</artifactId><version>1</version>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId>
<version>{TOOLS_VERSION}</version></dependency>
</dependencies></project>
"""


def tools_jars() -> Path:
    """The folder with the jars. Raises KafkaUnavailable."""
    named = os.environ.get("KSTREAM_KAFKA_TOOLS_JARS")
    if named:
        return Path(named)
    folder = cache_folder() / f"kafka-tools-{TOOLS_VERSION}"
    if folder.exists():
        return folder
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaUnavailable("fetching Kafka's tools needs Maven: no `mvn` in PATH")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        (Path(work) / "pom.xml").write_text(_POM)
        done = subprocess.run(
            [maven, "-B", "-q", "dependency:copy-dependencies", "-DoutputDirectory=jars"],
            cwd=work,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise KafkaUnavailable(f"Maven could not fetch Kafka's tools:\n{done.stdout[-2000:]}")
        (Path(work) / "jars").rename(folder)
    return folder


def run_tool(main: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of Kafka's tools by the name of its class, whatever it says. Raises KafkaUnavailable."""
    command = [java(), "-Xmx256m", "-cp", f"{tools_jars()}/*", f"org.apache.kafka.tools.{main}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def dump(files: list[Path], *options: str) -> list[str]:
    """What DumpLogSegments prints about files. Raises KafkaUnavailable."""
    done = run_tool("DumpLogSegments", "--files", ",".join(map(str, files)), *options)
    assert "Exception" not in done.stderr, done.stderr
    return done.stdout.splitlines()
